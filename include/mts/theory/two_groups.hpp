#pragma once
/// \file
/// Good samples against bad ones: what the flow of L4 does to a batch of two groups, and of several (law L9).
///
/// A fraction rho of N samples is good; alignments a_good - a_bad = D > 0, held fixed; all samples of a group have one
/// logit. q is the good samples' total weight. With one logit a sample ("tabular") or one a group ("shared") the flow
/// is
///     y_+' = r_+ c D q (1 - q),  y_-' = -r_- c D q (1 - q),  y = integral dz/s (L5),
/// with r_+ = 1/(rho N), r_- = 1/((1 - rho) N) tabular, and r_+ = r_- = 1 shared. For softmax the log-odds l = log(q/(1
/// - q)) then obey
///     l' = r c D q (1 - q),  r = r_+ + r_-,   so   l + sinh l = l_0 + sinh l_0 + r c D t/2.
/// This is the one form behind both of L9's (tabular: rho^2 e^d + 2 rho (1 - rho) d - (1 - rho)^2 e^-d moves by c D
/// t/N; shared: 2 log(q/(1 - q)) - 1/q + 1/(1 - q) by 2 c D t). Class weights c_+, c_- only change where l starts: l_0
/// = d_0 + log(rho c_+/((1 - rho) c_-)). Derived for this project: docs/theory.md, L9; the common form, class weights,
/// other activations, the discrete correction and several groups are its own.

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "mts/core/error.hpp"
#include "mts/theory/conservation.hpp"
#include "mts/theory/hypergradient.hpp"

namespace mts::theory {

/// A batch of two groups.
struct TwoGroups {
  double rho = 0.5;                                    ///< fraction of good samples, in (0, 1)
  double gap = 1;                                      ///< D = a_good - a_bad > 0
  double rate = 1;                                     ///< c = (meta step) * eta > 0
  Index n = 2;                                         ///< N >= 2; matters for tabular nets only
  double class_weight_good = 1, class_weight_bad = 1;  ///< > 0
};

enum class WeightNetKind {
  tabular,  ///< a logit of its own for every sample
  shared    ///< one logit for each of the two groups
};

namespace numeric {
inline void check_two_groups(std::string_view where, const TwoGroups& g) {
  check_value(g.rho > 0 && g.rho < 1, where, "rho must be in (0, 1), found ", g.rho);
  check_value(g.gap > 0 && std::isfinite(g.gap), where, "the gap must be positive and finite, found ", g.gap);
  check_value(g.rate > 0 && std::isfinite(g.rate), where, "the rate must be positive and finite, found ", g.rate);
  check_value(g.n >= 2, where, "expected a batch of at least 2, found ", g.n);
  check_value(g.class_weight_good > 0 && g.class_weight_bad > 0 && std::isfinite(g.class_weight_good) &&
                  std::isfinite(g.class_weight_bad),
              where, "class weights must be positive and finite, found ", g.class_weight_good, " and ",
              g.class_weight_bad);
}
inline void check_time(std::string_view where, double time) {
  check_value(time >= 0 && std::isfinite(time), where, "the time must be finite and not negative, found ", time);
}
inline double mass_of_log_odds(double l) { return std::exp(-Sigmoid::log1p_exp(-l)); }
/// r_+ and r_-.
inline std::pair<double, double> group_rates(const TwoGroups& g, WeightNetKind kind) {
  if (kind == WeightNetKind::shared) return {1, 1};
  const auto n = static_cast<double>(g.n);
  return {1 / (g.rho * n), 1 / ((1 - g.rho) * n)};
}
}  // namespace numeric

/// log(q/(1 - q)) at raw weights with log w_+ - log w_- = d (softmax: the logit gap).
inline double log_odds(const TwoGroups& g, double d) {
  numeric::check_two_groups("log_odds", g);
  check_finite("log_odds", "gap d", d);
  return d + std::log(g.rho / (1 - g.rho)) + std::log(g.class_weight_good / g.class_weight_bad);
}
/// q at the same.
inline double good_mass(const TwoGroups& g, double d) { return numeric::mass_of_log_odds(log_odds(g, d)); }

/// B_eff/N = 1/(q^2/rho + (1 - q)^2/(1 - rho)): 1 at q = rho, and -> rho as q -> 1: the batch shrinks to its good
/// samples. Exact, with any class weights (they are in q).
inline double two_group_b_eff(double rho, double q) {
  check_value(rho > 0 && rho < 1, "two_group_b_eff", "rho must be in (0, 1), found ", rho);
  check_value(q >= 0 && q <= 1, "two_group_b_eff", "q must be in [0, 1], found ", q);
  return 1 / (q * q / rho + (1 - q) * (1 - q) / (1 - rho));
}

/// The state of two groups of samples.
struct TwoGroupState {
  double z_good = 0, z_bad = 0;  ///< logits
  double q = 0;                  ///< total weight of the good samples
  double b_eff_fraction = 0;     ///< B_eff/N
};

/// L9, softmax, tabular or shared: t -> l by l + sinh l = l_0 + sinh l_0 + r c D t/2, solved to round-off. Exact for
/// the flow. From logits z_good, z_bad at t = 0; their sum (weighted with the groups' sizes if tabular) stays.
class SoftmaxTwoGroups {
 public:
  /// \throws ValueError for groups outside their domain
  SoftmaxTwoGroups(const TwoGroups& groups, WeightNetKind kind, double z_good = 0, double z_bad = 0)
      : groups_(groups), kind_(kind), z_good_(z_good), z_bad_(z_bad), start_(log_odds(groups, z_good - z_bad)) {
    const auto [up, down] = numeric::group_rates(groups_, kind_);
    r_ = up + down;
  }

