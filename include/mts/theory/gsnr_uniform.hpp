#pragma once
/// \file
/// L11: the GSNR under uniform weights, exact at every batch size, and the batch that a target GSNR takes.

#include <algorithm>
#include <limits>

#include "mts/core/error.hpp"

namespace mts::theory {

namespace domain {

inline void check_correlation(std::string_view where, double r) {
  check_value(r > -1 && r < 1, where, "the correlation r must be inside (-1, 1), found ", r);
}
/// k22 + 1 + r^2 = Var(J a) of the standardised pair.
inline void check_uniform_law(std::string_view where, double r, double k22) {
  check_correlation(where, r);
  check_value(std::isfinite(k22) && k22 + 1 + r * r >= 0, where,
              "k22 must be finite and at least -(1 + r^2), or Var(J a) were negative; found ", k22, " with r = ", r);
}

}  // namespace domain

/// L11: GSNR = r^2 / (k22/N + (1 + r^2)/(N - 1)), exact for every N >= 2 and every joint law of (J, a) with four moments.
/// \param r    correlation of J and a, in (-1, 1)
/// \param k22  E[J^2 a^2] - 1 - 2 r^2 of the standardised pair, their (2,2) joint cumulant; 0 for a Gaussian pair
/// G is then the sample covariance (1/N below), a multiple of the unbiased one, whose variance is known exactly.
/// \throws ValueError if N < 2 or not finite, r outside (-1, 1), or k22 < -(1 + r^2)
/// Source: set-up of arXiv:2606.00571; docs/theory.md, L11 (this project's own, from the variance of a k-statistic).
inline double gsnr_uniform(double batch, double r, double k22) {
  check_value(std::isfinite(batch) && batch >= 2, "gsnr_uniform", "the batch N must be at least 2, found ", batch);
  domain::check_uniform_law("gsnr_uniform", r, k22);
  return r * r / (k22 / batch + (1 + r * r) / (batch - 1));
}

/// L11 for a Gaussian pair: (N - 1) r^2/(1 + r^2), exact for N >= 2. \throws ValueError as `gsnr_uniform`
inline double gsnr_uniform_gaussian(double batch, double r) { return gsnr_uniform(batch, r, 0); }

/// The smallest batch (a real number) with GSNR >= g under uniform weights: the larger root of
///     r^2 N^2 - (r^2 + g (1 + r^2 + k22)) N + g k22 = 0,   at least 2; 1 + g (1 + r^2)/r^2 for a Gaussian pair.
/// Both obstacles in one line: a small batch, an uninformative feature. Infinite where r = 0 and g > 0.
/// \throws ValueError if g is negative or not finite; else as `gsnr_uniform`
inline double batch_for_gsnr_uniform(double g, double r, double k22) {
  check_value(std::isfinite(g) && g >= 0, "batch_for_gsnr_uniform", "the target must not be negative, found ", g);
  domain::check_uniform_law("batch_for_gsnr_uniform", r, k22);
  if (g == 0) return 2;
  if (r == 0) return std::numeric_limits<double>::infinity();
  const double half = (r * r + g * (1 + r * r + k22)) / 2;
  const double root = (half + std::sqrt(std::max(0.0, half * half - r * r * g * k22))) / (r * r);
  return std::max(2.0, root);
}
inline double batch_for_gsnr_uniform_gaussian(double g, double r) { return batch_for_gsnr_uniform(g, r, 0); }

}  // namespace mts::theory
