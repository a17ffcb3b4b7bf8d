#pragma once
/// \file
/// One run of one method: a classifier in training, whatever chooses its samples.

#include <cstdint>
#include <istream>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "lab/insight.hpp"
#include "lab/settings.hpp"
#include "lab/steps.hpp"
#include "mts/data/augment.hpp"
#include "mts/data/pool.hpp"
#include "mts/data/sampler.hpp"
#include "mts/data/weighted_sampler.hpp"
#include "mts/features/training_dynamics.hpp"
#include "mts/nn/classifier.hpp"
#include "mts/optim/clip_gradient_norm.hpp"
#include "mts/optim/sgd.hpp"
#include "mts/selection/step_report.hpp"

namespace mts::lab {

/// What methods have made before their first step (runs without selection, held-out models), by name and as bytes, so that a run
/// that goes on need not make it again.
class Prepared {
 public:
  const std::string* find(const std::string& name) const {
    const auto at = made_.find(name);
    return at == made_.end() ? nullptr : &at->second;
  }
  void keep(const std::string& name, std::string bytes) { made_[name] = std::move(bytes); }

  void save(std::ostream& out) const;
  void load(std::istream& in);

 private:
  std::map<std::string, std::string> made_;
};

/// What a method is given. The problem outlives the training.
struct Task {
  /// \throws ValueError if the validation rows of a batch leave no room for samples of the pool
  Task(Settings settings, const data::Problem& problem, Index batch, std::uint64_t seed);

  Settings settings;
  const data::Problem& problem;
  Index batch = 0;
  std::uint64_t seed = 0;
  Index validation_rows = 0;  ///< of every training batch
  /// What batches are drawn from, and features are fitted on: the problem's pool; behind it the validation samples, as
  /// real ones, where batches have rows of them.
  std::shared_ptr<const data::Pool> pool;
  std::shared_ptr<Prepared> prepared = std::make_shared<Prepared>();  ///< of this run, its folds and members

  /// What runs without selection show of every sample of the pool; they are made when first asked for.
  const features::TrainingDynamics& dynamics() const;

 private:
  mutable std::shared_ptr<const features::TrainingDynamics> dynamics_;
};

/// The same task with validation rows in each batch: a tenth where the settings ask for none.
Task with_validation_rows(const Task& task);
/// Labels and groups of all samples of a pool.
Samples samples_of(const data::Pool& pool);

class Training {
 public:
  virtual ~Training() = default;
  /// What comes before the first step: so many calls of `prepare`, each about as long as a step.
  virtual Index preparations() const { return 0; }
  virtual void prepare() {}
  /// One training step. \throws NumericalError for numbers that are not finite
  virtual StepReport step() = 0;
  virtual const nn::Classifier<float>& model() const = 0;
  virtual const DenseParameters<float>& theta() const = 0;
  /// The share of a set that is classified right, in [0, 1].
  virtual double accuracy(const data::LabelledSet& set) const;
  /// Writes what preparations and steps so far have made; `load` makes it of a training that was started on the same task and has
  /// done nothing yet. Then it goes on with the same bits.
  virtual void save(std::ostream& out) const = 0;
  /// \throws DataError if the stream ends early, or holds something else; then this training can't be used
  virtual void load(std::istream& in) = 0;
  /// The weight >= 0 that the method gives to every sample of the pool as things stand, on a scale of its own; none for a method
  /// that weighs none.
  virtual std::optional<SampleVector> pool_weights() = 0;
  /// What a last look shows, for methods with features. Changes nothing.
  virtual Insight insight() { return {}; }
  /// What the method saw of the samples of the pool, as things stand; nothing where it has no features.
  virtual PoolFeatures pool_features() { return {}; }
};

// What all methods share, so that nothing but the selection differs between them.

/// How many samples of a pool are looked at together where all of them are.
inline constexpr Index samples_at_once = 8192;

/// The network that the settings ask for, for the problem's inputs and classes.
/// \throws ValueError if it needs images and the problem's inputs are none, or are too small; ShapeError likewise
nn::Classifier<float> make_classifier(const Settings& settings, const data::Problem& problem);
/// The predicted probabilities of a batch, N x C: softmax of the logits, in double.
RowMatrix<double> probabilities(const nn::Classifier<float>& model, const DenseParameters<float>& theta,
                                const nn::ClassificationBatch<float>& batch);
/// The share of labels to which their row gives the largest number.
double accuracy_of(const RowMatrix<double>& scores, const std::vector<int>& labels);
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
/// The optimiser of all classifiers: SGD, its gradients bounded in length where the settings say so.
/// \tparam P  parameters, where the steps are done
template <class P>
using InnerOf = ClipGradientNorm<Sgd<P>, P>;
template <class P = DenseParameters<float>>
InnerOf<P> make_optimizer(const Settings& settings) {
  Sgd<P> sgd({.learning_rate = settings.learning_rate,
              .momentum = settings.momentum,
              .weight_decay = settings.weight_decay,
              .schedule = make_schedule(settings.schedule, settings.steps)});
  return settings.clip > 0 ? InnerOf<P>(std::move(sgd), settings.clip) : InnerOf<P>(std::move(sgd));
}
using Inner = InnerOf<DenseParameters<float>>;

/// Plain training of the task's classifier, on the device that the settings name.
/// \param seed  of the initial weights
std::unique_ptr<PlainStep> make_plain_step(const Task& task, std::uint64_t seed);

/// The training batches of a run, augmented if the settings say so, in the same order for all methods that draw from the whole
/// pool. A sample that is in two batches of a step (crossed mode) is augmented alike in both.
class PoolBatches {
 public:
  explicit PoolBatches(const Task& task, std::string purpose = "lab: batch order");
  /// Of these samples of the pool alone; where they do not fill a batch, batches are as large as they are many.
  /// \throws ValueError if there are none
  PoolBatches(const Task& task, std::vector<Index> kept, std::string purpose = "lab: batch order");

