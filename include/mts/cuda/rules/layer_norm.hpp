#pragma once
/// \file
/// Layer normalisation on a device: a warp for every sample.

#include <cmath>

#include "mts/autodiff/layer_norm.hpp"
#include "mts/cuda/rounding.hpp"
#include "mts/cuda/rules.hpp"
#include "mts/cuda/rules/per_sample_gradients.hpp"

namespace mts::cuda {

namespace kernels {

/// Mean and 1/sqrt(var + eps) of one row, in two passes.
template <class S>
struct RowMoments {
  const S* x;
  S mean, reciprocal;
  MTS_HOST_DEVICE RowMoments(const Lanes& lanes, const S* row, Index n, S epsilon) : x(row) {
    using std::sqrt;
    mean = lanes.sum<S>(n, [&](Index j) { return row[j]; }) / static_cast<S>(n);
    const S m = mean;
    const S variance = lanes.sum<S>(n, [&](Index j) { return (row[j] - m) * (row[j] - m); });
    reciprocal = S{1} / sqrt(variance / static_cast<S>(n) + epsilon);
  }
  MTS_HOST_DEVICE S hat(Index j) const { return (x[j] - mean) * reciprocal; }
};
/// The rows and the parameters g, b that all of its rules read.
template <class S>
struct NormalisedRows {
  const S* x;
  Index cols;
  S epsilon;
  MTS_HOST_DEVICE RowMoments<S> moments(const Lanes& lanes, Index i) const {
    return RowMoments<S>(lanes, x + i * cols, cols, epsilon);
  }
};
template <class S>
struct LayerNormForward {
  NormalisedRows<S> rows;
  const S* w;
  S* y;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index i) const {
    const Index n = rows.cols;
    const auto m = rows.moments(lanes, i);
    lanes.each(n, [&](Index j) { y[i * n + j] = w[j] * m.hat(j) + w[n + j]; });
  }
};
/// dl/dx = r (d - mean d - xhat mean(d xhat)), d = g delta.
template <class S>
struct LayerNormPullback {
  NormalisedRows<S> rows;
  const S *w, *delta;
  S* to;
  bool accumulate;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index i) const {
    const Index n = rows.cols;
    const auto m = rows.moments(lanes, i);
    const S* from = delta + i * n;
    const auto d = [&](Index j) { return rounded_product(w[j], from[j]); };
    const S mean_d = lanes.sum<S>(n, d) / static_cast<S>(n);
    const S mean_dx = lanes.sum<S>(n, [&](Index j) { return d(j) * m.hat(j); }) / static_cast<S>(n);
    lanes.each(n,
               [&](Index j) { take(to[i * n + j], accumulate, m.reciprocal * (d(j) - mean_d - m.hat(j) * mean_dx)); });
  }
};
/// The tangent of the rows and the direction in g, b; one that is null is zero.
template <class S>
struct LayerNormPushforward {
  NormalisedRows<S> rows;
  const S *w, *tangent, *w_tangent;
  S* out;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index i) const {
    const Index n = rows.cols;
    const auto m = rows.moments(lanes, i);
    const S* v = tangent ? tangent + i * n : nullptr;
    const S mean_v = v ? lanes.sum<S>(n, [&](Index j) { return v[j]; }) / static_cast<S>(n) : S{0};
    const S mean_vx = v ? lanes.sum<S>(n, [&](Index j) { return v[j] * m.hat(j); }) / static_cast<S>(n) : S{0};
    lanes.each(n, [&](Index j) {
      S y = v ? w[j] * m.reciprocal * (v[j] - mean_v - m.hat(j) * mean_vx) : S{0};
      if (w_tangent) y += w_tangent[j] * m.hat(j) + w_tangent[n + j];
      out[i * n + j] = y;
    });
  }
};
/// y_ij <- delta_ij xhat_ij.
template <class S>
struct TimesNormalised {
  NormalisedRows<S> rows;
  const S* delta;
  S* y;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index i) const {
    const Index n = rows.cols;
    const auto m = rows.moments(lanes, i);
    lanes.each(n, [&](Index j) { y[i * n + j] = delta[i * n + j] * m.hat(j); });
  }
};
template <class S>
struct LayerNormDot {
  NormalisedRows<S> rows;
  const S *delta, *v;
  double* out;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index i) const {
    const Index n = rows.cols;
    const auto m = rows.moments(lanes, i);
    const S sum = lanes.sum<S>(n, [&](Index j) { return delta[i * n + j] * (m.hat(j) * v[j] + v[n + j]); });
    lanes.once([&] { out[i] += static_cast<double>(sum); });
  }
};
template <class S>
struct LayerNormSquaredNorm {
  NormalisedRows<S> rows;
  const S* delta;
  double* out;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index i) const {
    const Index n = rows.cols;
    const auto m = rows.moments(lanes, i);
    const S sum = lanes.sum<S>(n, [&](Index j) {
      const S d = delta[i * n + j], dx = d * m.hat(j);
      return d * d + dx * dx;
    });
    lanes.once([&] { out[i] += static_cast<double>(sum); });
  }
};

}  // namespace kernels

template <class S, class E>
class LayerNormRules final : public Rules<S, E> {
 public:
  LayerNormRules(const autodiff::LayerNorm& p, autodiff::Widths in) : n_(in[0]), epsilon_(static_cast<S>(p.epsilon)) {}

  void forward(const At<S, E>& at, Matrix<S> out) const override {
    at.queue->rows(at.rows, kernels::LayerNormForward<S>{rows(at), at.parameters, out.data});
  }
  void pullback(const At<S, E>& at, ConstMatrix<S> delta, std::span<const Sink<S>> sinks) const override {
    if (const auto& s = sinks[0])
      at.queue->rows(at.rows,
                     kernels::LayerNormPullback<S>{rows(at), at.parameters, delta.data, s.to.data, s.accumulate});
  }
  void pushforward(const At<S, E>& at, std::span<const ConstMatrix<S>> tangents, const S* w_tangent,
                   Matrix<S> out) const override {
    at.queue->rows(at.rows,
                   kernels::LayerNormPushforward<S>{rows(at), at.parameters, tangents[0].data, w_tangent, out.data});
  }
  void parameter_pullback(const At<S, E>& at, ConstMatrix<S> delta, const S* u, S* gradient) const override {
    auto scaled = at.scratch(at.rows * n_);
    at.queue->rows(at.rows, kernels::TimesNormalised<S>{rows(at), delta.data, scaled.data()});
    add_weighted_rows<S>(at, u, {scaled.data(), at.rows, n_}, gradient);
    add_weighted_rows<S>(at, u, delta, gradient + n_);
  }
  void per_sample_dot(const At<S, E>& at, ConstMatrix<S> delta, const S* v, double* out) const override {
    at.queue->rows(at.rows, kernels::LayerNormDot<S>{rows(at), delta.data, v, out});
  }
  void per_sample_squared_norm(const At<S, E>& at, ConstMatrix<S> delta, double* out) const override {
    at.queue->rows(at.rows, kernels::LayerNormSquaredNorm<S>{rows(at), delta.data, out});
  }

 private:
  kernels::NormalisedRows<S> rows(const At<S, E>& at) const { return {at.in[0].data, n_, epsilon_}; }
  Index n_;
  S epsilon_;
};

}  // namespace mts::cuda
