#pragma once
/// \file
/// Training on weights that a rule gives to each batch, without a weight net. A rule is a few lines (`selection/rules/`); what it
/// looks at is formed here, when it asks for it.

#include <cmath>
#include <optional>
#include <utility>

#include "mts/core/state.hpp"
#include "mts/selection/alignment.hpp"
#include "mts/selection/linearize.hpp"
#include "mts/selection/step_report.hpp"
#include "mts/selection/weights.hpp"

namespace mts {

namespace detail {

/// What outlives the steps, so that one in the steady state allocates nothing.
template <class Theta>
struct RuleWorkspace {
  std::optional<Theta> gamma, shifted;
  SampleVector alignments, uniform;
};

}  // namespace detail

/// What a rule may look at in a step. Not owned; lives for one call. The validation batch is evaluated, and alignments are formed,
/// when they are first asked for.
/// \tparam L  the model's linearisation of the training batch \tparam E  alignment estimator
template <class M, class L, class E>
class RuleContext {
 public:
  using Theta = typename M::Parameters;
  using Batch = typename M::Batch;

  RuleContext(Index step, const M& model, const Theta& theta, const L& lin, const Batch& train, const Samples& samples,
              const Batch& validation, const Samples& validation_samples, const E& estimator,
              detail::RuleWorkspace<Theta>& workspace)
      : step_(step),
        model_(model),
        theta_(theta),
        lin_(lin),
        batch_(train),
        samples_(samples),
        validation_batch_(validation),
        validation_samples_(validation_samples),
        estimator_(estimator),
        workspace_(workspace) {}

  Index step() const { return step_; }  ///< 0 for the first
  const Samples& samples() const { return samples_; }
  const Samples& validation_samples() const { return validation_samples_; }
  const SampleVector& losses() const { return lin_.value(); }  ///< l_i(theta), N
  const L& train() const { return lin_; }                      ///< logits and embeddings too, where the rule `shows`
  /// The model's forward of the validation batch at theta.
  const ForwardOf<M>& validation() const {
    if (!forward_)
      forward_.emplace(detail::within("validation batch", [&] { return model_.forward(theta_, validation_batch_); }));
    return *forward_;
  }
  /// a_i = <g_i, Gamma>, Gamma = grad L_val(theta), the mean over the validation batch: how fast L_val falls per unit of learning
  /// rate and of p_i (law L1 at p = 0, without momentum).
  const SampleVector& alignments() const {
    if (aligned_) return workspace_.alignments;
    const auto at_theta = detail::linearize_unseen("validation batch", model_, theta_, validation_batch_);
    const Index m = at_theta.value().size();
    workspace_.uniform.setConstant(m, 1.0 / static_cast<double>(m));
    if (!workspace_.gamma) {
      workspace_.gamma.emplace(theta_.zeros_like());
      workspace_.shifted.emplace(theta_.zeros_like());
    }
    at_theta.pullback(workspace_.uniform, *workspace_.gamma);
    validation_loss_ = at_theta.value().mean();
    gamma_norm_ = std::sqrt(workspace_.gamma->dot(*workspace_.gamma));
    check_finite("selection", "norm of the validation gradient", gamma_norm_);
    estimator_(model_, theta_, batch_, lin_, *workspace_.gamma, *workspace_.shifted, workspace_.alignments);
    check_finite("selection", "alignment", workspace_.alignments);
    aligned_ = true;
    return workspace_.alignments;
  }
  /// Whether they were asked for, and what else was learned on the way; NaN where nothing was.
  bool aligned() const { return aligned_; }
  double validation_loss() const { return validation_loss_; }
  double gamma_norm() const { return gamma_norm_; }

 private:
  Index step_;
  const M& model_;
  const Theta& theta_;
  const L& lin_;
  const Batch& batch_;
  const Samples& samples_;
  const Batch& validation_batch_;
  const Samples& validation_samples_;
  const E& estimator_;
  detail::RuleWorkspace<Theta>& workspace_;
  mutable std::optional<ForwardOf<M>> forward_;
  mutable bool aligned_ = false;
  mutable double validation_loss_ = StepReport::none, gamma_norm_ = StepReport::none;
};

/// Owns theta and its optimiser; one call is one step of theta along J^T p, p = w/sum w, w what the rule gives.
///
/// \tparam Rule  has `name` (for the report), `shows` (static constexpr bool: whether it looks at logits or embeddings) and
///   `operator()(const Context&, SampleVector& w)`: fills w with N weights, finite and >= 0. Where all are 0 the gradient is 0, as in
///   the sources, and the report warns. A rule may keep a state of its own; it is saved with the step's where the rule is `Stateful`.
///
/// The result is a function of the initial state and the batches alone: the same bits for any number of threads. An error in
/// numbers names the step and leaves theta and the optimiser as they were. Not to be called concurrently.
template <class M, class Inner, class Rule, class E = CheapestAlignment>
class RuleStep {
  static_assert((require_model<M>(), true));
  static_assert(Optimizer<Inner, typename M::Parameters>,
                "mts: Optimizer, O1: add  void step(P& theta, const P& gradient)");
  static_assert(
      requires {
        { Rule::name } -> std::convertible_to<const char*>;
        typename std::bool_constant<Rule::shows>;
      },
      "mts: RuleStep asks its rule for  static constexpr const char* name  and  static constexpr bool shows  (whether "
      "it "
      "looks at logits or embeddings)");

 public:
  using Batch = typename M::Batch;
  using Theta = typename M::Parameters;

