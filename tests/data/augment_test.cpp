// Augmentation against its formula written out pixel by pixel, and what must hold of it: identities, marginals, same bits.
#include "mts/data/augment.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <vector>

#include "data/support.hpp"
#include "mts/data/pool.hpp"
#include "mts/nn/classifier.hpp"

using namespace mts::data;
using mts::Index;
using mts::RowMatrix;

namespace {

RowMatrix<float> random_images(Index n, const ImageShape& shape, std::uint64_t seed = 1) {
  mts::RandomStream stream(seed, "images");
  RowMatrix<float> x(n, shape.size());
  for (Index k = 0; k < x.size(); ++k) x.data()[k] = 0.1f + static_cast<float>(stream.uniform());  // no zeros
  return x;
}
std::vector<Index> first_ids(Index n) {
  std::vector<Index> ids(static_cast<std::size_t>(n));
  std::iota(ids.begin(), ids.end(), Index{0});
  return ids;
}

// The docstring's formula with padding by its picture: the padded axis of three pixels a b c, two more on each side.
Index padded(Index k, Index n, Padding with) {
  if (k >= 0 && k < n) return k;
  if (with == Padding::zeros) return -1;
  if (with == Padding::edge) return k < 0 ? 0 : n - 1;
  Index step = k < 0 ? -1 : 1, at = k < 0 ? 0 : n - 1;  // walk from the edge pixel back into the image
  for (Index left = k < 0 ? -k : k - (n - 1); left > 0; --left) at -= step;
  return at;
}
RowMatrix<float> expected(const Augmentation<float>& a, const RowMatrix<float>& images, const std::vector<Index>& ids,
                          std::uint64_t step) {
  const auto in = a.in(), out = a.out();
  RowMatrix<float> result(images.rows(), out.size());
  for (Index i = 0; i < images.rows(); ++i) {
    const auto d = a.draw(step, ids[static_cast<std::size_t>(i)]);
    for (Index y = 0; y < out.height; ++y)
      for (Index x = 0; x < out.width; ++x)
        for (Index c = 0; c < out.channels; ++c) {
          const Index v = padded(y + d.top, in.height, a.options().with);
          const Index u = padded((d.flipped ? out.width - 1 - x : x) + d.left, in.width, a.options().with);
          result(i, (y * out.width + x) * out.channels + c) =
              v < 0 || u < 0 ? 0.0f : images(i, (v * in.width + u) * in.channels + c);
        }
  }
  return result;
}

RowMatrix<float> augmented(const Augmentation<float>& a, const RowMatrix<float>& images, const std::vector<Index>& ids,
                           std::uint64_t step) {
  RowMatrix<float> out(images.rows(), a.out().size());
  a.into(mts::rows_of(images), ids, step, mts::rows_of(out));
  return out;
}

// Whether a count of n draws of probability p is within 5 standard deviations.
bool plausible(double count, double n, double p) { return std::abs(count - n * p) <= 5 * std::sqrt(n * p * (1 - p)); }

TEST_CASE("a batch of a pool is augmented as docs/benchmarks.md shows it") {
  namespace data = mts::data;
  data::Pool pool;
  pool.inputs = random_images(20, {32, 32, 3});
  pool.labels.assign(20, 0);
  pool.groups.assign(20, 0);
  const auto ids = first_ids(8);
  const std::uint64_t seed = 4, step = 11;
  mts::nn::ClassificationBatch<float> batch;
  mts::Samples samples;

  data::Augmentation<float> augment({32, 32, 3}, {.padding = 4, .with = data::Padding::reflect, .flip = 0.5}, seed);
  data::gather(pool, ids, batch, samples);
  augment.in_place(batch, ids, step);

  CHECK(batch.inputs != pool.inputs.topRows(8));
  CHECK(batch.inputs == expected(augment, pool.inputs.topRows(8), ids, step));
}

}  // namespace

TEST_CASE("augmentation is the formula of its docstring, for every padding, window and shape") {
  for (const ImageShape shape : {ImageShape{5, 7, 1}, ImageShape{4, 3, 3}, ImageShape{1, 1, 1}, ImageShape{3, 6, 2}})
    for (const auto with : {Padding::zeros, Padding::edge, Padding::reflect})
      for (const Index padding : {0, 1, 2, 9})
        for (const Extent window : {Extent{0, 0}, Extent{1, 1}, Extent{2, 3}, Extent{6, 5}, Extent{20, 20}})
          for (const double flip : {0.0, 0.5}) {
            if (with == Padding::reflect && padding >= std::min(shape.height, shape.width)) continue;
            if (window.height > shape.height + 2 * padding || window.width > shape.width + 2 * padding) continue;
            const Augmentation<float> a(shape, {padding, with, window, flip}, 3);
            CAPTURE(in_words(shape));
            CAPTURE(padding);
            CAPTURE(in_words(a.out()));
            const auto images = random_images(40, shape);
            CHECK(augmented(a, images, first_ids(40), 8) == expected(a, images, first_ids(40), 8));
            if (a.out() == a.in()) {
              mts::nn::ClassificationBatch<float> batch{images, {}};
              a.in_place(batch, first_ids(40), 8);
              CHECK(batch.inputs == expected(a, images, first_ids(40), 8));
            }
          }
}

