#pragma once
/// \file
/// Global average pooling: y_c = the mean of channel c over all pixels (Lin, Chen, Yan 2014).

#include <algorithm>

#include "mts/autodiff/image.hpp"
#include "mts/autodiff/primitive.hpp"

namespace mts::autodiff {

/// One input, an image of shape `in`; the output has one entry per channel. A linear map: pullback delta_c/(H W) to
/// every pixel, pushforward the same mean of the tangent.
struct GlobalAveragePool {
  static constexpr bool ignores_output = true;

  ImageShape in;

  /// \throws ShapeError if the input is no image of shape `in`; ValueError if that is empty
  Index width(Widths widths) const {
    detail::check_image("GlobalAveragePool", in, widths);
    return in.channels;
  }
  template <class S>
  void forward(const Tile<S>& t, View<S> out) const {
    means(t.in[0], out);
  }
  template <class S>
  void pullback(const Tile<S>&, ConstView<S> delta, std::span<const DeltaSink<S>> sinks) const {
    if (!sinks[0]) return;
    const S share = S{1} / static_cast<S>(in.pixels());
    for (Index i = 0; i < delta.rows; ++i) {
      S* g = sinks[0].view.row(i);
      if (!sinks[0].accumulate) std::fill(g, g + in.size(), S{0});
      for (Index p = 0; p < in.pixels(); ++p) add(share, delta.row(i), g + p * in.channels, in.channels);
    }
  }
  template <class S>
  void pushforward(const Tile<S>&, std::span<const ConstView<S>> tangents, const S*, View<S> out) const {
    if (!tangents[0]) return out.matrix().setZero(), void();
    means(tangents[0], out);
  }

 private:
  template <class S>
  void means(ConstView<S> x, View<S> y) const {
    const S share = S{1} / static_cast<S>(in.pixels());
    for (Index i = 0; i < x.rows; ++i) {
      S* m = y.row(i);
      std::fill(m, m + in.channels, S{0});
      for (Index p = 0; p < in.pixels(); ++p) add(share, x.row(i) + p * in.channels, m, in.channels);
    }
  }
  /// y += share x, over the channels of a pixel.
  template <class S>
  static void add(S share, const S* __restrict x, S* __restrict y, Index n) {
    for (Index k = 0; k < n; ++k) y[k] += share * x[k];
  }
};

}  // namespace mts::autodiff
