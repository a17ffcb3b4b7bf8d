// The construction of the benchmark, on a made-up data set whose images tell their own number and class, with a codec that
// leaves the edit formula nothing but its residuals.
#include "mts/data/spurious.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "data/support.hpp"

using namespace mts::data;
using mts::Index;
using mts::RowMatrix;
using mts::ThreadLimit;

namespace {

constexpr Index side = 6, train_size = 18000, test_size = 2400;

// Image i: pixel 0 tells i, pixel 1 its class, the rest is empty. Both are garment.
ImageSet numbered(Index n, int classes, std::size_t channels = 1) {
  ImageSet::Images images(std::array<std::size_t, 4>{static_cast<std::size_t>(n), side, side, channels});
  images.fill(0.0f);
  std::vector<int> labels;
  for (Index i = 0; i < n; ++i) {
    labels.push_back(static_cast<int>(i % classes));
    images(static_cast<std::size_t>(i), 0, 0, 0) = 0.1f + 0.8f * static_cast<float>(i) / static_cast<float>(n);
    images(static_cast<std::size_t>(i), 0, 1, 0) = 0.1f + 0.2f * static_cast<float>(i % classes);
  }
  return ImageSet(std::move(images), std::move(labels), classes);
}
Index number_of(float pixel, Index n) {
  return static_cast<Index>(std::lround((static_cast<double>(pixel) - 0.1) / 0.8 * static_cast<double>(n)));
}

// No code at all: an edit is (1 - s) x + s r. Remembers what was encoded: garments, then references.
struct Blend {
  mutable std::vector<RowMatrix<float>> encoded;
  RowMatrix<float> encode(const RowMatrix<float>& x) const {
    encoded.push_back(x);
    return RowMatrix<float>::Zero(x.rows(), 1);
  }
  RowMatrix<float> decode(const RowMatrix<float>& z) const { return RowMatrix<float>::Zero(z.rows(), side * side); }
};
// The embedding: the first three pixels.
struct Corner {
  RowMatrix<float> encode(const RowMatrix<float>& x) const { return x.leftCols(3); }
};

const ImageData& made_up() {
  static const ImageData data{numbered(train_size, 4), numbered(test_size, 4)};
  return data;
}
SpuriousOptions options() {
  SpuriousOptions o;
  o.classes = {0, 1, 2, 3};
  return o;
}

bool same(const LabelledSet& a, const LabelledSet& b) {
  return a.inputs == b.inputs && a.labels == b.labels && a.embeddings == b.embeddings && a.attributes == b.attributes;
}
bool same(const Problem& a, const Problem& b) {
  return same(static_cast<const LabelledSet&>(a.pool), static_cast<const LabelledSet&>(b.pool)) &&
         a.pool.kinds == b.pool.kinds && a.pool.groups == b.pool.groups && a.pool.origins == b.pool.origins &&
         same(a.validation, b.validation) && same(a.tuning, b.tuning) && same(a.test, b.test);
}

// Whether a count of n draws of probability p is within 5 standard deviations.
bool plausible(double count, double n, double p) {
  return std::abs(count - n * p) <= 5 * std::sqrt(n * p * (1 - p)) + 1e-9;
}

struct Built {
  Blend generator;
  Problem problem = spurious(made_up(), generator, Corner{}, 900, options());
};
const Built& built() {
  static const Built b;
  return b;
}

}  // namespace

TEST_CASE("the benchmark has the numbers that were frozen on 2026-11-22") {
  const SpuriousOptions o;
  CHECK(o.classes == std::array<int, 4>{0, 2, 3, 8});
  CHECK(o.real_per_class == 200);
  CHECK(o.edits_per_real == 5);
  CHECK(o.even_bias == 0.98);
  CHECK(std::array{o.even.good, o.even.unchanged, o.even.content, o.even.destroyed} == std::array{.15, .55, .20, .10});
  CHECK(std::array{o.odd.good, o.odd.unchanged, o.odd.content, o.odd.destroyed} == std::array{.20, .40, .30, .10});
  CHECK(std::array{o.good_strength.low, o.good_strength.high} == std::array{0., .20});
  CHECK(std::array{o.unchanged_strength.low, o.unchanged_strength.high} == std::array{0., .15});
  CHECK(std::array{o.content_strength.low, o.content_strength.high} == std::array{.65, 1.});
  CHECK(o.systematic == 0.9);
  CHECK(std::array{o.validation, o.tuning, o.test} == std::array<Index, 3>{48, 2000, 2000});
}

