// Methods that weigh each batch by a rule of its own, without a weight net.
#include <algorithm>
#include <sstream>
#include <utility>

#include "lab/device.hpp"
#include "lab/methods.hpp"
#include "lab/training.hpp"
#include "mts/core/state.hpp"
#include "mts/selection/rule_step.hpp"

namespace mts::lab {

namespace {

using Model = nn::Classifier<float>;
using Parameters = DenseParameters<float>;

template <class Rule>
class RuledHostStep final : public HostStep<RuledStep, RuleStep<Model, Inner, Rule>> {
 public:
  using HostStep<RuledStep, RuleStep<Model, Inner, Rule>>::HostStep;
  StepReport operator()(const AnyStep::Batch& train, const Samples& samples, const AnyStep::Batch& validation,
                        const Samples& validation_samples) override {
    return this->step_(train, samples, validation, validation_samples);
  }
  const SampleVector& weights() const override { return this->step_.weights().p; }
};

template <class Rule>
std::unique_ptr<RuledStep> make_step(const Task& task, Rule rule, Index uniform_steps) {
  if (const auto* device = device_of(task.settings)) return device->ruled(task, std::move(rule), uniform_steps);
  auto model = make_classifier(task.settings, task.problem);
  auto theta = initial_parameters(model, task.seed);
  return std::make_unique<RuledHostStep<Rule>>(RuleStep<Model, Inner, Rule>(
      std::move(model), std::move(theta), make_optimizer(task.settings), std::move(rule), uniform_steps));
}

class RuleTraining final : public Training {
 public:
  RuleTraining(const Task& task, std::unique_ptr<RuledStep> step)
      : own_(task.problem.pool.size()),
        train_(task),
        validation_(task.problem.validation, task.settings.validation_batch, task.seed),
        step_(std::move(step)),
        weights_(task.pool->size()) {}

  StepReport step() override {
    train_.next();
    validation_.next();
    const StepReport report = (*step_)(train_.batch, train_.samples, validation_.batch, validation_.samples);
    weights_.add(train_.samples, step_->weights());
    return report;
  }
  const Model& model() const override { return step_->model(); }
  const Parameters& theta() const override { return step_->theta(); }
  void save(std::ostream& out) const override {
    train_.save(out);
    validation_.save(out);
    step_->save(out);
    weights_.save(out);
  }
  void load(std::istream& in) override {
    train_.load(in);
    validation_.load(in);
    step_->load(in);
    weights_.load(in);
  }
  std::optional<SampleVector> pool_weights() override { return weights_.of_first(own_); }

 private:
  Index own_;
  PoolBatches train_;
  ValidationBatches validation_;
  std::unique_ptr<RuledStep> step_;
  MeanWeights weights_;
};

template <class Rule>
std::unique_ptr<Training> start(const Task& task, Rule rule, Index uniform_steps) {
  return std::make_unique<RuleTraining>(task, make_step(task, std::move(rule), uniform_steps));
}

/// The loss of every sample of the pool under a classifier (--proxy) trained, for as many steps, on the validation samples alone.
SampleVector train_held_out_model(const Task& run) {
  Task task = run;
  task.settings = proxy_of(run.settings);
  const auto& v = task.problem.validation;
  const auto step = make_plain_step(task, RandomStream(task.seed, "lab: held-out model")());
  ValidationBatches validation(v, std::min(task.batch, v.size()), task.seed);
  const auto augmentation = make_augmentation(task.settings, task.problem, task.seed);
  nn::ClassificationBatch<float> augmented;
  std::vector<Index> ids(validation.batch.labels.size());
  for (Index t = 0; t < task.settings.steps; ++t) {
    validation.next();
    if (augmentation) {
      augmented = validation.batch;
      ids.resize(augmented.labels.size());
      for (std::size_t k = 0; k < ids.size(); ++k) ids[k] = static_cast<Index>(k);
      augmentation->in_place(augmented, ids, static_cast<std::uint64_t>(t));
    }
    (*step)(augmentation ? augmented : validation.batch, validation.samples);
  }
  const Index n = task.pool->size();
  SampleVector losses(n);
  nn::ClassificationBatch<float> some;
  for (Index begin = 0; begin < n; begin += samples_at_once) {
    data::gather_range(*task.pool, begin, std::min(begin + samples_at_once, n), some);
    losses.segment(begin, some.inputs.rows()) = step->model().forward(step->theta(), some).value();
  }
  return losses;
}
/// The same, from what was prepared if it was.
SampleVector irreducible_losses(const Task& task) {
  constexpr mts::detail::StateKind kind = {'l', 'a', 'b', '-', 'i', 'r', 'r', '1'};
  const std::string name = mts::detail::text("irreducible losses, seed ", task.seed);
  if (const std::string* made = task.prepared->find(name)) {
    std::istringstream in(*made);
    return mts::detail::StateReader(in, name, kind).sample_vector("losses", task.pool->size());
  }
  SampleVector losses = train_held_out_model(task);
  std::ostringstream out;
  mts::detail::StateWriter(out, name, kind).vector(losses);
  task.prepared->keep(name, std::move(out).str());
  return losses;
}

}  // namespace

std::unique_ptr<Training> start_l2rw(const Task& task) {
  return start(task, rules::L2rw{}, task.settings.uniform_steps);
}
std::unique_ptr<Training> start_soft_gate(const Task& task) {
  return start(task, rules::SoftGate(task.settings.sharpness), task.settings.uniform_steps);
}
std::unique_ptr<Training> start_small_loss(const Task& task) {
  return start(task, rules::SmallLoss(task.settings.keep, task.settings.uniform_steps), 0);
}
std::unique_ptr<Training> start_rho_loss(const Task& task) {
  return start(task, rules::RhoLoss(irreducible_losses(task), task.settings.keep), 0);
}
std::unique_ptr<Training> start_glister(const Task& task) {
  return start(task, rules::Glister({.share = task.settings.keep}), task.settings.uniform_steps);
}

}  // namespace mts::lab
