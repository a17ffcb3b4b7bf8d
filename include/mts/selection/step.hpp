#pragma once
/// \file
/// The training step of meta-learned selection (MTS), in one place.
///
///     lin     = model.linearize(theta, train)                one forward, one back-propagation of unweighted deltas
///     val     = model.forward(theta, validation)             only if a feature reads it
///     f       = features(lin, val, samples)
///     p       = normalize(psi(weight_net(phi, f)))           p_i = c_i w_i / S
///     theta_v = theta - inner.step_of(lin.pullback(p))       virtual step
///     Gamma   = model.linearize(theta_v, validation).pullback(uniform)
///     a       = lin.pushforward(inner.pull(Gamma))           alignments; eta <g_i, Gamma> for SGD
///     dz      = -q (a - p.a)                                 law L1; q = p s
///     phi     = meta(phi, weight_net.pullback(dz))
///     p_new   = normalize(psi(weight_net(phi, f)))
///     theta   = inner(theta, lin.pullback(p_new))            the same linearisation: theta has not moved
///
/// Two modes of the selector batch. **Joint**: all on one batch; dz is the exact derivative of L_val(theta_v). **Crossed**:
/// Gamma comes from the virtual step on the train batch B, the alignments, weights and dz from a selector batch B' of its
/// own (the reference implementation's option); then a second linearisation is needed. With Gamma held fixed dz is the
/// derivative of -sum over B' of p_i <g_i, pull(Gamma)>.

#include <cmath>
#include <optional>
#include <utility>

#include "mts/core/concepts.hpp"
#include "mts/core/feature_context.hpp"
#include "mts/core/state.hpp"
#include "mts/selection/alignment.hpp"
#include "mts/selection/effective_batch_floor.hpp"
#include "mts/selection/linearize.hpp"
#include "mts/selection/prior_weights.hpp"
#include "mts/selection/split_half.hpp"
#include "mts/selection/step_report.hpp"
#include "mts/selection/weights.hpp"

namespace mts {

struct MtsOptions {
  Index update_every = 1;                ///< phi moves at every k-th step; k >= 1
  Index uniform_steps = 0;               ///< warm start: so many steps with p = c/sum c before phi first moves
  PriorWeights prior = {};               ///< c by class and by pool sample; ones by default
  EffectiveBatchFloor b_eff_floor = {};  ///< penalty on the meta loss (law L3'); off by default
  double tempering_floor = 0;            ///< temper p so that B_eff/N >= this; 0 for off
  double b_eff_warning = 0.02;           ///< warn in the report where B_eff/N falls below this
  bool measure_gsnr = true;              ///< split-half GSNR: two more pullbacks of the weight net
};

/// Learns weights while it trains: owns theta, phi and both optimisers; one call is one step.
///
/// \tparam M     Model                 \tparam W     WeightNet over FeatureBatch
/// \tparam F     composed features (layout, extract, reads_validation)
/// \tparam Inner InnerOptimizer of theta     \tparam Meta  Optimizer of phi
/// \tparam A     WeightActivation            \tparam E     alignment estimator
///
/// The result is a function of the initial state and the batches alone: the same bits for any number of threads. A
/// number that is not finite is a NumericalError that names the step and the quantity; theta and the inner optimiser are
/// then as they were before the step. Gamma = 0 gives a zero hypergradient. Not to be called concurrently.
template <class M, class W, class F, class Inner, class Meta, WeightActivation A = SigmoidWeight,
          class E = CheapestAlignment>
class MtsStep {
  static_assert((require_model<M>(), true));
  static_assert((require_weight_net<W>(), true));
  static_assert((require_inner_optimizer<Inner, typename M::Parameters>(), true));
  static_assert(Optimizer<Meta, typename W::Parameters>,
                "mts: Optimizer, O1: add  void step(P& phi, const P& gradient)");
  static_assert(
      requires { typename std::bool_constant<F::reads_validation()>; },
      "mts: MtsStep asks its features for  static constexpr bool reads_validation()  (FE3)");

 public:
  using Batch = typename M::Batch;
  using Theta = typename M::Parameters;
  using Phi = typename W::Parameters;
  /// Whether what it is made of can be written and read back: then so can the step.
  static constexpr bool serializable = SerializableParameterVector<Theta> && SerializableParameterVector<Phi> &&
                                       StatefulOptimizer<Inner, Theta> && StatefulOptimizer<Meta, Phi>;