TEST_CASE("the parts have their sizes and pass their checks") {
  const Problem& p = built().problem;
  CHECK_NOTHROW(check(p));
  CHECK(p.name == "spurious");
  CHECK(p.image == ImageShape{6, 6, 1});
  CHECK(p.classes == 4);
  CHECK(p.pool.size() == 4800);
  CHECK(p.validation.size() == 48);
  CHECK(p.tuning.size() == 2000);
  CHECK(p.test.size() == 2000);
  CHECK(p.pool.embeddings == p.pool.inputs.leftCols(3));
  CHECK(p.test.embeddings == p.test.inputs.leftCols(3));
  for (const LabelledSet* set : {static_cast<const LabelledSet*>(&p.pool), &p.validation, &p.tuning, &p.test}) {
    CHECK(set->inputs.minCoeff() >= 0);
    CHECK(set->inputs.maxCoeff() <= 1);
  }
}

TEST_CASE("same seed, same bits, whatever the number of threads; another seed, another pool") {
  for (const int threads : {1, 2, 4}) {
    const ThreadLimit limit(threads);
    CHECK(same(spurious(made_up(), Blend{}, Corner{}, 900, options()), built().problem));
  }
  const Problem other = spurious(made_up(), Blend{}, Corner{}, 901, options());
  CHECK(other.pool.inputs != built().problem.pool.inputs);
  CHECK(other.pool.kinds != built().problem.pool.kinds);
  CHECK(other.test.inputs != built().problem.test.inputs);
}

TEST_CASE("the construction still draws what it drew when it was frozen") {
  // Truth of every sample, and the pixels of every 50th in sixteen steps, so that no compiler's last bits show.
  const Problem& p = built().problem;
  Checksum sum;
  const auto add = [&](const auto& values) {
    for (const auto x : values) sum.add(static_cast<std::uint64_t>(x));
  };
  for (const LabelledSet* set : {static_cast<const LabelledSet*>(&p.pool), &p.validation, &p.tuning, &p.test}) {
    add(set->labels);
    add(set->attributes);
    for (Index i = 0; i < set->size(); i += 50)
      for (Index k = 0; k < set->inputs.cols(); ++k) sum.add(static_cast<std::uint64_t>(16 * set->inputs(i, k)));
  }
  add(p.pool.groups);
  add(p.pool.kinds);
  add(p.pool.origins);
  CHECK(sum.value() == 17517572490793052617u);
}

TEST_CASE("of images in colour the same problem is made, but for the pixels") {
  struct Colour : Blend {
    RowMatrix<float> decode(const RowMatrix<float>& z) const {
      return RowMatrix<float>::Zero(z.rows(), 3 * side * side);
    }
  };
  const ImageData colour{numbered(train_size, 4, 3), numbered(test_size, 4, 3)};
  const Problem p = spurious(colour, Colour{}, Corner{}, 900, options());
  const Problem& grey = built().problem;
  CHECK_NOTHROW(check(p));
  CHECK(p.image == ImageShape{6, 6, 3});
  CHECK(p.pool.inputs.cols() == 108);
  CHECK(p.pool.kinds == grey.pool.kinds);
  CHECK(p.pool.attributes == grey.pool.attributes);
  CHECK(p.pool.origins == grey.pool.origins);
  CHECK(p.test.labels == grey.test.labels);
  for (Index i = 0; i < p.test.size(); ++i) {
    CHECK(p.test.inputs(i, 0) == grey.test.inputs(i, 0));  // red of the first pixel, which tells the image's number
    CHECK(p.test.inputs(i, 3) == grey.test.inputs(i, 1));  // and of the second, which tells its class
  }
  CHECK(p.test.inputs.rightCols(90).minCoeff() > 0);
}

