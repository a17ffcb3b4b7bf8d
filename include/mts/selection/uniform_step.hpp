#pragma once
/// \file
/// Training without selection, through the same linearisation, optimiser and report as with it: p_i = c_i/sum c.

#include <cmath>
#include <utility>

#include "mts/core/concepts.hpp"
#include "mts/core/state.hpp"
#include "mts/selection/linearize.hpp"
#include "mts/selection/prior_weights.hpp"
#include "mts/selection/step_report.hpp"
#include "mts/selection/weights.hpp"

namespace mts {

/// Owns theta and its optimiser; one call is one step of theta along J^T p. The baseline of every comparison.
template <class M, class Inner>
class UniformStep {
  static_assert((require_model<M>(), true));
  static_assert(Optimizer<Inner, typename M::Parameters>,
                "mts: Optimizer, O1: add  void step(P& theta, const P& gradient)");

 public:
  using Batch = typename M::Batch;
  using Theta = typename M::Parameters;

  UniformStep(M model, Theta theta, Inner inner, PriorWeights prior = {})
      : model_(std::move(model)),
        theta_(std::move(theta)),
        inner_(std::move(inner)),
        prior_(std::move(prior)),
        gradient_(theta_.zeros_like()) {}

  /// \throws NumericalError for a loss or gradient that is not finite, or sum c = 0; theta is then as it was
  StepReport operator()(const Batch& train, const Samples& samples) {
    try {
      return step(train, samples);
    } catch (const NumericalError& error) {
      throw NumericalError(detail::text("uniform step ", steps_, ": ", error.what()));
    }
  }

  Index steps() const { return steps_; }
  const M& model() const { return model_; }
  const Theta& theta() const { return theta_; }
  const Inner& inner() const { return inner_; }
  const BatchWeights& weights() const { return weights_; }

  /// Writes what the steps so far have made: their number, theta, the optimiser's state.
  void save(std::ostream& out) const
    requires SerializableParameterVector<Theta> && StatefulOptimizer<Inner, Theta>
  {
    detail::StateWriter(out, "UniformStep::save", kind).count(steps_);
    theta_.save(out);
    inner_.save(out);
  }
  /// Goes on from there: with the same batches, the same bits as a step that was never saved.
  /// \throws DataError if the stream ends early, or holds something else; then nothing has changed
  void load(std::istream& in)
    requires SerializableParameterVector<Theta> && StatefulOptimizer<Inner, Theta>
  {
    detail::StateReader reader(in, "UniformStep::load", kind);
    const Index steps = reader.count("steps");
    Theta theta = theta_.clone();
    theta.load(in);
    Inner inner = inner_;
    inner.load(in, theta);
    steps_ = steps;
    theta_ = std::move(theta);
    inner_ = std::move(inner);
  }

 private:
  static constexpr detail::StateKind kind = {'m', 't', 's', '-', 'u', 'n', 'i', '1'};

  StepReport step(const Batch& train, const Samples& samples) {
    StepReport report;
    report.step = steps_;
    report.mode = "uniform";
    diagnostics::PhaseTimer timer(report.seconds);
    timer.begin("linearize");
    const auto lin = detail::linearize_unseen("training batch", model_, theta_, train);
    if constexpr (requires { lin.activations(); }) report.activations = lin.activations();
    timer.begin("real step");
    prior_.fill(lin.value().size(), samples, c_);
    z_.setZero(lin.value().size());
    normalize(SoftmaxWeight{}, z_, c_, 0, weights_);
    describe(weights_, 0, report);
    report.train_loss = weights_.p.dot(lin.value());
    lin.pullback(weights_.p, gradient_);
    const double squared_norm = gradient_.dot(gradient_);
    check_finite("selection", "squared norm of the training gradient", squared_norm);
    report.gradient_norm = std::sqrt(squared_norm);
    inner_.step(theta_, gradient_);
    ++steps_;
    return report;
  }

  M model_;
  Theta theta_;
  Inner inner_;
  PriorWeights prior_;
  Theta gradient_;
  Index steps_ = 0;
  BatchWeights weights_;
  SampleVector c_, z_;
};

}  // namespace mts
