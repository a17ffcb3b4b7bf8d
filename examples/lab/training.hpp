#pragma once
/// \file
/// One run of one method: a classifier in training, whatever chooses its samples.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lab/settings.hpp"
#include "mts/data/augment.hpp"
#include "mts/data/pool.hpp"
#include "mts/data/sampler.hpp"
#include "mts/nn/classifier.hpp"
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

/// The network that the settings ask for, for the problem's inputs and classes.
/// \throws ValueError if it needs images and the problem's inputs are none, or are too small; ShapeError likewise
nn::Classifier<float> make_classifier(const Settings& settings, const data::Problem& problem);
/// What is done to the images of training batches; nothing where the settings ask for none.
/// \throws ValueError if the problem's inputs are no images, or too small
std::optional<data::Augmentation<float>> make_augmentation(const Settings& settings, const data::Problem& problem,
                                                           std::uint64_t seed);

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

/// The training batches of a run, augmented if the settings say so, in the same order for all methods. A sample that is in two
/// batches of a step (crossed mode) is augmented alike in both.
class PoolBatches {
 public:
  explicit PoolBatches(const Task& task, std::string purpose = "lab: batch order")
      : pool_(task.problem.pool),
        sampler_(pool_.size(), {.batch = task.batch, .seed = task.seed, .purpose = std::move(purpose)}),
        augmentation_(make_augmentation(task.settings, task.problem, task.seed)) {}

  /// Fills `batch` and `samples` with the next batch, without the samples `excluded`.
  void next(std::span<const Index> excluded = {}) {
    sampler_.next(ids_, excluded);
    data::gather(pool_, ids_, batch, samples);
    if (augmentation_) augmentation_->in_place(batch, ids_, step_);
    ++step_;
  }
  nn::ClassificationBatch<float> batch;
  Samples samples;

 private:
  const data::Pool& pool_;
  data::EpochSampler sampler_;
  std::optional<data::Augmentation<float>> augmentation_;
  std::uint64_t step_ = 0;
  std::vector<Index> ids_;
};

}  // namespace mts::lab
