#include "lab/extremes.hpp"

#include "lab/png.hpp"
#include "lab/support.hpp"

namespace {

using namespace mts::lab;
using mts::Index;

TEST_CASE("Extremes: the largest and the smallest weights, of equal ones the first in the pool") {
  const auto problem = mts_test::small_problem();
  mts::SampleVector weights = mts::SampleVector::Constant(90, 2.0);
  weights[7] = 5;
  weights[50] = 9;
  weights[80] = weights[3] = 0;
  const auto e = extremes_of(weights, problem, 3);
  const double mean = weights.mean();
  REQUIRE(e.best.size() == 3);
  REQUIRE(e.worst.size() == 3);
  CHECK(e.best[0].sample == 50);
  CHECK(e.best[0].weight == doctest::Approx(9 / mean));
  CHECK(e.best[0].label == problem.pool.labels[50]);
  CHECK(e.best[0].group == mts::data::synthetic_group);
  CHECK(e.best[1].sample == 7);
  CHECK(e.best[1].group == mts::data::real_group);
  CHECK(e.best[2].sample == 0);
  CHECK(e.worst[0].sample == 3);
  CHECK(e.worst[1].sample == 80);
  CHECK(e.worst[2].sample == 0);
  CHECK(e.share_best == 1);
  CHECK(e.share_worst == 2);
  CHECK(e.best[0].picture.empty());  // no images
  CHECK(extremes_of(weights, problem, 1000).best.size() == 90);
  CHECK_REFUSED(mts::ShapeError, extremes_of(weights.head(5), problem), "weights", "expected 90, found 5");
}

TEST_CASE("Extremes: images come as pictures, where they can be drawn") {
  auto problem = mts_test::small_image_problem();
  const mts::SampleVector weights = mts::SampleVector::LinSpaced(90, 0, 1);
  const auto e = extremes_of(weights, problem, 2);
  CHECK(e.best[0].picture == png_of({8, 8, 1}, {problem.pool.inputs.row(89).data(), 64}));
  CHECK(e.worst[1].picture == png_of({8, 8, 1}, {problem.pool.inputs.row(1).data(), 64}));
  problem.image = {8, 4, 2};
  CHECK(extremes_of(weights, problem, 2).best[0].picture.empty());
}

}  // namespace