  /// Of the whole pool, drawn in proportion to these weights.
  PoolBatches(const Task& task, SampleVector weights, std::string purpose = "lab: batch order");

  /// Fills `batch` and `samples` with the next batch, without the samples `excluded`; its last rows are the validation
  /// samples in turn, where the settings ask for them. \throws ValueError if any are excluded from batches drawn by weight
  void next(std::span<const Index> excluded = {});

  /// Where samplers and augmentation stand; not the batch that was last drawn.
  void save(std::ostream& out) const;
  void load(std::istream& in);

  nn::ClassificationBatch<float> batch;
  Samples samples;

 private:
  using Sampler = std::variant<data::EpochSampler, data::WeightedSampler>;
  PoolBatches(const Task& task, std::vector<Index> kept, Sampler sampler);

  std::shared_ptr<const data::Pool> pool_;
  std::vector<Index> kept_;
  Sampler sampler_;
  std::optional<data::EpochSampler> validation_;  // a row at a time
  Index validation_rows_, validation_begin_;
  std::optional<data::Augmentation<float>> augmentation_;
  std::uint64_t step_ = 0;
  std::vector<Index> ids_, barred_, row_;
};

/// The validation samples of a step: all of them, or batches in an order of their own.
class ValidationBatches {
 public:
  /// \param batch  0 for all
  ValidationBatches(const data::LabelledSet& set, Index batch, std::uint64_t seed);
  void next();

  /// Where the sampler stands, and the batch that was last drawn.
  void save(std::ostream& out) const;
  void load(std::istream& in);

  nn::ClassificationBatch<float> batch;
  Samples samples;

 private:
  void describe();
  const data::LabelledSet& set_;
  data::EpochSampler sampler_;
  bool whole_;
  std::vector<Index> ids_;
};

/// The mean of N p_i over the batches in which a sample was: what a method that weighs each batch anew made of it. 1 for a sample
/// that never was in one.
class MeanWeights {
 public:
  explicit MeanWeights(Index samples) : sums_(SampleVector::Zero(samples)), visits_(SampleVector::Zero(samples)) {}
  void add(const Samples& samples, const SampleVector& p);
  SampleVector of_first(Index n) const;

  void save(std::ostream& out) const;
  void load(std::istream& in);

 private:
  SampleVector sums_, visits_;
};

}  // namespace mts::lab
