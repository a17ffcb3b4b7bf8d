// The benchmark's own: its numbers, its bias, its paint. What it shares with others is in construction_test.cpp.
#include "mts/data/texture.hpp"

#include <doctest/doctest.h>

#include <map>
#include <set>

#include "data/made_up.hpp"
#include "data/support.hpp"

using namespace mts::data;
using namespace mts_test;

TEST_CASE("texture has the numbers that were frozen on 2026-11-23") {
  const TextureOptions o;
  CHECK(o.classes == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(o.real_per_class == 100);
  CHECK(o.edits_per_real == 4);
  CHECK(o.even_bias == 0.97);
  CHECK(numbers(o.edit_texture) == std::array{.6, 1.});
  CHECK(numbers(o.even) == std::array{.25, .40, .25, .10});
  CHECK(numbers(o.odd) == std::array{.20, .30, .40, .10});
  CHECK(numbers(o.good_strength) == std::array{0., .20});
  CHECK(numbers(o.unchanged_strength) == std::array{0., .15});
  CHECK(numbers(o.content_strength) == std::array{.65, 1.});
  CHECK(o.systematic == 0.9);
  CHECK(std::array{o.validation, o.tuning, o.test} == std::array<Index, 3>{60, 2000, 2000});
}

TEST_CASE("texture still draws what it drew when it was frozen") {
  CHECK(checksum_of(built<Texture>().problem) == 1971891126187873497u);
}

TEST_CASE("texture: in clean sets each texture is equally often, with different classes, in large ones with all") {
  const Problem& p = built<Texture>().problem;
  for (const LabelledSet* set : {&p.validation, &p.tuning, &p.test}) {
    std::map<std::pair<int, int>, Index> pairs;
    std::map<int, Index> count;
    for (std::size_t k = 0; k < set->labels.size(); ++k) {
      ++pairs[{set->labels[k], set->attributes[k]}];
      ++count[set->attributes[k]];
    }
    CHECK(count.size() == 10);
    for (const auto& [a, n] : count) CHECK(n == set->size() / 10);
    CHECK(static_cast<Index>(pairs.size()) == std::min<Index>(100, set->size()));
    for (const auto& [pair, n] : pairs) CHECK(n == std::max<Index>(1, set->size() / 100));
  }
  const Problem other = made_of(renumbered<Texture>(), 901);
  CHECK(other.validation.attributes != p.validation.attributes);
}

TEST_CASE("texture: real images of even codes wear the class's texture, those of odd codes any") {
  auto benchmark = renumbered<Texture>();
  const auto each = static_cast<std::size_t>(benchmark.options.real_per_class);
  const auto n = static_cast<double>(5 * each);
  const Pool& pool = built<Texture>().problem.pool;
  double aligned = 0;
  std::array<double, 10> odd{};
  for (std::size_t i = 0; i < 10 * each; ++i)
    if (pool.labels[i] % 2 == 0)
      aligned += pool.attributes[i] == pool.labels[i];
    else
      ++odd[static_cast<std::size_t>(pool.attributes[i])];
  CHECK(plausible(aligned, n, benchmark.options.even_bias));
  for (const double count : odd) CHECK(plausible(count, n, 0.1));
}

TEST_CASE("texture: a good edit wears another, one of wrong content any, the others their origin's") {
  const Pool& pool = built<Texture>().problem.pool;
  std::array<double, 10> content{};
  for (std::size_t i = 0; i < pool.kinds.size(); ++i) {
    const int before = pool.attributes[static_cast<std::size_t>(pool.origins[i])];
    if (pool.kinds[i] == Kind::content)
      ++content[static_cast<std::size_t>(pool.attributes[i])];
    else
      CHECK((pool.attributes[i] == before) == (pool.kinds[i] != Kind::good));
  }
  const double all = std::accumulate(content.begin(), content.end(), 0.0);
  for (const double n : content) CHECK(plausible(n, all, 0.1));
}

TEST_CASE(
    "texture: worn in full strength by real images, in a part of it by edits, with the origin's phase where it is "
    "kept") {
  const Problem &plain = built<Texture>().plain, &painted = built<Texture>().problem;
  const Range strengths = TextureOptions{}.edit_texture;
  // The wave of the first pixel, where it is .5 + .5 cos(phase), from x' = (1 - .75 a) x + .75 a wave.
  const auto wave = [](const LabelledSet& before, const LabelledSet& after, Index i) {
    return (static_cast<double>(after.inputs(i, 0)) - 0.25 * static_cast<double>(before.inputs(i, 0))) / 0.75;
  };
  const double lowest = 0.5 + 0.5 * std::cos(0.8);
  const auto check_full = [&](const LabelledSet& before, const LabelledSet& after, Index i) {
    CHECK(wave(before, after, i) > lowest - 1e-5);
    CHECK(wave(before, after, i) < 1 + 1e-5);
    CHECK(after.inputs.row(i).tail(30).maxCoeff() == 0);  // nothing is woven where no garment is
  };
  for (Index i = 0; i < plain.test.size(); i += 7) check_full(plain.test, painted.test, i);
  for (Index i = 0; i < plain.validation.size(); ++i) check_full(plain.validation, painted.validation, i);
  std::set<double> unchanged;
  for (Index i = 0; i < plain.pool.size(); ++i) {
    const auto k = static_cast<std::size_t>(i);
    if (plain.pool.kinds[k] == Kind::real) check_full(plain.pool, painted.pool, i);
    if (plain.pool.kinds[k] != Kind::unchanged) continue;
    const double of_origin = wave(plain.pool, painted.pool, plain.pool.origins[k]);
    const double x = static_cast<double>(plain.pool.inputs(i, 0)), y = static_cast<double>(painted.pool.inputs(i, 0));
    if (std::abs(of_origin - x) > 0.1) unchanged.insert((y - x) / (of_origin - x) / 0.75);
  }
  REQUIRE(unchanged.size() > 100);
  CHECK(*unchanged.begin() > strengths.low - 1e-4);
  CHECK(*unchanged.begin() < strengths.low + 0.02);
  CHECK(*unchanged.rbegin() < strengths.high + 1e-4);
  CHECK(*unchanged.rbegin() > strengths.high - 0.02);
}

TEST_CASE("texture: options outside their domain are refused in words") {
  const auto refused = [](auto&& change) {
    auto benchmark = renumbered<Texture>();
    change(benchmark.options);
    return construct(benchmark, made_up(10), Blend{}, Corner{}, 0);
  };
  using O = TextureOptions;
  CHECK_REFUSED(mts::ValueError, refused([](O& o) { o.even_bias = 1.5; }), "texture", "[0, 1]", "1.5");
  CHECK_REFUSED(mts::ValueError, refused([](O& o) {
                  o.edit_texture = {.6, 1.5};
                }),
                "strengths of the texture", "0.6 to 1.5");
  CHECK_REFUSED(mts::ValueError, refused([](O& o) { o.classes = {0, 1, 2}; }), "expected 10 classes, found 3");
}
