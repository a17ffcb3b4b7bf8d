// The gradient norm as a feature: what the record says, looked up by id, composed, and refused while it is not
// complete.
#include "mts/features/gradient_norm.hpp"

#include <doctest/doctest.h>

#include "features/support.hpp"
#include "mts/features/compose.hpp"
#include "mts/features/dataset_z_score.hpp"
#include "mts/nn/mlp.hpp"

using namespace mts_test;
using namespace mts::features;

static_assert(mts::FeatureExtractor<GradientNorm, mts::FeatureContext<LossesOnly, mts::NoValidation>>);
static_assert(!GradientNorm::reads_validation() && GradientNorm::by_rows());

TEST_CASE("gradient norm: the record's, by id; a far input has the longer gradient; z-scored by the pool") {
  const auto model = mts::nn::mlp<double>({2, 2});
  auto theta = model.initialize(mts::RandomStream(1, "model"));
  theta.scale(0);  // softmax 1/2, 1/2: the gradient of sample i has the length sqrt(1/2 (|x|^2 + 1))
  mts::nn::ClassificationBatch<double> batch{RowMatrix<double>(3, 2), {0, 1, 0}};
  batch.inputs << 0, 0, 1, 0, 2, 2;
  TrainingDynamics dynamics(3);
  CHECK_REFUSED(mts::ValueError, GradientNorm{dynamics}, "sample 0 of 3 has no gradient norm");
  dynamics.score(model, theta, batch, {{2, 0, 1}, batch.labels, {}});
  const GradientNorm f{dynamics};
  const auto found = looked_up(f, {0, 1, 2, 2});
  for (const auto& [row, expected] :
       std::vector<std::pair<Index, double>>{{0, 1}, {1, std::sqrt(4.5)}, {2, std::sqrt(0.5)}})
    CHECK(found(row, 0) == doctest::Approx(expected).epsilon(1e-14));
  CHECK(f.layout().continuous == std::vector<std::string>{"gradient_norm"});

  auto composed = compose(DatasetZScore{GradientNorm{}, Deviation::population}, compose(GradientNorm{}));
  CHECK_REFUSED(mts::ValueError, looked_up(composed, {0}), "gradient_norm", "not fitted");
  composed.fit(dynamics);
  const auto both = looked_up(composed, {0, 1, 2});
  CHECK((both.col(1) == found.col(0).head(3)));
  CHECK(both.col(0).squaredNorm() == doctest::Approx(3).epsilon(1e-14));
  CHECK(std::abs(both.col(0).sum()) < 1e-14);
}
