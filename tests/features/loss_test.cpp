// The loss as a feature: a copy, of any model.
#include "mts/features/loss.hpp"

#include <doctest/doctest.h>

#include "features/support.hpp"

using namespace mts_test;
using mts::features::Loss;

static_assert(mts::FeatureExtractor<Loss, mts::FeatureContext<LossesOnly, mts::NoValidation>>);
static_assert(!Loss::reads_validation());

TEST_CASE("the loss is the linearisation's value") {
  const LossesOnly train{mts::SampleVector::LinSpaced(5, -1, 3)};
  const Samples none;
  const auto rows = extracted(Loss{}, context_of(train, mts::NoValidation{}, none, none), 5);
  CHECK((rows.col(0) == train.losses));
  CHECK(Loss{}.layout().continuous == std::vector<std::string>{"loss"});
  CHECK_REFUSED(mts::ShapeError, extracted(Loss{}, context_of(train, mts::NoValidation{}, none, none), 4), "loss",
                "expected 5, found 4");
}
