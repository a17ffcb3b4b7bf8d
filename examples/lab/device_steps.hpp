#pragma once
/// \file
/// `StepsOn`: the steps of the lab's methods on an executor of the cuda room. Heavy to compile: one file for each executor includes it.

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "lab/device.hpp"
#include "lab/features.hpp"
#include "lab/training.hpp"
#include "lab/weight_net.hpp"
#include "mts/cuda/classifier.hpp"
#include "mts/cuda/mlp_weight_net.hpp"
#include "mts/selection/rule_step.hpp"
#include "mts/selection/uniform_step.hpp"

namespace mts::lab {

/// A step with its part of a device: a queue of its own, batches that are uploaded into the same memory step by step, and what was
/// brought to the host since the last one.
template <class Seam, class Step, class E>
class DeviceStep : public Seam {
 public:
  using Batch = AnyStep::Batch;

  DeviceStep(nn::Classifier<float> host, cuda::SharedQueue<E> queue, Step step)
      : host_(std::move(host)), step_(std::move(step)), train_(queue), validation_(queue) {}

  const nn::Classifier<float>& model() const final { return host_; }
  const DenseParameters<float>& theta() const final { return brought(theta_, step_.theta()); }
  void save(std::ostream& out) const final { step_.save(out); }
  void load(std::istream& in) final { moving().load(in); }

 protected:
  static const DenseParameters<float>& brought(std::optional<DenseParameters<float>>& host,
                                               const cuda::Parameters<float, E>& there) {
    if (!host) host = there.to_host();
    return *host;
  }
  /// The step, about to move.
  Step& moving() {
    theta_.reset();
    phi_.reset();
    return step_;
  }

  nn::Classifier<float> host_;
  Step step_;
  cuda::ClassificationBatch<float, E> train_, validation_;
  mutable std::optional<DenseParameters<float>> theta_, phi_;
};

template <class Step, class E>
class PlainDeviceStep final : public DeviceStep<PlainStep, Step, E> {
 public:
  using DeviceStep<PlainStep, Step, E>::DeviceStep;
  StepReport operator()(const AnyStep::Batch& train, const Samples& samples) override {
    this->train_.assign(train);
    return this->moving()(this->train_, samples);
  }
};

template <class Step, class E>
class RuledDeviceStep final : public DeviceStep<RuledStep, Step, E> {
 public:
  using DeviceStep<RuledStep, Step, E>::DeviceStep;
  StepReport operator()(const AnyStep::Batch& train, const Samples& samples, const AnyStep::Batch& validation,
                        const Samples& validation_samples) override {
    this->train_.assign(train);
    this->validation_.assign(validation);
    return this->moving()(this->train_, samples, this->validation_, validation_samples);
  }
  const SampleVector& weights() const override { return this->step_.weights().p; }
};

template <class Step, class E>
class LearningDeviceStep final : public DeviceStep<LearningStep, Step, E> {
 public:
  LearningDeviceStep(nn::Classifier<float> host, cuda::SharedQueue<E> queue, Step step)
      : DeviceStep<LearningStep, Step, E>(std::move(host), queue, std::move(step)), selector_(queue) {}

  StepReport operator()(const AnyStep::Batch& train, const Samples& samples, const AnyStep::Batch& validation,
                        const Samples& validation_samples) override {
    this->train_.assign(train);
    this->validation_.assign(validation);
    return this->moving()(this->train_, samples, this->validation_, validation_samples);
  }
  StepReport operator()(const AnyStep::Batch& train, const Samples& samples, const AnyStep::Batch& validation,
                        const Samples& validation_samples, const AnyStep::Batch& selector,
                        const Samples& selector_samples) override {
    this->train_.assign(train);
    this->validation_.assign(validation);
    selector_.assign(selector);
    return this->moving()(this->train_, samples, this->validation_, validation_samples, selector_, selector_samples);
  }
  const DenseParameters<float>& phi() const override { return this->brought(this->phi_, this->step_.phi()); }
  const SampleVector& alignments() const override { return this->step_.alignments(); }

