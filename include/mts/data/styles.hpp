#pragma once
/// \file
/// Styles that the benchmarks paint images in: inverted contrast, textures, sketches. As in `edits.hpp`, images are
/// rows of numbers in [0, 1], channels last, and every random number comes from a stream that the caller names.

#include <cmath>
#include <numbers>
#include <span>
#include <vector>

#include "mts/data/edits.hpp"

namespace mts::data {

namespace detail {

/// f(pixel's numbers, its column, its row) for each pixel of an image. \throws ShapeError if the image is not of that
/// shape
template <class F>
void for_each_pixel(std::string_view where, std::span<float> image, const ImageShape& shape, F&& f) {
  check_size(where, "numbers of an image", shape.size(), static_cast<Index>(image.size()));
  const auto channels = static_cast<std::size_t>(shape.channels);
  for (Index at = 0; at < shape.pixels(); ++at)
    f(image.subspan(static_cast<std::size_t>(at) * channels, channels), at % shape.width, at / shape.width);
}
/// Whether a pixel is the garment's: whether any of its channels is above the threshold.
inline bool is_garment(std::span<const float> pixel) {
  return std::any_of(pixel.begin(), pixel.end(), [](float x) { return x > garment_threshold; });
}

}  // namespace detail

/// Inverts the contrast of the garment: x <- clip(1 + threshold - x) on its pixels, so that they stay the garment's.
/// \throws ShapeError if the image is not of that shape
inline void invert_contrast(std::span<float> image, const ImageShape& shape) {
  detail::for_each_pixel("invert_contrast", image, shape, [](std::span<float> pixel, Index, Index) {
    if (detail::is_garment(pixel))
      for (float& x : pixel) x = clip01(1 + garment_threshold - x);
  });
}

/// One of ten textures: three waves across the image (k even) or six (k odd), in one of five directions
/// th_k = floor(k/2) pi/5.
struct Waves {
  static constexpr int count = 10;

  int index = 0;  ///< k
  double phase = 0;

  /// .5 + .5 cos( 2 pi f_k/W (u cos th_k + v sin th_k) + phase ) at column u, row v of an image W pixels wide.
  double at(Index u, Index v, Index width) const {
    const double angle = index / 2 * std::numbers::pi / 5, frequency = index % 2 == 0 ? 3 : 6;
    const double along = static_cast<double>(u) * std::cos(angle) + static_cast<double>(v) * std::sin(angle);
    return 0.5 + 0.5 * std::cos(2 * std::numbers::pi * frequency / static_cast<double>(width) * along + phase);
  }
};

/// Weaves a texture into the garment: x <- (1 - c) x + c wave on its pixels, x <- (1 - c) x elsewhere, c = .75
/// strength.
/// \param strength  in [0, 1]
/// \throws ShapeError if the image is not of that shape
inline void weave(std::span<float> image, const ImageShape& shape, const Waves& waves, double strength) {
  const double c = 0.75 * strength;
  detail::for_each_pixel("weave", image, shape, [&](std::span<float> pixel, Index u, Index v) {
    const double wave = detail::is_garment(pixel) ? waves.at(u, v, shape.width) : 0;
    for (float& x : pixel) x = clip01(static_cast<float>((1 - c) * static_cast<double>(x) + c * wave));
  });
}

/// Turns an image into a sketch of its edges, or a part of the way:
///
///     x <- clip( (1 - t) x + t (gain |S x|/4 + .05 eps) )
///
/// S is Sobel's gradient of each channel, edges repeated: a step of height h gets lines of brightness h gain.
/// \param gain   brightness of the lines
/// \param share  t, how far it is turned into one, in [0, 1]
/// \param noise  eps, standard normal, for each number
/// \throws ShapeError if the image is not of that shape
inline void sketch(std::span<float> image, const ImageShape& shape, double gain, double share, RandomStream noise) {
  check_size("sketch", "numbers of an image", shape.size(), static_cast<Index>(image.size()));
  const std::vector<float> before(image.begin(), image.end());
  for (Index v = 0; v < shape.height; ++v)
    for (Index u = 0; u < shape.width; ++u)
      for (Index c = 0; c < shape.channels; ++c) {
        const auto at = [&](Index dv, Index du) {
          const Index row = std::clamp<Index>(v + dv, 0, shape.height - 1);
          const Index column = std::clamp<Index>(u + du, 0, shape.width - 1);
          return static_cast<double>(
              before[static_cast<std::size_t>((row * shape.width + column) * shape.channels + c)]);
        };
        const double across = at(-1, 1) + 2 * at(0, 1) + at(1, 1) - at(-1, -1) - 2 * at(0, -1) - at(1, -1);
        const double down = at(1, -1) + 2 * at(1, 0) + at(1, 1) - at(-1, -1) - 2 * at(-1, 0) - at(-1, 1);
        const double lines = gain * std::hypot(across, down) / 4 + 0.05 * noise.normal();
        image[static_cast<std::size_t>((v * shape.width + u) * shape.channels + c)] =
            clip01(static_cast<float>((1 - share) * at(0, 0) + share * lines));
      }
}

}  // namespace mts::data
