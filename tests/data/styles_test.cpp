// Styles against their formulas, written out again in plain loops.
#include "mts/data/styles.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "data/support.hpp"

using namespace mts::data;
using mts::Index;
using mts::RandomStream;

namespace {

std::vector<float> random_image(Index n, std::uint64_t seed) {
  RandomStream stream(seed, "image");
  std::vector<float> x;
  for (Index k = 0; k < n; ++k) x.push_back(static_cast<float>(std::max(0.0, stream.uniform(-0.3, 1))));
  return x;
}
double number(const std::vector<float>& image, Index k) {
  return static_cast<double>(image[static_cast<std::size_t>(k)]);
}

}  // namespace

TEST_CASE("inverted contrast: 1.04 - x where the garment is, which stays one, and nothing elsewhere; twice is none") {
  const auto before = random_image(784, 1);
  auto image = before;
  invert_contrast(image, {28, 28, 1});
  for (Index k = 0; k < 784; ++k) {
    const double x = number(before, k), y = number(image, k);
    if (x > 0.0400001) {
      CHECK(y == doctest::Approx(std::min(1.04 - x, 1.0)));
      CHECK(y > 0.0399);
    } else {
      CHECK(y == x);
    }
  }
  auto bright = std::vector<float>(9, 0.75f);
  invert_contrast(bright, {3, 3, 1});
  invert_contrast(bright, {3, 3, 1});
  for (const float x : bright) CHECK(x == doctest::Approx(0.75));

  std::vector<float> colour(6, 0.0f);  // two pixels; the green of the second is above the threshold
  colour[4] = 0.5f;
  invert_contrast(colour, {1, 2, 3});
  CHECK(std::vector<float>(colour.begin(), colour.begin() + 3) == std::vector<float>(3, 0.0f));
  CHECK(colour[3] == 1.0f);
  CHECK(colour[4] == doctest::Approx(0.54));
}

TEST_CASE("waves: three or six periods across the image, in five directions, between 0 and 1") {
  using std::numbers::pi;
  for (int k = 0; k < Waves::count; ++k)
    for (const double phase : {-0.8, 0.3})
      for (const Index u : {0, 5, 27})
        for (const Index v : {0, 11}) {
          const double angle = std::floor(k / 2) * pi / 5, frequency = k % 2 == 0 ? 3 : 6;
          const double along = static_cast<double>(u) * std::cos(angle) + static_cast<double>(v) * std::sin(angle);
          CHECK(Waves{k, phase}.at(u, v, 28) ==
                doctest::Approx(0.5 + 0.5 * std::cos(2 * pi * frequency / 28 * along + phase)));
        }
}

TEST_CASE("weave: (1 - c) x + c m wave with c = .75 a, entry by entry, alike in all channels") {
  for (const ImageShape shape : {ImageShape{9, 7, 1}, ImageShape{5, 6, 3}})
    for (const double strength : {0.0, 0.6, 1.0}) {
      const auto before = random_image(shape.size(), 2);
      auto image = before;
      const Waves waves{7, 0.4};
      weave(image, shape, waves, strength);
      const double c = 0.75 * strength;
      for (Index v = 0; v < shape.height; ++v)
        for (Index u = 0; u < shape.width; ++u) {
          const Index at = (v * shape.width + u) * shape.channels;
          bool garment = false;
          for (Index k = at; k < at + shape.channels; ++k) garment = garment || number(before, k) > 0.04;
          for (Index k = at; k < at + shape.channels; ++k)
            CHECK(number(image, k) ==
                  doctest::Approx((1 - c) * number(before, k) + c * (garment ? waves.at(u, v, shape.width) : 0)));
        }
    }
}

TEST_CASE("sketch: the formula of its docstring, entry by entry") {
  const double across[3][3] = {{-1, 0, 1}, {-2, 0, 2}, {-1, 0, 1}};
  for (const ImageShape shape : {ImageShape{9, 7, 1}, ImageShape{5, 6, 3}})
    for (const double share : {0.0, 0.3, 1.0}) {
      const auto before = random_image(shape.size(), 3);
      auto image = before;
      sketch(image, shape, 0.9, share, RandomStream(4, "noise"));
      RandomStream noise(4, "noise");
      for (Index v = 0; v < shape.height; ++v)
        for (Index u = 0; u < shape.width; ++u)
          for (Index c = 0; c < shape.channels; ++c) {
            double gx = 0, gy = 0;
            for (Index i = 0; i < 3; ++i)
              for (Index j = 0; j < 3; ++j) {
                const Index row = std::min(std::max<Index>(v + i - 1, 0), shape.height - 1);
                const Index column = std::min(std::max<Index>(u + j - 1, 0), shape.width - 1);
                const double x = number(before, (row * shape.width + column) * shape.channels + c);
                gx += across[i][j] * x;
                gy += across[j][i] * x;
              }
            const Index k = (v * shape.width + u) * shape.channels + c;
            const double lines = 0.9 * std::sqrt(gx * gx + gy * gy) / 4 + 0.05 * noise.normal();
            CHECK(number(image, k) ==
                  doctest::Approx(std::clamp((1 - share) * number(before, k) + share * lines, 0.0, 1.0)).epsilon(1e-5));
          }
    }
}

TEST_CASE("sketch: a step of height h becomes two lines of brightness h, and what is flat becomes dark") {
  std::vector<float> image(8 * 8, 0.2f);
  for (std::size_t k = 0; k < image.size(); ++k)
    if (k % 8 >= 4) image[k] = 0.8f;
  double sums[8] = {};
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    auto drawn = image;
    sketch(drawn, {8, 8, 1}, 1, 1, RandomStream(seed, "noise"));
    for (Index k = 0; k < 64; ++k) sums[k % 8] += number(drawn, k) / (8 * 50);
  }
  for (const std::size_t u : {3, 4}) CHECK(sums[u] == doctest::Approx(0.6).epsilon(0.03));
  for (const std::size_t u : {0, 1, 2, 5, 6, 7}) CHECK(sums[u] < 0.03);
}

TEST_CASE("a style refuses an image that is not of the shape it is said to have") {
  auto image = random_image(64, 1);
  const ImageShape wrong{8, 7, 1};
  CHECK_REFUSED(mts::ShapeError, invert_contrast(image, wrong), "invert_contrast", "expected 56", "found 64");
  CHECK_REFUSED(mts::ShapeError, weave(image, wrong, {}, 1), "weave", "expected 56", "found 64");
  CHECK_REFUSED(mts::ShapeError, sketch(image, wrong, 1, 1, RandomStream(0, "n")), "sketch", "found 64");
}
