// The training step with selection against the plain one: MLP 784-256-256-10, validation batch M = 256, one thread. Both
// sides take turns in one loop, so that what disturbs the machine disturbs both; times are the thread's CPU time.
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <string>

#include "mts/core/parallel.hpp"
#include "mts/features/batch_z_score.hpp"
#include "mts/features/class_label.hpp"
#include "mts/features/compose.hpp"
#include "mts/features/dataset_z_score.hpp"
#include "mts/features/group.hpp"
#include "mts/features/loss.hpp"
#include "mts/features/nearest_real_cosine.hpp"
#include "mts/features/nearest_validation_cosine.hpp"
#include "mts/features/real_centre_cosine.hpp"
#include "mts/features/validation_centre_cosine.hpp"
#include "mts/nn/mlp.hpp"
#include "mts/optim/adam.hpp"
#include "mts/optim/sgd.hpp"
#include "mts/selection/mlp_weight_net.hpp"
#include "mts/selection/step.hpp"
#include "mts/selection/uniform_step.hpp"

namespace {

using namespace mts;
using namespace mts::features;
using Batch = nn::ClassificationBatch<float>;
using Parameters = DenseParameters<float>;

constexpr int classes = 10;
constexpr Index inputs = 784, embedding = 32;

/// N random samples of ten classes, half of them "real", as a batch and as a pool of their own.
struct RandomSamples {
  Batch batch;
  Samples samples;
  RowMatrix<float> embeddings;

  RandomSamples(Index n, std::string_view purpose) {
    RandomStream s(0, purpose);
    batch.inputs.resize(n, inputs);
    embeddings.resize(n, embedding);
    for (Index k = 0; k < batch.inputs.size(); ++k) batch.inputs.data()[k] = static_cast<float>(s.uniform());
    for (Index k = 0; k < embeddings.size(); ++k) embeddings.data()[k] = static_cast<float>(s.normal());
    for (Index i = 0; i < n; ++i) {
      batch.labels.push_back(static_cast<int>(i % classes));
      samples.groups.push_back(static_cast<int>(i / classes % 2));
      samples.ids.push_back(i);
    }
    samples.labels = batch.labels;
  }
};

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// Time: a step with selection. Counters: plain_ms, the plain step; ratio, the former over the latter; and the
/// milliseconds of each phase of the step with selection.
void step(benchmark::State& state) {
  const ThreadLimit one(1);
  const RandomSamples train(state.range(0), "train"), validation(256, "validation");
  const auto model = nn::mlp<float>({inputs, 256, 256, classes});
  const auto theta = model.initialize(RandomStream(0, "theta"));
  const Sgd<Parameters> sgd({.learning_rate = 1e-3, .momentum = 0.9});
  auto features =
      compose(Loss{}, BatchZScore{NearestValidationCosine{3}}, BatchZScore{ValidationCentreCosine{}},
              DatasetZScore{RealCentreCosine{}}, DatasetZScore{NearestRealCosine{3}}, ClassLabel{classes}, Group{2});
  features.fit(train.embeddings, train.samples);
  const MlpWeightNet<float> weight_net(features.layout());
  auto phi = weight_net.initialize(RandomStream(0, "phi"));

  UniformStep plain(model, theta, sgd);
  MtsStep selecting(model, theta, sgd, features, weight_net, std::move(phi),
                    AdamW<Parameters>({.learning_rate = 1e-4}));
  const auto select = [&] { return selecting(train.batch, train.samples, validation.batch, validation.samples); };
  for (int k = 0; k < 2; ++k) {
    plain(train.batch, train.samples);
    select();
  }

  double plain_seconds = 0, seconds = 0;
  diagnostics::PhaseTimes phases;
  for (auto _ : state) {
    const double begin = cpu_seconds();
    plain(train.batch, train.samples);
    const double middle = cpu_seconds();
    const auto report = select();
    const double end = cpu_seconds();
    plain_seconds += middle - begin;
    seconds += end - middle;
    phases += report.seconds;
    state.SetIterationTime(end - middle);
  }
  const auto per_step = [&](double x) { return 1e3 * x / static_cast<double>(state.iterations()); };
  state.counters["plain_ms"] = per_step(plain_seconds);
  state.counters["ratio"] = seconds / plain_seconds;
  for (const auto& phase : phases.phases()) {
    std::string name(phase.name);
    std::replace(name.begin(), name.end(), ' ', '_');
    state.counters[name + "_ms"] = per_step(phase.seconds);
  }
}
BENCHMARK(step)->Arg(128)->Arg(1024)->Arg(4096)->UseManualTime()->Unit(benchmark::kMillisecond)->MinTime(2);

}  // namespace
