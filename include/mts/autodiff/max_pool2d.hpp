#pragma once
/// \file
/// Max pooling: y = the largest tap of each window, channel by channel.

#include "mts/autodiff/pooling.hpp"
#include "mts/core/scratch.hpp"

namespace mts::autodiff {

/// One input, an image of shape `in`; the output is the image `out()`. As PyTorch: padding never wins and is at most
/// half the kernel; of equal taps the first in row-major order is the maximum, so the derivative is its alone; NaN
/// wins. Nothing is remembered from the forward pass, not even y, which an activation may overwrite: the maximum is
/// found again. Max pooling commutes with monotone activations, and is cheaper before them: there are fewer entries
/// left.
struct MaxPool2d {
  static constexpr bool ignores_output = true;

  ImageShape in;
  Window window{.kernel = {2, 2}, .stride = {2, 2}};

  /// \throws ShapeError, ValueError as `Window::output`; ValueError for a padding of more than half the kernel;
  ///   ShapeError where a dilated window has no tap on the image
  ImageShape out() const {
    const Extent e = detail::pooled("MaxPool2d", in, window);
    return {e.height, e.width, in.channels};
  }
  Index width(Widths widths) const {
    detail::check_image("MaxPool2d", in, widths);
    return out().size();
  }
  template <class S>
  void forward(const Tile<S>& t, View<S> y) const {
    const Index n = in.channels;
    const Extent pixels = window.output("MaxPool2d", in);
    for (Index i = 0; i < t.rows; ++i) {
      const S* x = t.in[0].row(i);
      detail::each_window(in, window, pixels, [&, to = y.row(i)](Index pixel, const detail::Taps& taps) {
        largest(x, taps, to + pixel * n);
      });
    }
  }
  template <class S>
  void pullback(const Tile<S>& t, ConstView<S> delta, std::span<const DeltaSink<S>> sinks) const {
    const auto& sink = sinks[0];
    if (!sink) return;
    const Index n = in.channels;
    const Extent pixels = window.output("MaxPool2d", in);
    // Where every pixel is a tap of one window, each is assigned once; else they begin at 0 and collect.
    const bool assign = !sink.accumulate && tiles_the_image() && window.kernel == Extent{2, 2};
    S *top = mts::detail::thread_scratch<S, 0>(2 * n), *rest = top + n;
    for (Index i = 0; i < t.rows; ++i) {
      const S *x = t.in[0].row(i), *d = delta.row(i);
      S* g = sink.view.row(i);
      if (!sink.accumulate && !assign) std::fill(g, g + in.size(), S{0});
      detail::each_window(in, window, pixels, [&](Index pixel, const detail::Taps& taps) {
        const S* from = d + pixel * n;
        if (assign) {
          const Index a = taps.first * n, b = a + n, c = a + taps.down * n, e = c + n;
          return route_to_four(x + a, x + b, x + c, x + e, from, g + a, g + b, g + c, g + e, n);
        }
        largest(x, taps, top);
        std::copy(from, from + n, rest);
        taps.each([&](Index to) { route(x + to * n, top, rest, g + to * n, n); });
      });
    }
  }
  template <class S>
  void pushforward(const Tile<S>& t, std::span<const ConstView<S>> tangents, const S*, View<S> out) const {
    if (!tangents[0]) return out.matrix().setZero(), void();
    const Index n = in.channels;
    const Extent pixels = window.output("MaxPool2d", in);
    S* top = mts::detail::thread_scratch<S, 0>(n);
    for (Index i = 0; i < t.rows; ++i) {
      const S *x = t.in[0].row(i), *v = tangents[0].row(i);
      detail::each_window(in, window, pixels, [&, to = out.row(i)](Index pixel, const detail::Taps& taps) {
        S* dy = to + pixel * n;
        if (square_of_four(taps)) {
          const Index a = taps.first * n, b = a + taps.right * n, c = a + taps.down * n, e = c + taps.right * n;
          return carry_of_four(x + a, x + b, x + c, x + e, v + a, v + b, v + c, v + e, dy, n);
        }
        largest(x, taps, top);
        std::fill(dy, dy + n, S{0});
        // The first of equal taps is the last to write.
        taps.each_backwards([&](Index from) { carry(x + from * n, top, v + from * n, dy, n); });
      });
    }
  }

