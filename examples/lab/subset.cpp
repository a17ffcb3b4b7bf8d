// Methods that decide once which samples of the pool are trained on, all alike from then on.
#include <algorithm>
#include <utility>

#include "lab/methods.hpp"
#include "lab/training.hpp"
#include "mts/features/neighbour_agreement.hpp"
#include "mts/features/real_margin.hpp"
#include "mts/features/validation_margin.hpp"
#include "mts/selection/keep.hpp"

namespace mts::lab {

namespace {

using Kept = std::vector<Index>;

class SubsetTraining final : public Training {
 public:
  /// The whole pool.
  explicit SubsetTraining(const Task& task) : batches_(task), step_(make_plain_step(task, task.seed)) {}
  SubsetTraining(const Task& task, Kept kept)
      : weights_(SampleVector::Zero(task.problem.pool.size())),
        batches_(task, kept),
        step_(make_plain_step(task, task.seed)) {
    for (const Index i : kept) (*weights_)[i] = 1;
  }

  StepReport step() override {
    batches_.next();
    return (*step_)(batches_.batch, batches_.samples);
  }
  const nn::Classifier<float>& model() const override { return step_->model(); }
  const DenseParameters<float>& theta() const override { return step_->theta(); }
  void save(std::ostream& out) const override {
    batches_.save(out);
    step_->save(out);
  }
  void load(std::istream& in) override {
    batches_.load(in);
    step_->load(in);
  }
  std::optional<SampleVector> pool_weights() override { return weights_; }

 private:
  std::optional<SampleVector> weights_;
  PoolBatches batches_;
  std::unique_ptr<PlainStep> step_;
};

std::unique_ptr<Training> start_on(const Task& task, Kept kept) {
  return std::make_unique<SubsetTraining>(task, std::move(kept));
}

/// The samples of which `holds(place)`.
template <class F>
Kept where(const Task& task, F&& holds) {
  Kept kept;
  for (Index i = 0; i < task.problem.pool.size(); ++i)
    if (holds(static_cast<std::size_t>(i))) kept.push_back(i);
  return kept;
}

/// All real samples and the edits of the highest scores, class by class.
std::unique_ptr<Training> start_on_best(const Task& task, const SampleVector& scores) {
  return start_on(task,
                  keep_best(scores.head(task.problem.pool.size()), samples_of(task.problem.pool), task.settings.keep));
}

/// The scores of an offline feature.
template <class F>
SampleVector scores_of(F feature, const Task& task) {
  feature.fit(task.problem.pool.embeddings, samples_of(task.problem.pool));
  return feature.table().values().col(0);
}

SampleVector easy_first(const Task& task, const RowMatrix<double>& how_hard) {
  return (task.settings.keep_hard ? 1.0 : -1.0) * how_hard.col(0);
}

}  // namespace

std::unique_ptr<Training> start_uniform(const Task& task) { return std::make_unique<SubsetTraining>(task); }

std::unique_ptr<Training> start_plus_validation(const Task& task) { return start_uniform(with_validation_rows(task)); }

std::unique_ptr<Training> start_real_only(const Task& task) {
  return start_on(task, where(task, [&](std::size_t i) { return task.problem.pool.groups[i] == data::real_group; }));
}

std::unique_ptr<Training> start_oracle(const Task& task) {
  return start_on(task, where(task, [&](std::size_t i) { return data::helps(task.problem.pool.kinds[i]); }));
}

std::unique_ptr<Training> start_random_subset(const Task& task) {
  return start_on(task, keep_random(samples_of(task.problem.pool), task.settings.keep,
                                    RandomStream(task.seed, "lab: random subset")));
}

/// Paul, Ganguli, Dziugaite, Deep learning on a data diet, NeurIPS 2021.
std::unique_ptr<Training> start_el2n(const Task& task) {
  return start_on_best(task, easy_first(task, task.dynamics().error_norms()));
}
std::unique_ptr<Training> start_grand(const Task& task) {
  return start_on_best(task, easy_first(task, task.dynamics().gradient_norms()));
}
/// The feature SD_weighted_knn_acc of the MTS paper, alone.
std::unique_ptr<Training> start_knn_agreement(const Task& task) {
  return start_on_best(task, scores_of(features::NeighbourAgreement{5}, task));
}
std::unique_ptr<Training> start_real_margin(const Task& task) {
  return start_on_best(task, scores_of(features::RealMargin{3}, task));
}
std::unique_ptr<Training> start_validation_margin(const Task& task) {
  const auto& v = task.problem.validation;
  return start_on_best(task, scores_of(features::ValidationMargin{v.embeddings, v.labels, 3}, task));
}

}  // namespace mts::lab
