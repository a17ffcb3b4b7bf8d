// Backgrounds, edits and destruction against their formulas, written out again in plain loops.
#include "mts/data/edits.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "data/support.hpp"

using namespace mts::data;
using mts::Index;
using mts::RandomStream;
using mts::RowMatrix;

namespace {

// A codec with two codes: means of the left and right half; a decoder that paints both halves and clips nothing.
struct Halves {
  RowMatrix<float> encode(const RowMatrix<float>& x) const {
    RowMatrix<float> z(x.rows(), 2);
    z.col(0) = x.leftCols(x.cols() / 2).rowwise().mean();
    z.col(1) = x.rightCols(x.cols() / 2).rowwise().mean();
    return z;
  }
  RowMatrix<float> decode(const RowMatrix<float>& z) const {
    RowMatrix<float> x(z.rows(), 6);
    for (Index j = 0; j < 6; ++j) x.col(j) = z.col(j / 3);
    return x;
  }
};
static_assert(Codec<Halves>);
static_assert(!Codec<int>);

RowMatrix<float> random_images(Index n, Index d, std::uint64_t seed) {
  RandomStream stream(seed, "images");
  RowMatrix<float> x(n, d);
  for (Index k = 0; k < x.size(); ++k) x.data()[k] = static_cast<float>(stream.uniform());
  return x;
}

}  // namespace

TEST_CASE("an edit is the formula of its docstring, entry by entry") {
  const Halves g;
  const auto x = random_images(5, 6, 1), r = random_images(5, 6, 2);
  const std::vector<double> strengths{0, 0.25, 0.5, 0.8, 1};
  const RandomStream noise(3, "edit noise");
  const auto out = edit(g, x, r, strengths, noise);
  for (Index i = 0; i < 5; ++i) {
    const double s = strengths[static_cast<std::size_t>(i)];
    RandomStream own = noise.substream("edit", static_cast<std::uint64_t>(i));
    double z[2], zx[2], zr[2];
    for (int half = 0; half < 2; ++half) {
      zx[half] = static_cast<double>(x.row(i).segment(3 * half, 3).mean());
      zr[half] = static_cast<double>(r.row(i).segment(3 * half, 3).mean());
      z[half] = (1 - s) * zx[half] + s * zr[half] + 0.2 * s * own.normal();
    }
    for (Index j = 0; j < 6; ++j) {
      const auto half = static_cast<std::size_t>(j / 3);
      const double e =
          z[half] + (1 - s) * (static_cast<double>(x(i, j)) - zx[half]) + s * (static_cast<double>(r(i, j)) - zr[half]);
      CHECK(static_cast<double>(out(i, j)) == doctest::Approx(std::clamp(e, 0.0, 1.0)).epsilon(1e-5));
    }
  }
  CHECK(out.row(0).isApprox(x.row(0)));  // strength 0 changes nothing
}

TEST_CASE("an edit's sizes must agree") {
  const Halves g;
  const auto x = random_images(3, 6, 1);
  const std::vector<double> s{0, 0};
  CHECK_REFUSED(mts::ShapeError, edit(g, x, random_images(2, 6, 1), s, RandomStream(0, "n")), "references",
                "expected 3", "found 2");
  CHECK_REFUSED(mts::ShapeError, edit(g, x, random_images(3, 4, 1), s, RandomStream(0, "n")), "length of a reference");
  CHECK_REFUSED(mts::ShapeError, edit(g, x, x, s, RandomStream(0, "n")), "strengths", "expected 3", "found 2");
  CHECK(edit(g, RowMatrix<float>(0, 6), RowMatrix<float>(0, 6), {}, RandomStream(0, "n")).rows() == 0);
}

TEST_CASE("stripes are a wave of three periods across the image, of four orientations") {
  using std::numbers::pi;
  for (int k = 0; k < 4; ++k)
    for (const double phase : {-0.8, 0.3})
      for (const Index u : {0, 5, 27})
        for (const Index v : {0, 11}) {
          const double along =
              static_cast<double>(u) * std::cos(k * pi / 4) + static_cast<double>(v) * std::sin(k * pi / 4);
          CHECK(Stripes{k, phase}.at(u, v, 28) ==
                doctest::Approx(.45 + .3 * std::cos(2 * pi * 3 / 28 * along + phase)));
        }
}

TEST_CASE("a background is painted where the garment is not, with noise of .03") {
  std::vector<float> image(28 * 28, 0.0f);
  for (std::size_t k = 0; k < 28; ++k) image[k] = 0.5f;    // garment
  for (std::size_t k = 28; k < 56; ++k) image[k] = 0.04f;  // the threshold itself is background
  const Stripes stripes{1, 0.2};
  paint_background(image, {28, 28, 1}, stripes, RandomStream(5, "background"));
  double squares = 0;
  for (Index k = 0; k < 784; ++k) {
    const double x = static_cast<double>(image[static_cast<std::size_t>(k)]);
    if (k < 28) {
      CHECK(x == 0.5);
      continue;
    }
    const double e = x - stripes.at(k % 28, k / 28, 28);
    CHECK(std::abs(e) < 0.15);
    squares += e * e;
  }
  // 756 squares of N(0, .03): relative standard deviation of the mean square sqrt(2/756) = .051; 4 of them
  CHECK(std::sqrt(squares / 756) == doctest::Approx(0.03).epsilon(0.11));
}

