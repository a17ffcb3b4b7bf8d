#pragma once
/// \file
/// How concentrated normalised weights are: effective batch size, largest weight, variance, entropy.

#include <cmath>

#include "mts/core/error.hpp"

namespace mts::diagnostics {

/// Measures of weights p of N samples that sum to 1. They agree by law L7, exactly but for round-off:
///     var_p = (1/N) (1/b_eff - 1/N),   1 <= 1/max_p <= b_eff <= exp(entropy) <= N.
struct Concentration {
  Index samples = 0;   ///< N
  double b_eff = 0;    ///< effective batch size 1/sum p^2, in [1, N]; N for uniform weights (Kish)
  double max_p = 0;    ///< the largest weight, in [1/N, 1]
  double var_p = 0;    ///< (1/N) sum (p - 1/N)^2, the 1/N variance
  double entropy = 0;  ///< -sum p log p in nats, 0 log 0 = 0; in [0, log N]
};

/// How far from 1 the weights may sum.
inline constexpr double sum_tolerance = 1e-9;

/// The concentration of p. Cost: one pass over N, in order, so the same bits at every call. Thread-safe.
/// \throws ShapeError if N = 0; NumericalError if a weight is not finite; ValueError if one is negative or they do not sum to
///   1 within `sum_tolerance`
inline Concentration concentration(const SampleVector& p) {
  const Index n = p.size();
  if (n < 1) throw ShapeError("concentration: expected at least 1 weight, found 0");
  check_finite("concentration", "weight p", p);
  const double uniform = 1 / static_cast<double>(n);
  Concentration c;
  c.samples = n;
  double sum = 0, squares = 0;
  for (Index i = 0; i < n; ++i) {
    check_value(p[i] >= 0, "concentration", "weight of sample ", i, " must not be negative, found ", p[i]);
    sum += p[i];
    squares += p[i] * p[i];
    c.max_p = std::max(c.max_p, p[i]);
    c.var_p += (p[i] - uniform) * (p[i] - uniform) * uniform;
    if (p[i] > 0) c.entropy -= p[i] * std::log(p[i]);
  }
  check_value(std::abs(sum - 1) <= sum_tolerance, "concentration", "the weights must sum to 1, found a sum 1 + ",
              sum - 1);
  c.b_eff = 1 / squares;
  return c;
}

}  // namespace mts::diagnostics