 private:
  /// Whether every pixel is a tap of exactly one window.
  bool tiles_the_image() const {
    return window.kernel == window.stride && window.padding == Extent{0, 0} && window.dilation == Extent{1, 1} &&
           in.height % window.stride.height == 0 && in.width % window.stride.width == 0;
  }

  static bool square_of_four(const detail::Taps& taps) { return taps.rows == 2 && taps.columns == 2; }

  /// m <- the maximum of one window, per channel. \param x  the image
  template <class S>
  void largest(const S* x, const detail::Taps& taps, S* m) const {
    const Index n = in.channels, a = taps.first * n;
    if (square_of_four(taps)) {
      const Index b = a + taps.right * n, c = a + taps.down * n, d = c + taps.right * n;
      return largest_of_four(x + a, x + b, x + c, x + d, m, n);
    }
    std::copy(x + a, x + a + n, m);
    taps.each([&](Index from) { larger(x + from * n, m, n); });
  }

  // Loops over the channels of a pixel. The pointers do not overlap: said, so that the compiler need not look.
  template <class S>
  static S max(S m, S x) {
    return ((x > m) | (x != x)) ? x : m;
  }
  template <class S>
  static void larger(const S* __restrict x, S* __restrict m, Index n) {
    for (Index k = 0; k < n; ++k) m[k] = max(m[k], x[k]);
  }
  template <class S>
  static void largest_of_four(const S* __restrict a, const S* __restrict b, const S* __restrict c,
                              const S* __restrict d, S* __restrict m, Index n) {
    for (Index k = 0; k < n; ++k) m[k] = max(max(max(a[k], b[k]), c[k]), d[k]);
  }
  /// g += delta where x is the maximum and no earlier tap took it. By a factor 0 or 1: a condition on memory that is
  /// then written would not vectorise.
  template <class S>
  static void route(const S* __restrict x, const S* __restrict top, S* __restrict rest, S* __restrict g, Index n) {
    for (Index k = 0; k < n; ++k) {
      const S here = static_cast<S>(x[k] == top[k]) * rest[k];
      g[k] += here;
      rest[k] -= here;
    }
  }
  template <class S>
  static void route_to_four(const S* __restrict a, const S* __restrict b, const S* __restrict c, const S* __restrict d,
                            const S* __restrict delta, S* __restrict ga, S* __restrict gb, S* __restrict gc,
                            S* __restrict gd, Index n) {
    for (Index k = 0; k < n; ++k) {
      const S m = max(max(max(a[k], b[k]), c[k]), d[k]);
      S rest = delta[k];
      ga[k] = a[k] == m ? rest : S{0};
      rest = a[k] == m ? S{0} : rest;
      gb[k] = b[k] == m ? rest : S{0};
      rest = b[k] == m ? S{0} : rest;
      gc[k] = c[k] == m ? rest : S{0};
      rest = c[k] == m ? S{0} : rest;
      gd[k] = d[k] == m ? rest : S{0};
    }
  }
  template <class S>
  static void carry(const S* __restrict x, const S* __restrict top, const S* __restrict v, S* __restrict dy, Index n) {
    for (Index k = 0; k < n; ++k) dy[k] = x[k] == top[k] ? v[k] : dy[k];
  }
  template <class S>
  static void carry_of_four(const S* __restrict a, const S* __restrict b, const S* __restrict c, const S* __restrict d,
                            const S* __restrict va, const S* __restrict vb, const S* __restrict vc,
                            const S* __restrict vd, S* __restrict dy, Index n) {
    for (Index k = 0; k < n; ++k) {
      const S m = max(max(max(a[k], b[k]), c[k]), d[k]);
      S v = d[k] == m ? vd[k] : S{0};
      v = c[k] == m ? vc[k] : v;
      v = b[k] == m ? vb[k] : v;
      dy[k] = a[k] == m ? va[k] : v;
    }
  }
};

}  // namespace mts::autodiff
