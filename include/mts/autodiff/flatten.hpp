#pragma once
/// \file
/// Flattening an image channels first, as PyTorch does.

#include "mts/autodiff/image.hpp"
#include "mts/autodiff/primitive.hpp"

namespace mts::autodiff {

/// y[c H W + p] = x[p C + c]: a permutation. Our images are channels last, so a linear layer reads them as they are and
/// needs none; this is for weights that were learned behind PyTorch's Flatten. Pullback and pushforward permute back
/// and forth.
struct Flatten {
  static constexpr bool ignores_output = true;

  ImageShape in;

  /// \throws ShapeError if the input is no image of shape `in`; ValueError if that is empty
  Index width(Widths widths) const {
    detail::check_image("Flatten", in, widths);
    return in.size();
  }
  template <class S>
  void forward(const Tile<S>& t, View<S> out) const {
    channels_first(t.in[0], out);
  }
  template <class S>
  void pullback(const Tile<S>&, ConstView<S> delta, std::span<const DeltaSink<S>> sinks) const {
    if (!sinks[0]) return;
    for (Index i = 0; i < delta.rows; ++i) {
      const Eigen::Map<const RowMatrix<S>> d(delta.row(i), in.channels, in.pixels());
      Eigen::Map<RowMatrix<S>> g(sinks[0].view.row(i), in.pixels(), in.channels);
      if (sinks[0].accumulate)
        g += d.transpose();
      else
        g = d.transpose();
    }
  }
  template <class S>
  void pushforward(const Tile<S>&, std::span<const ConstView<S>> tangents, const S*, View<S> out) const {
    if (!tangents[0]) return out.matrix().setZero(), void();
    channels_first(tangents[0], out);
  }

 private:
  template <class S>
  void channels_first(ConstView<S> x, View<S> y) const {
    for (Index i = 0; i < x.rows; ++i)
      Eigen::Map<RowMatrix<S>>(y.row(i), in.channels, in.pixels()) =
          Eigen::Map<const RowMatrix<S>>(x.row(i), in.pixels(), in.channels).transpose();
  }
};

}  // namespace mts::autodiff
