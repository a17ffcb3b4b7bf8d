#pragma once
/// \file
/// Stochastic gradient descent with momentum, Nesterov momentum, dampening and weight decay, with PyTorch's semantics.

#include <cmath>
#include <span>

#include "mts/core/concepts.hpp"
#include "mts/core/host_device.hpp"
#include "mts/optim/schedules.hpp"
#include "mts/optim/state.hpp"

namespace mts {

namespace detail {

/// The step of `Sgd` at one entry, in the vector's own scalar.
template <class S>
struct SgdRule {
  S eta, kappa, carry, gain, mu, lambda;

  MTS_HOST_DEVICE S step(S x, S g, S m) const { return eta * (kappa * (g + lambda * x) + carry * m); }
  MTS_HOST_DEVICE S moved(S x, S g, S m) const { return x - step(x, g, m); }
  MTS_HOST_DEVICE S velocity(S x, S g, S m) const { return mu * m + gain * (g + lambda * x); }
};

// What `Sgd` does at an entry: types with a name, since a vector's entries may lie where only a kernel can visit them.
// Without m where there is none (yet), and then it is 0.

/// x <- x - step, m <- m'.
template <class S>
struct SgdMove {
  SgdRule<S> rule;

  MTS_HOST_DEVICE void operator()(S& x, const S& g) const { x = rule.moved(x, g, S{0}); }
  MTS_HOST_DEVICE void operator()(S& x, S& m, const S& g) const {
    const S before = x;
    x = rule.moved(before, g, m);
    m = rule.velocity(before, g, m);
  }
};
/// o <- x - step.
template <class S>
struct SgdVirtual {
  SgdRule<S> rule;

  MTS_HOST_DEVICE void operator()(S& o, const S& x, const S& g) const { o = rule.moved(x, g, S{0}); }
  MTS_HOST_DEVICE void operator()(S& o, const S& m, const S& x, const S& g) const { o = rule.moved(x, g, m); }
};
/// o <- step.
template <class S>
struct SgdStepOf {
  SgdRule<S> rule;

  MTS_HOST_DEVICE void operator()(S& o, const S& x, const S& g) const { o = rule.step(x, g, S{0}); }
  MTS_HOST_DEVICE void operator()(S& o, const S& m, const S& x, const S& g) const { o = rule.step(x, g, m); }
};

}  // namespace detail

/// eta, mu, tau, lambda of `Sgd`, all constant over a run.
struct SgdOptions {
  double learning_rate = 1e-3;  ///< eta_0 >= 0
  double momentum = 0;          ///< mu >= 0
  double dampening = 0;         ///< tau in [0, 1]; without momentum it has no effect
  bool nesterov = false;        ///< needs mu > 0; unlike PyTorch's, may be combined with dampening
  double weight_decay = 0;      ///< lambda >= 0
  Schedule schedule = {};       ///< f: eta = eta_0 f(k) at step k = 0, 1, ...
};

/// SGD. With d = g + lambda theta, one step is
///
///     m'     = d                       at the first step,      mu m + (1 - tau) d      later
///     step   = eta m',                 Nesterov:  eta (d + mu m')
///     theta' = theta - step
///
/// As a function of the gradient it is affine, step_of(g) = eta (kappa d + c m), where
///
///                 first step   later steps             c, later steps
///     mu = 0      1            1                       0
///     heavy ball  1            1 - tau                 mu
///     Nesterov    1 + mu       1 + mu (1 - tau)        mu^2
///
/// so what a hypergradient needs of it is pull(v) = eta kappa v.
///
/// Asks for a ParameterVector. One that is also elementwise is updated in one fused pass, and weight decay spares its
/// segments that do not decay; any other decays whole. Allocates at the first step only (m; and, for vectors that are
/// not elementwise, a copy of theta where both mu and lambda are used). Copies are deep. Const calls are thread-safe.
template <class P>
class Sgd {
  static_assert((require_parameter_vector<P>(), true));

 public:
  /// \throws ValueError for an option outside its domain
  explicit Sgd(SgdOptions options = {}) : options_(std::move(options)) {
    const auto domain = [](bool holds, const auto&... what) { check_value(holds, "Sgd", what...); };
    const auto& o = options_;
    domain(std::isfinite(o.learning_rate) && o.learning_rate >= 0,
           "the learning rate must be finite and not negative, found ", o.learning_rate);
    domain(std::isfinite(o.momentum) && o.momentum >= 0, "the momentum must be finite and not negative, found ",
           o.momentum);
    domain(o.dampening >= 0 && o.dampening <= 1, "the dampening must be in [0, 1], found ", o.dampening);
    domain(!o.nesterov || o.momentum > 0, "Nesterov needs a momentum above 0, found ", o.momentum);
    domain(std::isfinite(o.weight_decay) && o.weight_decay >= 0,
           "the weight decay must be finite and not negative, found ", o.weight_decay);
  }

  const SgdOptions& options() const { return options_; }
  /// k, the number of steps taken.
  Index steps() const { return steps_; }
  /// eta of the next step.
  double learning_rate() const { return options_.learning_rate * options_.schedule(steps_); }

  /// theta <- theta - step_of(gradient), m <- m'.
  /// \throws ShapeError, before anything has changed, if sizes disagree
  void step(P& theta, const P& gradient) {
    check_size("Sgd::step", "gradient", theta.size(), gradient.size());
    if constexpr (ElementwiseParameterVector<P>) {
      advance(theta, gradient, [&](const auto& make, auto&... others) { theta.transform(make, others...); });
    } else {
      const auto r = rates();
      const double lambda = options_.weight_decay;
      if (options_.momentum != 0) {
        velocity_.zeros_like(theta);
        if (lambda != 0) {
          before_.zeros_like(theta);
          theta.copy_into(*before_);
        }
      }
      move(r, gradient, theta);
      if (options_.momentum != 0) {
        (*velocity_).scale(options_.momentum);
        (*velocity_).axpy(r.gain, gradient);
        if (lambda != 0) (*velocity_).axpy(r.gain * lambda, *before_);
      }
    }
    ++steps_;
  }

