#pragma once
/// \file
/// Upper tails of the normal and of Student's distribution, and their inverses: what turns a rate of error into a critical
/// value. Relative accuracy about 1e-12 down to probabilities of 1e-300. All may be called concurrently.

#include <cmath>
#include <limits>
#include <numbers>

#include "mts/core/error.hpp"

namespace mts::theory {

/// log Gamma(x), x > 0. std::lgamma leaves the sign in a variable of the whole program, which is a race between threads.
inline double log_gamma(double x) {
#if defined(__GLIBC__) || defined(__APPLE__)
  int sign = 0;
  return ::lgamma_r(x, &sign);
#else
  return std::lgamma(x);
#endif
}

/// P(Z > z) of a standard normal Z.
inline double normal_upper_tail(double z) { return std::erfc(z / std::numbers::sqrt2) / 2; }

/// P(T > t) of Student's distribution with `freedom` degrees of freedom: with x = freedom/(freedom + t^2) half the incomplete
/// beta ratio I_x(freedom/2, 1/2), by its series of positive terms. Costs about 40 freedom/t^2 terms.
/// \throws ValueError unless freedom > 0 and t is a number
inline double student_upper_tail(double t, double freedom) {
  check_value(freedom > 0 && std::isfinite(freedom), "student_upper_tail",
              "the degrees of freedom must be positive and finite, found ", freedom);
  check_value(!std::isnan(t), "student_upper_tail", "t must be a number, found NaN");
  if (t < 0) return 1 - student_upper_tail(-t, freedom);
  if (std::isinf(t)) return 0;
  // I_x(a, b) = x^a (1-x)^b / (a B(a,b)) sum_n (a+b)_n/(a+1)_n x^n. The tail itself from t = 1 on; below, what lies between 0
  // and t, since the tail's series would converge slowly there and nothing cancels.
  const double half = freedom / 2, log_odds = std::log1p(t * t / freedom);
  const double log_x = -log_odds, log_y = 2 * std::log(t) - std::log(freedom) - log_odds;
  const double log_beta = log_gamma(half) + std::log(std::numbers::pi) / 2 - log_gamma(half + 0.5);
  const bool tail = t >= 1;
  const double a = tail ? half : 0.5, x = std::exp(tail ? log_x : log_y);
  if (t == 0) return 0.5;
  double sum = 0, term = 1;
  for (double n = 0; term > sum * std::numeric_limits<double>::epsilon() / 16 || (half + 0.5 + n) * x > a + 1 + n;
       ++n) {
    sum += term;
    term *= (half + 0.5 + n) / (a + 1 + n) * x;
  }
  const double part = std::exp(half * log_x + log_y / 2 - log_beta) / a * sum / 2;
  return tail ? part : 0.5 - part;
}

/// The z with P(Z > z) = p. \throws ValueError unless 0 < p < 1
inline double normal_upper_quantile(double p) {
  check_value(p > 0 && p < 1, "normal_upper_quantile", "a probability between 0 and 1 was expected, found ", p);
  if (p == 0.5) return 0;
  if (p > 0.5) return -normal_upper_quantile(1 - p);
  // Newton's method on log P(Z > z), which is concave: from the right it comes down to the root without overshooting, and
  // P(Z > z) < exp(-z^2/2)/2 gives a beginning to the right of it.
  double z = std::sqrt(-2 * std::log(2 * p));
  for (int k = 0; k < 100; ++k) {
    const double tail = normal_upper_tail(z);
    const double density = std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
    const double step = std::log(tail / p) * tail / density;
    z += step;
    if (std::abs(step) <= 1e-15 * z) break;
  }
  return z;
}

/// The t with P(T > t) = p, T of Student's distribution. \throws ValueError unless 0 < p < 1 and freedom > 0
inline double student_upper_quantile(double p, double freedom) {
  check_value(p > 0 && p < 1, "student_upper_quantile", "a probability between 0 and 1 was expected, found ", p);
  if (p == 0.5) return 0;
  if (p > 0.5) return -student_upper_quantile(1 - p, freedom);
  const double half = freedom / 2;
  const double log_scale =
      log_gamma(half + 0.5) - log_gamma(half) - std::log(freedom * std::numbers::pi) / 2;  // log density at 0
  // As above, in log t: there the logarithm of the tail is concave (flat near 0, of slope -freedom far out).
  double t = normal_upper_quantile(p);
  for (int k = 0; k < 200; ++k) {
    const double tail = student_upper_tail(t, freedom);
    const double density = std::exp(log_scale - (half + 0.5) * std::log1p(t * t / freedom));
    const double step = std::log(tail / p) * tail / (density * t);
    t *= std::exp(step);
    if (std::abs(step) <= 1e-14) break;
  }
  return t;
}

}  // namespace mts::theory
