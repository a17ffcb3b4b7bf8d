#pragma once
/// \file
/// Images as PNG files in memory.

#include <span>
#include <string>

#include "mts/autodiff/image.hpp"

namespace mts::lab {

/// A PNG of 8 bits, grey or RGB, of an image with values in [0, 1], channels last; what lies outside is clamped, NaN is black. The
/// same bytes for the same image and version of zlib.
/// \throws ValueError unless it has 1 or 3 channels and at least one pixel; ShapeError if `values` are more or fewer
std::string png_of(const autodiff::ImageShape& shape, std::span<const float> values);

/// Whether it can be drawn.
inline bool can_be_png(const autodiff::ImageShape& shape) { return shape.channels == 1 || shape.channels == 3; }

}  // namespace mts::lab