  /// log(q/(1 - q)) at time t >= 0.
  double log_odds_at(double time) const {
    numeric::check_time("SoftmaxTwoGroups", time);
    return solve(start_ + std::sinh(start_) + per_step() * time / 2);
  }
  TwoGroupState at(double time) const { return state(log_odds_at(time)); }
  /// The time at which the good samples have total weight q: (l + sinh l - l_0 - sinh l_0)/(r c D/2). \param q  in
  /// [q_0, 1)
  double time_of(double q) const {
    const double l = checked_log_odds(q);
    return ((l - start_) + (std::sinh(l) - std::sinh(start_))) * 2 / per_step();
  }

  /// Discrete time: after k plain gradient steps l obeys l_(k+1) = l_k + e q (1 - q), e = r c D, and at next order in e
  ///     2 l + 2 sinh l + (e/2) log(q (1 - q))  moves by  e k:
  /// error O(e^2) at fixed e k (the modified equation l' = g - (e/2) g g', g = q (1 - q), integrated). This project's
  /// own.
  /// \throws ValueError for e > 2, where terms of order e^2 are no longer small
  TwoGroupState at_step(double steps) const {
    numeric::check_time("SoftmaxTwoGroups", steps);
    constexpr double largest = 2;
    const double e = per_step();
    check_value(e <= largest, "SoftmaxTwoGroups", "the discrete correction needs r c D <= ", largest, ", found ", e);
    const double goal = corrected(start_, e) + e * steps;
    return state(numeric::increasing_root_near(
        [&](double l) {
          // d/dl log(q (1 - q)) = 1 - 2 q = -tanh(l/2)
          return std::pair(corrected(l, e) - goal, 2 + 2 * std::cosh(l) - e / 2 * std::tanh(l / 2));
        },
        solve(goal / 2)));
  }
  /// Late: 1 - q -> 1/(r c D t), relative error O(log t/t).
  double late_bad_mass(double time) const {
    check_value(time > 0, "SoftmaxTwoGroups", "the time must be positive, found ", time);
    return 1 / (per_step() * time);
  }