 private:
  cuda::ClassificationBatch<float, E> selector_;
};

/// \tparam E  Executor
template <class E>
class StepsOn : public DeviceSteps {
 public:
  /// \param name  as `--device` has it
  explicit StepsOn(std::string name) : name_(std::move(name)) {}

  std::string name() const override { return name_; }
  std::string description() const override {
    std::call_once(described_, [&] {
      const auto queue = cuda::make_queue<E>();
      if constexpr (requires { queue->executor().description(); })
        description_ = queue->executor().description();
      else
        description_ = E::name;
    });
    return description_;
  }

  std::unique_ptr<PlainStep> plain(const Task& task, std::uint64_t seed) const override {
    using Step = UniformStep<Model, InnerOf<P>>;
    Beginning at = begin(task, seed);
    return std::make_unique<PlainDeviceStep<Step, E>>(
        std::move(at.host), at.queue, Step(std::move(at.model), std::move(at.theta), make_optimizer<P>(task.settings)));
  }
  std::unique_ptr<RuledStep> ruled(const Task& task, AnyRule any, Index uniform_steps) const override {
    return std::visit(
        [&](auto& rule) -> std::unique_ptr<RuledStep> {
          using Step = RuleStep<Model, InnerOf<P>, std::remove_reference_t<decltype(rule)>>;
          Beginning at = begin(task, task.seed);
          return std::make_unique<RuledDeviceStep<Step, E>>(
              std::move(at.host), at.queue,
              Step(std::move(at.model), std::move(at.theta), make_optimizer<P>(task.settings), std::move(rule),
                   uniform_steps));
        },
        any);
  }
  std::unique_ptr<LearningStep> learning(const Task& task, features::Composition<ChosenFeatures> features,
                                         const MlpWeightNetOptions& weight_net) const override {
    return with_activation(task.settings, [&](auto activation) -> std::unique_ptr<LearningStep> {
      using Net = cuda::MlpWeightNet<float, E>;
      using Features = cuda::FromHost<features::Composition<ChosenFeatures>, E>;
      using Step = MtsStep<Model, Net, Features, InnerOf<P>, AdamW<P>, std::remove_const_t<decltype(activation)>,
                           ChosenAlignment>;
      Beginning at = begin(task, task.seed);
      Net net(features.layout(), at.queue, weight_net);
      P phi = net.initialize(initial_weight_net(task.seed));
      return std::make_unique<LearningDeviceStep<Step, E>>(
          std::move(at.host), at.queue,
          Step(std::move(at.model), std::move(at.theta), make_optimizer<P>(task.settings),
               Features(std::move(features), at.queue), std::move(net), std::move(phi),
               make_meta_optimizer<P>(task.settings), make_step_options(task.settings), activation,
               ChosenAlignment{task.settings.alignment}));
    });
  }

 private:
  using P = cuda::Parameters<float, E>;
  using Model = cuda::Classifier<float, E>;

  /// What every step begins with.
  struct Beginning {
    nn::Classifier<float> host;
    cuda::SharedQueue<E> queue;
    Model model;
    P theta;
  };
  Beginning begin(const Task& task, std::uint64_t seed) const {
    auto host = make_classifier(task.settings, task.problem);
    auto queue = cuda::make_queue<E>();
    P theta(queue, initial_parameters(host, seed));
    try {
      Model model(host, queue);
      return {std::move(host), std::move(queue), std::move(model), std::move(theta)};
    } catch (const ValueError& error) {
      throw UsageError(mts::detail::text("--model ", name_of_choice(task.settings.model),
                                         " can't be trained on --device ", name_, ": take another model, or --device ",
                                         host_device, " (", error.what(), ")"));
    }
  }

  std::string name_;
  mutable std::once_flag described_;
  mutable std::string description_;
};

}  // namespace mts::lab
