#pragma once
/// \file
/// Elementwise activations: y = f(x). The functions themselves are plain value/derivative pairs, so that another backend
/// runs the very same expressions.

#include <cmath>
#include <numbers>

#include "mts/autodiff/primitive.hpp"
#include "mts/core/host_device.hpp"

/// Before a loop whose iterations touch different entries, even where two of its pointers are the same.
#if defined(__clang__)
#define MTS_INDEPENDENT_ITERATIONS _Pragma("clang loop vectorize(assume_safety)")
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpass-failed"  // without optimisation, or sanitized, such loops stay scalar
#else
#define MTS_INDEPENDENT_ITERATIONS _Pragma("GCC ivdep")
#endif

namespace mts::autodiff {

/// max(x, 0); derivative 0 at 0, as PyTorch. NaN stays NaN.
struct ReluFunction {
  static constexpr const char* name = "Relu";
  static constexpr bool slope_from_value = true;
  template <class S>
  MTS_HOST_DEVICE static S value(S x) {
    return x < S{0} ? S{0} : x;
  }
  template <class S>
  MTS_HOST_DEVICE static S derivative(S x, S) {
    return x > S{0} ? S{1} : S{0};
  }
};

/// tanh x; derivative 1 - y^2.
struct TanhFunction {
  static constexpr const char* name = "Tanh";
  static constexpr bool slope_from_value = true;
  template <class S>
  MTS_HOST_DEVICE static S value(S x) {
    using std::tanh;
    return tanh(x);
  }
  template <class S>
  MTS_HOST_DEVICE static S derivative(S, S y) {
    return S{1} - y * y;
  }
};

/// 1/(1 + exp(-x)); derivative y (1 - y). exp never sees a positive argument.
struct SigmoidFunction {
  static constexpr const char* name = "Sigmoid";
  static constexpr bool slope_from_value = true;
  template <class S>
  MTS_HOST_DEVICE static S value(S x) {
    using std::exp;
    const S e = exp(x < S{0} ? x : -x);
    return x < S{0} ? e / (S{1} + e) : S{1} / (S{1} + e);
  }
  template <class S>
  MTS_HOST_DEVICE static S derivative(S, S y) {
    return y * (S{1} - y);
  }
};

/// x Phi(x), Phi the standard normal distribution (the exact form, not the tanh approximation; Hendrycks and Gimpel
/// 2016); derivative Phi(x) + x phi(x).
struct GeluFunction {
  static constexpr const char* name = "Gelu";
  static constexpr bool slope_from_value = false;
  template <class S>
  MTS_HOST_DEVICE static S normal_cdf(S x) {
    using std::erfc;
    return S{0.5} * erfc(-x * static_cast<S>(std::numbers::sqrt2 / 2));
  }
  template <class S>
  MTS_HOST_DEVICE static S value(S x) {
    return x * normal_cdf(x);
  }
  template <class S>
  MTS_HOST_DEVICE static S derivative(S x, S) {
    using std::exp;
    const S density = static_cast<S>(std::numbers::inv_sqrtpi / std::numbers::sqrt2) * exp(-x * x / S{2});
    return normal_cdf(x) + x * density;
  }
};

/// y = F(x), entry by entry. Where F says `slope_from_value`, that F'(x) follows from F(x) alone, y overwrites x. One input; the output has its width. Pullback delta F'(x), pushforward F'(x) tangent.
template <class F>
struct Elementwise {
  static constexpr bool in_place = [] {
    if constexpr (requires { F::slope_from_value; }) return F::slope_from_value;
    return false;
  }();

  Index width(Widths in) const {
    detail::check_inputs(F::name, 1, in);
    return in[0];
  }
  template <class S>
  void forward(const Tile<S>& t, View<S> out) const {
    for (Index i = 0; i < t.rows; ++i) {
      const S* x = t.in[0].row(i);
      S* y = out.row(i);
      MTS_INDEPENDENT_ITERATIONS
      for (Index j = 0; j < out.cols; ++j) y[j] = F::value(x[j]);
    }
  }
  template <class S>
  void pullback(const Tile<S>& t, ConstView<S> delta, std::span<const DeltaSink<S>> sinks) const {
    if (!sinks[0]) return;
    for (Index i = 0; i < t.rows; ++i) times_slopes(t, i, delta.row(i), sinks[0].view.row(i), sinks[0].accumulate);
  }
  template <class S>
  void pushforward(const Tile<S>& t, std::span<const ConstView<S>> tangents, const S*, View<S> out) const {
    if (!tangents[0]) return out.matrix().setZero(), void();
    for (Index i = 0; i < t.rows; ++i) times_slopes(t, i, tangents[0].row(i), out.row(i), false);
  }

 private:
  /// to_j <- or += from_j F'(x_ij); `to` may be `from`. The slopes of a stretch first: a slope that is a choice, multiplied at once,
  /// would become a branch.
  template <class S>
  static void times_slopes(const Tile<S>& t, Index i, const S* from, S* to, bool add) {
    constexpr Index stretch = 64;
    const S *x = t.in[0].row(i), *y = t.out.row(i);
    S slope[stretch];
    for (Index begin = 0; begin < t.out.cols; begin += stretch) {
      const Index n = std::min(stretch, t.out.cols - begin);
      for (Index j = 0; j < n; ++j) slope[j] = F::derivative(x[begin + j], y[begin + j]);
      if (add) {
        for (Index j = 0; j < n; ++j) to[begin + j] += from[begin + j] * slope[j];
      } else {
        MTS_INDEPENDENT_ITERATIONS
        for (Index j = 0; j < n; ++j) to[begin + j] = from[begin + j] * slope[j];
      }
    }
  }
};

using Relu = Elementwise<ReluFunction>;
using Tanh = Elementwise<TanhFunction>;
using Sigmoid = Elementwise<SigmoidFunction>;
using Gelu = Elementwise<GeluFunction>;

}  // namespace mts::autodiff

#undef MTS_INDEPENDENT_ITERATIONS
#if defined(__clang__)
#pragma clang diagnostic pop
#endif
