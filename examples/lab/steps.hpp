#pragma once
/// \file
/// The steps that methods own, as the host sees them, wherever they are done: the seam between the lab and a device.

#include <istream>
#include <ostream>
#include <utility>

#include "mts/nn/classifier.hpp"
#include "mts/selection/step_report.hpp"

namespace mts::lab {

/// A training step with what it owns: theta, its optimiser, a weight net. Batches come from the host. Not to be called concurrently.
class AnyStep {
 public:
  using Batch = nn::ClassificationBatch<float>;

  virtual ~AnyStep() = default;
  /// The classifier, for evaluations on the host.
  virtual const nn::Classifier<float>& model() const = 0;
  /// theta after the last step, on the host; until the next. A device's is brought over when it is first asked for.
  virtual const DenseParameters<float>& theta() const = 0;
  /// As the library's steps.
  virtual void save(std::ostream& out) const = 0;
  virtual void load(std::istream& in) = 0;
};

/// Training without selection.
class PlainStep : public AnyStep {
 public:
  virtual StepReport operator()(const Batch& train, const Samples& samples) = 0;
};

/// A rule weighs each batch.
class RuledStep : public AnyStep {
 public:
  virtual StepReport operator()(const Batch& train, const Samples& samples, const Batch& validation,
                                const Samples& validation_samples) = 0;
  /// p of the last step.
  virtual const SampleVector& weights() const = 0;
};

/// A weight net learns.
class LearningStep : public AnyStep {
 public:
  virtual StepReport operator()(const Batch& train, const Samples& samples, const Batch& validation,
                                const Samples& validation_samples) = 0;
  /// In crossed mode.
  virtual StepReport operator()(const Batch& train, const Samples& samples, const Batch& validation,
                                const Samples& validation_samples, const Batch& selector,
                                const Samples& selector_samples) = 0;
  /// The weight net's parameters, as theta.
  virtual const DenseParameters<float>& phi() const = 0;
  /// a of the last step that formed them.
  virtual const SampleVector& alignments() const = 0;
};

/// What all steps on the host have in common.
/// \tparam Seam  PlainStep, RuledStep or LearningStep    \tparam Step  the library's
template <class Seam, class Step>
class HostStep : public Seam {
 public:
  explicit HostStep(Step step) : step_(std::move(step)) {}

  const nn::Classifier<float>& model() const final { return step_.model(); }
  const DenseParameters<float>& theta() const final { return step_.theta(); }
  void save(std::ostream& out) const final { step_.save(out); }
  void load(std::istream& in) final { step_.load(in); }

 protected:
  Step step_;
};

}  // namespace mts::lab
