// The cosine to the class's synthetic centre: by hand, against plain Python, as the real twin with groups exchanged,
// and at the edges.
#include "mts/features/synthetic_centre_cosine.hpp"

#include <doctest/doctest.h>

#include "features/reference.hpp"
#include "mts/features/real_centre_cosine.hpp"

using namespace mts_test;
using mts::features::RealCentreCosine;
using mts::features::SyntheticCentreCosine;

static_assert(mts::FeatureExtractor<SyntheticCentreCosine, mts::FeatureContext<LossesOnly, mts::NoValidation>>);
static_assert(!SyntheticCentreCosine::reads_validation());

TEST_CASE("synthetic centre: ten points by hand") {
  const ToyPool toy;
  // Synthetic centres: class 0 (-1, 1.5); class 1 (7/3, 2), direction (7, 6).
  const double a = std::sqrt(3.25), b = std::sqrt(85.0), r = std::sqrt(2.0);
  Eigen::VectorXd expected(10);
  expected << -1 / a, 1.5 / a, 0, 0.5 / (a * r), 1 / a, 6 / b, 6 / b, 9 / b, 9.2 / b, -6 / b;
  CHECK((fitted_table(SyntheticCentreCosine{}, toy.e, toy.samples).col(0) - expected).cwiseAbs().maxCoeff() < 1e-15);
}

TEST_CASE_TEMPLATE("synthetic centre: as plain Python says", S, float, double) {
  const auto f = fitted_table(SyntheticCentreCosine{}, reference::embeddings<S>(), reference::pool_samples());
  CHECK(reference::difference(f, reference::synthetic_centre_cosine) < 1e-14);
}

TEST_CASE("synthetic centre: every group but 0 is synthetic; with groups exchanged it is the real twin") {
  const auto x = random_rows<double>(150, 6, 3);
  Samples pool = random_pool(150, 3, 4), exchanged = pool;
  for (auto& g : exchanged.groups) g = g == 0 ? 1 : 0;
  const auto f = fitted_table(SyntheticCentreCosine{}, x, pool);
  CHECK((f == fitted_table(RealCentreCosine{}, x, exchanged)));
  CHECK(!(f == fitted_table(RealCentreCosine{}, x, pool)));
  for (auto& g : pool.groups) g = g == 2 ? 7 : g;
  CHECK((f == fitted_table(SyntheticCentreCosine{}, x, pool)));
}

TEST_CASE("synthetic centre: order, rotation, threads") {
  const SyntheticCentreCosine f;
  const Samples pool = random_pool(500, 3, 4);
  CHECK(change_by_permutation(f, random_rows<double>(500, 6, 3), pool) < 1e-13);
  CHECK(change_by_rotation(f, random_rows<double>(500, 6, 3), pool) < 1e-13);
  CHECK(same_bits(f, random_rows<float>(500, 70, 3), pool));
}

TEST_CASE("synthetic centre: a class without a synthetic sample is refused in words, and so is what is not fitted") {
  ToyPool toy;
  for (std::size_t i = 0; i < 10; ++i)
    if (toy.samples.labels[i] == 1) toy.samples.groups[i] = 0;
  CHECK_REFUSED(mts::ValueError, fitted_table(SyntheticCentreCosine{}, toy.e, toy.samples), "synthetic_centre_cosine",
                "class 1 has 5 samples, but no synthetic one");
  CHECK_REFUSED(mts::ValueError, looked_up(SyntheticCentreCosine{}, {0}), "synthetic_centre_cosine", "not fitted");
  toy = ToyPool();
  toy.e(7, 1) = std::nan("");
  CHECK_REFUSED(mts::NumericalError, fitted_table(SyntheticCentreCosine{}, toy.e, toy.samples),
                "embedding of sample 7");
}
