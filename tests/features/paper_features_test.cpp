// The paper's 22 dimensions: derived, in order, and as its parts say.
#include "mts/features/paper_features.hpp"

#include <doctest/doctest.h>

#include "features/support.hpp"
#include "mts/nn/mlp.hpp"
#include "mts/selection/mlp_weight_net.hpp"

using namespace mts_test;
using namespace mts::features;

static_assert(decltype(paper_features({}))::reads_validation());
static_assert(decltype(paper_features({}))::by_rows());

TEST_CASE("paper: 17 continuous columns in the order of the source, 22 inputs and 12 501 weights behind them") {
  const auto features = paper_features({.classes = 7});
  CHECK(features.layout().continuous ==
        std::vector<std::string>{"batch_z(nearest_validation_cosine_1)", "batch_z(nearest_validation_cosine_2)",
                                 "batch_z(nearest_validation_cosine_3)", "batch_z(validation_centre_cosine)",
                                 "dataset_z(real_centre_cosine)", "dataset_z(synthetic_centre_cosine)",
                                 "dataset_z(nearest_real_cosine_1)", "dataset_z(nearest_real_cosine_2)",
                                 "dataset_z(nearest_real_cosine_3)", "dataset_z(nearest_synthetic_cosine_1)",
                                 "dataset_z(nearest_synthetic_cosine_2)", "dataset_z(nearest_synthetic_cosine_3)",
                                 "dataset_z(neighbour_agreement)", "dataset_z(median_distance_rank)",
                                 "dataset_z(gradient_norm)", "dataset_z(error_norm)", "dataset_z(forgetting)"});
  CHECK(features.layout().categorical == std::vector<mts::CategoricalColumn>{{"class", 7}, {"group", 2}});
  const mts::MlpWeightNet<double> net(features.layout());
  const mts::MlpWeightNetOptions options;
  CHECK(features.dimension() + options.embedding.at("class") + options.embedding.at("group") == 22);
  CHECK(net.parameter_count() == 22 * 100 + 100 + 100 * 100 + 100 + 100 + 1 + 4 * 7 + 2);
  CHECK(features.summary().size() == 13);
  CHECK(paper_features({.classes = 7, .nearest = 12}).dimension() == 17 + 27);
}

TEST_CASE("paper: fitted on a pool and on a run, extracted for a batch of a real classifier") {
  const Index n = 60;
  const int classes = 3;
  const Samples pool = random_pool(n, classes, 2);
  mts::nn::ClassificationBatch<float> batch{random_rows<float>(n, 6, 1), pool.labels};
  const mts::nn::ClassificationBatch<float> validation{random_rows<float>(9, 6, 2), std::vector<int>(9, 1)};
  const auto model = mts::nn::mlp<float>({6, 8, classes});
  const auto theta = model.initialize(mts::RandomStream(1, "model"));
  const auto lin = model.linearize(theta, batch);
  const auto val = model.forward(theta, validation);
  Samples samples = pool, of_validation;
  for (Index i = 0; i < n; ++i) samples.ids.push_back(i);
  for (auto& g : samples.groups) g = g == 0 ? 0 : 1;
  TrainingDynamics dynamics(n);
  dynamics.observe(samples.ids, lin.logits(), samples.labels);
  dynamics.score(model, theta, batch, samples);

  auto features = paper_features({.classes = classes});
  const auto extract = [&] {
    mts::FeatureBatch<double> out;
    features.extract(context_of(lin, val, samples, of_validation), out);
    return out;
  };
  CHECK_REFUSED(mts::ValueError, extract(), "real_centre_cosine", "not fitted");
  features.fit(random_rows<float>(n, 10, 4), samples);
  CHECK_REFUSED(mts::ValueError, extract(), "gradient_norm", "not fitted");
  features.fit(dynamics);
  const auto out = extract();
  for (Index d = 0; d < 17; ++d) {
    CAPTURE(d);
    CHECK(out.continuous.col(d).cwiseAbs().maxCoeff() > 0.1);
  }
  CHECK(
      (out.continuous.middleCols(14, 3).colwise().squaredNorm().array() / static_cast<double>(n) - 1).abs().maxCoeff() <
      1e-12);  // the population's deviation
  CHECK(out.continuous.col(13).squaredNorm() / static_cast<double>(n - 1) == doctest::Approx(1));  // the unbiased one
  CHECK(out.categorical == std::vector<std::vector<int>>{samples.labels, samples.groups});

  Samples no_synthetic = samples;
  no_synthetic.groups.assign(static_cast<std::size_t>(n), 0);
  CHECK_REFUSED(mts::ValueError, features.fit(random_rows<float>(n, 10, 4), no_synthetic), "synthetic_centre_cosine",
                "no synthetic one");
}
