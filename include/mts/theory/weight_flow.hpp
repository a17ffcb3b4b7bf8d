#pragma once
/// \file
/// How normalised weights move under gradient descent on the weight net (law L4), the alignments a held fixed.
///
/// Assumptions: a does not change (theta is frozen, or slow), phi moves by plain gradient descent, and K = J J^T, the
/// weight net's tangent kernel on the batch, is constant (exact for tabular and group-shared nets, else for small
/// moves). Derived for this project from the one-step set-up of arXiv:2606.00571: docs/theory.md, L4; the modified
/// equation is this project's own.

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "mts/core/error.hpp"
#include "mts/theory/activation.hpp"
#include "mts/theory/hypergradient.hpp"

namespace mts::theory {

/// The tangent kernel K of a weight net on N samples: how moving one sample's logit moves the others'.
class Kernel {
 public:
  /// A logit of its own for every sample: K = I.
  static Kernel tabular(Index n) {
    check_value(n >= 1, "Kernel::tabular", "expected at least 1 sample, found ", n);
    return Kernel(n, Tabular{});
  }
  /// One logit a group: K_ij = 1 where i and j are of one group. \param group  of each sample, 0, 1, ...
  static Kernel shared(std::vector<Index> group) {
    check_value(!group.empty(), "Kernel::shared", "expected at least 1 sample, found 0");
    Index groups = 0;
    for (const Index g : group) {
      check_value(g >= 0, "Kernel::shared", "a group must not be negative, found ", g);
      groups = std::max(groups, g + 1);
    }
    const auto n = static_cast<Index>(group.size());
    return Kernel(n, Shared{std::move(group), groups});
  }
  /// Any K, symmetric and positive semidefinite as J J^T is (symmetry is checked, definiteness is the caller's).
  static Kernel general(RowMatrix<double> k) {
    check_size("Kernel::general", "columns of K", k.rows(), k.cols());
    check_value(k.rows() >= 1, "Kernel::general", "expected at least 1 sample, found 0");
    for (Index i = 0; i < k.rows(); ++i) check_finite("Kernel::general", "entry of K", k.row(i));
    constexpr double symmetry_tolerance = 1e-12;
    check_value((k - k.transpose()).norm() <= symmetry_tolerance * k.norm(), "Kernel::general",
                "K = J J^T must be symmetric, found a difference of ", (k - k.transpose()).norm());
    const Index n = k.rows();
    return Kernel(n, std::move(k));
  }
  /// K = J J^T.
  static Kernel of_jacobian(const RowMatrix<double>& j) { return general(j * j.transpose()); }

  Index size() const { return n_; }
  /// K u.
  SampleVector operator*(const SampleVector& u) const {
    check_size("Kernel", "length of the vector", n_, u.size());
    if (const auto* k = std::get_if<RowMatrix<double>>(&form_)) return *k * u;
    if (const auto* shared = std::get_if<Shared>(&form_)) {
      SampleVector sum = SampleVector::Zero(shared->groups), out(n_);
      for (Index i = 0; i < n_; ++i) sum[shared->group[static_cast<std::size_t>(i)]] += u[i];
      for (Index i = 0; i < n_; ++i) out[i] = sum[shared->group[static_cast<std::size_t>(i)]];
      return out;
    }
    return u;
  }

 private:
  struct Tabular {};
  struct Shared {
    std::vector<Index> group;
    Index groups;
  };
  template <class Form>
  Kernel(Index n, Form form) : n_(n), form_(std::move(form)) {}

