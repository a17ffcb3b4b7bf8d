#pragma once
/// \file
/// The hypergradient of one virtual step (laws L1, L2, L3'), and the error of alignments by central differences (L3).
///
/// Set-up of arXiv:2606.00571: a batch of N with per-sample gradients g_i at theta; normalised weights p_i = c_i
/// psi(z_i)/S; virtual step theta+ = theta - step(sum_i p_i g_i); Gamma = grad L_val(theta+). With alignments a_i =
/// <g_i, pull(Gamma)>, pull the transposed derivative of the optimiser's step in its gradient (plain SGD: a_i = eta
/// <g_i, Gamma>), the chain rule gives dL_val/dp_i = -a_i; all else here is what normalising does to that. Derived anew
/// for this project: docs/theory.md, L1 to L3'.

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include "mts/core/error.hpp"
#include "mts/theory/activation.hpp"
#include "mts/theory/detail/root.hpp"

namespace mts::theory {

namespace numeric {
/// p: weights of N >= 1, not negative, that sum to 1; x, ...: finite, of the same length.
template <class... Vectors>
void check_batch(std::string_view where, const SampleVector& p, const Vectors&... x) {
  constexpr double sum_tolerance = 1e-9;
  if (p.size() < 1) throw ShapeError(mts::detail::text(where, ": expected at least 1 weight, found 0"));
  check_finite(where, "weight p", p);
  for (Index i = 0; i < p.size(); ++i)
    check_value(p[i] >= 0, where, "weight of sample ", i, " must not be negative, found ", p[i]);
  check_value(std::abs(p.sum() - 1) <= sum_tolerance, where, "the weights must sum to 1, found ", p.sum());
  (check_size(where, "length of a vector of the batch", p.size(), x.size()), ...);
  (check_finite(where, "vector of the batch", x), ...);
}
}  // namespace numeric

/// L1: dL_val/dz_k = -p_k s_k (a_k - abar), abar = sum_j p_j a_j. Exact.
/// \param p  normalised weights; class or prior weights change nothing but p
/// \param s  log-slopes d log psi/dz. Where psi can be exactly 0, give psi'/S to `logit_hypergradient_of_mobility`
/// instead
/// \param a  alignments <g_i, pull(Gamma)>, the learning rate included
/// \throws ShapeError if lengths differ; NumericalError for a number that is not finite; ValueError if p is none
inline SampleVector logit_hypergradient(const SampleVector& p, const SampleVector& s, const SampleVector& a) {
  numeric::check_batch("logit_hypergradient", p, s, a);
  const double mean = p.dot(a);
  return -(p.array() * s.array() * (a.array() - mean)).matrix();
}

/// L1 for an activation that vanishes: dL_val/dz_k = -q_k (a_k - abar), q_k = c_k psi'(z_k)/S (= p_k s_k where psi >
/// 0). A sample of weight 0 can still have a hypergradient.
inline SampleVector logit_hypergradient_of_mobility(const SampleVector& p, const SampleVector& q,
                                                    const SampleVector& a) {
  numeric::check_batch("logit_hypergradient_of_mobility", p, q, a);
  const double mean = p.dot(a);
  return -(q.array() * (a.array() - mean)).matrix();
}

/// L1: dL_val/dphi = sum_k (dL_val/dz_k) grad_phi z_k = J^T dL_val/dz.
/// \param jacobian  J, N x P: row k is dz_k/dphi
inline SampleVector parameter_hypergradient(const SampleVector& p, const SampleVector& s, const SampleVector& a,
                                            const RowMatrix<double>& jacobian) {
  check_size("parameter_hypergradient", "rows of the Jacobian", p.size(), jacobian.rows());
  return jacobian.transpose() * logit_hypergradient(p, s, a);
}

/// L1's identity: sum_k (dL_val/dz_k)/s_k, which is 0 for every activation with s > 0 (the covariance form with J =
/// 1/s).
inline double normalisation_identity(const SampleVector& logit_gradient, const SampleVector& s) {
  check_size("normalisation_identity", "log-slopes", logit_gradient.size(), s.size());
  for (Index i = 0; i < s.size(); ++i)
    check_value(s[i] > 0, "normalisation_identity", "log-slope of sample ", i, " must be positive, found ", s[i]);
  return (logit_gradient.array() / s.array()).sum();
}

/// L2: dL_val/dphi_m = -Cov_p(s J_m, a), the covariance under the weights themselves. Exact. Where nothing that the
/// weight net can move (s J_m) is correlated with the alignment there is no signal. Both factors are centred here, L1
/// centres one: the two forms agree because sum_k p_k (a_k - abar) = 0.
inline SampleVector covariance_hypergradient(const SampleVector& p, const SampleVector& s, const SampleVector& a,
                                             const RowMatrix<double>& jacobian) {
  numeric::check_batch("covariance_hypergradient", p, s, a);
  check_size("covariance_hypergradient", "rows of the Jacobian", p.size(), jacobian.rows());
  const double mean_a = p.dot(a);
  SampleVector out(jacobian.cols());
  for (Index m = 0; m < jacobian.cols(); ++m) {
    const SampleVector x = s.cwiseProduct(jacobian.col(m));
    const double mean_x = p.dot(x);
    out[m] = -(p.array() * (x.array() - mean_x) * (a.array() - mean_a)).sum();
  }
  return out;
}

/// The SGD family as L1 sees it: pull(v) = sgd_pull v.
struct SgdRule {
  double learning_rate = 1;  ///< eta >= 0
  double momentum = 0;       ///< mu >= 0
  double dampening = 0;      ///< tau in [0, 1]
  bool nesterov = false;
  bool first_step = false;  ///< the momentum buffer is set to the gradient, undamped, at the first step
};
/// eta times: 1 for plain and heavy-ball SGD, 1 + mu for Nesterov, first step included; damped, after the first step, 1
/// - tau and 1 + mu (1 - tau). Exact: these steps are affine in the gradient. Without momentum dampening does nothing.
/// \throws ValueError for a rule outside its domain
inline double sgd_pull(const SgdRule& rule) {
  check_value(rule.learning_rate >= 0 && std::isfinite(rule.learning_rate), "sgd_pull",
              "the learning rate must be finite and not negative, found ", rule.learning_rate);
  check_value(rule.momentum >= 0 && std::isfinite(rule.momentum), "sgd_pull",
              "the momentum must be finite and not negative, found ", rule.momentum);
  check_value(rule.dampening >= 0 && rule.dampening <= 1, "sgd_pull", "the dampening must be in [0, 1], found ",
              rule.dampening);
  if (rule.momentum == 0) return rule.learning_rate;
  const double enters = rule.first_step ? 1 : 1 - rule.dampening;  // d buffer / d gradient
  return rule.learning_rate * (rule.nesterov ? 1 + rule.momentum * enters : enters);
}

/// Adam at one entry, before its t-th step (t = 1, 2, ...).
struct AdamRule {
  double learning_rate = 1e-3;                 ///< eta >= 0
  double beta1 = 0.9, beta2 = 0.999;           ///< in [0, 1)
  double epsilon = 1e-8;                       ///< > 0
  double t = 1;                                ///< the step's number, from 1
  double first_moment = 0, second_moment = 0;  ///< m and v after step t - 1
};
/// d step/d g of Adam, entry by entry: with m' = beta1 m + (1 - beta1) g, v' = beta2 v + (1 - beta2) g^2, mhat = m'/(1
/// - beta1^t), r = sqrt(v'/(1 - beta2^t)), step = eta mhat/(r + epsilon),
///     d step/d g = eta [ (1 - beta1)/((1 - beta1^t)(r + epsilon)) - mhat (1 - beta2) g/((1 - beta2^t) r (r +
///     epsilon)^2) ].
/// Exact where r > 0. It can be negative: then a step of Adam turns the alignments round.
/// \throws ValueError for a rule outside its domain, or r = 0
inline double adam_pull(const AdamRule& rule, double gradient) {
  check_value(rule.beta1 >= 0 && rule.beta1 < 1 && rule.beta2 >= 0 && rule.beta2 < 1, "adam_pull",
              "beta1 and beta2 must be in [0, 1), found ", rule.beta1, " and ", rule.beta2);
  check_value(rule.epsilon > 0 && rule.learning_rate >= 0 && rule.t >= 1 && rule.second_moment >= 0, "adam_pull",
              "expected epsilon > 0, a learning rate and a second moment >= 0 and t >= 1, found ", rule.epsilon, ", ",
              rule.learning_rate, ", ", rule.second_moment, ", ", rule.t);
  const double rest1 = (1 - rule.beta1) / (1 - std::pow(rule.beta1, rule.t));
  const double rest2 = (1 - rule.beta2) / (1 - std::pow(rule.beta2, rule.t));
  const double mhat = rule.beta1 * rule.first_moment / (1 - std::pow(rule.beta1, rule.t)) + rest1 * gradient;
  const double vhat =
      rule.beta2 * rule.second_moment / (1 - std::pow(rule.beta2, rule.t)) + rest2 * gradient * gradient;
  const double r = std::sqrt(vhat), below = r + rule.epsilon;
  check_value(r > 0, "adam_pull", "the step has no derivative where all gradients so far are 0, found r = ", r);
  return rule.learning_rate * (rest1 / below - mhat * rest2 * gradient / (r * below * below));
}

// ------------------------------------------------------------------------------------------------- L3: central
// differences

/// L3: an alignment <g_i, v> by (l_i(theta + h v/|v|) - l_i(theta - h v/|v|)) |v|/(2 h) is off by |v| h^2/6 D^3
/// l_i[v/|v|]^3 at leading order (relative error of that: O(h^2)), and by at most |v| epsilon |l_i|/h from rounding the
/// two losses.
/// \param third  the third derivative of l_i along the unit vector v/|v|
inline double central_difference_error(double length, double h, double third) {
  check_value(h > 0 && length >= 0, "central_difference_error", "expected a step h > 0 and a length >= 0, found ", h,
              " and ", length);
  return length * h * h / 6 * third;
}
/// The h at which truncation and rounding are worst together: argmin h^2 |third|/6 + epsilon |loss|/h, (3 epsilon
/// |loss|/|third|)^(1/3).
inline double central_difference_step(double loss, double third,
                                      double epsilon = std::numeric_limits<double>::epsilon()) {
  check_value(loss != 0 && third != 0 && epsilon > 0, "central_difference_step",
              "expected a loss and a third derivative other than 0 and epsilon > 0, found ", loss, ", ", third, ", ",
              epsilon);
  return std::cbrt(3 * epsilon * std::abs(loss) / std::abs(third));
}

// ------------------------------------------------------------------------------------------- L3': a floor under B_eff

/// L3': dB_eff/dz_k = -2 B_eff^2 s_k p_k (p_k - 1/B_eff), B_eff = 1/sum p^2. Exact.
inline SampleVector b_eff_gradient(const SampleVector& p, const SampleVector& s) {
  numeric::check_batch("b_eff_gradient", p, s);
  const double b = 1 / p.squaredNorm();
  return (-2 * b * b * s.array() * p.array() * (p.array() - 1 / b)).matrix();
}

/// The floor of L3': lambda max(0, f - B_eff/N)^2 on the meta loss.
struct BatchFloor {
  double fraction = 0;  ///< f in [0, 1]
  double strength = 0;  ///< lambda >= 0

