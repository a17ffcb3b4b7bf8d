#pragma once
/// \file
/// One run of one method: a classifier in training, whatever chooses its samples.

#include <cstdint>
#include <optional>

#include "lab/settings.hpp"
#include "mts/data/pool.hpp"
#include "mts/data/sampler.hpp"
#include "mts/nn/mlp.hpp"
#include "mts/optim/sgd.hpp"
#include "mts/selection/step_report.hpp"

namespace mts::lab {

/// What a method is given. The problem outlives the training.
struct Task {
  const Settings& settings;
  const data::Problem& problem;
  Index batch = 0;
  std::uint64_t seed = 0;
};

class Training {
 public:
  virtual ~Training() = default;
  /// One training step. \throws NumericalError for numbers that are not finite
  virtual StepReport step() = 0;
  virtual const nn::Classifier<float>& model() const = 0;
  virtual const DenseParameters<float>& theta() const = 0;
  /// The learned weight psi(z) >= 0 of every pool sample as things stand; none for a method that learns no weights.
  virtual std::optional<SampleVector> pool_weights() = 0;
};

// What all methods share, so that nothing but the selection differs between them.

inline nn::Classifier<float> make_classifier(const Settings& settings, const data::Problem& problem) {
  std::vector<Index> widths{problem.pool.inputs.cols()};
  widths.insert(widths.end(), settings.hidden.begin(), settings.hidden.end());
  widths.push_back(problem.classes);
  return nn::mlp<float>(widths);
}
inline DenseParameters<float> initial_parameters(const nn::Classifier<float>& model, std::uint64_t seed) {
  return model.initialize(RandomStream(seed, "lab: initial parameters"));
}
inline Schedule make_schedule(ScheduleKind kind, Index steps) {
  return kind == ScheduleKind::cosine ? cosine(steps) : Schedule{};
}
inline Sgd<DenseParameters<float>> make_optimizer(const Settings& settings) {
  return Sgd<DenseParameters<float>>({.learning_rate = settings.learning_rate,
                                      .momentum = settings.momentum,
                                      .weight_decay = settings.weight_decay,
                                      .schedule = make_schedule(settings.schedule, settings.steps)});
}

/// The training batches of a run, in the same order for all methods.
class PoolBatches {
 public:
  PoolBatches(const data::Pool& pool, Index size, std::uint64_t seed, std::string purpose = "lab: batch order")
      : pool_(pool), sampler_(pool.size(), {.batch = size, .seed = seed, .purpose = std::move(purpose)}) {}

  /// Fills `batch` and `samples` with the next batch, without the samples `excluded`.
  void next(std::span<const Index> excluded = {}) {
    sampler_.next(ids_, excluded);
    data::gather(pool_, ids_, batch, samples);
  }
  nn::ClassificationBatch<float> batch;
  Samples samples;

 private:
  const data::Pool& pool_;
  data::EpochSampler sampler_;
  std::vector<Index> ids_;
};

}  // namespace mts::lab