  /// The same at the `active` entries only: no other entry of theta or m moves or decays. k counts all steps, so an
  /// entry that becomes active late starts from m = 0 with the rates of a later step.
  void step(P& theta, const P& gradient, std::span<const Index> active)
    requires SparseParameterVector<P>
  {
    check_size("Sgd::step", "gradient", theta.size(), gradient.size());
    advance(theta, gradient, [&](const auto& make, auto&... others) { theta.transform_at(active, make, others...); });
    ++steps_;
  }

  /// out <- theta - step_of(gradient), with the bits that `step` would give theta.
  void virtual_step(const P& theta, const P& gradient, P& out) const {
    const auto r = rates();
    if constexpr (ElementwiseParameterVector<P>) {
      visit<detail::SgdVirtual>(r, out, theta, gradient);
    } else {
      theta.copy_into(out);
      move(r, gradient, out);
    }
  }

  /// out <- step_of(gradient) = eta (kappa (g + lambda theta) + c m)
  void step_of(const P& theta, const P& gradient, P& out) const {
    const auto r = rates();
    if constexpr (ElementwiseParameterVector<P>) {
      visit<detail::SgdStepOf>(r, out, theta, gradient);
    } else {
      gradient.copy_into(out);
      out.scale(r.eta * r.kappa);
      if (r.carry != 0) out.axpy(r.eta * r.carry, *velocity_);
      if (options_.weight_decay != 0) out.axpy(r.eta * r.kappa * options_.weight_decay, theta);
    }
  }

  /// out <- (d step_of / d gradient)^T direction = eta kappa direction, at the state before the step; the same for
  /// every theta and gradient.
  void pull(const P& direction, const P& /*theta*/, const P& /*gradient*/, P& out) const {
    const auto r = rates();
    direction.copy_into(out);
    out.scale(r.eta * r.kappa);
  }

  /// Writes k and m; `load` reads them back, bit for bit. The options are not written: they are the caller's.
  void save(std::ostream& out) const
    requires SerializableParameterVector<P>
  {
    detail::save_state<P, 1>(out, "Sgd::save", kind, steps_, {&velocity_});
  }
  /// `theta` gives the shape.
  /// \throws DataError if the stream ends early, or holds something else; then nothing has changed
  void load(std::istream& in, const P& theta)
    requires SerializableParameterVector<P>
  {
    auto [steps, vectors] = detail::load_state<P, 1>(in, "Sgd::load", kind, theta);
    const bool expected = options_.momentum != 0 && steps > 0;
    if (static_cast<bool>(vectors[0]) != expected)
      throw DataError(detail::text("Sgd::load: expected a state ", expected ? "with" : "without",
                                   " momentum, as the options say, found the other"));
    steps_ = steps;
    velocity_ = std::move(vectors[0]);
  }

 private:
  static constexpr detail::StateKind kind = {'m', 't', 's', '-', 's', 'g', 'd', '1'};

  struct Rates {
    double eta;
    double kappa;
    double carry;  ///< c of step_of
    double gain;   ///< d m' / d d
  };
  Rates rates() const {
    const double eta = learning_rate();
    const double mu = options_.momentum;
    if (mu == 0) return {eta, 1, 0, 0};
    const double gain = steps_ == 0 ? 1 : 1 - options_.dampening;
    const double carry = steps_ == 0 ? 0 : mu;
    if (options_.nesterov) return {eta, 1 + mu * gain, mu * carry, gain};
    return {eta, gain, carry, gain};
  }

  /// Op at the entries of `segment`.
  template <template <class> class Op>
  auto operation(const Rates& r, const Segment& segment) const {
    using S = typename P::Scalar;
    return Op<S>{{static_cast<S>(r.eta), static_cast<S>(r.kappa), static_cast<S>(r.carry), static_cast<S>(r.gain),
                  static_cast<S>(options_.momentum), segment.decays ? static_cast<S>(options_.weight_decay) : S{0}}};
  }

  template <class Transform>
  void advance(P& theta, const P& gradient, Transform&& transform) {
    const auto make = [&, r = rates()](const Segment& s) { return operation<detail::SgdMove>(r, s); };
    if (options_.momentum == 0) return transform(make, gradient);
    velocity_.zeros_like(theta);
    transform(make, *velocity_, gradient);
  }

  /// Op at every entry of out, of m if there is one, and of the others.
  template <template <class> class Op, class... Others>
  void visit(const Rates& r, P& out, const Others&... others) const {
    const auto make = [&](const Segment& segment) { return operation<Op>(r, segment); };
    if (velocity_)
      out.transform(make, *velocity_, others...);
    else
      out.transform(make, others...);
  }

  /// theta <- theta - step_of(gradient) for vectors that are only handled whole.
  void move(const Rates& r, const P& gradient, P& theta) const {
    if (options_.weight_decay != 0) theta.scale(1 - r.eta * r.kappa * options_.weight_decay);
    if (r.carry != 0) theta.axpy(-r.eta * r.carry, *velocity_);
    theta.axpy(-r.eta * r.kappa, gradient);
  }

  SgdOptions options_;
  Index steps_ = 0;
  detail::StateVector<P> velocity_;
  detail::StateVector<P> before_;
};

}  // namespace mts