  double penalty(const SampleVector& p) const {
    const double miss = shortfall(p);
    return strength * miss * miss;
  }
  /// L3': the shift of the alignments (learning rate included) that is the floor: a_i <- a_i - (4 lambda/N) (f -
  /// B_eff/N)_+ B_eff^2 p_i. Where the inner step is plain SGD and alignments are written without eta, divide by eta.
  /// Exact: minus the derivative of the penalty in p_i. The hypergradient then is L1 of the shifted alignments: one
  /// code path. At full collapse (one p = 1) the shift is a constant on the support, so L1 makes it 0: the floor cannot
  /// revive what is dead.
  SampleVector shift(const SampleVector& p) const {
    const double miss = shortfall(p), b = 1 / p.squaredNorm();
    return (-4 * strength / static_cast<double>(p.size()) * miss * b * b) * p;
  }

 private:
  double shortfall(const SampleVector& p) const {
    numeric::check_batch("BatchFloor", p);
    check_value(fraction >= 0 && fraction <= 1 && strength >= 0 && std::isfinite(strength), "BatchFloor",
                "expected a fraction in [0, 1] and a strength >= 0, found ", fraction, " and ", strength);
    return std::max(0.0, fraction - 1 / p.squaredNorm() / static_cast<double>(p.size()));
  }
};

/// Weights tempered to a floor: p proportional to (c w)^tau.
struct Tempered {
  double tau = 1;  ///< the largest in [0, 1] with B_eff >= floor
  SampleVector p;
};
/// L3': the tempering that holds B_eff at a floor, where a penalty cannot. B_eff(tau) falls, dB_eff/dtau = -2 B_eff^2
/// Cov_p(p, log w) <= 0, from N to its value at tau = 1, so the tau is unique; solved to round-off.
/// \param log_w  log(c_i w_i), finite, known up to a constant
/// \param floor  in [1, N]
inline Tempered temper(const SampleVector& log_w, double floor) {
  const Index n = log_w.size();
  if (n < 1) throw ShapeError("temper: expected at least 1 weight, found 0");
  check_finite("temper", "log w", log_w);
  check_value(floor >= 1 && floor <= static_cast<double>(n), "temper", "the floor must be in [1, ", n, "], found ",
              floor);
  const auto at = [&](double tau) {
    SampleVector p = (tau * (log_w.array() - log_w.maxCoeff())).exp().matrix();
    return SampleVector(p / p.sum());
  };
  if (1 / at(1).squaredNorm() >= floor) return {1, at(1)};
  if (floor >= static_cast<double>(n)) return {0, at(0)};
  const double tau = numeric::increasing_root(
      [&](double x) {  // log floor - log B_eff, which increases
        const SampleVector p = at(x);
        const double squares = p.squaredNorm(), mean = p.dot(log_w);
        const double covariance = (p.array().square() * (log_w.array() - mean)).sum();
        return std::pair(std::log(floor * squares), 2 * covariance / squares);
      },
      0, 1);
  return {tau, at(tau)};
}
/// L1 for tempered weights: tau moves with z, by the implicit function theorem dtau/dz_k = -tau s_k p_k (p_k -
/// 1/B_eff)/Cov_p(p, log w), so dL_val/dz_k = -tau p_k s_k [ (a_k - abar) - Cov_p(a, log w)/Cov_p(p, log w) (p_k -
/// 1/B_eff) ]. Exact where 0 < tau < 1. This project's own.
inline SampleVector tempered_logit_hypergradient(const Tempered& weights, const SampleVector& s, const SampleVector& a,
                                                 const SampleVector& log_w) {
  const SampleVector& p = weights.p;
  numeric::check_batch("tempered_logit_hypergradient", p, s, a, log_w);
  check_value(weights.tau > 0 && weights.tau < 1, "tempered_logit_hypergradient", "expected tau in (0, 1), found ",
              weights.tau);
  const auto spread = (log_w.array() - p.dot(log_w)).eval();
  const double share = (p.array() * a.array() * spread).sum() / (p.array().square() * spread).sum();
  return -weights.tau *
         (p.array() * s.array() * ((a.array() - p.dot(a)) - share * (p.array() - p.squaredNorm()))).matrix();
}

}  // namespace mts::theory
