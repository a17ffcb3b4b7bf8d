#pragma once
/// \file
/// Layer normalisation (Ba, Kiros, Hinton 2016): y_j = g_j xhat_j + b_j, xhat = (x - mean x)/sqrt(var x + eps), moments over
/// the features of one sample (1/width variance). Samples do not mix, so every per-sample rule exists; BatchNorm has
/// none of them.

#include <cmath>

#include "mts/autodiff/primitive.hpp"
#include "mts/core/scratch.hpp"

namespace mts::autodiff {

/// Parameters: g (width, begins at 1), then b (width, begins at 0). One input; the output has its width.
struct LayerNorm {
  static constexpr bool ignores_output = true;

  double epsilon = 1e-5;
  bool decays = true;  ///< whether weight decay applies to g and b

  Index width(Widths in) const {
    detail::check_inputs("LayerNorm", 1, in);
    if (in[0] < 1) throw ShapeError("LayerNorm: expected a width of at least 1, found 0");
    return in[0];
  }
  std::vector<Segment> segments(Widths in) const { return {{"scale", 0, in[0], decays}, {"shift", 0, in[0], decays}}; }
  template <class S>
  void initialize(S* w, Widths in, RandomStream&) const {
    std::fill(w, w + in[0], S{1});
    std::fill(w + in[0], w + 2 * in[0], S{0});
  }
  template <class S>
  void forward(const Tile<S>& t, View<S> out) const {
    const Index n = out.cols;
    for (Index i = 0; i < t.rows; ++i) {
      const Moments<S> m(t.in[0].row(i), n, epsilon);
      for (Index j = 0; j < n; ++j) out.row(i)[j] = t.parameters[j] * m.hat(j) + t.parameters[n + j];
    }
  }
  /// dl/dx = r (d - mean d - xhat mean(d xhat)), d = g delta, r = 1/sqrt(var + eps).
  template <class S>
  void pullback(const Tile<S>& t, ConstView<S> delta, std::span<const DeltaSink<S>> sinks) const {
    if (!sinks[0]) return;
    const Index n = delta.cols;
    // Rounded once and kept: fused into each use, what should cancel would not, and r can be large.
    S* d = mts::detail::thread_scratch<S, 0>(n);
    for (Index i = 0; i < t.rows; ++i) {
      const Moments<S> m(t.in[0].row(i), n, epsilon);
      for (Index j = 0; j < n; ++j) d[j] = t.parameters[j] * delta.row(i)[j];
      S mean_d = 0, mean_dx = 0;
      for (Index j = 0; j < n; ++j) {
        mean_d += d[j];
        mean_dx += d[j] * m.hat(j);
      }
      mean_d /= static_cast<S>(n);
      mean_dx /= static_cast<S>(n);
      S* to = sinks[0].view.row(i);
      for (Index j = 0; j < n; ++j) {
        const S value = m.reciprocal * (d[j] - mean_d - m.hat(j) * mean_dx);
        to[j] = sinks[0].accumulate ? to[j] + value : value;
      }
    }
  }
  template <class S>
  void pushforward(const Tile<S>& t, std::span<const ConstView<S>> tangents, const S* w_tangent, View<S> out) const {
    const Index n = out.cols;
    for (Index i = 0; i < t.rows; ++i) {
      const Moments<S> m(t.in[0].row(i), n, epsilon);
      S* y = out.row(i);
      S mean_v = 0, mean_vx = 0;
      const S* v = tangents[0] ? tangents[0].row(i) : nullptr;
      for (Index j = 0; v && j < n; ++j) {
        mean_v += v[j];
        mean_vx += v[j] * m.hat(j);
      }
      mean_v /= static_cast<S>(n);
      mean_vx /= static_cast<S>(n);
      for (Index j = 0; j < n; ++j) {
        y[j] = v ? t.parameters[j] * m.reciprocal * (v[j] - mean_v - m.hat(j) * mean_vx) : S{0};
        if (w_tangent) y[j] += w_tangent[j] * m.hat(j) + w_tangent[n + j];
      }
    }
  }
  Index tasks(Widths) const { return 1; }
  template <class S>
  void parameter_pullback(const Tile<S>& t, ConstView<S> delta, const S* u, Index, S* gradient) const {
    const Index n = delta.cols;
    for (Index i = 0; i < t.rows; ++i) {
      const Moments<S> m(t.in[0].row(i), n, epsilon);
      for (Index j = 0; j < n; ++j) {
        const S d = (u ? u[i] : S{1}) * delta.row(i)[j];
        gradient[j] += d * m.hat(j);
        gradient[n + j] += d;
      }
    }
  }
  template <class S>
  void per_sample_dot(const Tile<S>& t, ConstView<S> delta, const S* v, double* out) const {
    const Index n = delta.cols;
    for (Index i = 0; i < t.rows; ++i) {
      const Moments<S> m(t.in[0].row(i), n, epsilon);
      S sum = 0;
      for (Index j = 0; j < n; ++j) sum += delta.row(i)[j] * (m.hat(j) * v[j] + v[n + j]);
      out[i] += static_cast<double>(sum);
    }
  }
  template <class S>
  void per_sample_squared_norm(const Tile<S>& t, ConstView<S> delta, double* out) const {
    const Index n = delta.cols;
    for (Index i = 0; i < t.rows; ++i) {
      const Moments<S> m(t.in[0].row(i), n, epsilon);
      S sum = 0;
      for (Index j = 0; j < n; ++j) {
        const S d = delta.row(i)[j], dx = d * m.hat(j);
        sum += d * d + dx * dx;
      }
      out[i] += static_cast<double>(sum);
    }
  }

 private:
  /// Mean and 1/sqrt(var + eps) of one sample, in two passes.
  template <class S>
  struct Moments {
    Moments(const S* sample, Index n, double epsilon) : x(sample) {
      for (Index j = 0; j < n; ++j) mean += x[j];
      mean /= static_cast<S>(n);
      S variance = 0;
      for (Index j = 0; j < n; ++j) variance += (x[j] - mean) * (x[j] - mean);
      reciprocal = S{1} / std::sqrt(variance / static_cast<S>(n) + static_cast<S>(epsilon));
    }
    S hat(Index j) const { return (x[j] - mean) * reciprocal; }
    const S* x;
    S mean = 0;
    S reciprocal = 1;
  };
};

}  // namespace mts::autodiff
