#pragma once
/// \file
/// Adam (Kingma and Ba, ICLR 2015) and AdamW (Loshchilov and Hutter, ICLR 2019), with PyTorch's semantics.

#include <cmath>
#include <span>

#include "mts/core/concepts.hpp"
#include "mts/core/host_device.hpp"
#include "mts/optim/schedules.hpp"
#include "mts/optim/state.hpp"

namespace mts {

namespace detail {

/// The step of `Adam` at one entry, in the vector's own scalar.
template <class S, bool decoupled>
struct AdamRule {
  S eta, beta1, rest1, beta2, rest2, correction1, correction2, epsilon, lambda;

  struct At {
    const AdamRule& r;
    S x, d, m, v;  ///< m' and v'

    MTS_HOST_DEVICE S root() const {
      using std::sqrt;
      return sqrt(v / r.correction2);
    }
    MTS_HOST_DEVICE S direction() const { return m / r.correction1 / (root() + r.epsilon); }
    MTS_HOST_DEVICE S step() const {
      if constexpr (decoupled) return r.eta * (direction() + r.lambda * x);
      return r.eta * direction();
    }
    MTS_HOST_DEVICE S slope() const {
      const S s = root();
      const S linear = r.rest1 / r.correction1;
      if (!(s > S{0})) return r.eta * linear / (s + r.epsilon);
      return r.eta * (linear - direction() * (r.rest2 / r.correction2) * (d / s)) / (s + r.epsilon);
    }
  };
  MTS_HOST_DEVICE At at(S x, S g, S m, S v) const {
    const S d = decoupled ? g : g + lambda * x;
    return {*this, x, d, beta1 * m + rest1 * d, beta2 * v + rest2 * d * d};
  }
};

// What `Adam` does at an entry: types with a name, since a vector's entries may lie where only a kernel can visit them.
// Without m and v where there are none yet, and then they are 0.

/// x <- x - step, m <- m', v <- v'.
template <class S, bool decoupled>
struct AdamMove {
  AdamRule<S, decoupled> rule;

  MTS_HOST_DEVICE void operator()(S& x, S& m, S& v, const S& g) const {
    const auto after = rule.at(x, g, m, v);
    x = x - after.step();
    m = after.m;
    v = after.v;
  }
};
/// o <- x - step.
template <class S, bool decoupled>
struct AdamVirtual {
  AdamRule<S, decoupled> rule;

  MTS_HOST_DEVICE void operator()(S& o, const S& x, const S& g) const { (*this)(o, S{0}, S{0}, x, g); }
  MTS_HOST_DEVICE void operator()(S& o, const S& m, const S& v, const S& x, const S& g) const {
    o = x - rule.at(x, g, m, v).step();
  }
};
/// o <- step.
template <class S, bool decoupled>
struct AdamStepOf {
  AdamRule<S, decoupled> rule;

  MTS_HOST_DEVICE void operator()(S& o, const S& x, const S& g) const { (*this)(o, S{0}, S{0}, x, g); }
  MTS_HOST_DEVICE void operator()(S& o, const S& m, const S& v, const S& x, const S& g) const {
    o = rule.at(x, g, m, v).step();
  }
};
/// o <- d step / d g . u.
template <class S, bool decoupled>
struct AdamPull {
  AdamRule<S, decoupled> rule;

  MTS_HOST_DEVICE void operator()(S& o, const S& u, const S& x, const S& g) const { (*this)(o, S{0}, S{0}, u, x, g); }
  MTS_HOST_DEVICE void operator()(S& o, const S& m, const S& v, const S& u, const S& x, const S& g) const {
    o = rule.at(x, g, m, v).slope() * u;
  }
};

}  // namespace detail

/// eta, beta_1, beta_2, epsilon, lambda of `Adam` and `AdamW`. Defaults are PyTorch's, but for the weight decay of
/// AdamW (0.01 there).
struct AdamOptions {
  double learning_rate = 1e-3;  ///< eta_0 >= 0
  double beta1 = 0.9;           ///< in [0, 1)
  double beta2 = 0.999;         ///< in [0, 1)
  double epsilon = 1e-8;        ///< > 0, added to the root (PyTorch allows 0, and then divides 0 by 0 where g = 0)
  double weight_decay = 0;      ///< lambda >= 0
  Schedule schedule = {};       ///< f: eta = eta_0 f(k) at step k = 0, 1, ...
};

/// Adam (decoupled = false) and AdamW (decoupled = true). With t = k + 1 and d = g + lambda theta (Adam) or d = g
/// (AdamW),
///
///     m'   = beta_1 m + (1 - beta_1) d            mhat = m' / (1 - beta_1^t)
///     v'   = beta_2 v + (1 - beta_2) d^2          vhat = v' / (1 - beta_2^t)
///     step = eta mhat / (sqrt(vhat) + epsilon)    AdamW:  + eta lambda theta
///
/// entry by entry. pull(u) multiplies u by the entry's own derivative
///
///     d step / d g = eta / (sqrt(vhat) + epsilon) [ (1 - beta_1) / (1 - beta_1^t)
///                    - mhat / (sqrt(vhat) + epsilon) . (1 - beta_2) / (1 - beta_2^t) . d / sqrt(vhat) ],
///
/// with 0 for the second term where vhat = 0 (then the gradients so far were all 0, and so is mhat). The first step is
/// nearly the sign of d: there the derivative is eta epsilon / (|d| + epsilon)^2, and the bracket cancels.
///
/// Asks for an ElementwiseParameterVector. Weight decay spares segments that do not decay. One fused pass; allocates
/// at the first step only. Copies are deep. Const calls are thread-safe.
template <class P, bool decoupled = false>
class Adam {
  static_assert((require_elementwise<P>(), true));
  using S = typename P::Scalar;

