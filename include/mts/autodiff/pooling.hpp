#pragma once
/// \file
/// What max and average pooling share: the windows of an image and those of their taps that lie on it.

#include <algorithm>

#include "mts/autodiff/image.hpp"
#include "mts/autodiff/primitive.hpp"

namespace mts::autodiff::detail {

/// The taps of one window that lie on the image: `rows` x `columns` of them, tap (r, q) on pixel first + r down + q
/// right.
struct Taps {
  Index rows = 0, columns = 0;
  Index first = 0, down = 0, right = 0;

  Index count() const { return rows * columns; }
  /// f(pixel) in row-major order of the taps.
  template <class F>
  void each(F&& f) const {
    for (Index r = 0; r < rows; ++r)
      for (Index q = 0; q < columns; ++q) f(first + r * down + q * right);
  }
  template <class F>
  void each_backwards(F&& f) const {
    for (Index r = rows; r-- > 0;)
      for (Index q = columns; q-- > 0;) f(first + r * down + q * right);
  }
};

/// The same in one direction: `count` taps, the first on coordinate `first`.
struct TapRange {
  Index first = 0, count = 0;
};
inline TapRange taps_on_image(Index output, Index n, Index kernel, Index stride, Index padding, Index dilation) {
  const Index origin = output * stride - padding;
  if (origin >= 0 && origin + (kernel - 1) * dilation < n) return {origin, kernel};
  const Index before = origin < 0 ? (dilation - 1 - origin) / dilation : 0;
  const Index first = origin + before * dilation;
  const Index room = first < n ? (n - 1 - first) / dilation + 1 : 0;
  return {first, std::clamp(kernel - before, Index{0}, room)};
}

/// f(output pixel, taps) for every window, in row-major order.
template <class F>
void each_window(const ImageShape& in, const autodiff::Window& w, const Extent& out, F&& f) {
  for (Index y = 0; y < out.height; ++y) {
    const auto rows =
        taps_on_image(y, in.height, w.kernel.height, w.stride.height, w.padding.height, w.dilation.height);
    for (Index x = 0; x < out.width; ++x) {
      const auto columns =
          taps_on_image(x, in.width, w.kernel.width, w.stride.width, w.padding.width, w.dilation.width);
      f(y * out.width + x, Taps{rows.count, columns.count, rows.first * in.width + columns.first,
                                w.dilation.height * in.width, w.dilation.width});
    }
  }
}

/// The pixels of a pooled image.
/// \throws as `Window::output`; ValueError for a padding of more than half the kernel; ShapeError where a window has no
///   tap on the image (a dilated one can step over it)
inline Extent pooled(const char* name, const ImageShape& in, const autodiff::Window& w) {
  const Extent out = w.output(name, in);
  check_value(2 * w.padding.height <= w.kernel.height && 2 * w.padding.width <= w.kernel.width, name,
              "expected a padding of at most half the kernel, found ", w.padding.height, " x ", w.padding.width,
              " for a kernel of ", w.kernel.height, " x ", w.kernel.width);
  each_window(in, w, out, [&](Index pixel, const Taps& taps) {
    if (taps.count() == 0)
      throw ShapeError(text(name, ": expected windows with a pixel of the image, found none in the window at output (",
                            pixel / out.width, ", ", pixel % out.width, ") for an image of ", in_words(in),
                            ", a kernel of ", w.kernel.height, " x ", w.kernel.width, ", dilation ", w.dilation.height,
                            " x ", w.dilation.width, ", padding ", w.padding.height, " x ", w.padding.width));
  });
  return out;
}

}  // namespace mts::autodiff::detail