 private:
  double per_step() const { return r_ * groups_.rate * groups_.gap; }
  static double corrected(double l, double e) {
    return 2 * l + 2 * std::sinh(l) - e / 2 * (Sigmoid::log1p_exp(l) + Sigmoid::log1p_exp(-l));
  }
  /// The l with l + sinh l = x.
  static double solve(double x) {
    return numeric::increasing_root([x](double l) { return std::pair(l + std::sinh(l) - x, 1 + std::cosh(l)); },
                                    -std::asinh(std::abs(x)), std::asinh(std::abs(x)));
  }
  double checked_log_odds(double q) const {
    check_value(q > 0 && q < 1, "SoftmaxTwoGroups", "q must be in (0, 1), found ", q);
    const double l = std::log(q) - std::log1p(-q);
    check_value(l >= start_ || q >= numeric::mass_of_log_odds(start_), "SoftmaxTwoGroups",
                "q only grows from its start ", numeric::mass_of_log_odds(start_), ", found ", q);
    return l;
  }
  TwoGroupState state(double l) const {
    const auto [up, down] = numeric::group_rates(groups_, kind_);
    const double q = numeric::mass_of_log_odds(l), moved = (l - start_) / r_;
    return {z_good_ + up * moved, z_bad_ - down * moved, q, two_group_b_eff(groups_.rho, q)};
  }

  TwoGroups groups_;
  WeightNetKind kind_;
  double z_good_, z_bad_, start_, r_ = 0;
};

/// L9 for any activation, tabular or shared, sigmoid above all. y_+/r_+ + y_-/r_- stays (shared: y_+ + y_-, for a
/// sigmoid (z_+ + e^z_+) + (z_- + e^z_-)), so one number x says all, y_+ = y_+(0) + r_+ x, y_- = y_-(0) - r_- x, with
/// x' = c D q (1 - q):
///     t = integral_0^x (2 + o + 1/o) dx/(c D),  o = rho c_+ w_+/((1 - rho) c_- w_-),
/// by quadrature to about 1e-13 and inverted by Newton's method in a bracket. Exact for the flow.
/// For activations that are positive at every logit (not Power).
template <Activation A>
class TwoGroupFlow {
 public:
  TwoGroupFlow(A activation, const TwoGroups& groups, WeightNetKind kind, double z_good = 0, double z_bad = 0)
      : activation_(std::move(activation)), groups_(groups) {
    numeric::check_two_groups("TwoGroupFlow", groups_);
    std::tie(up_, down_) = numeric::group_rates(groups_, kind);
    y_good_ = conserved(activation_, z_good);
    y_bad_ = conserved(activation_, z_bad);
  }

  /// The time at which x has been moved.
  double time_of(double x) const {
    check_value(x >= 0 && std::isfinite(x), "TwoGroupFlow", "x must be finite and not negative, found ", x);
    return numeric::integrate([this](double v) { return slowness(v); }, 0, x);
  }
  TwoGroupState at(double time) const {
    numeric::check_time("TwoGroupFlow", time);
    if (time == 0) return state(0);
    // x cannot pass c D t/4, because q (1 - q) <= 1/4; it gets there by doubling, because 1/(q (1 - q)) may overflow on
    // the way.
    const double most = groups_.rate * groups_.gap * time / 4;
    double reach = std::min(most, 1 / (up_ + down_));
    while (reach < most && time_of(reach) < time) reach = std::min(most, 2 * reach);
    return state(
        numeric::increasing_root([&](double x) { return std::pair(time_of(x) - time, slowness(x)); }, 0, reach));
  }
  TwoGroupState state(double x) const {
    const double z_good = logit_of_conserved(activation_, y_good_ + up_ * x);
    const double z_bad = logit_of_conserved(activation_, y_bad_ - down_ * x);
    const double q = good_mass(groups_, activation_.log_value(z_good) - activation_.log_value(z_bad));
    return {z_good, z_bad, q, two_group_b_eff(groups_.rho, q)};
  }
  /// What the flow keeps: y_+/r_+ + y_-/r_-.
  double invariant(double z_good, double z_bad) const {
    return conserved(activation_, z_good) / up_ + conserved(activation_, z_bad) / down_;
  }

 private:
  /// dt/dx = 1/(c D q (1 - q)).
  double slowness(double x) const {
    const double z_good = logit_of_conserved(activation_, y_good_ + up_ * x);
    const double z_bad = logit_of_conserved(activation_, y_bad_ - down_ * x);
    const double l = log_odds(groups_, activation_.log_value(z_good) - activation_.log_value(z_bad));
    return (2 + 2 * std::cosh(l)) / (groups_.rate * groups_.gap);
  }

