#pragma once
/// \file
/// Images as rows, and the windows that convolution and pooling slide over them.
///
/// Layout: channels last. Entry (y, x, c) of an image of H x W pixels and C channels is number (y W + x) C + c of its
/// row. All channels of a pixel are neighbours in memory, so that a window's row is one contiguous run, and a grey
/// image is the same either way. Flattening an image is then no operation at all; `Flatten` reorders to channels first
/// where that is wanted.

#include <span>

#include "mts/core/error.hpp"

namespace mts::autodiff {

/// A size, a step or an offset in both directions of an image.
struct Extent {
  Index height = 1;
  Index width = 1;

  friend bool operator==(const Extent&, const Extent&) = default;
};

/// H x W pixels of C channels each.
struct ImageShape {
  Index height = 1;
  Index width = 1;
  Index channels = 1;

  /// H W
  Index pixels() const { return height * width; }
  /// H W C, the width of the row that holds the image.
  Index size() const { return pixels() * channels; }
  friend bool operator==(const ImageShape&, const ImageShape&) = default;
};

/// In words, for errors: "28 x 28 x 1".
inline std::string in_words(const ImageShape& s) {
  return mts::detail::text(s.height, " x ", s.width, " x ", s.channels);
}

/// A window of kernel.height x kernel.width taps, `dilation` pixels apart, that moves over an image by `stride`; the
/// image is padded by `padding` pixels on each side. Tap (i, j) at output pixel (y, x) is the input pixel
///     (y stride.height + i dilation.height - padding.height, x stride.width + j dilation.width - padding.width).
/// All four as in PyTorch.
struct Window {
  Extent kernel{3, 3};
  Extent stride{1, 1};
  Extent padding{0, 0};
  Extent dilation{1, 1};

  Index taps() const { return kernel.height * kernel.width; }

  /// The pixels of the output: floor((H + 2 padding - dilation (kernel - 1) - 1)/stride) + 1 in each direction.
  /// \throws ShapeError if the output would be empty; ValueError for an empty image, a kernel, stride or dilation below
  ///   1 or a negative padding
  Extent output(const char* name, const ImageShape& in) const {
    check_value(in.height >= 1 && in.width >= 1 && in.channels >= 1, name,
                "expected an image of at least 1 x 1 x 1, found ", in_words(in));
    const auto at_least = [&](const char* what, const Extent& e, Index low) {
      check_value(e.height >= low && e.width >= low, name, "expected a ", what, " of at least ", low, ", found ",
                  e.height, " x ", e.width);
    };
    at_least("kernel", kernel, 1);
    at_least("stride", stride, 1);
    at_least("dilation", dilation, 1);
    at_least("padding", padding, 0);
    const auto count = [](Index n, Index k, Index s, Index p, Index d) {
      const Index room = n + 2 * p - d * (k - 1) - 1;
      return room < 0 ? Index{0} : room / s + 1;
    };
    const Extent out{count(in.height, kernel.height, stride.height, padding.height, dilation.height),
                     count(in.width, kernel.width, stride.width, padding.width, dilation.width)};
    if (out.height < 1 || out.width < 1)
      throw ShapeError(mts::detail::text(name,
                                         ": the window does not fit the image: expected an output of at least 1 x 1, "
                                         "found ",
                                         out.height, " x ", out.width, " for an image of ", in_words(in),
                                         ", a kernel of ", kernel.height, " x ", kernel.width, ", dilation ",
                                         dilation.height, " x ", dilation.width, ", padding ", padding.height, " x ",
                                         padding.width));
    return out;
  }
  friend bool operator==(const Window&, const Window&) = default;
};

namespace detail {

/// The one input of the primitive called `name` is to be an image of shape `in`.
/// \throws ValueError if the image is empty; ShapeError for another number of inputs or another width
inline void check_image(const char* name, const ImageShape& in, std::span<const Index> widths) {
  check_value(in.height >= 1 && in.width >= 1 && in.channels >= 1, name,
              "expected an image of at least 1 x 1 x 1, found ", in_words(in));
  if (widths.size() != 1) throw ShapeError(mts::detail::text(name, ": expected 1 input, found ", widths.size()));
  if (widths[0] != in.size())
    throw ShapeError(mts::detail::text(name, ": expected an input of width ", in.size(), " (an image of ", in_words(in),
                                       "), found ", widths[0]));
}

}  // namespace detail
}  // namespace mts::autodiff
