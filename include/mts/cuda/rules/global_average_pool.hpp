#pragma once
/// \file
/// Global average pooling on a device: a mean per sample and channel.

#include "mts/autodiff/global_average_pool.hpp"
#include "mts/cuda/rules.hpp"

namespace mts::cuda {

namespace kernels {

/// y_ic <- share sum_p x_ipc. Neighbouring threads read neighbouring channels.
template <class S>
struct SumOfPixels {
  const S* x;
  S* y;
  Index pixels, channels;
  S share;
  MTS_HOST_DEVICE void operator()(Index i, Index c) const {
    const S* from = x + i * pixels * channels + c;
    S sum = 0;
    for (Index p = 0; p < pixels; ++p) sum += share * from[p * channels];
    y[i * channels + c] = sum;
  }
};
/// to_ipc <- or += share delta_ic.
template <class S>
struct SpreadOverPixels {
  const S* delta;
  S* to;
  Index size, channels;
  S share;
  bool accumulate;
  MTS_HOST_DEVICE void operator()(Index i, Index j) const {
    const Index c = static_cast<unsigned>(j) % static_cast<unsigned>(channels);
    take(to[i * size + j], accumulate, share * delta[i * channels + c]);
  }
};

}  // namespace kernels

template <class S, class E>
class GlobalAveragePoolRules final : public Rules<S, E> {
 public:
  GlobalAveragePoolRules(const autodiff::GlobalAveragePool& p, autodiff::Widths)
      : pixels_(p.in.pixels()), channels_(p.in.channels), share_(S{1} / static_cast<S>(pixels_)) {}

  void forward(const At<S, E>& at, Matrix<S> out) const override { means(at, at.in[0], out); }
  void pullback(const At<S, E>& at, ConstMatrix<S> delta, std::span<const Sink<S>> sinks) const override {
    if (const auto& s = sinks[0])
      at.queue->grid(
          at.rows, pixels_ * channels_,
          kernels::SpreadOverPixels<S>{delta.data, s.to.data, pixels_ * channels_, channels_, share_, s.accumulate});
  }
  void pushforward(const At<S, E>& at, std::span<const ConstMatrix<S>> tangents, const S*,
                   Matrix<S> out) const override {
    if (tangents[0])
      means(at, tangents[0], out);
    else
      at.queue->clear(out.data, out.size());
  }

 private:
  void means(const At<S, E>& at, ConstMatrix<S> x, Matrix<S> y) const {
    at.queue->grid(at.rows, channels_, kernels::SumOfPixels<S>{x.data, y.data, pixels_, channels_, share_});
  }
  Index pixels_, channels_;
  S share_;
};

}  // namespace mts::cuda
