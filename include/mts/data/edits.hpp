#pragma once
/// \file
/// What the benchmarks' images are made with: stripe backgrounds, edits by a generative model, and three ways to destroy an
/// image. Images are rows of H W pixels in [0, 1], row by row; every random number comes from a stream that the caller
/// names, so an image depends neither on threads nor on what was made before it.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>
#include <vector>

#include "mts/core/parallel.hpp"
#include "mts/core/random.hpp"
#include "mts/data/generator.hpp"

namespace mts::data {

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

/// Paints stripes, with noise of standard deviation .03, on the pixels that are not the garment's.
inline void paint_background(std::span<float> image, Index width, const Stripes& stripes, RandomStream noise) {
  for (std::size_t k = 0; k < image.size(); ++k) {
    const double e = noise.normal();
    if (image[k] > garment_threshold) continue;
    const auto at = static_cast<Index>(k);
    image[k] = clip01(static_cast<float>(stripes.at(at % width, at / width, width) + 0.03 * e));
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

/// Gaussian blur with a standard deviation of W/7 pixels (4 of 28), edges repeated.
inline void blur(std::span<float> image, Index width) {
  const auto height = static_cast<Index>(image.size()) / width;
  const double deviation = static_cast<double>(width) / 7;
  const auto radius = static_cast<Index>(3 * deviation);
  std::vector<double> kernel;
  double sum = 0;
  for (Index t = -radius; t <= radius; ++t) {
    const double q = static_cast<double>(t) / deviation;
    sum += kernel.emplace_back(std::exp(-0.5 * q * q));
  }
  std::vector<double> rows(image.size());
  const auto at = [&](Index v, Index u) { return static_cast<std::size_t>(v * width + u); };
  for (Index v = 0; v < height; ++v)
    for (Index u = 0; u < width; ++u)
      for (Index t = -radius; t <= radius; ++t)
        rows[at(v, u)] += kernel[static_cast<std::size_t>(t + radius)] / sum *
                          static_cast<double>(image[at(v, std::clamp<Index>(u + t, 0, width - 1))]);
  for (Index v = 0; v < height; ++v)
    for (Index u = 0; u < width; ++u) {
      double x = 0;
      for (Index t = -radius; t <= radius; ++t)
        x += kernel[static_cast<std::size_t>(t + radius)] / sum * rows[at(std::clamp<Index>(v + t, 0, height - 1), u)];
      image[at(v, u)] = clip01(static_cast<float>(x));
    }
}

/// Leaves nothing of an image: heavy blur; 15 % of it under 85 % uniform noise; or its pixels in an order that is the same for all
/// images of that size.
inline void destroy(std::span<float> image, Index width, Destruction how, RandomStream stream) {
  switch (how) {
    case Destruction::blur:
      blur(image, width);
      return;
    case Destruction::noise:
      for (float& x : image) x = clip01(0.15f * x + 0.85f * static_cast<float>(stream.uniform()));
      return;
    case Destruction::permutation: {
      const auto order = RandomStream(0, "fixed pixel permutation").permutation(static_cast<Index>(image.size()));
      const std::vector<float> before(image.begin(), image.end());
      for (std::size_t k = 0; k < image.size(); ++k) image[k] = before[static_cast<std::size_t>(order[k])];
      return;
    }
  }
}

}  // namespace mts::data
