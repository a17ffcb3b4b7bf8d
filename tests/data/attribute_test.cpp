// The benchmark's own: its numbers, its bias, its paint. What it shares with others is in construction_test.cpp.
#include "mts/data/attribute.hpp"

#include <doctest/doctest.h>

#include <map>

#include "data/made_up.hpp"
#include "data/support.hpp"

using namespace mts::data;
using namespace mts_test;

TEST_CASE("attribute has the numbers that were frozen on 2026-11-23") {
  const AttributeOptions o;
  CHECK(o.classes == std::vector<int>{2, 0, 4, 3});
  CHECK(o.real_per_class == 150);
  CHECK(o.edits_per_real == 7);
  CHECK(o.even_bias == 1);
  CHECK(numbers(o.even) == std::array{.20, .45, .25, .10});
  CHECK(numbers(o.odd) == std::array{.15, .20, .55, .10});
  CHECK(numbers(o.good_strength) == std::array{0., .20});
  CHECK(numbers(o.unchanged_strength) == std::array{0., .15});
  CHECK(numbers(o.content_strength) == std::array{.65, 1.});
  CHECK(o.systematic == 0.9);
  CHECK(std::array{o.validation, o.tuning, o.test} == std::array<Index, 3>{48, 2000, 2000});
}

TEST_CASE("attribute still draws what it drew when it was frozen") {
  CHECK(checksum_of(built<Attribute>().problem) == 12694372987782458209u);
}

TEST_CASE("attribute: in clean sets each attribute is equally often in each class") {
  const Problem& p = built<Attribute>().problem;
  for (const LabelledSet* set : {&p.validation, &p.tuning, &p.test}) {
    std::map<std::pair<int, int>, Index> count;
    for (std::size_t k = 0; k < set->labels.size(); ++k) ++count[{set->labels[k], set->attributes[k]}];
    CHECK(count.size() == 8);
    for (const auto& [pair, n] : count) CHECK(n == set->size() / 8);
  }
}

TEST_CASE(
    "attribute: real images of codes 0 and 2 carry the bias, each its own; in odd ones both attributes are alike") {
  auto benchmark = renumbered<Attribute>();
  for (const double bias : {1.0, 0.8}) {
    benchmark.options.even_bias = bias;
    const Pool pool = made_of(benchmark).pool;
    const Index each = benchmark.options.real_per_class;
    const auto n = static_cast<double>(each);
    std::array<double, 4> inverted{};
    for (std::size_t i = 0; i < static_cast<std::size_t>(4 * each); ++i)
      inverted[static_cast<std::size_t>(pool.labels[i])] += pool.attributes[i];
    CHECK(plausible(inverted[0], n, 1 - bias));
    CHECK(plausible(inverted[1], n, 0.5));
    CHECK(plausible(inverted[2], n, bias));
    CHECK(plausible(inverted[3], n, 0.5));
  }
}

TEST_CASE("attribute: a good edit has the other attribute, one of wrong content either, the others their origin's") {
  const Pool& pool = built<Attribute>().problem.pool;
  double inverted = 0, contents = 0;
  for (std::size_t i = 0; i < pool.kinds.size(); ++i) {
    const int before = pool.attributes[static_cast<std::size_t>(pool.origins[i])];
    if (pool.kinds[i] == Kind::content) {
      inverted += pool.attributes[i];
      ++contents;
    } else {
      CHECK((pool.attributes[i] == before) == (pool.kinds[i] != Kind::good));
    }
  }
  CHECK(plausible(inverted, contents, 0.5));
}

TEST_CASE("attribute: images of attribute 1 are the plain ones inverted, those of attribute 0 the plain ones") {
  const Problem &plain = built<Attribute>().plain, &painted = built<Attribute>().problem;
  const auto compare = [](const LabelledSet& before, const LabelledSet& after, Index i) {
    for (Index k = 0; k < before.inputs.cols(); ++k) {
      const float x = before.inputs(i, k);
      const bool inverted = after.attributes[static_cast<std::size_t>(i)] == 1 && x > 0.04f;
      CHECK(after.inputs(i, k) == doctest::Approx(static_cast<double>(inverted ? 1.04f - x : x)));
    }
  };
  for (Index i = 0; i < plain.pool.size(); i += 7)
    if (plain.pool.kinds[static_cast<std::size_t>(i)] != Kind::destroyed) compare(plain.pool, painted.pool, i);
  for (Index i = 0; i < plain.test.size(); i += 7) compare(plain.test, painted.test, i);
  for (Index i = 0; i < plain.validation.size(); ++i) compare(plain.validation, painted.validation, i);
}

TEST_CASE("attribute: options outside their domain are refused in words") {
  auto benchmark = renumbered<Attribute>();
  benchmark.options.even_bias = -0.5;
  CHECK_REFUSED(mts::ValueError, made_of(benchmark), "attribute", "[0, 1]", "-0.5");
}
