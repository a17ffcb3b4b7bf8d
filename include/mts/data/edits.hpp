#pragma once
/// \file
/// What the benchmarks' images are made with: stripe backgrounds, edits by a generative model, and three ways to destroy an
/// image. Images are rows of numbers in [0, 1], channels last; every random number comes from a stream that the caller
/// names, so an image depends neither on threads nor on what was made before it.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>
#include <vector>

#include "mts/autodiff/image.hpp"
#include "mts/core/random.hpp"
#include "mts/data/generator.hpp"

namespace mts::data {

using autodiff::ImageShape;

/// Pixels above it belong to the garment: m = [x > 0.04].
inline constexpr float garment_threshold = 0.04f;

inline float clip01(float x) { return std::clamp(x, 0.0f, 1.0f); }

/// A background of stripes: one of four orientations, th_k = k pi/4, and a phase.
struct Stripes {
  int orientation = 0;
  double phase = 0;

  /// .45 + .3 cos( 2 pi 3/W (u cos th_k + v sin th_k) + phase ) at column u, row v of an image W pixels wide.
  double at(Index u, Index v, Index width) const {
    const double angle = orientation * std::numbers::pi / 4;
    const double along = static_cast<double>(u) * std::cos(angle) + static_cast<double>(v) * std::sin(angle);
    return 0.45 + 0.3 * std::cos(2 * std::numbers::pi * 3 / static_cast<double>(width) * along + phase);
  }
};

/// Paints stripes, alike in all channels, with noise of standard deviation .03 of each number's own, on the pixels that are not the
/// garment's: those that have no channel above the threshold.
/// \throws ShapeError if the image is not of that shape
inline void paint_background(std::span<float> image, const ImageShape& shape, const Stripes& stripes,
                             RandomStream noise) {
  check_size("paint_background", "numbers of an image", shape.size(), static_cast<Index>(image.size()));
  const auto channels = static_cast<std::size_t>(shape.channels);
  for (Index at = 0; at < shape.pixels(); ++at) {
    const auto pixel = image.subspan(static_cast<std::size_t>(at) * channels, channels);
    const bool garment = std::any_of(pixel.begin(), pixel.end(), [](float x) { return x > garment_threshold; });
    for (float& x : pixel) {
      const double e = noise.normal();
      if (!garment)
        x = clip01(static_cast<float>(stripes.at(at % shape.width, at / shape.width, shape.width) + 0.03 * e));
    }
  }
}

/// Edits images towards references at strengths s:
///
///     z'   = (1 - s) z_x + s z_r + 0.2 s eps
///     edit = clip( dec z' + (1 - s)(x - dec z_x) + s (r - dec z_r) )
///
/// The residuals keep an edit as sharp as its sources, so that bad edits do not give themselves away by blur.
/// \param generator   z = encode, dec = decode
/// \param images      x, N x D
/// \param references  r, N x D
/// \param strengths   s, N numbers in [0, 1]
/// \param noise       eps of row i is drawn from noise.substream("edit", i)
/// \throws ShapeError if the sizes disagree
template <Codec G>
RowMatrix<float> edit(const G& generator, const RowMatrix<float>& images, const RowMatrix<float>& references,
                      std::span<const double> strengths, const RandomStream& noise) {
  check_size("edit", "references", images.rows(), references.rows());
  check_size("edit", "length of a reference", images.cols(), references.cols());
  check_size("edit", "strengths", images.rows(), static_cast<Index>(strengths.size()));
  if (images.rows() == 0) return images;
  const RowMatrix<float> zx = generator.encode(images);
  const RowMatrix<float> zr = generator.encode(references);
  RowMatrix<float> z(zx.rows(), zx.cols());
  for (Index i = 0; i < z.rows(); ++i) {
    RandomStream own = noise.substream("edit", static_cast<std::uint64_t>(i));
    const auto s = static_cast<float>(strengths[static_cast<std::size_t>(i)]);
    for (Index j = 0; j < z.cols(); ++j)
      z(i, j) = (1 - s) * zx(i, j) + s * zr(i, j) + 0.2f * s * static_cast<float>(own.normal());
  }
  const RowMatrix<float> dx = generator.decode(zx);
  const RowMatrix<float> dr = generator.decode(zr);
  RowMatrix<float> out = generator.decode(z);
  for (Index i = 0; i < out.rows(); ++i) {
    const auto s = static_cast<float>(strengths[static_cast<std::size_t>(i)]);
    for (Index j = 0; j < out.cols(); ++j)
      out(i, j) = clip01(out(i, j) + (1 - s) * (images(i, j) - dx(i, j)) + s * (references(i, j) - dr(i, j)));
  }
  return out;
}

/// How an image is destroyed.
enum class Destruction : std::uint8_t { blur, noise, permutation };

/// Gaussian blur of each channel with a standard deviation of W/7 pixels (4 of 28), edges repeated.
/// \throws ShapeError if the image is not of that shape
inline void blur(std::span<float> image, const ImageShape& shape) {
  check_size("blur", "numbers of an image", shape.size(), static_cast<Index>(image.size()));
  const double deviation = static_cast<double>(shape.width) / 7;
  const auto radius = static_cast<Index>(3 * deviation);
  std::vector<double> kernel;
  double sum = 0;
  for (Index t = -radius; t <= radius; ++t) {
    const double q = static_cast<double>(t) / deviation;
    sum += kernel.emplace_back(std::exp(-0.5 * q * q));
  }
  std::vector<double> rows(image.size());
  const auto at = [&](Index v, Index u, Index c) {
    return static_cast<std::size_t>((v * shape.width + u) * shape.channels + c);
  };
  const auto weight = [&](Index t) { return kernel[static_cast<std::size_t>(t + radius)] / sum; };
  const auto for_each_number = [&](auto&& f) {
    for (Index v = 0; v < shape.height; ++v)
      for (Index u = 0; u < shape.width; ++u)
        for (Index c = 0; c < shape.channels; ++c) f(v, u, c);
  };
  for_each_number([&](Index v, Index u, Index c) {
    for (Index t = -radius; t <= radius; ++t)
      rows[at(v, u, c)] +=
          weight(t) * static_cast<double>(image[at(v, std::clamp<Index>(u + t, 0, shape.width - 1), c)]);
  });
  for_each_number([&](Index v, Index u, Index c) {
    double x = 0;
    for (Index t = -radius; t <= radius; ++t)
      x += weight(t) * rows[at(std::clamp<Index>(v + t, 0, shape.height - 1), u, c)];
    image[at(v, u, c)] = clip01(static_cast<float>(x));
  });
}

/// Leaves nothing of an image: heavy blur; 15 % of it under 85 % uniform noise; or its pixels in an order that is the same for all
/// images of that size.
/// \throws ShapeError if the image is not of that shape
inline void destroy(std::span<float> image, const ImageShape& shape, Destruction how, RandomStream stream) {
  check_size("destroy", "numbers of an image", shape.size(), static_cast<Index>(image.size()));
  switch (how) {
    case Destruction::blur:
      blur(image, shape);
      return;
    case Destruction::noise:
      for (float& x : image) x = clip01(0.15f * x + 0.85f * static_cast<float>(stream.uniform()));
      return;
    case Destruction::permutation: {
      const auto order = RandomStream(0, "fixed pixel permutation").permutation(shape.pixels());
      const std::vector<float> before(image.begin(), image.end());
      for (std::size_t k = 0; k < order.size(); ++k)
        std::copy_n(before.begin() + order[k] * shape.channels, shape.channels,
                    image.begin() + static_cast<Index>(k) * shape.channels);
      return;
    }
  }
}

}  // namespace mts::data