  /// \throws ValueError for an option outside its domain
  MtsStep(M model, Theta theta, Inner inner, F features, W weight_net, Phi phi, Meta meta, MtsOptions options = {},
          A activation = {}, E estimator = {})
      : model_(std::move(model)),
        theta_(std::move(theta)),
        inner_(std::move(inner)),
        features_(std::move(features)),
        weight_net_(std::move(weight_net)),
        phi_(std::move(phi)),
        meta_(std::move(meta)),
        options_(std::move(options)),
        activation_(std::move(activation)),
        estimator_(std::move(estimator)),
        gradient_(theta_.zeros_like()),
        gamma_(theta_.zeros_like()),
        direction_(theta_.zeros_like()),
        virtual_theta_(theta_.zeros_like()),
        hypergradient_(phi_.zeros_like()) {
    check_value(options_.update_every >= 1, "MtsStep", "update_every must be at least 1, found ",
                options_.update_every);
    check_value(options_.uniform_steps >= 0, "MtsStep", "uniform_steps must not be negative, found ",
                options_.uniform_steps);
    check_value(options_.b_eff_floor.fraction >= 0 && options_.b_eff_floor.fraction <= 1, "MtsStep",
                "the B_eff floor must be a fraction in [0, 1], found ", options_.b_eff_floor.fraction);
    check_value(options_.b_eff_floor.strength >= 0, "MtsStep", "the floor's strength must not be negative, found ",
                options_.b_eff_floor.strength);
    check_value(options_.tempering_floor >= 0 && options_.tempering_floor <= 1, "MtsStep",
                "the tempering floor must be a fraction in [0, 1], found ", options_.tempering_floor);
  }

  /// One step in joint mode. `samples` and `validation_samples` say what features and weight net may know of the batches.
  StepReport operator()(const Batch& train, const Samples& samples, const Batch& validation,
                        const Samples& validation_samples) {
    return named(train, samples, validation, validation_samples, nullptr, nullptr);
  }
  /// One step in crossed mode: alignments and phi's gradient on a selector batch of its own.
  StepReport operator()(const Batch& train, const Samples& samples, const Batch& validation,
                        const Samples& validation_samples, const Batch& selector, const Samples& selector_samples) {
    return named(train, samples, validation, validation_samples, &selector, &selector_samples);
  }

  Index steps() const { return steps_; }
  const M& model() const { return model_; }
  const F& features() const { return features_; }
  const W& weight_net() const { return weight_net_; }
  const Theta& theta() const { return theta_; }
  const Phi& phi() const { return phi_; }
  const Inner& inner() const { return inner_; }
  const Meta& meta() const { return meta_; }

  // What the last step formed, for whoever checks or logs it.

  const BatchWeights& weights() const { return new_weights_; }           ///< of the real step
  const BatchWeights& selector_weights() const { return old_weights_; }  ///< those that dz belongs to
  const SampleVector& alignments() const { return a_; }                  ///< a, with the floor's shift
  const SampleVector& logit_gradient() const { return dz_; }             ///< dz
  const Phi& hypergradient() const { return hypergradient_; }            ///< dL_val/dphi

  /// Writes what the steps so far have made: their number, theta, phi, the state of both optimisers, and what the features keep
  /// where they are Stateful (fitted tables, records of past steps). Not what the last step formed.
  void save(std::ostream& out) const
    requires serializable
  {
    detail::StateWriter(out, "MtsStep::save", kind).count(steps_).number(Stateful<F>);
    theta_.save(out);
    phi_.save(out);
    inner_.save(out);
    meta_.save(out);
    if constexpr (Stateful<F>) features_.save(out);
  }
  /// Goes on from there: with the same batches, the same bits as a step that was never saved. Model, weight net, features and
  /// options are the caller's, as when it was saved. A record that features share with the caller is loaded for both.
  /// \throws DataError if the stream ends early, or holds something else; then nothing has changed
  void load(std::istream& in)
    requires serializable
  {
    detail::StateReader reader(in, "MtsStep::load", kind);
    const Index steps = reader.count("steps");
    const bool with_features = reader.flag("whether the features keep something");
    reader.check(with_features == Stateful<F>, "whether the features keep something", Stateful<F>, with_features);
    Theta theta = theta_.clone();
    theta.load(in);
    Phi phi = phi_.clone();
    phi.load(in);
    Inner inner = inner_;
    inner.load(in, theta);
    Meta meta = meta_;
    meta.load(in, phi);
    if constexpr (Stateful<F>) features_.load(in);
    steps_ = steps;
    theta_ = std::move(theta);
    phi_ = std::move(phi);
    inner_ = std::move(inner);
    meta_ = std::move(meta);
  }

 private:
  static constexpr detail::StateKind kind = {'m', 't', 's', '-', 's', 't', 'p', '1'};
  using Features = typename W::Features;
  /// Whether features can be formed while the model shows its samples.
  template <class V>
  static constexpr bool streams = [] {
    if constexpr (ObservableModel<M> && requires { typename std::bool_constant<F::by_rows()>; })
      return F::by_rows() && requires(const F& features, const FeatureContext<typename M::Rows, V>& context,
                                      Features& f, const Samples& samples) {
        features.begin(Index{}, samples, f);
        features.extract_rows(context, Index{}, f);
        features.finish(samples, f);
      };
    return false;
  }();

