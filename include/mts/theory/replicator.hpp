#pragma once
/// \file
/// Weights that follow the replicator equation (law L8).
///
/// Softmax weights under mirror descent or natural gradient flow, z' = c (a - abar), a fixed: p_i' = c p_i (a_i -
/// abar). Derived for this project from L4: docs/theory.md, L8; the discrete form and the next order in 1/N are its
/// own.

#include <algorithm>
#include <cmath>
#include <limits>

#include "mts/theory/concentration_laws.hpp"
#include "mts/theory/hypergradient.hpp"

namespace mts::theory {

/// L8: p_i(t) = p_i(0) exp(c a_i t)/sum_j p_j(0) exp(c a_j t). Exact; exact also after t steps of multiplicative
/// weights (mirror descent in discrete time, z <- z + c a), because only differences of z enter p.
/// \throws ValueError for a negative rate or time, or p0 that are no weights
inline SampleVector replicator(const SampleVector& p0, const SampleVector& a, double rate, double time) {
  numeric::check_batch("replicator", p0, a);
  check_value(rate >= 0 && std::isfinite(rate) && time >= 0 && std::isfinite(time), "replicator",
              "rate and time must be finite and not negative, found ", rate, " and ", time);
  const auto exponent = (rate * time * a.array()).eval();
  double top = -std::numeric_limits<double>::infinity();
  for (Index i = 0; i < a.size(); ++i)
    if (p0[i] > 0) top = std::max(top, exponent[i]);
  SampleVector p = SampleVector::Zero(a.size());
  for (Index i = 0; i < a.size(); ++i)
    if (p0[i] > 0) p[i] = p0[i] * std::exp(exponent[i] - top);
  return p / p.sum();
}
/// L8 as a right-hand side: p_i' = c p_i (a_i - abar).
inline SampleVector replicator_velocity(const SampleVector& p, const SampleVector& a, double rate) {
  numeric::check_batch("replicator_velocity", p, a);
  return (rate * p.array() * (a.array() - p.dot(a))).matrix();
}

/// L8, Gaussian alignments of standard deviation sigma, uniform start, tau = c sigma t: E B_eff/N. `leading` is the
/// limit exp(-tau^2) as N -> infinity at fixed tau, and needs e^(4 tau^2) << N. `next` adds (1 - 2 e^(tau^2) + e^(3
/// tau^2))/N: the weights are log-normal, so this is L7's expansion. It is off by at most about e^(11 tau^2)/N^2 (the
/// third moment of w^2), so it improves on the limit only where e^(8 tau^2) << N.
inline Expansion gaussian_replicator_b_eff(double tau, Index n) {
  check_value(tau >= 0 && std::isfinite(tau), "gaussian_replicator_b_eff",
              "tau must be finite and not negative, found ", tau);
  const Expansion b = expected_effective_batch(n, log_normal_moments(tau));
  return {b.leading / static_cast<double>(n), b.next / static_cast<double>(n)};
}
/// The tau at which B_eff/N has fallen to a fraction, as N -> infinity: sqrt(-log fraction). \param fraction  in (0, 1]
inline double gaussian_replicator_tau(double fraction) {
  check_value(fraction > 0 && fraction <= 1, "gaussian_replicator_tau", "the fraction must be in (0, 1], found ",
              fraction);
  return std::sqrt(-std::log(fraction));
}

}  // namespace mts::theory
