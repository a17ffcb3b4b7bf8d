#pragma once
/// \file
/// `ImageWindow`: a window that slides over an image (autodiff/image.hpp), as kernels read it: in 32-bit numbers, which a device
/// divides in a fraction of the time that 64-bit ones take.

#include <algorithm>

#include "mts/autodiff/image.hpp"
#include "mts/core/host_device.hpp"

namespace mts::cuda {

/// One direction of a window: tap i of output y lies on pixel y stride + i dilation - padding, or beside the image.
struct WindowAxis {
  int in = 1, out = 1;  ///< pixels
  int kernel = 1, stride = 1, padding = 0, dilation = 1;

  MTS_HOST_DEVICE int pixel(int output, int tap) const { return output * stride + tap * dilation - padding; }
  MTS_HOST_DEVICE bool on_image(int pixel) const { return pixel >= 0 && pixel < in; }
  /// The taps [first, end) of an output that lie on the image.
  MTS_HOST_DEVICE int first_tap(int output) const {
    const int before = padding - output * stride;
    return before > 0 ? divided(before + dilation - 1, dilation) : 0;
  }
  MTS_HOST_DEVICE int end_tap(int output) const {
    const int room = in - 1 + padding - output * stride;
    const int end = room < 0 ? 0 : divided(room, dilation) + 1;
    return end < kernel ? end : kernel;
  }
  /// f(output, tap) for every tap that lies on a pixel, in the order of the outputs.
  template <class F>
  MTS_HOST_DEVICE void each_window(int pixel, F&& f) const {
    const int place = pixel + padding, reach = (kernel - 1) * dilation;
    const int first = place > reach ? divided(place - reach + stride - 1, stride) : 0;
    for (int y = first; y < out && y * stride <= place; ++y) {
      const int tap = divided(place - y * stride, dilation);
      if (tap * dilation == place - y * stride) f(y, tap);
    }
  }

 private:
  static MTS_HOST_DEVICE int divided(int a, int b) {
    return static_cast<int>(static_cast<unsigned>(a) / static_cast<unsigned>(b));
  }
};

/// Where an entry of an image lies.
struct ImageEntry {
  int row, column, channel;
};

/// A window over an image of so many channels, channels last.
struct ImageWindow {
  WindowAxis rows, columns;
  int channels = 1;

  /// \throws ShapeError where a padded image has 2^30 rows or columns, or more
  ImageWindow(const autodiff::ImageShape& image, const autodiff::Window& window, const autodiff::Extent& output)
      : rows(axis(image.height, output.height, window.kernel.height, window.stride.height, window.padding.height,
                  window.dilation.height)),
        columns(axis(image.width, output.width, window.kernel.width, window.stride.width, window.padding.width,
                     window.dilation.width)),
        channels(static_cast<int>(image.channels)) {}

  MTS_HOST_DEVICE Index taps() const { return Index{rows.kernel} * columns.kernel; }
  MTS_HOST_DEVICE Index taps_on_image(int y, int x) const {
    return Index{rows.end_tap(y) - rows.first_tap(y)} * (columns.end_tap(x) - columns.first_tap(x));
  }
  MTS_HOST_DEVICE Index in_size() const { return Index{rows.in} * columns.in * channels; }
  MTS_HOST_DEVICE Index out_pixels() const { return Index{rows.out} * columns.out; }
  /// Entry number k of the image, and of one of the output's pixels with as many channels.
  MTS_HOST_DEVICE ImageEntry in_entry(Index k) const { return entry(k, columns.in); }
  MTS_HOST_DEVICE ImageEntry out_entry(Index k) const { return entry(k, columns.out); }
  /// Number of an entry.
  MTS_HOST_DEVICE Index in_number(int row, int column, int channel) const {
    return (Index{row} * columns.in + column) * channels + channel;
  }
  MTS_HOST_DEVICE Index out_pixel(int row, int column) const { return Index{row} * columns.out + column; }

 private:
  static WindowAxis axis(Index in, Index out, Index kernel, Index stride, Index padding, Index dilation) {
    const Index padded = in + 2 * padding;
    if (padded >= Index{1} << 30)
      throw ShapeError(mts::detail::text(
          "cuda: a window over an image: expected fewer than 2^30 padded pixels in each direction, found ", padded));
    // A step beyond the padded image is taken by nobody, so its length does not matter.
    return {.in = static_cast<int>(in),
            .out = static_cast<int>(out),
            .kernel = static_cast<int>(kernel),
            .stride = static_cast<int>(std::min(stride, padded)),
            .padding = static_cast<int>(padding),
            .dilation = static_cast<int>(std::min(dilation, padded))};
  }
  MTS_HOST_DEVICE ImageEntry entry(Index number, int width) const {
    const auto k = static_cast<unsigned>(number), pixel = k / static_cast<unsigned>(channels);
    const unsigned row = pixel / static_cast<unsigned>(width);
    return {static_cast<int>(row), static_cast<int>(pixel - row * static_cast<unsigned>(width)),
            static_cast<int>(k - pixel * static_cast<unsigned>(channels))};
  }
};

}  // namespace mts::cuda