  /// \param uniform_steps  warm start: so many steps with equal weights before the rule is first asked
  /// \throws ValueError if uniform_steps < 0
  RuleStep(M model, Theta theta, Inner inner, Rule rule, Index uniform_steps = 0, E estimator = {})
      : model_(std::move(model)),
        theta_(std::move(theta)),
        inner_(std::move(inner)),
        rule_(std::move(rule)),
        uniform_steps_(uniform_steps),
        estimator_(std::move(estimator)),
        gradient_(theta_.zeros_like()) {
    check_value(uniform_steps >= 0, Rule::name, "uniform_steps must not be negative, found ", uniform_steps);
  }

  /// \throws NumericalError for a loss, weight or gradient that is not finite; ValueError for a negative weight
  StepReport operator()(const Batch& train, const Samples& samples, const Batch& validation,
                        const Samples& validation_samples) {
    try {
      return step(train, samples, validation, validation_samples);
    } catch (const NumericalError& error) {
      throw NumericalError(detail::text(Rule::name, " step ", steps_, ": ", error.what()));
    }
  }

  Index steps() const { return steps_; }
  const M& model() const { return model_; }
  const Theta& theta() const { return theta_; }
  const Inner& inner() const { return inner_; }
  const Rule& rule() const { return rule_; }
  const BatchWeights& weights() const { return weights_; }  ///< of the last step; all p are 0 where all w were

  /// Writes what the steps so far have made: their number, theta, the optimiser's state, and the rule's where it is Stateful.
  void save(std::ostream& out) const
    requires SerializableParameterVector<Theta> && StatefulOptimizer<Inner, Theta>
  {
    detail::StateWriter(out, detail::text(Rule::name, ": save"), kind).words(Rule::name).count(steps_);
    theta_.save(out);
    inner_.save(out);
    if constexpr (Stateful<Rule>) rule_.save(out);
  }
  /// Goes on from there: with the same batches, the same bits as a step that was never saved.
  /// \throws DataError if the stream ends early, or holds something else, another rule's step too; then nothing has changed
  void load(std::istream& in)
    requires SerializableParameterVector<Theta> && StatefulOptimizer<Inner, Theta>
  {
    detail::StateReader reader(in, detail::text(Rule::name, ": load"), kind);
    const std::string rule = reader.words("the rule");
    reader.check(rule == Rule::name, "the rule", Rule::name, rule);
    const Index steps = reader.count("steps");
    Theta theta = theta_.clone();
    theta.load(in);
    Inner inner = inner_;
    inner.load(in, theta);
    if constexpr (Stateful<Rule>) rule_.load(in);
    steps_ = steps;
    theta_ = std::move(theta);
    inner_ = std::move(inner);
  }

 private:
  static constexpr detail::StateKind kind = {'m', 't', 's', '-', 'r', 'u', 'l', '1'};

  StepReport step(const Batch& train, const Samples& samples, const Batch& validation,
                  const Samples& validation_samples) {
    StepReport report;
    report.step = steps_;
    report.mode = Rule::name;
    diagnostics::PhaseTimer timer(report.seconds);
    timer.begin("linearize");
    const auto lin = [&] {
      if constexpr (Rule::shows)
        return detail::linearize("training batch", model_, theta_, train);
      else
        return detail::linearize_unseen("training batch", model_, theta_, train);
    }();
    using L = std::remove_const_t<decltype(lin)>;
    if constexpr (requires { lin.activations(); }) report.activations = lin.activations();

    timer.begin("rule");
    const RuleContext<M, L, E> context(steps_, model_, theta_, lin, train, samples, validation, validation_samples,
                                       estimator_, workspace_);
    static_assert(
        requires { rule_(context, weights_.p); },
        "mts: RuleStep asks its rule for  void operator()(const Context&, SampleVector& w)");
    if (steps_ < uniform_steps_)
      weights_.p.setOnes(lin.value().size());
    else
      rule_(context, weights_.p);
    normalize(lin.value().size(), report);
    if (context.aligned()) {
      report.alignment = E::name;
      report.validation_loss = context.validation_loss();
      report.gamma_norm = context.gamma_norm();
    }

    timer.begin("real step");
    report.train_loss = weights_.p.dot(lin.value());
    lin.pullback(weights_.p, gradient_);
    const double squared_norm = gradient_.dot(gradient_);
    check_finite("selection", "squared norm of the training gradient", squared_norm);
    report.gradient_norm = std::sqrt(squared_norm);
    inner_.step(theta_, gradient_);
    ++steps_;
    return report;
  }

  /// p <- w/sum w.
  void normalize(Index n, StepReport& report) {
    SampleVector& w = weights_.p;
    check_size(Rule::name, "weights of the rule", n, w.size());
    check_finite(Rule::name, "weight of the rule", w);
    for (Index i = 0; i < n; ++i)
      check_value(w[i] >= 0, Rule::name, "weight of the rule for sample ", i, " must not be negative, found ", w[i]);
    const double sum = w.sum();
    check_finite(Rule::name, "sum of the weights", sum);
    weights_.mean_w = sum / static_cast<double>(n);
    if (sum > 0) {
      w /= sum;
      weights_.b_eff = 1 / w.squaredNorm();
      return describe(weights_, 0, report);
    }
    weights_.b_eff = 0;
    report.mean_w = report.max_p = report.var_p = report.b_eff = 0;
    report.warning = detail::text("step ", steps_, ": all ", n, " weights are 0, so the gradient is 0");
  }

  M model_;
  Theta theta_;
  Inner inner_;
  Rule rule_;
  Index uniform_steps_;
  E estimator_;
  Theta gradient_;
  Index steps_ = 0;
  BatchWeights weights_;
  detail::RuleWorkspace<Theta> workspace_;
};

}  // namespace mts
