#pragma once
/// \file
/// Flattening an image channels first, on a device: a transposition of every row.

#include "mts/autodiff/flatten.hpp"
#include "mts/cuda/rules.hpp"

namespace mts::cuda {

namespace kernels {

/// Every row of `from` is a matrix of `cols` x `rows`; `to` takes its transpose, or adds it.
template <class S>
struct TransposeRows {
  const S* from;
  S* to;
  Index rows, cols;
  bool accumulate;
  MTS_HOST_DEVICE void operator()(Index i, Index j) const {
    const auto k = static_cast<unsigned>(j), row = k / static_cast<unsigned>(cols);
    const Index column = k - row * static_cast<unsigned>(cols), size = rows * cols;
    take(to[i * size + j], accumulate, from[i * size + column * rows + row]);
  }
};

}  // namespace kernels

template <class S, class E>
class FlattenRules final : public Rules<S, E> {
 public:
  FlattenRules(const autodiff::Flatten& p, autodiff::Widths) : pixels_(p.in.pixels()), channels_(p.in.channels) {}

  void forward(const At<S, E>& at, Matrix<S> out) const override { channels_first(at, at.in[0], out); }
  void pullback(const At<S, E>& at, ConstMatrix<S> delta, std::span<const Sink<S>> sinks) const override {
    if (const auto& s = sinks[0])
      at.queue->grid(at.rows, delta.cols,
                     kernels::TransposeRows<S>{delta.data, s.to.data, pixels_, channels_, s.accumulate});
  }
  void pushforward(const At<S, E>& at, std::span<const ConstMatrix<S>> tangents, const S*,
                   Matrix<S> out) const override {
    if (tangents[0])
      channels_first(at, tangents[0], out);
    else
      at.queue->clear(out.data, out.size());
  }

 private:
  void channels_first(const At<S, E>& at, ConstMatrix<S> x, Matrix<S> y) const {
    at.queue->grid(at.rows, y.cols, kernels::TransposeRows<S>{x.data, y.data, channels_, pixels_, false});
  }
  Index pixels_, channels_;
};

}  // namespace mts::cuda
