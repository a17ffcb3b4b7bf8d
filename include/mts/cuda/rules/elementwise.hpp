#pragma once
/// \file
/// Elementwise activations on a device: the functions of autodiff/elementwise.hpp, entry by entry.

#include "mts/autodiff/elementwise.hpp"
#include "mts/cuda/rules.hpp"

namespace mts::cuda {

namespace kernels {

template <class F, class S>
struct Activate {
  const S* x;
  S* y;
  MTS_HOST_DEVICE void operator()(Index k) const { y[k] = F::value(x[k]); }
};
/// to_k <- or += from_k F'(x_k).
template <class F, class S>
struct TimesSlope {
  const S *x, *y, *from;
  S* to;
  bool accumulate;
  MTS_HOST_DEVICE void operator()(Index k) const { take(to[k], accumulate, from[k] * F::derivative(x[k], y[k])); }
};

}  // namespace kernels

template <class F, class S, class E>
class ElementwiseRules final : public Rules<S, E> {
 public:
  ElementwiseRules(const autodiff::Elementwise<F>&, autodiff::Widths) {}

  void forward(const At<S, E>& at, Matrix<S> out) const override {
    at.queue->each(out.size(), kernels::Activate<F, S>{at.in[0].data, out.data});
  }
  void pullback(const At<S, E>& at, ConstMatrix<S> delta, std::span<const Sink<S>> sinks) const override {
    if (sinks[0]) times_slopes(at, delta, sinks[0].to, sinks[0].accumulate);
  }
  void pushforward(const At<S, E>& at, std::span<const ConstMatrix<S>> tangents, const S*,
                   Matrix<S> out) const override {
    if (tangents[0])
      times_slopes(at, tangents[0], out, false);
    else
      at.queue->clear(out.data, out.size());
  }

 private:
  static void times_slopes(const At<S, E>& at, ConstMatrix<S> from, Matrix<S> to, bool accumulate) {
    at.queue->each(to.size(), kernels::TimesSlope<F, S>{at.in[0].data, at.out.data, from.data, to.data, accumulate});
  }
};

}  // namespace mts::cuda
