// The benchmark's own: its numbers, its domains, its paint. What it shares with others is in construction_test.cpp.
#include "mts/data/domain.hpp"

#include <doctest/doctest.h>

#include <map>

#include "data/made_up.hpp"
#include "data/support.hpp"

using namespace mts::data;
using namespace mts_test;

TEST_CASE("domain has the numbers that were frozen on 2026-11-23") {
  const DomainOptions o;
  CHECK(o.classes == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(o.real_per_class == 100);
  CHECK(o.edits_per_real == 4);
  CHECK(numbers(o.gain) == std::array{.8, 1.2});
  CHECK(numbers(o.unchanged_share) == std::array{0., .3});
  CHECK(o.content_target == 1);
  CHECK(numbers(o.even) == std::array{.35, .40, .15, .10});
  CHECK(numbers(o.odd) == std::array{.30, .25, .35, .10});
  CHECK(numbers(o.good_strength) == std::array{0., .20});
  CHECK(numbers(o.unchanged_strength) == std::array{0., .15});
  CHECK(numbers(o.content_strength) == std::array{.65, 1.});
  CHECK(o.systematic == 0.9);
  CHECK(std::array{o.validation, o.tuning, o.test} == std::array<Index, 3>{40, 2000, 2000});
}

TEST_CASE("domain still draws what it drew when it was frozen") {
  CHECK(checksum_of(built<Domain>().problem) == 16124629807645350897u);
}

TEST_CASE("domain: clean sets show even codes in the target domain only, odd ones half in each") {
  const Problem& p = built<Domain>().problem;
  for (const LabelledSet* set : {&p.validation, &p.tuning, &p.test}) {
    std::map<std::pair<int, int>, Index> count;
    for (std::size_t k = 0; k < set->labels.size(); ++k) ++count[{set->labels[k], set->attributes[k]}];
    CHECK(count.size() == 15);
    for (const auto& [pair, n] : count) {
      CHECK(n == set->size() / (pair.first % 2 == 0 ? 10 : 20));
      if (pair.first % 2 == 0) CHECK(pair.second == Domain::target);
    }
  }
}

TEST_CASE("domain: real images are of the source, good edits of the target, unchanged ones still of the source") {
  const Pool& pool = built<Domain>().problem.pool;
  double contents = 0, sketches = 0;
  for (std::size_t i = 0; i < pool.kinds.size(); ++i) {
    if (pool.kinds[i] == Kind::content) {
      ++contents;
      sketches += pool.attributes[i];
    } else {
      CHECK(pool.attributes[i] == (pool.kinds[i] == Kind::good ? Domain::target : Domain::source));
    }
  }
  CHECK(plausible(sketches, contents, DomainOptions{}.content_target));
}

TEST_CASE("domain: images of the source are plain, those of the target sketches, unchanged edits a little of both") {
  const Problem &plain = built<Domain>().plain, &painted = built<Domain>().problem;
  const DomainOptions o;
  // The second pixel has lines of its own and of the first, so that far brighter ones than any noise are looked at.
  const auto lines = [](const LabelledSet& set, Index i) {
    const double across = 3 * (0 - static_cast<double>(set.inputs(i, 0)));
    const double down = -2 * static_cast<double>(set.inputs(i, 1)) - static_cast<double>(set.inputs(i, 0));
    return std::hypot(across, down) / 4;
  };
  const auto check_one = [&](const LabelledSet& before, const LabelledSet& after, Index i) {
    const double strength = lines(before, i), y = static_cast<double>(after.inputs(i, 1));
    if (after.attributes[static_cast<std::size_t>(i)] == Domain::source) {
      CHECK(after.inputs.row(i) == before.inputs.row(i));
    } else if (1.2 * strength < 0.7) {
      CHECK(y > o.gain.low * strength - 0.3);
      CHECK(y < o.gain.high * strength + 0.3);
    }
  };
  for (Index i = 0; i < plain.test.size(); i += 3) check_one(plain.test, painted.test, i);
  for (Index i = 0; i < plain.validation.size(); ++i) check_one(plain.validation, painted.validation, i);
  double squares = 0, count = 0, largest = 0;
  for (Index i = 0; i < plain.pool.size(); ++i) {
    const Kind kind = plain.pool.kinds[static_cast<std::size_t>(i)];
    if (kind == Kind::real || kind == Kind::good) check_one(plain.pool, painted.pool, i);
    if (kind != Kind::unchanged) continue;
    const auto change = (painted.pool.inputs.row(i) - plain.pool.inputs.row(i)).cwiseAbs();
    largest = std::max(largest, static_cast<double>(change.maxCoeff()));
    squares += static_cast<double>((painted.pool.inputs.row(i).tail(18)).squaredNorm()) / 18;
    ++count;
  }
  CHECK(largest > 0.1);
  CHECK(largest < o.unchanged_share.high * (1 + 0.05 * 6));
  // Where nothing is drawn, the positive half of .05 t eps is left: mean square .05^2 E t^2 / 2, E t^2 = .3^2 / 3.
  CHECK(squares / count == doctest::Approx(0.05 * 0.05 * 0.03 / 2).epsilon(0.1));
}

TEST_CASE("domain: options outside their domain are refused in words") {
  const auto refused = [](auto&& change) {
    auto benchmark = renumbered<Domain>();
    change(benchmark.options);
    return made_of(benchmark);
  };
  using O = DomainOptions;
  CHECK_REFUSED(mts::ValueError, refused([](O& o) { o.content_target = 1.5; }), "domain", "[0, 1]", "1.5");
  CHECK_REFUSED(mts::ValueError, refused([](O& o) { o.gain = {1.2, .8}; }), "gains", "1.2 to 0.8");
  CHECK_REFUSED(mts::ValueError, refused([](O& o) { o.unchanged_share = {0, 2}; }), "shares of translation", "0 to 2");
}