  Index n_;
  std::variant<Tabular, Shared, RowMatrix<double>> form_;
};

/// L4: p_i' = p_i (s_i z_i' - sum_j p_j s_j z_j'), for any motion z' of the logits. Exact.
inline SampleVector weight_velocity(const SampleVector& p, const SampleVector& s, const SampleVector& dz) {
  numeric::check_batch("weight_velocity", p, s, dz);
  const SampleVector move = s.cwiseProduct(dz);
  return (p.array() * (move.array() - p.dot(move))).matrix();
}

/// L4, tabular: p_i' = c p_i [ p_i s_i^2 (a_i - abar) - sum_j p_j^2 s_j^2 (a_j - abar) ]. Exact. For softmax (s = 1) a
/// closed system in p.
inline SampleVector tabular_weight_velocity(const SampleVector& p, const SampleVector& s, const SampleVector& a,
                                            double rate) {
  numeric::check_batch("tabular_weight_velocity", p, s, a);
  const auto push = (p.array() * s.array().square() * (a.array() - p.dot(a))).eval();
  return (rate * p.array() * (push - (p.array() * push).sum())).matrix();
}

/// L4 as a right-hand side: z' = c K (p s (a - abar)), p and s at z; it is gradient ascent on abar, so abar never
/// falls.
///
/// `flow(z, dz, t)` has the signature that Boost.odeint and its kin ask for; State is any vector of N doubles.
/// `step(z)` is what plain gradient descent does in discrete time, z + z' with c = (meta step) * eta: Euler's method
/// for the flow, so it follows the flow with error O(c) at fixed c * steps, and `modified` with error O(c^2).
/// Thread-safe for const calls.
template <Activation A>
class WeightFlow {
 public:
  /// \param a      alignments without the learning rate, held fixed
  /// \param rate   c = (meta step) * eta >= 0
  /// \param prior  class or prior weights > 0, or empty
  /// \throws ShapeError, ValueError, NumericalError for what does not fit
  WeightFlow(A activation, SampleVector a, double rate, Kernel kernel, SampleVector prior = {})
      : activation_(std::move(activation)),
        a_(std::move(a)),
        rate_(rate),
        kernel_(std::move(kernel)),
        prior_(std::move(prior)) {
    check_size("WeightFlow", "alignments", kernel_.size(), a_.size());
    check_finite("WeightFlow", "alignment", a_);
    check_value(rate_ >= 0 && std::isfinite(rate_), "WeightFlow", "the rate must be finite and not negative, found ",
                rate_);
    numeric::check_prior("WeightFlow", a_.size(), prior_);
  }

  Index size() const { return a_.size(); }
  const A& activation() const { return activation_; }
  const SampleVector& alignments() const { return a_; }
  Weights weights(const SampleVector& z) const { return weigh(activation_, z, prior_); }
  /// abar, what the flow raises.
  double mean_alignment(const SampleVector& z) const { return weights(z).p.dot(a_); }

  /// z'.
  SampleVector velocity(const SampleVector& z) const {
    const Weights w = weights(z);
    return rate_ * (kernel_ * SampleVector(-logit_hypergradient(w.p, w.s, a_)));
  }
  /// z'' along the flow: c K d/dt(p s (a - abar)), by the product rule with s_k' = (ds/dz)_k z_k' and abar' = sum p s
  /// (a - abar) z'.
  SampleVector acceleration(const SampleVector& z) const {
    const Weights w = weights(z);
    const SampleVector push = -logit_hypergradient(w.p, w.s, a_);
    const SampleVector dz = rate_ * (kernel_ * push);
    const SampleVector dp = weight_velocity(w.p, w.s, dz);
    const double dmean = push.dot(dz);
    const auto off = (a_.array() - w.p.dot(a_)).eval();
    const SampleVector dpush = (dp.array() * w.s.array() * off + w.p.array() * w.ds.array() * dz.array() * off -
                                w.p.array() * w.s.array() * dmean)
                                   .matrix();
    return rate_ * (kernel_ * dpush);
  }
  /// The right-hand side of the equation that discrete steps follow one order more closely, z' - z''/2 (backward error
  /// analysis of Euler's method: Hairer, Lubich, Wanner, Geometric Numerical Integration, ch. IX). Time in steps.
  SampleVector modified_velocity(const SampleVector& z) const { return velocity(z) - acceleration(z) / 2; }
  /// One plain gradient step.
  SampleVector step(const SampleVector& z) const { return z + velocity(z); }

  template <class State>
  void operator()(const State& z, State& dz, double /*time*/) const {
    assign(velocity(vector(z)), dz);
  }
  /// The modified equation as a right-hand side of its own; this flow must outlive it.
  auto modified() const {
    return [this]<class State>(const State& z, State& dz, double) { assign(modified_velocity(vector(z)), dz); };
  }

 private:
  template <class State>
  SampleVector vector(const State& z) const {
    check_size("WeightFlow", "logits", size(), static_cast<Index>(z.size()));
    return Eigen::Map<const SampleVector>(&z[0], size());
  }
  template <class State>
  static void assign(const SampleVector& x, State& out) {
    check_size("WeightFlow", "velocities", x.size(), static_cast<Index>(out.size()));
    std::copy(x.begin(), x.end(), &out[0]);
  }

  A activation_;
  SampleVector a_;
  double rate_;
  Kernel kernel_;
  SampleVector prior_;
};

}  // namespace mts::theory
