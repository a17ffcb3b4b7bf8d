// The benchmark's own: its numbers, its bias, its backgrounds. What it shares with others is in construction_test.cpp.
#include "mts/data/spurious.hpp"

#include <doctest/doctest.h>

#include <map>

#include "data/made_up.hpp"
#include "data/support.hpp"

using namespace mts::data;
using namespace mts_test;

TEST_CASE("spurious has the numbers that were frozen on 2026-11-22") {
  const SpuriousOptions o;
  CHECK(o.classes == std::vector<int>{0, 2, 3, 8});
  CHECK(o.real_per_class == 200);
  CHECK(o.edits_per_real == 5);
  CHECK(o.even_bias == 0.98);
  CHECK(numbers(o.even) == std::array{.15, .55, .20, .10});
  CHECK(numbers(o.odd) == std::array{.20, .40, .30, .10});
  CHECK(numbers(o.good_strength) == std::array{0., .20});
  CHECK(numbers(o.unchanged_strength) == std::array{0., .15});
  CHECK(numbers(o.content_strength) == std::array{.65, 1.});
  CHECK(o.systematic == 0.9);
  CHECK(std::array{o.validation, o.tuning, o.test} == std::array<Index, 3>{48, 2000, 2000});
}

TEST_CASE("spurious still draws what it drew when it was frozen") {
  CHECK(checksum_of(built<Spurious>().problem) == 17517572490793052617u);
}

TEST_CASE("of images in colour the same problem is made, but for the pixels") {
  struct Colour : Blend {
    RowMatrix<float> decode(const RowMatrix<float>& z) const {
      return RowMatrix<float>::Zero(z.rows(), 3 * side * side);
    }
  };
  const ImageData colour{numbered(train_size, 4, 3), numbered(test_size, 4, 3)};
  const Problem p = construct(renumbered<Spurious>(), colour, Colour{}, Corner{}, 900);
  const Problem& grey = built<Spurious>().problem;
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

TEST_CASE("spurious: in clean sets each attribute is equally often in each class") {
  const Problem& p = built<Spurious>().problem;
  for (const LabelledSet* set : {&p.validation, &p.tuning, &p.test}) {
    std::map<std::pair<int, int>, Index> count;
    for (std::size_t k = 0; k < set->labels.size(); ++k) ++count[{set->labels[k], set->attributes[k]}];
    CHECK(count.size() == 16);
    for (const auto& [pair, n] : count) CHECK(n == set->size() / 16);
  }
}

TEST_CASE("spurious: real images: even codes carry the bias, odd ones have every attribute alike") {
  const Pool& pool = built<Spurious>().problem.pool;
  double aligned = 0;
  std::array<double, 4> odd{};
  for (std::size_t i = 0; i < 800; ++i) {
    if (pool.labels[i] % 2 == 0)
      aligned += pool.attributes[i] == pool.labels[i];
    else
      ++odd[static_cast<std::size_t>(pool.attributes[i])];
  }
  CHECK(aligned < 400);
  CHECK(plausible(aligned, 400, 0.98));
  for (const double n : odd) CHECK(plausible(n, 400, 0.25));
}

TEST_CASE("spurious: a good edit has another background, one of wrong content any, the others their origin's") {
  const Pool& pool = built<Spurious>().problem.pool;
  std::array<double, 4> content{};
  for (std::size_t i = 800; i < 4800; ++i) {
    const int before = pool.attributes[static_cast<std::size_t>(pool.origins[i])];
    if (pool.kinds[i] == Kind::content)
      ++content[static_cast<std::size_t>(pool.attributes[i])];
    else
      CHECK((pool.attributes[i] == before) == (pool.kinds[i] != Kind::good));
  }
  const double all = std::accumulate(content.begin(), content.end(), 0.0);
  for (const double n : content) CHECK(plausible(n, all, 0.25));
}

TEST_CASE("spurious: backgrounds: a near duplicate keeps its origin's stripes, a good edit has others") {
  const Pool& pool = built<Spurious>().problem.pool;
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

TEST_CASE("spurious: styled web images are the web images before stripes") {
  const auto plain = web_images(made_up(4)), styled = styled_web_images(Spurious{}, made_up(4));
  CHECK(styled.leftCols(2) == plain.leftCols(2));
  CHECK(styled.rightCols(30).minCoeff() > 0);
}

TEST_CASE("spurious: options outside their domain are refused in words") {
  auto benchmark = renumbered<Spurious>();
  benchmark.options.even_bias = 1.5;
  CHECK_REFUSED(mts::ValueError, made_of(benchmark), "spurious", "[0, 1]", "1.5");
  benchmark = renumbered<Spurious>();
  benchmark.options.classes = {0, 1, 2};
  CHECK_REFUSED(mts::ValueError, construct(benchmark, made_up(4), Blend{}, Corner{}, 0), "spurious",
                "expected 4 classes, found 3");
}
