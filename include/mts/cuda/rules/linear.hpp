#pragma once
/// \file
/// Linear layer on a device: y_i = W x_i + b. Three products and two kernels a row.

#include "mts/autodiff/linear.hpp"
#include "mts/cuda/rules.hpp"
#include "mts/cuda/rules/per_sample_gradients.hpp"

namespace mts::cuda {

namespace kernels {

/// y_ij <- y_ij + b_j.
template <class S>
struct AddBias {
  const S* bias;
  S* y;
  Index cols;
  MTS_HOST_DEVICE void operator()(Index i, Index j) const { y[i * cols + j] += bias[j]; }
};
/// y_ij <- u_i x_ij.
template <class S>
struct ScaleRows {
  const S *u, *x;
  S* y;
  Index cols;
  MTS_HOST_DEVICE void operator()(Index i, Index j) const { y[i * cols + j] = u[i] * x[i * cols + j]; }
};
/// out_i <- out_i + sum_j d_ij (y_ij + b_(j mod channels)); without b the first sum alone.
template <class S>
struct RowDot {
  const S *d, *y, *bias;
  Index cols, channels;
  double* out;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index i) const {
    const S *di = d + i * cols, *yi = y + i * cols;
    const auto channel = [&](Index j) { return static_cast<unsigned>(j) % static_cast<unsigned>(channels); };
    const S sum = lanes.sum<S>(cols, [&](Index j) { return di[j] * (bias ? yi[j] + bias[channel(j)] : yi[j]); });
    lanes.once([&] { out[i] += static_cast<double>(sum); });
  }
};
/// out_i <- out_i + |d_i|^2 (|x_i|^2 + one).
template <class S>
struct OuterSquaredNorm {
  const S *d, *x;
  Index d_cols, x_cols;
  double one, *out;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index i) const {
    const S *di = d + i * d_cols, *xi = x + i * x_cols;
    const S d2 = lanes.sum<S>(d_cols, [&](Index j) { return di[j] * di[j]; });
    const S x2 = lanes.sum<S>(x_cols, [&](Index j) { return xi[j] * xi[j]; });
    lanes.once([&] { out[i] += static_cast<double>(d2) * (static_cast<double>(x2) + one); });
  }
};

}  // namespace kernels

template <class S, class E>
class LinearRules final : public Rules<S, E> {
 public:
  LinearRules(const autodiff::Linear& p, autodiff::Widths in) : o_(p.outputs), i_(in[0]), bias_(p.bias) {}

  void forward(const At<S, E>& at, Matrix<S> out) const override { affine(at, at.in[0], at.parameters, out, false); }
  void pullback(const At<S, E>& at, ConstMatrix<S> delta, std::span<const Sink<S>> sinks) const override {
    if (sinks[0])
      at.queue->template multiply<S>({.rows = at.rows,
                                      .cols = i_,
                                      .depth = o_,
                                      .a = {delta.data, o_},
                                      .b = {at.parameters, i_},
                                      .to = sinks[0].to.data,
                                      .stride = i_,
                                      .accumulate = sinks[0].accumulate});
  }
  void pushforward(const At<S, E>& at, std::span<const ConstMatrix<S>> tangents, const S* w_tangent,
                   Matrix<S> out) const override {
    if (tangents[0])
      times_transposed(at, tangents[0], at.parameters, out, false);
    else if (!w_tangent)
      at.queue->clear(out.data, out.size());
    if (w_tangent) affine(at, at.in[0], w_tangent, out, static_cast<bool>(tangents[0]));
  }
  /// dW += (diag(u) delta)^T x, db += delta^T u: sums over the samples are products, so their order is the product's.
  void parameter_pullback(const At<S, E>& at, ConstMatrix<S> delta, const S* u, S* gradient) const override {
    auto weighted = at.scratch(at.rows * o_);
    at.queue->grid(at.rows, o_, kernels::ScaleRows<S>{u, delta.data, weighted.data(), o_});
    at.queue->template multiply<S>({.rows = o_,
                                    .cols = i_,
                                    .depth = at.rows,
                                    .a = {weighted.data(), o_, true},
                                    .b = {at.in[0].data, i_},
                                    .to = gradient,
                                    .stride = i_,
                                    .accumulate = true});
    if (bias_) add_weighted_rows<S>(at, u, delta, gradient + o_ * i_);
  }
  void per_sample_dot(const At<S, E>& at, ConstMatrix<S> delta, const S* v, double* out) const override {
    auto image = at.scratch(at.rows * o_);
    times_transposed(at, at.in[0], v, {image.data(), at.rows, o_}, false);
    at.queue->rows(at.rows, kernels::RowDot<S>{delta.data, image.data(), bias_ ? v + o_ * i_ : nullptr, o_, o_, out});
  }
  void per_sample_squared_norm(const At<S, E>& at, ConstMatrix<S> delta, double* out) const override {
    at.queue->rows(at.rows, kernels::OuterSquaredNorm<S>{delta.data, at.in[0].data, o_, i_, bias_ ? 1.0 : 0.0, out});
  }

 private:
  /// y <- or += x W^T
  void times_transposed(const At<S, E>& at, ConstMatrix<S> x, const S* w, Matrix<S> y, bool accumulate) const {
    at.queue->template multiply<S>({.rows = at.rows,
                                    .cols = o_,
                                    .depth = i_,
                                    .a = {x.data, i_},
                                    .b = {w, i_, true},
                                    .to = y.data,
                                    .stride = o_,
                                    .accumulate = accumulate});
  }
  void affine(const At<S, E>& at, ConstMatrix<S> x, const S* w, Matrix<S> y, bool accumulate) const {
    times_transposed(at, x, w, y, accumulate);
    if (bias_) at.queue->grid(at.rows, o_, kernels::AddBias<S>{w + o_ * i_, y.data, o_});
  }

  Index o_, i_;
  bool bias_;
};

}  // namespace mts::cuda