  A activation_;
  TwoGroups groups_;
  double up_ = 1, down_ = 1;
  double y_good_ = 0, y_bad_ = 0;
};

/// Several groups, as a right-hand side: fractions rho_g of N samples, class weights c_g, alignments A_g;
///     z_g' = c r_g s_g Q_g (A_g - abar),  Q_g = rho_g c_g w_g/sum,  r_g = 1/(rho_g N) tabular, 1 shared.
/// It conserves sum_g y(z_g)/r_g, and B_eff/N = 1/sum Q_g^2/rho_g. `flow(z, dz, t)` fits any ODE integrator. This
/// project's own extension.
template <Activation A>
class GroupFlow {
 public:
  /// \param fractions     rho_g > 0, at least 2 groups, that sum to 1
  /// \param class_weights c_g > 0, or empty
  /// \throws ShapeError, ValueError, NumericalError for what does not fit
  GroupFlow(A activation, SampleVector fractions, SampleVector alignments, double rate, Index n, WeightNetKind kind,
            SampleVector class_weights = {})
      : activation_(std::move(activation)),
        fractions_(std::move(fractions)),
        alignments_(std::move(alignments)),
        rate_(rate) {
    constexpr double sum_tolerance = 1e-9;
    check_value(fractions_.size() >= 2, "GroupFlow", "expected at least 2 groups, found ", fractions_.size());
    check_size("GroupFlow", "alignments", fractions_.size(), alignments_.size());
    check_finite("GroupFlow", "alignment", alignments_);
    for (Index g = 0; g < fractions_.size(); ++g)
      check_value(fractions_[g] > 0, "GroupFlow", "fraction of group ", g, " must be positive, found ", fractions_[g]);
    check_value(std::abs(fractions_.sum() - 1) <= sum_tolerance, "GroupFlow", "fractions must sum to 1, found ",
                fractions_.sum());
    check_value(rate_ >= 0 && std::isfinite(rate_), "GroupFlow", "the rate must be finite and not negative, found ",
                rate_);
    check_value(n >= fractions_.size(), "GroupFlow", "expected a sample a group, found N = ", n);
    numeric::check_prior("GroupFlow", fractions_.size(), class_weights);
    shares_ = class_weights.size() ? fractions_.cwiseProduct(class_weights).eval() : fractions_;
    rates_ = SampleVector::Ones(fractions_.size());
    if (kind == WeightNetKind::tabular) rates_ = (static_cast<double>(n) * fractions_).cwiseInverse();
  }

  Index size() const { return fractions_.size(); }
  /// Q, each group's total weight.
  SampleVector masses(const SampleVector& z) const { return weigh(activation_, z, shares_).p; }
  double b_eff_fraction(const SampleVector& z) const {
    return 1 / masses(z).cwiseAbs2().cwiseQuotient(fractions_).sum();
  }
  SampleVector velocity(const SampleVector& z) const {
    check_size("GroupFlow", "logits", size(), z.size());
    const Weights w = weigh(activation_, z, shares_);
    return -rate_ * rates_.cwiseProduct(logit_hypergradient(w.p, w.s, alignments_));
  }
  /// sum_g y(z_g)/r_g.
  double invariant(const SampleVector& z) const {
    check_size("GroupFlow", "logits", size(), z.size());
    double sum = 0;
    for (Index g = 0; g < size(); ++g) sum += conserved(activation_, z[g]) / rates_[g];
    return sum;
  }
  template <class State>
  void operator()(const State& z, State& dz, double /*time*/) const {
    check_size("GroupFlow", "velocities", size(), static_cast<Index>(dz.size()));
    const SampleVector v = velocity(Eigen::Map<const SampleVector>(&z[0], static_cast<Index>(z.size())));
    std::copy(v.begin(), v.end(), &dz[0]);
  }

 private:
  A activation_;
  SampleVector fractions_, alignments_;
  double rate_;
  SampleVector shares_, rates_;
};

}  // namespace mts::theory