TEST_CASE("validation, tuning and test are real, clean, disjoint and balanced over classes and attributes") {
  const Problem& p = built().problem;
  std::set<Index> training;
  for (Index i = 0; i < 800; ++i) CHECK(training.insert(number_of(p.pool.inputs(i, 0), train_size)).second);
  for (const LabelledSet* set : {&p.validation, &p.tuning, &p.test}) {
    const bool test = set == &p.test;
    std::map<std::pair<int, int>, Index> count;
    std::set<Index> own;
    for (Index i = 0; i < set->size(); ++i) {
      const auto k = static_cast<std::size_t>(i);
      ++count[{set->labels[k], set->attributes[k]}];
      const Index number = number_of(set->inputs(i, 0), test ? test_size : train_size);
      CHECK((test ? own : training).insert(number).second);
      CHECK(number % 4 == set->labels[k]);
      if (!test) CHECK(number < web_begin(made_up().train));
    }
    CHECK(count.size() == 16);
    for (const auto& [pair, n] : count) CHECK(n == set->size() / 16);
  }
}

TEST_CASE("real images: even codes carry the bias, odd ones have every attribute alike") {
  const Pool& pool = built().problem.pool;
  double aligned = 0;
  std::array<double, 4> odd{};
  for (std::size_t i = 0; i < 800; ++i) {
    CHECK(pool.kinds[i] == Kind::real);
    CHECK(pool.labels[i] == static_cast<int>(i / 200));
    if (pool.labels[i] % 2 == 0)
      aligned += pool.attributes[i] == pool.labels[i];
    else
      ++odd[static_cast<std::size_t>(pool.attributes[i])];
  }
  CHECK(aligned < 400);
  CHECK(plausible(aligned, 400, 0.98));
  for (const double n : odd) CHECK(plausible(n, 400, 0.25));
}

TEST_CASE("kinds come in their shares, by the parity of the code") {
  const Pool& pool = built().problem.pool;
  std::array<std::array<double, 5>, 2> count{};
  for (std::size_t i = 800; i < 4800; ++i)
    ++count[static_cast<std::size_t>(pool.labels[i] % 2)][static_cast<std::size_t>(pool.kinds[i])];
  const std::array<std::array<double, 5>, 2> shares{{{0, .15, .55, .20, .10}, {0, .20, .40, .30, .10}}};
  for (std::size_t parity = 0; parity < 2; ++parity)
    for (std::size_t kind = 0; kind < 5; ++kind) CHECK(plausible(count[parity][kind], 2000, shares[parity][kind]));
}

TEST_CASE("each edit has its origin's label and what its kind says of attribute, reference and strength") {
  const Pool& pool = built().problem.pool;
  REQUIRE(built().generator.encoded.size() == 2);
  const auto& sources = built().generator.encoded[0];
  const auto& references = built().generator.encoded[1];
  std::set<Index> used;
  std::array<double, 4> content_attribute{};
  double contents = 0, systematic = 0;
  std::map<Kind, std::pair<double, double>> strengths;
  for (Index i = 800; i < 4800; ++i) {
    const auto k = static_cast<std::size_t>(i);
    const Index e = i - 800, origin = e / 5;
    const auto o = static_cast<std::size_t>(origin);
    CHECK(pool.origins[k] == origin);
    CHECK(pool.labels[k] == pool.labels[o]);
    CHECK(pool.groups[k] == 1);
    CHECK(sources(e, 0) == pool.inputs(origin, 0));
    const Kind kind = pool.kinds[k];
    if (kind == Kind::good) CHECK(pool.attributes[k] != pool.attributes[o]);
    if (kind == Kind::unchanged || kind == Kind::destroyed) CHECK(pool.attributes[k] == pool.attributes[o]);
    if (kind == Kind::destroyed) continue;
    const Index reference = number_of(references(e, 0), train_size);
    CHECK(reference >= web_begin(made_up().train));
    CHECK(used.insert(reference).second);
    const int shown = static_cast<int>(reference % 4), y = pool.labels[k];
    if (kind == Kind::content) {
      CHECK(shown != y);
      ++contents;
      systematic += shown == (y + 1) % 4;
      ++content_attribute[static_cast<std::size_t>(pool.attributes[k])];
    } else {
      CHECK(shown == y);
    }
    const double x = static_cast<double>(sources(e, 0)), r = static_cast<double>(references(e, 0));
    if (std::abs(r - x) < 0.05) continue;
    const double s = (static_cast<double>(pool.inputs(i, 0)) - x) / (r - x);
    auto& [low, high] = strengths.try_emplace(kind, 2.0, -1.0).first->second;
    low = std::min(low, s);
    high = std::max(high, s);
  }
  CHECK(plausible(systematic, contents, 0.9));
  for (const double n : content_attribute) CHECK(plausible(n, contents, 0.25));
  // the extremes of some hundreds of uniform numbers are near the ends of their range
  const auto check_range = [&](Kind kind, double low, double high) {
    CAPTURE(name_of(kind));
    const double slack = 0.05 * (high - low);
    CHECK(std::abs(strengths[kind].first - low) < slack);
    CHECK(std::abs(strengths[kind].second - high) < slack);
  };
  check_range(Kind::good, 0, 0.20);
  check_range(Kind::unchanged, 0, 0.15);
  check_range(Kind::content, 0.65, 1);
}

