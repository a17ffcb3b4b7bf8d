// Static selection: real samples always, of each class the best share of the others, ties to the first.
#include "mts/selection/keep.hpp"

#include <doctest/doctest.h>

#include "data/support.hpp"

using namespace mts;

namespace {

Samples some_pool() {
  Samples s;
  s.labels = {0, 1, 0, 1, 0, 1, 0, 1};
  s.groups = {0, 0, 1, 1, 1, 1, 2, 1};
  return s;
}

}  // namespace

TEST_CASE("keep_best: all real samples, and of each class the best share of the others") {
  SampleVector scores(8);
  scores << -9, -9, 1, 5, 3, 4, 3, 6;
  const Samples pool = some_pool();
  using Places = std::vector<Index>;
  CHECK(keep_best(scores, pool, 1) == Places{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(keep_best(scores, pool, 0) == Places{0, 1});
  CHECK(keep_best(scores, pool, 1.0 / 3) == Places{0, 1, 4, 7});  // 3 and 3 in class 0: the first
  CHECK(keep_best(scores, pool, 2.0 / 3) == Places{0, 1, 3, 4, 6, 7});
  CHECK(keep_best(SampleVector(0), Samples{}, 0.5).empty());
}

TEST_CASE("keep_random: as many as keep_best, another choice for another stream") {
  const Samples pool = some_pool();
  CHECK(keep_random(pool, 2.0 / 3, {1, "keep"}).size() == 6);
  CHECK(keep_random(pool, 2.0 / 3, {1, "keep"}) == keep_random(pool, 2.0 / 3, {1, "keep"}));
  bool differs = false;
  for (std::uint64_t k = 0; k < 20; ++k)
    differs = differs || keep_random(pool, 1.0 / 3, {k, "keep"}) != keep_random(pool, 1.0 / 3, {1, "keep"});
  CHECK(differs);
}

TEST_CASE("keep_best: bad input is refused") {
  const Samples pool = some_pool();
  CHECK_REFUSED(ValueError, keep_best(SampleVector::Zero(8), pool, 1.1), "keep_best", "share", "1.1");
  CHECK_REFUSED(ShapeError, keep_best(SampleVector::Zero(7), pool, 1), "keep_best", "labels", "7", "8");
  CHECK_REFUSED(NumericalError, keep_best(SampleVector::Constant(8, std::nan("")), pool, 1), "keep_best", "score");
}