 public:
  /// \throws ValueError for an option outside its domain
  explicit Adam(AdamOptions options = {}) : options_(std::move(options)) {
    const auto domain = [](bool holds, const auto&... what) { check_value(holds, name, what...); };
    const auto& o = options_;
    domain(std::isfinite(o.learning_rate) && o.learning_rate >= 0,
           "the learning rate must be finite and not negative, found ", o.learning_rate);
    domain(o.beta1 >= 0 && o.beta1 < 1, "beta1 must be in [0, 1), found ", o.beta1);
    domain(o.beta2 >= 0 && o.beta2 < 1, "beta2 must be in [0, 1), found ", o.beta2);
    domain(std::isfinite(o.epsilon) && o.epsilon > 0, "epsilon must be finite and positive, found ", o.epsilon);
    domain(std::isfinite(o.weight_decay) && o.weight_decay >= 0,
           "the weight decay must be finite and not negative, found ", o.weight_decay);
  }

  const AdamOptions& options() const { return options_; }
  /// k, the number of steps taken.
  Index steps() const { return steps_; }
  /// eta of the next step.
  double learning_rate() const { return options_.learning_rate * options_.schedule(steps_); }

  /// theta <- theta - step_of(gradient), m <- m', v <- v'.
  /// \throws ShapeError, before anything has changed, if sizes disagree
  void step(P& theta, const P& gradient) {
    advance(theta, gradient, [&](const auto& make, auto&... others) { theta.transform(make, others...); });
  }

  /// The same at the `active` entries only: no other entry of theta, m or v moves or decays (PyTorch's SparseAdam, plus
  /// weight decay). k counts all steps.
  void step(P& theta, const P& gradient, std::span<const Index> active)
    requires SparseParameterVector<P>
  {
    advance(theta, gradient, [&](const auto& make, auto&... others) { theta.transform_at(active, make, others...); });
  }

  /// out <- theta - step_of(gradient), with the bits that `step` would give theta.
  void virtual_step(const P& theta, const P& gradient, P& out) const {
    visit<detail::AdamVirtual>(out, theta, gradient);
  }

  /// out <- step_of(gradient)
  void step_of(const P& theta, const P& gradient, P& out) const { visit<detail::AdamStepOf>(out, theta, gradient); }

  /// out <- (d step_of / d gradient)^T direction, entry by entry, at the state before the step.
  void pull(const P& direction, const P& theta, const P& gradient, P& out) const {
    visit<detail::AdamPull>(out, direction, theta, gradient);
  }

  /// Writes k, m and v; `load` reads them back, bit for bit. The options are not written: they are the caller's.
  void save(std::ostream& out) const
    requires SerializableParameterVector<P>
  {
    detail::save_state<P, 2>(out, detail::text(name, "::save"), kind, steps_, {&first_, &second_});
  }
  /// `theta` gives the shape.
  /// \throws DataError if the stream ends early, or holds something else; then nothing has changed
  void load(std::istream& in, const P& theta)
    requires SerializableParameterVector<P>
  {
    auto [steps, vectors] = detail::load_state<P, 2>(in, detail::text(name, "::load"), kind, theta);
    if (static_cast<bool>(vectors[0]) != (steps > 0))
      throw DataError(detail::text(name, "::load: the state is damaged: ", steps, " steps ",
                                   vectors[0] ? "with" : "without", " moments"));
    steps_ = steps;
    first_ = std::move(vectors[0]);
    second_ = std::move(vectors[1]);
  }

 private:
  static constexpr std::string_view name = decoupled ? "AdamW" : "Adam";
  static constexpr detail::StateKind kind = {'m', 't', 's', '-', 'a', 'd', 'a', '1'};

  /// Op at the entries of `segment`.
  template <template <class, bool> class Op>
  auto operation(const Segment& segment) const {
    const auto& o = options_;
    const double t = static_cast<double>(steps_ + 1);
    return Op<S, decoupled>{{static_cast<S>(learning_rate()), static_cast<S>(o.beta1), static_cast<S>(1 - o.beta1),
                             static_cast<S>(o.beta2), static_cast<S>(1 - o.beta2),
                             static_cast<S>(1 - std::pow(o.beta1, t)), static_cast<S>(1 - std::pow(o.beta2, t)),
                             static_cast<S>(o.epsilon), segment.decays ? static_cast<S>(o.weight_decay) : S{0}}};
  }

  template <class Transform>
  void advance(P& theta, const P& gradient, Transform&& transform) {
    check_size(decoupled ? "AdamW::step" : "Adam::step", "gradient", theta.size(), gradient.size());
    first_.zeros_like(theta);
    second_.zeros_like(theta);
    transform([&](const Segment& segment) { return operation<detail::AdamMove>(segment); }, *first_, *second_,
              gradient);
    ++steps_;
  }

  /// Op at every entry of out, of m and v if there are any, and of the others.
  template <template <class, bool> class Op, class... Others>
  void visit(P& out, const Others&... others) const {
    const auto make = [&](const Segment& segment) { return operation<Op>(segment); };
    if (first_)
      out.transform(make, *first_, *second_, others...);
    else
      out.transform(make, others...);
  }

  AdamOptions options_;
  Index steps_ = 0;
  detail::StateVector<P> first_;
  detail::StateVector<P> second_;
};

/// Adam with decoupled weight decay.
template <class P>
using AdamW = Adam<P, true>;

}  // namespace mts
