// Forgetting as a feature: counts, what was never learned, and what was never seen.
#include "mts/features/forgetting.hpp"

#include <doctest/doctest.h>

#include "features/support.hpp"

using namespace mts_test;
using namespace mts::features;

static_assert(mts::FeatureExtractor<Forgetting, mts::FeatureContext<LossesOnly, mts::NoValidation>>);
static_assert(!Forgetting::reads_validation() && Forgetting::by_rows());

namespace {

/// Visits of one sample: each right or wrong.
void visit(TrainingDynamics& dynamics, Index id, std::initializer_list<bool> right) {
  for (const bool r : right)
    dynamics.observe(std::vector<Index>{id}, Eigen::RowVector2d(r ? 1 : 0, r ? 0 : 1), std::vector<int>{0});
}

}  // namespace

TEST_CASE("forgetting: the most a sample can be forgotten is less than what was never learned counts") {
  TrainingDynamics dynamics(4);
  visit(dynamics, 0, {true, false, true, false, true, false});
  visit(dynamics, 1, {false, true, true, true, true});
  visit(dynamics, 2, {false, false});
  CHECK_REFUSED(mts::ValueError, Forgetting{dynamics}, "forgetting: fit: sample 3 of 4 was never visited", "observe");
  visit(dynamics, 3, {true});
  const auto of = [](const Forgetting& f) {
    const auto t = looked_up(f, {0, 1, 2, 3});
    return std::vector<double>{t(0, 0), t(1, 0), t(2, 0), t(3, 0)};
  };
  CHECK(of(Forgetting{dynamics}) == std::vector<double>{3, 0, 4, 0});  // six visits: forgotten 3 times at most
  CHECK(of(Forgetting{dynamics, NeverLearned::zero}) == std::vector<double>{3, 0, 0, 0});
  Forgetting again(NeverLearned::most);
  CHECK_REFUSED(mts::ValueError, of(again), "forgetting", "not fitted");
  again.fit(dynamics);
  CHECK(of(again) == std::vector<double>{3, 0, 4, 0});
  visit(dynamics, 2, {true, false});  // learned after all, and forgotten
  again.fit(dynamics);
  CHECK(of(again) == std::vector<double>{3, 0, 1, 0});
  CHECK(again.layout().continuous == std::vector<std::string>{"forgetting"});
}