TEST_CASE("backgrounds: a near duplicate keeps its origin's stripes, a good edit has others") {
  const Pool& pool = built().problem.pool;
  const auto difference = [&](Index i) {
    const Index o = pool.origins[static_cast<std::size_t>(i)];
    return static_cast<double>((pool.inputs.row(i).tail(30) - pool.inputs.row(o).tail(30)).cwiseAbs().mean());
  };
  std::map<Kind, std::pair<double, double>> sums;
  for (Index i = 800; i < 4800; ++i) {
    auto& [sum, n] = sums[pool.kinds[static_cast<std::size_t>(i)]];
    sum += difference(i);
    ++n;
  }
  const auto mean = [&](Kind kind) { return sums[kind].first / sums[kind].second; };
  // two noises of .03: mean absolute difference .03 sqrt(2) sqrt(2/pi) = .034
  CHECK(mean(Kind::unchanged) == doctest::Approx(0.034).epsilon(0.05));
  CHECK(mean(Kind::good) > 0.15);
  CHECK(mean(Kind::destroyed) > 0.05);
}

TEST_CASE(
    "styled web images are the web images before stripes, as many of each orientation, the same bits at any time") {
  const auto plain = web_images(made_up());
  const auto styled = styled_web_images(made_up());
  CHECK(plain.rows() == train_size / 3);
  CHECK(styled.leftCols(2) == plain.leftCols(2));
  CHECK(styled.rightCols(30).minCoeff() > 0);
  const ThreadLimit limit(1);
  CHECK(styled_web_images(made_up()) == styled);
}

TEST_CASE("a data set too small, and options outside their domain, are refused in words") {
  const ImageData small{numbered(60, 4), numbered(60, 4)};
  const auto make = [](const ImageData& data, auto&& change) {
    SpuriousOptions o = options();
    change(o);
    return spurious(data, Blend{}, Corner{}, 0, o);
  };
  using O = SpuriousOptions;
  CHECK_REFUSED(mts::DataError, make(small, [](O&) {}), "too small", "more than 10 training images of class 0");
  CHECK_REFUSED(mts::DataError, make(small, [](O& o) { o.real_per_class = 2; }), "too small", "more than 5 web images");
  CHECK_REFUSED(mts::DataError,
                make(small, [](O& o) { o.real_per_class = 1, o.edits_per_real = 1, o.validation = o.tuning = 16; }),
                "too small", "more than 15 test images of class 0");
  CHECK_REFUSED(mts::ValueError, make(made_up(), [](O& o) { o.classes[2] = 4; }), "class of code 2", "0 to 3",
                "found 4");
  CHECK_REFUSED(mts::ValueError, make(made_up(), [](O& o) { o.classes[2] = 1; }), "class 1 is given twice");
  CHECK_REFUSED(mts::ValueError, make(made_up(), [](O& o) { o.even_bias = 1.5; }), "[0, 1]", "1.5");
  CHECK_REFUSED(mts::ValueError, make(made_up(), [](O& o) { o.odd.good = .3; }), "sum to 1", "1.1");
  CHECK_REFUSED(mts::ValueError, make(made_up(), [](O& o) { o.content_strength.high = 2; }), "strengths", "0.65 to 2");
  CHECK_REFUSED(mts::ValueError, make(made_up(), [](O& o) { o.validation = 50; }), "multiple of 16", "found 50");
  CHECK_REFUSED(mts::ValueError, make(made_up(), [](O& o) { o.real_per_class = 0; }), "real_per_class >= 1", "found 0");
}
