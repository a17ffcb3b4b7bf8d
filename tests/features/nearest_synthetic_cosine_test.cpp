// The cosines to the nearest synthetic samples of the class: by hand, against plain Python and the real twin, and at
// the edges.
#include "mts/features/nearest_synthetic_cosine.hpp"

#include <doctest/doctest.h>

#include "features/reference.hpp"
#include "mts/features/nearest_real_cosine.hpp"

using namespace mts_test;
using mts::features::NearestRealCosine;
using mts::features::NearestSyntheticCosine;

static_assert(mts::FeatureExtractor<NearestSyntheticCosine, mts::FeatureContext<LossesOnly, mts::NoValidation>>);
static_assert(!NearestSyntheticCosine::reads_validation());

TEST_CASE("nearest synthetic: ten points by hand, self excluded where synthetic") {
  const ToyPool toy;
  const double r = std::sqrt(0.5);
  RowMatrix<double> expected(10, 2);
  expected << r, -1,  // (2, 0) to (3, 3) and (-5, 0)
      r, 0,           // (0, 4)
      0, 0,           // (0, 0)
      -r, -r,         // (3, 3) to (-5, 0) alone
      -r, -r,         // (-5, 0) to (3, 3) alone
      0.8, 0.6,       // (0, 1) to (3, 4), (4, 3), (0, -1)
      0.8, 0.6,       // (0, 2)
      0.96, -0.8,     // (3, 4) to (4, 3), (0, -1)
      0.96, -0.6,     // (4, 3)
      -0.6, -0.8;     // (0, -1)
  CHECK((fitted_table(NearestSyntheticCosine{2}, toy.e, toy.samples) - expected).cwiseAbs().maxCoeff() < 1e-15);
}

TEST_CASE_TEMPLATE("nearest synthetic: as plain Python says", S, float, double) {
  const auto f = fitted_table(NearestSyntheticCosine{3}, reference::embeddings<S>(), reference::pool_samples());
  CHECK(reference::difference(f, reference::nearest_synthetic_cosine) < (std::same_as<S, float> ? 1e-6 : 1e-14));
}

TEST_CASE("nearest synthetic: names of its own; with groups exchanged it is the real twin") {
  const auto x = random_rows<float>(300, 9, 3);
  const Samples pool = random_pool(300, 3, 4);
  Samples exchanged = pool;
  for (auto& g : exchanged.groups) g = g == 0 ? 2 : 0;
  const auto f = fitted_table(NearestSyntheticCosine{3}, x, pool);
  CHECK((f == fitted_table(NearestRealCosine{3}, x, exchanged)));
  CHECK(!(f == fitted_table(NearestRealCosine{3}, x, pool)));
  CHECK(NearestSyntheticCosine{2}.layout().continuous ==
        std::vector<std::string>{"nearest_synthetic_cosine_1", "nearest_synthetic_cosine_2"});
}

TEST_CASE("nearest synthetic: order, rotation, threads") {
  const NearestSyntheticCosine f(3);
  const Samples pool = random_pool(300, 3, 4);
  CHECK(change_by_permutation(f, random_rows<double>(300, 6, 3), pool) < 1e-13);
  CHECK(change_by_rotation(f, random_rows<double>(300, 6, 3), pool) < 1e-12);
  CHECK(same_bits(f, random_rows<float>(300, 70, 3), pool));
}

TEST_CASE("nearest synthetic: a sample without a synthetic one to be compared with is refused in words") {
  ToyPool toy;
  toy.samples.groups[3] = 0;
  CHECK_REFUSED(mts::ValueError, fitted_table(NearestSyntheticCosine{3}, toy.e, toy.samples),
                "nearest_synthetic_cosine", "sample 4", "only synthetic one of class 0");
  toy.samples.groups[4] = 0;
  CHECK_REFUSED(mts::ValueError, fitted_table(NearestSyntheticCosine{3}, toy.e, toy.samples),
                "class 0 has 5 samples, but no synthetic one");
  CHECK_REFUSED(mts::ValueError, NearestSyntheticCosine(0), "nearest_synthetic_cosine", "k must be at least 1");
}
