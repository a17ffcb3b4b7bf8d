// A steady-state step allocates nothing, on any thread, whether activations are kept or recomputed; and what a large batch's
// recomputed linearisation takes hardly grows.
#include <doctest/doctest.h>

#include "mts/features/batch_z_score.hpp"
#include "mts/features/class_label.hpp"
#include "mts/features/compose.hpp"
#include "mts/features/group.hpp"
#include "mts/features/loss.hpp"
#include "mts/features/nearest_validation_cosine.hpp"
#include "mts/features/validation_centre_cosine.hpp"
#include "mts/nn/cnn.hpp"
#include "mts/optim/adam.hpp"
#include "mts/optim/sgd.hpp"
#include "mts/selection/mlp_weight_net.hpp"
#include "mts/selection/step.hpp"
#include "mts/selection/uniform_step.hpp"
#include "support/allocations.hpp"
#include "support/derivatives.hpp"

#if defined(MTS_COUNTS_ALLOCATIONS)

using namespace mts;
using namespace mts::features;
using mts_test::allocations_of_all_threads;

namespace {

using Parameters = DenseParameters<float>;

struct SomeSamples {
  nn::ClassificationBatch<float> batch;
  Samples samples;

  SomeSamples(Index n, Index inputs, std::string_view purpose) {
    batch.inputs = testing::random_matrix(n, inputs, RandomStream(1, purpose)).cast<float>();
    for (Index i = 0; i < n; ++i) {
      samples.labels.push_back(static_cast<int>(i % 4));
      samples.groups.push_back(static_cast<int>(i % 2));
      samples.ids.push_back(i);
    }
    batch.labels = samples.labels;
  }
};

/// Allocations of ten steps in the steady state. With several threads that begins when each has met each kind of work, so some
/// stretches are tried: an allocation that steps make by themselves would be in all of them.
long steady_allocations(auto& step, const SomeSamples& train, const SomeSamples& validation) {
  const auto once = [&] { step(train.batch, train.samples, validation.batch, validation.samples); };
  for (int k = 0; k < 3; ++k) once();
  long least = 0;
  for (int stretch = 0; stretch < (thread_limit() == 1 ? 1 : 30); ++stretch) {
    least = allocations_of_all_threads([&] {
              for (int k = 0; k < 10; ++k) once();
            }).count;
    if (least == 0) break;
  }
  return least;
}

template <class Alignment = CheapestAlignment>
long steady_allocations_of(const nn::Classifier<float>& model, Index inputs, Index n) {
  const SomeSamples train(n, inputs, "train"), validation(100, inputs, "validation");
  const auto features = compose(Loss{}, BatchZScore{NearestValidationCosine{3}}, BatchZScore{ValidationCentreCosine{}},
                                ClassLabel{4}, Group{2});
  const MlpWeightNet<float> weight_net(features.layout());
  MtsStep step(model, model.initialize(RandomStream(1, "theta")),
               Sgd<Parameters>({.learning_rate = 1e-3, .momentum = 0.9}), features, weight_net,
               weight_net.initialize(RandomStream(1, "phi")), AdamW<Parameters>({.learning_rate = 1e-4}), MtsOptions{},
               SigmoidWeight{}, Alignment{});
  return steady_allocations(step, train, validation);
}

}  // namespace

TEST_CASE("MtsStep: no allocation in a steady-state step, by any thread") {
  const auto mlp = nn::mlp<float>({20, 32, 32, 4});
  const auto small_budget = nn::mlp<float>({20, 32, 32, 4}, {.workspace_budget = 0});
  const auto cnn = nn::cnn<float>({8, 8, 3}, {.classes = 4, .channels = {4, 8}, .hidden = {16}, .groups = 2});
  for (const int threads : {1, 2, 4}) {
    CAPTURE(threads);
    testing::with_threads(threads, [&] {
      CHECK(steady_allocations_of(mlp, 20, 700) == 0);
      CHECK(steady_allocations_of(mlp, 20, 50) == 0);  // a training batch with deltas as large as validation without
      CHECK(steady_allocations_of(small_budget, 20, 700) == 0);
      CHECK(steady_allocations_of(small_budget, 20, 4800) == 0);  // two windows, the second a part
      CHECK(steady_allocations_of<CentralDifference>(mlp, 20, 700) == 0);
      CHECK(steady_allocations_of<Pushforward>(mlp, 20, 700) == 0);
      CHECK(steady_allocations_of(cnn, 192, 300) == 0);
    });
  }
}

TEST_CASE("allocations are counted") {
  std::unique_ptr<int> proof;
  CHECK(allocations_of_all_threads([&] { proof = std::make_unique<int>(1); }).count == 1);
  CHECK(allocations_of_all_threads([&] { proof = std::make_unique<int>(1); }).bytes == sizeof(int));
}

TEST_CASE(
    "a recomputed linearisation takes at most 64 bytes more for each further sample, a kept one its activations") {
  const Index inputs = 20;
  const auto bytes = [&](Index budget, Index n) {
    const auto model = nn::mlp<float>({inputs, 64, 64, 4}, {.workspace_budget = budget});  // a pool of its own
    const auto theta = model.initialize(RandomStream(1, "theta"));
    const SomeSamples train(n, inputs, "train");
    auto gradient = theta.zeros_like();
    SampleVector u = SampleVector::Constant(n, 1.0 / static_cast<double>(n)), a(n);
    return allocations_of_all_threads([&] {
             const auto lin = model.linearize(theta, train.batch, [](const auto&) {});
             lin.pullback(u, gradient);
             lin.per_sample_dot(gradient, a);
           })
        .bytes;
  };
  const Index n = 10000, per_sample = nn::mlp<float>({inputs, 64, 64, 4}).network().linearization_bytes();
  bytes(0, n);  // the threads' scratch
  bytes(Index{1} << 30, 2 * n);
  const double recomputed = static_cast<double>(bytes(0, 2 * n) - bytes(0, n)) / static_cast<double>(n);
  const double kept =
      static_cast<double>(bytes(Index{1} << 30, 2 * n) - bytes(Index{1} << 30, n)) / static_cast<double>(n);
  CHECK(recomputed > 0);
  CHECK(recomputed <= 64);
  CHECK(kept >= static_cast<double>(per_sample));
}

#endif