TEST_CASE("no shift, no flip: no change; a certain flip done twice: none; all of one flip reverses every row") {
  const ImageShape shape{6, 5, 3};
  const auto images = random_images(20, shape);
  const auto ids = first_ids(20);
  CHECK(augmented({shape, random_shift(0), 1}, images, ids, 2) == images);
  CHECK(augmented({shape, {}, 1}, images, ids, 2) == images);
  const Augmentation<float> mirror(shape, random_flip(1), 1);
  const auto once = augmented(mirror, images, ids, 2);
  CHECK(once != images);
  CHECK(augmented(mirror, once, ids, 7) == images);
  for (Index x = 0; x < 5; ++x)
    for (Index y = 0; y < 6; ++y)
      CHECK(once.block(0, (y * 5 + x) * 3, 20, 3) == images.block(0, (y * 5 + 4 - x) * 3, 20, 3));
}

TEST_CASE("pixels are neither made nor lost: a flip permutes them, a shift loses only what leaves the image") {
  const ImageShape shape{7, 6, 1};
  const auto images = random_images(50, shape);
  const auto sorted = [](const RowMatrix<float>& m, Index i) {
    std::vector<float> v(m.row(i).begin(), m.row(i).end());
    std::sort(v.begin(), v.end());
    return v;
  };
  const Augmentation<float> flip(shape, random_flip(), 1), shift(shape, random_shift(2), 1);
  const auto flipped = augmented(flip, images, first_ids(50), 0), shifted = augmented(shift, images, first_ids(50), 0);
  for (Index i = 0; i < 50; ++i) {
    CHECK(sorted(flipped, i) == sorted(images, i));
    const auto d = shift.draw(0, i);
    const auto zeros = static_cast<Index>((shifted.row(i).array() == 0).count());
    CHECK(zeros == shape.size() - (7 - std::abs(d.top)) * (6 - std::abs(d.left)));
    const auto all = sorted(images, i);
    std::vector<float> kept;
    for (const float x : sorted(shifted, i))
      if (x != 0) kept.push_back(x);
    CHECK(std::includes(all.begin(), all.end(), kept.begin(), kept.end()));
  }
}

TEST_CASE("every shift comes as often, and flips in their share, independent of the shift") {
  const ImageShape shape{9, 9, 1};
  const AugmentationOptions options{.padding = 2, .flip = 0.3};
  const Augmentation<float> a(shape, options, 11);
  constexpr Index n = 20000;
  std::map<std::tuple<Index, Index, bool>, double> count;
  for (Index id = 0; id < n; ++id) {
    const auto d = a.draw(static_cast<std::uint64_t>(id % 7), id);
    ++count[{d.top, d.left, d.flipped}];
  }
  CHECK(count.size() == 50);
  for (Index top = -2; top <= 2; ++top)
    for (Index left = -2; left <= 2; ++left)
      for (const bool flipped : {false, true}) {
        CAPTURE(top);
        CAPTURE(left);
        CAPTURE(flipped);
        CHECK(plausible(count[{top, left, flipped}], n, (flipped ? 0.3 : 0.7) / 25));
      }
  // a window smaller than the image: every place where it fits
  const Augmentation<float> crop(shape, random_crop(1, Padding::zeros, {8, 10}), 11);
  std::map<std::pair<Index, Index>, double> places;
  for (Index id = 0; id < n; ++id) {
    const auto d = crop.draw(0, id);
    ++places[{d.top, d.left}];
    CHECK(!d.flipped);
  }
  CHECK(places.size() == 4 * 2);
  for (const auto& entry : places) CHECK(plausible(entry.second, n, 1.0 / 8));
}

TEST_CASE("what is done to a sample depends on seed, purpose, step and sample, and on nothing else") {
  const ImageShape shape{8, 8, 1};
  const AugmentationOptions options{.padding = 3, .flip = 0.5};
  const Augmentation<float> a(shape, options, 5);
  const auto draws = [](const Augmentation<float>& b, std::uint64_t step) {
    std::vector<Augmentation<float>::Draw> all;
    for (Index id = 0; id < 30; ++id) all.push_back(b.draw(step, id));
    return all;
  };
  CHECK(draws(a, 4) == draws(Augmentation<float>(shape, options, 5), 4));
  CHECK(draws(a, 4) != draws(a, 5));
  CHECK(draws(a, 4) != draws(Augmentation<float>(shape, options, 6), 4));
  CHECK(draws(a, 4) != draws(Augmentation<float>(shape, options, 5, "another"), 4));

  // in any order, in any company, twice in a batch
  const auto images = random_images(100, shape);
  const auto all = augmented(a, images, first_ids(100), 4);
  const std::vector<Index> some{70, 3, 70, 99};
  RowMatrix<float> few(4, shape.size());
  for (Index k = 0; k < 4; ++k) few.row(k) = images.row(some[static_cast<std::size_t>(k)]);
  const auto out = augmented(a, few, some, 4);
  for (Index k = 0; k < 4; ++k) CHECK(out.row(k) == all.row(some[static_cast<std::size_t>(k)]));
}