  StepReport named(const Batch& train, const Samples& samples, const Batch& validation,
                   const Samples& validation_samples, const Batch* selector, const Samples* selector_samples) {
    try {
      return steps_ < options_.uniform_steps
                 ? uniform(train, samples)
                 : selected(train, samples, validation, validation_samples, selector, selector_samples);
    } catch (const NumericalError& error) {
      throw NumericalError(detail::text("MTS step ", steps_, ": ", error.what()));
    }
  }

  StepReport selected(const Batch& train, const Samples& samples, const Batch& validation,
                      const Samples& validation_samples, const Batch* selector, const Samples* selector_samples) {
    StepReport report;
    report.step = steps_;
    report.mode = selector ? "crossed" : "joint";
    report.alignment = E::name;
    diagnostics::PhaseTimer timer(report.seconds);
    const bool update = (steps_ - options_.uniform_steps) % options_.update_every == 0;

    timer.begin("validation forward");
    const auto val = seen_validation(validation);
    const auto lin =
        linearize_and_extract("training batch", train, val, samples, validation_samples, train_features_, timer);
    if constexpr (requires { lin.activations(); }) report.activations = lin.activations();

    if (update && !selector) {
      timer.begin("weight net");
      const auto z = weight_net_.linearize(phi_, train_features_);
      weigh(z.value(), samples, old_weights_);
      validation_gradient(lin, old_weights_.p, validation, report, timer);
      move_phi(lin, z, train, train_features_, report, timer);
    } else if (update) {
      timer.begin("weight net");
      weigh(weight_net_.forward(phi_, train_features_).value(), samples, new_weights_);
      validation_gradient(lin, new_weights_.p, validation, report, timer);
      const auto own = linearize_and_extract("selector batch", *selector, val, *selector_samples, validation_samples,
                                             selector_features_, timer);
      timer.begin("weight net");
      const auto z = weight_net_.linearize(phi_, selector_features_);
      weigh(z.value(), *selector_samples, old_weights_);
      move_phi(own, z, *selector, selector_features_, report, timer);
    }

    timer.begin("weight net");
    weigh(weight_net_.forward(phi_, train_features_).value(), samples, new_weights_);
    move_theta(lin, report, timer);
    return report;
  }

  /// theta_v = theta - inner.step_of(J^T p); Gamma = grad L_val(theta_v); direction = inner.pull(Gamma).
  template <class L>
  void validation_gradient(const L& lin, const SampleVector& p, const Batch& validation, StepReport& report,
                           diagnostics::PhaseTimer& timer) {
    timer.begin("virtual step");
    lin.pullback(p, gradient_);
    norm("norm of the training gradient",
         gradient_);  // checked here, where its batch is to blame and not the validation batch
    inner_.virtual_step(theta_, gradient_, virtual_theta_);
    timer.begin("validation gradient");
    const auto at_virtual =
        detail::linearize_unseen("validation batch at the virtual step", model_, virtual_theta_, validation);
    const Index m = at_virtual.value().size();
    report.validation_loss = at_virtual.value().mean();
    uniform_.setConstant(m, 1.0 / static_cast<double>(m));
    at_virtual.pullback(uniform_, gamma_);
    report.gamma_norm = norm("norm of the validation gradient", gamma_);
    inner_.pull(gamma_, theta_, gradient_, direction_);
  }

  /// a = J direction; dz = -q (a - p.a); phi = meta(phi, J_phi^T dz), on the batch that `lin` and `z` linearise.
  template <class L, class Z>
  void move_phi(const L& lin, const Z& z, const Batch& batch, const Features& f, StepReport& report,
                diagnostics::PhaseTimer& timer) {
    timer.begin("alignments");
    estimator_(model_, theta_, batch, lin, direction_, virtual_theta_, a_);
    check_finite("selection", "alignment", a_);

    timer.begin("weight net");
    if (options_.measure_gsnr) measure_gsnr(z, report);
    options_.b_eff_floor.shift(old_weights_, a_);
    pullback_to_logits(old_weights_, a_, dz_);
    z.pullback(dz_, hypergradient_);
    report.hypergradient_norm = norm("norm of the hypergradient", hypergradient_);
    if constexpr (requires { meta_.step(phi_, hypergradient_, weight_net_.active(f)); })
      meta_.step(phi_, hypergradient_, weight_net_.active(f));
    else
      meta_.step(phi_, hypergradient_);
    report.phi_moved = true;
  }