TEST_CASE("blur keeps constants and mirror symmetry, spreads a point by its deviation, and keeps its mass") {
  std::vector<float> flat(28 * 28, 0.37f);
  blur(flat, {28, 28, 1});
  for (const float x : flat) CHECK(x == doctest::Approx(0.37));
  const Index n = 57;  // deviation 57/7
  std::vector<float> point(static_cast<std::size_t>(n * n), 0.0f);
  point[static_cast<std::size_t>(28 * n + 28)] = 1.0f;
  blur(point, {n, n, 1});
  double mass = 0, second = 0;
  for (Index v = 0; v < n; ++v)
    for (Index u = 0; u < n; ++u) {
      const double x = static_cast<double>(point[static_cast<std::size_t>(v * n + u)]);
      mass += x;
      second += x * static_cast<double>((u - 28) * (u - 28));
      CHECK(point[static_cast<std::size_t>(v * n + u)] ==
            doctest::Approx(static_cast<double>(point[static_cast<std::size_t>(u * n + v)])));
    }
  CHECK(mass == doctest::Approx(1).epsilon(0.01));
  CHECK(std::sqrt(second / mass) == doctest::Approx(57.0 / 7).epsilon(0.03));
}

TEST_CASE("the permutation is one, the same for all images; noise covers an image") {
  std::vector<float> a(64), b(64);
  for (std::size_t k = 0; k < 64; ++k) {
    a[k] = static_cast<float>(k) / 64;
    b[k] = 1 - a[k];
  }
  const auto before = a;
  destroy(a, {8, 8, 1}, Destruction::permutation, RandomStream(1, "x"));
  destroy(b, {8, 8, 1}, Destruction::permutation, RandomStream(2, "y"));
  CHECK(a != before);
  for (std::size_t k = 0; k < 64; ++k) CHECK(a[k] == doctest::Approx(static_cast<double>(1 - b[k])));
  auto sorted = a;
  std::sort(sorted.begin(), sorted.end());
  CHECK(sorted == before);

  std::vector<float> bright(400, 1.0f), dark(400, 0.0f);
  destroy(bright, {20, 20, 1}, Destruction::noise, RandomStream(1, "x"));
  destroy(dark, {20, 20, 1}, Destruction::noise, RandomStream(1, "x"));
  for (std::size_t k = 0; k < 400; ++k) CHECK(bright[k] - dark[k] == doctest::Approx(0.15).epsilon(1e-4));
}

namespace {

constexpr ImageShape colour{9, 7, 3};

// Channel c of an image in colour.
std::vector<float> channel_of(const std::vector<float>& image, Index c) {
  std::vector<float> out;
  for (Index k = c; k < static_cast<Index>(image.size()); k += 3) out.push_back(image[static_cast<std::size_t>(k)]);
  return out;
}
std::vector<float> random_image(Index n, std::uint64_t seed) {
  const auto x = random_images(1, n, seed);
  return {x.data(), x.data() + n};
}

}  // namespace

TEST_CASE("in colour a pixel with any channel above the threshold is the garment's, the others get the same stripes") {
  std::vector<float> image(static_cast<std::size_t>(colour.size()), 0.0f);
  image[3 * 10 + 1] = 0.5f;  // the green of pixel (1, 3)
  const Stripes stripes{3, -0.4};
  paint_background(image, colour, stripes, RandomStream(5, "background"));
  CHECK(image[3 * 10] == 0.0f);
  CHECK(image[3 * 10 + 1] == 0.5f);
  CHECK(image[3 * 10 + 2] == 0.0f);
  double products = 0;
  for (Index k = 0; k < colour.pixels(); ++k) {
    if (k == 10) continue;
    double e[3];
    for (Index c = 0; c < 3; ++c) {
      e[c] = static_cast<double>(image[static_cast<std::size_t>(3 * k + c)]) - stripes.at(k % 7, k / 7, 7);
      CHECK(std::abs(e[c]) < 0.15);
    }
    products += e[0] * e[1] / (0.03 * 0.03);
  }
  CHECK(std::abs(products) < 4 * std::sqrt(62.0));  // the noises of two channels are independent: mean 0, variance 62
}

TEST_CASE("blur takes each channel for itself; the permutation moves pixels with all their channels") {
  const auto before = random_image(colour.size(), 4);
  auto blurred = before, permuted = before;
  blur(blurred, colour);
  destroy(permuted, colour, Destruction::permutation, RandomStream(1, "x"));
  CHECK(permuted != before);
  for (Index c = 0; c < 3; ++c) {
    auto alone = channel_of(before, c), shuffled = alone;
    blur(alone, {9, 7, 1});
    CHECK(channel_of(blurred, c) == alone);
    destroy(shuffled, {9, 7, 1}, Destruction::permutation, RandomStream(1, "x"));
    CHECK(channel_of(permuted, c) == shuffled);
  }
}

TEST_CASE("an image that is not of the shape it is said to have is refused") {
  auto image = random_image(64, 1);
  const ImageShape wrong{8, 7, 1};
  CHECK_REFUSED(mts::ShapeError, paint_background(image, wrong, {}, RandomStream(0, "n")), "paint_background",
                "expected 56", "found 64");
  CHECK_REFUSED(mts::ShapeError, blur(image, wrong), "blur", "expected 56", "found 64");
  CHECK_REFUSED(mts::ShapeError, destroy(image, wrong, Destruction::noise, RandomStream(0, "n")), "destroy");
}