TEST_CASE("augmentation: the same bits for any number of threads") {
  const ImageShape shape{28, 28, 1};
  const Augmentation<float> a(shape, {.padding = 4, .with = Padding::reflect, .flip = 0.5}, 5);
  const auto images = random_images(300, shape);
  const auto once = expected(a, images, first_ids(300), 1);
  for (const int threads : {1, 2, 4}) {
    const mts::ThreadLimit limit(threads);
    CHECK(augmented(a, images, first_ids(300), 1) == once);
    auto own = images;
    a.in_place(mts::rows_of(own), first_ids(300), 1);
    CHECK(own == once);
  }
}

TEST_CASE("augmentation takes double too, and rows within wider rows") {
  const ImageShape shape{4, 4, 1};
  const Augmentation<double> a(shape, random_flip(1), 5);
  RowMatrix<double> wide = RowMatrix<double>::Random(3, 20);
  const RowMatrix<double> before = wide;
  a.in_place(mts::Rows<double>(wide.data() + 2, 3, 16, Eigen::OuterStride<>(20)), first_ids(3), 0);
  CHECK(wide.leftCols(2) == before.leftCols(2));
  CHECK(wide.rightCols(2) == before.rightCols(2));
  CHECK(wide.col(2) == before.col(5));
  CHECK(wide.col(17) == before.col(14));
}

TEST_CASE("augmentations that can't be, and images that don't fit, are refused in words") {
  const ImageShape shape{5, 4, 2};
  const auto with = [&](AugmentationOptions o, ImageShape in) { return Augmentation<float>(in, o, 0); };
  using mts::ValueError;
  CHECK_REFUSED(ValueError, with({}, {0, 4, 1}), "at least 1 x 1 x 1", "found 0 x 4 x 1");
  CHECK_REFUSED(ValueError, with(random_shift(-1), shape), "padding of at least 0", "found -1");
  CHECK_REFUSED(ValueError, with(random_crop(4, Padding::reflect), shape), "reflecting padding smaller", "5 x 4 x 2",
                "found 4");
  CHECK_NOTHROW(with(random_crop(3, Padding::reflect), shape));
  CHECK_REFUSED(ValueError, with(random_crop(1, Padding::zeros, {8, 4}), shape), "1 x 1 to 7 x 6", "found 8 x 4");
  CHECK_REFUSED(ValueError, with(random_crop(1, Padding::zeros, {4, 7}), shape), "1 x 1 to 7 x 6", "found 4 x 7");
  CHECK_REFUSED(ValueError, with(random_crop(1, Padding::zeros, {0, 4}), shape), "found 0 x 4");
  CHECK_REFUSED(ValueError, with(random_flip(1.5), shape), "[0, 1]", "found 1.5");
  CHECK_REFUSED(ValueError, with(random_flip(-0.5), shape), "[0, 1]", "found -0.5");
  CHECK_REFUSED(ValueError, with(random_flip(std::numeric_limits<double>::quiet_NaN()), shape), "[0, 1]", "nan");

  const Augmentation<float> a(shape, random_shift(1), 0);
  auto images = random_images(3, shape);
  RowMatrix<float> out(3, 40), short_out(2, 40), narrow(3, 39);
  const auto ids = first_ids(3), few = first_ids(2);
  const auto from = mts::rows_of(std::as_const(images));
  CHECK_REFUSED(mts::ShapeError, a.into(from, few, 0, mts::rows_of(out)), "sample ids", "expected 3", "found 2");
  CHECK_REFUSED(mts::ShapeError, a.into(from, ids, 0, mts::rows_of(short_out)), "rows of the result", "found 2");
  CHECK_REFUSED(mts::ShapeError, a.into(from, ids, 0, mts::rows_of(narrow)), "length of a result", "expected 40");
  CHECK_REFUSED(mts::ShapeError, a.in_place(mts::rows_of(narrow), ids, 0), "length of an image", "found 39");
  const Augmentation<float> smaller(shape, random_crop(0, Padding::zeros, {3, 3}), 0);
  CHECK_REFUSED(mts::ShapeError, smaller.in_place(mts::rows_of(images), ids, 0), "5 x 4 x 2", "found 3 x 3 x 2");
}