  StepReport uniform(const Batch& train, const Samples& samples) {
    StepReport report;
    report.step = steps_;
    report.mode = "uniform";
    diagnostics::PhaseTimer timer(report.seconds);
    timer.begin("linearize");
    const auto lin = detail::linearize_unseen("training batch", model_, theta_, train);
    uniform_.setZero(lin.value().size());
    options_.prior.fill(lin.value().size(), samples, c_);
    normalize(SoftmaxWeight{}, uniform_, c_, 0, new_weights_);
    move_theta(lin, report, timer);
    return report;
  }

  /// theta <- inner(theta, J^T p_new), and what the report says of p_new.
  template <class L>
  void move_theta(const L& lin, StepReport& report, diagnostics::PhaseTimer& timer) {
    timer.begin("real step");
    describe(new_weights_, options_.b_eff_warning, report);
    report.train_loss = new_weights_.p.dot(lin.value());
    lin.pullback(new_weights_.p, gradient_);
    report.gradient_norm = norm("norm of the training gradient", gradient_);
    inner_.step(theta_, gradient_);
    ++steps_;
  }

  /// The model linearised, and its features. Where the model shows its samples and features are formed by rows, each range is extracted while it is
  /// there, so that nothing needs to be kept for it.
  template <class V>
  auto linearize_and_extract(std::string_view which, const Batch& batch, const V& val, const Samples& samples,
                             const Samples& validation_samples, Features& f, diagnostics::PhaseTimer& timer) {
    timer.begin("linearize");
    if constexpr (streams<V>) {
      bool begun = false;
      auto lin = detail::linearize(which, model_, theta_, batch, [&](const typename M::Rows& rows) {
        timer.begin("features");
        if (!std::exchange(begun, true)) features_.begin(rows.batch_samples(), samples, f);
        const bool whole = rows.samples() == rows.batch_samples();
        if (!whole) samples.slice_into(rows.begin(), rows.samples(), range_);
        const FeatureContext<typename M::Rows, V> context{rows, val, whole ? samples : range_, validation_samples};
        features_.extract_rows(context, rows.begin(), f);
        timer.begin("linearize");
      });
      timer.begin("features");
      features_.finish(samples, f);
      return lin;
    } else {
      auto lin = detail::linearize(which, model_, theta_, batch);
      timer.begin("features");
      extract(lin, val, samples, validation_samples, f);
      return lin;
    }
  }
  auto seen_validation(const Batch& validation) const {
    if constexpr (F::reads_validation())
      return detail::within("validation batch", [&] { return model_.forward(theta_, validation); });
    else
      return NoValidation{};
  }
  template <class L, class V>
  void extract(const L& lin, const V& val, const Samples& samples, const Samples& validation_samples, Features& f) {
    const FeatureContext<L, V> context{lin, val, samples, validation_samples};
    static_assert(
        requires { features_.extract(context, f); },
        "mts: MtsStep asks its features for  void extract(const Context&, Features&) const;  "
        "mts::features::compose makes such features of extractors");
    features_.extract(context, f);
  }
  void weigh(const SampleVector& z, const Samples& samples, BatchWeights& out) {
    options_.prior.fill(z.size(), samples, c_);
    normalize(activation_, z, c_, options_.tempering_floor, out);
  }
  template <class Z>
  void measure_gsnr(const Z& z, StepReport& report) {
    if (!half_a_) {
      half_a_.emplace(phi_.zeros_like());
      half_b_.emplace(phi_.zeros_like());
    }
    if (!half_batch_logit_gradient(old_weights_, a_, 0, dz_)) return;
    z.pullback(dz_, *half_a_);
    if (!half_batch_logit_gradient(old_weights_, a_, 1, dz_)) return;
    z.pullback(dz_, *half_b_);
    const auto parts = diagnostics::split_half(*half_a_, *half_b_, hypergradient_);
    report.gsnr_signal = parts.signal;
    report.gsnr_noise = parts.noise;
    report.gsnr = parts.ratio();
  }
  /// \param what  "norm of the ..."
  template <class P>
  static double norm(std::string_view what, const P& x) {
    const double squared = x.dot(x);
    check_finite("selection", what, squared);
    return std::sqrt(squared);
  }

  M model_;
  Theta theta_;
  Inner inner_;
  F features_;
  W weight_net_;
  Phi phi_;
  Meta meta_;
  MtsOptions options_;
  A activation_;
  E estimator_;
  Index steps_ = 0;

  Theta gradient_, gamma_, direction_, virtual_theta_;
  Phi hypergradient_;
  std::optional<Phi> half_a_, half_b_;
  Features train_features_, selector_features_;
  Samples range_;
  BatchWeights new_weights_, old_weights_;
  SampleVector a_, dz_, c_, uniform_;
};

}  // namespace mts
