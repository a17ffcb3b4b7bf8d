#pragma once
/// \file
/// Average pooling: y = the mean of each window, channel by channel.

#include "mts/autodiff/pooling.hpp"

namespace mts::autodiff {

/// One input, an image of shape `in`; the output is the image `out()`. y = (sum of the window's taps)/n, where n counts
/// all taps of the window, those on the padding as zeros, or with `count_padding` false only those on the image:
/// PyTorch's count_include_pad. Padding of at most half the kernel, as PyTorch. A linear map: pullback delta/n to every
/// tap, pushforward the same means of the tangent.
struct AveragePool2d {
  static constexpr bool ignores_output = true;

  ImageShape in;
  Window window{.kernel = {2, 2}, .stride = {2, 2}};
  bool count_padding = true;

  /// \throws ShapeError, ValueError as `Window::output`; ValueError for a padding of more than half the kernel;
  ///   ShapeError where a dilated window has no tap on the image
  ImageShape out() const {
    const Extent e = detail::pooled("AveragePool2d", in, window);
    return {e.height, e.width, in.channels};
  }
  Index width(Widths widths) const {
    detail::check_image("AveragePool2d", in, widths);
    return out().size();
  }
  template <class S>
  void forward(const Tile<S>& t, View<S> out) const {
    means(t.in[0], out);
  }
  template <class S>
  void pullback(const Tile<S>&, ConstView<S> delta, std::span<const DeltaSink<S>> sinks) const {
    const auto& sink = sinks[0];
    if (!sink) return;
    const Index n = in.channels;
    const Extent pixels = window.output("AveragePool2d", in);
    for (Index i = 0; i < delta.rows; ++i) {
      S* g = sink.view.row(i);
      if (!sink.accumulate) std::fill(g, g + in.size(), S{0});
      detail::each_window(in, window, pixels, [&, d = delta.row(i)](Index pixel, const detail::Taps& taps) {
        const S share = share_of<S>(taps);
        taps.each([&](Index to) { add(share, d + pixel * n, g + to * n, n); });
      });
    }
  }
  template <class S>
  void pushforward(const Tile<S>&, std::span<const ConstView<S>> tangents, const S*, View<S> out) const {
    if (!tangents[0]) return out.matrix().setZero(), void();
    means(tangents[0], out);
  }

 private:
  template <class S>
  S share_of(const detail::Taps& taps) const {
    return S{1} / static_cast<S>(count_padding ? window.taps() : taps.count());
  }
  template <class S>
  void means(ConstView<S> x, View<S> y) const {
    const Index n = in.channels;
    const Extent pixels = window.output("AveragePool2d", in);
    for (Index i = 0; i < x.rows; ++i)
      detail::each_window(in, window, pixels, [&, from = x.row(i), to = y.row(i)](Index pixel, const auto& taps) {
        S* m = to + pixel * n;
        std::fill(m, m + n, S{0});
        const S share = share_of<S>(taps);
        taps.each([&](Index tap) { add(share, from + tap * n, m, n); });
      });
  }
  /// y += share x, over the channels of a pixel.
  template <class S>
  static void add(S share, const S* __restrict x, S* __restrict y, Index n) {
    for (Index k = 0; k < n; ++k) y[k] += share * x[k];
  }
};

}  // namespace mts::autodiff
