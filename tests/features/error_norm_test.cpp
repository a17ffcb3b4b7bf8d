// The error norm as a feature: between 0 and sqrt 2, looked up by id, and refused while the record is not complete.
#include "mts/features/error_norm.hpp"

#include <doctest/doctest.h>

#include "features/support.hpp"
#include "mts/nn/mlp.hpp"

using namespace mts_test;
using namespace mts::features;

static_assert(mts::FeatureExtractor<ErrorNorm, mts::FeatureContext<LossesOnly, mts::NoValidation>>);
static_assert(!ErrorNorm::reads_validation() && ErrorNorm::by_rows());

TEST_CASE("error norm: of a model that knows nothing sqrt(1 - 1/C), by id") {
  const auto model = mts::nn::mlp<float>({2, 4});
  auto theta = model.initialize(mts::RandomStream(1, "model"));
  const mts::nn::ClassificationBatch<float> batch{random_rows<float>(3, 2, 1), {0, 3, 1}};
  TrainingDynamics dynamics(3);
  CHECK_REFUSED(mts::ValueError, ErrorNorm{dynamics}, "sample 0 of 3 has no error norm");
  theta.scale(0);
  dynamics.score(model, theta, batch, {{2, 0, 1}, batch.labels, {}});
  ErrorNorm f{dynamics};
  CHECK((looked_up(f, {0, 1, 2}).array() - std::sqrt(0.75)).abs().maxCoeff() < 1e-7);
  CHECK(f.layout().continuous == std::vector<std::string>{"error_norm"});
  theta = model.initialize(mts::RandomStream(1, "model"));
  theta.scale(1e4);  // sure of everything: right or wrong
  TrainingDynamics sure(3);
  sure.score(model, theta, batch, {{0, 1, 2}, batch.labels, {}});
  f.fit(sure);
  const auto logits = model.forward(theta, batch).logits();
  for (Index i = 0; i < 3; ++i) {
    Index best = 0;
    logits.row(i).maxCoeff(&best);
    CHECK(looked_up(f, {i})(0, 0) ==
          doctest::Approx(best == batch.labels[static_cast<std::size_t>(i)] ? 0 : std::sqrt(2.0)).epsilon(1e-6));
  }
  CHECK_REFUSED(mts::ValueError, looked_up(ErrorNorm{}, {0}), "error_norm", "not fitted");
}
