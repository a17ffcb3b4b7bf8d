// The batch z-score: moments of the block, and at the edges.
#include "mts/features/batch_z_score.hpp"

#include <doctest/doctest.h>

#include "features/support.hpp"
#include "mts/features/class_label.hpp"
#include "mts/features/loss.hpp"
#include "mts/features/nearest_validation_cosine.hpp"
#include "mts/features/real_centre_cosine.hpp"

using namespace mts_test;
using namespace mts::features;

static_assert(
    mts::FeatureExtractor<BatchZScore<NearestValidationCosine>, mts::FeatureContext<Shown<float>, Shown<float>>>);
static_assert(BatchZScore<NearestValidationCosine>::reads_validation());
static_assert(!BatchZScore<Loss>::reads_validation());

TEST_CASE("by hand: losses 1, 2, 3, 6") {
  LossesOnly train{mts::SampleVector(4)};
  train.losses << 1, 2, 3, 6;  // mean 3, population variance (4 + 1 + 0 + 9)/4 = 3.5
  const Samples none;
  const auto rows = extracted(BatchZScore{Loss{}}, context_of(train, mts::NoValidation{}, none, none), 4);
  const double s = std::sqrt(3.5 + 1e-8);
  CHECK(rows(0, 0) == doctest::Approx(-2 / s).epsilon(1e-14));
  CHECK(rows(2, 0) == 0);
  CHECK(rows(3, 0) == doctest::Approx(3 / s).epsilon(1e-14));
}

TEST_CASE("one mean and one variance for the whole block of nearest cosines") {
  const Shown<double> t(random_rows<double>(50, 4, 1)), v(random_rows<double>(20, 4, 2));
  const Samples none;
  const auto context = context_of(t, v, none, none);
  const BatchZScore f{NearestValidationCosine{3}};
  CHECK(f.layout().continuous[2] == "batch_z(nearest_validation_cosine_3)");
  const auto z = extracted(f, context, 50), x = extracted(NearestValidationCosine{3}, context, 50);
  CHECK(std::abs(z.mean()) < 1e-14);
  CHECK(z.squaredNorm() / 150 == doctest::Approx(1).epsilon(1e-6));
  CHECK(z.col(0).mean() > 0.3);  // the columns keep their differences
  const double scale = (z(0, 0) - z(0, 2)) / (x(0, 0) - x(0, 2));
  CHECK((z.array() - z(0, 0) - scale * (x.array() - x(0, 0))).abs().maxCoeff() < 1e-12);
  CHECK(scale == doctest::Approx(1 / std::sqrt((x.array() - x.mean()).square().mean() + 1e-8)).epsilon(1e-12));
}

TEST_CASE("a constant block and a single sample give zeros, an empty block nothing") {
  const Samples none;
  for (const Index n : {0, 1, 7}) {
    const LossesOnly train{mts::SampleVector::Constant(n, 0.1)};
    const auto rows = extracted(BatchZScore{Loss{}}, context_of(train, mts::NoValidation{}, none, none), n);
    CHECK(rows.rows() == n);
    CHECK(rows.isZero(1e-11));
  }
}

TEST_CASE("a feature that is not finite is named before it spreads; one without columns cannot be normalised") {
  LossesOnly train{mts::SampleVector::Zero(4)};
  train.losses[2] = std::nan("");
  const Samples samples{{10, 11, 12, 13}, {}, {}};
  CHECK_REFUSED(mts::NumericalError,
                extracted(BatchZScore{Loss{}}, context_of(train, mts::NoValidation{}, samples, samples), 4),
                "feature loss of sample 2 (id 12)", "nan");
  CHECK_REFUSED(mts::ValueError, BatchZScore{ClassLabel{3}}, "batch_z", "no continuous column");
}

TEST_CASE("an offline feature can be fitted through it") {
  const ToyPool toy;
  BatchZScore f{RealCentreCosine{}};
  f.fit(toy.e, toy.samples);
  const LossesOnly train{mts::SampleVector::Zero(3)};
  const Samples batch{{7, 8, 9}, {}, {}};  // 0.8, 0.6, -1
  const auto rows = extracted(f, context_of(train, mts::NoValidation{}, batch, batch), 3);
  const double mean = 0.4 / 3, variance = (0.64 + 0.36 + 1) / 3 - mean * mean;
  CHECK(rows(0, 0) == doctest::Approx((0.8 - mean) / std::sqrt(variance + 1e-8)).epsilon(1e-12));
}
