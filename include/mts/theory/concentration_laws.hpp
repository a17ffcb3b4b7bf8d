#pragma once
/// \file
/// How concentrated normalised weights are, and how that scales with the batch (law L7).
///
/// The identities hold for any weights. The scaling is for raw weights w_i = w(x_i) of iid samples, a fixed function of
/// the sample; W = w/E w, mu_k = E W^k. Derived for this project: docs/theory.md, L7 (Figure 2 of arXiv:2606.00571
/// shows B_eff in training); the next orders and the largest weight are its own.

#include <cmath>
#include <limits>
#include <numbers>
#include <string_view>

#include "mts/core/error.hpp"
#include "mts/theory/detail/integrate.hpp"

namespace mts::theory {

namespace numeric {
inline double checked_batch(std::string_view where, Index n, Index least = 1) {
  check_value(n >= least, where, "expected a batch of at least ", least, ", found ", n);
  return static_cast<double>(n);
}
}  // namespace numeric

/// L7: Var(p) = (1/N)(1/B_eff - 1/N), the variance with 1/N. Exact for any p that sums to 1.
/// \param b_eff  in [1, N]
inline double weight_variance(double b_eff, Index n) {
  const double size = numeric::checked_batch("weight_variance", n);
  check_value(b_eff >= 1 && b_eff <= size, "weight_variance", "B_eff must be in [1, ", n, "], found ", b_eff);
  return (1 / b_eff - 1 / size) / size;
}
/// L7 solved for B_eff = 1/(N Var(p) + 1/N). Exact. \param variance  in [0, (1 - 1/N)/N]
inline double effective_batch(double variance, Index n) {
  const double size = numeric::checked_batch("effective_batch", n);
  constexpr double round_off = 4 * std::numeric_limits<double>::epsilon();
  check_value(variance >= 0 && variance <= (1 - 1 / size) / size * (1 + round_off), "effective_batch",
              "Var(p) must be in [0, (1 - 1/N)/N], found ", variance);
  return 1 / (size * variance + 1 / size);
}
/// L7: 1/B_eff <= max p, and max p <= 1/N + sqrt((1 - 1/N)(1/B_eff - 1/N)). Both sharp: the first where all weights
/// that are not 0 are equal, the second (this project's addition, from Samuelson's inequality) where all but one are.
struct LargestWeightBounds {
  double low, high;
};
inline LargestWeightBounds largest_weight_bounds(double b_eff, Index n) {
  const double size = numeric::checked_batch("largest_weight_bounds", n);
  return {1 / b_eff, 1 / size + std::sqrt((size - 1) * weight_variance(b_eff, n))};
}

// ------------------------------------------------------------------------------------------------------ batch scaling

/// mu_k = E W^k of raw weights normalised to E W = 1.
struct WeightMoments {
  double second = 1, third = 1, fourth = 1;
};
namespace numeric {
/// Standard normal expectations are taken on [-12, 12]: what lies outside has probability 1e-32.
inline constexpr double normal_reach = 12;
inline double normal_density(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi); }
inline double log_normal_cdf(double x) {
  return x > 0 ? std::log1p(-std::erfc(x / std::numbers::sqrt2) / 2)
               : std::log(std::erfc(-x / std::numbers::sqrt2) / 2);
}
inline void check_moments(std::string_view where, const WeightMoments& m) {
  check_value(std::isfinite(m.fourth) && m.second >= 1 && m.third >= m.second * m.second &&
                  m.fourth * m.second >= m.third * m.third,
              where, "no positive weights have moments mu_2 ", m.second, ", mu_3 ", m.third, ", mu_4 ", m.fourth);
}
}  // namespace numeric

/// w = exp(beta x), x ~ N(0, 1): mu_k = exp(k (k - 1) beta^2/2). Exact.
inline WeightMoments log_normal_moments(double beta) {
  check_finite("log_normal_moments", "beta", beta);
  const double e = std::exp(beta * beta);
  return {e, e * e * e, std::pow(e, 6)};
}
/// w = weight(x) >= 0, x ~ N(0, 1), by quadrature over [-12, 12] to about 1e-12 (for exp(beta x): beta up to 1.2). For
/// a sigmoid of a Gaussian feature, say.
template <class F>
WeightMoments gaussian_weight_moments(const F& weight) {
  const auto moment = [&](int k) {
    const auto f = [&](double x) { return std::pow(weight(x), k) * numeric::normal_density(x); };
    return numeric::integrate(f, -numeric::normal_reach, 0) + numeric::integrate(f, 0, numeric::normal_reach);
  };
  const double mean = moment(1);
  check_value(mean > 0, "gaussian_weight_moments", "the weights must have a positive mean, found ", mean);
  return {moment(2) / (mean * mean), moment(3) / std::pow(mean, 3), moment(4) / std::pow(mean, 4)};
}

/// L7: a number that depends on the batch as leading (1 + O(1/N)); `next` includes that term, and is off by O(1/N^2) of
/// it.
struct Expansion {
  double leading, next;
};
/// E B_eff = N/mu_2 + (1 - 2 mu_3/mu_2^2 + mu_4/mu_2^3) + O(1/N): twice the batch, twice the effective batch. The
/// second term is E[W^2 (W - mu_2)^2]/mu_2^3, never negative: small batches waste less. Needs mu_4 finite; valid while
/// mu_4/mu_2^2 << N.
inline Expansion expected_effective_batch(Index n, const WeightMoments& m) {
  const double size = numeric::checked_batch("expected_effective_batch", n, 2);
  numeric::check_moments("expected_effective_batch", m);
  const double leading = size / m.second;
  return {leading, leading + 1 - 2 * m.third / (m.second * m.second) + m.fourth / std::pow(m.second, 3)};
}
/// E sum p^2 = E 1/B_eff = mu_2/N + (3 mu_2^2 - mu_2 - 2 mu_3)/N^2 + O(1/N^3).
inline Expansion expected_inverse_effective_batch(Index n, const WeightMoments& m) {
  const double size = numeric::checked_batch("expected_inverse_effective_batch", n, 2);
  numeric::check_moments("expected_inverse_effective_batch", m);
  const double leading = m.second / size;
  return {leading, leading + (3 * m.second * m.second - m.second - 2 * m.third) / (size * size)};
}
/// E Var(p) = (mu_2 - 1)/N^2 + (3 mu_2^2 - mu_2 - 2 mu_3)/N^3 + O(1/N^4), by the identity: k times the batch, 1/k^2 of
/// the variance.
inline Expansion expected_weight_variance(Index n, const WeightMoments& m) {
  const double size = numeric::checked_batch("expected_weight_variance", n, 2);
  const Expansion inverse = expected_inverse_effective_batch(n, m);
  return {(inverse.leading - 1 / size) / size, (inverse.next - 1 / size) / size};
}

/// E max p for w = weight(x), increasing and positive, x ~ N(0, 1).
///
/// The largest x has density N phi Phi^(N-1); given it, the others are iid below it, with mean m and variance v of
/// their weights, so S has mean T = w + (N - 1) m, and E[w/S] = (w/T)(1 + (N - 1) v/T^2 + O(N^-2)). `leading` drops the
/// term in v. What remains is one integral, taken by quadrature. Bounded weights: k times the batch, about 1/k of max
/// p. exp(beta x): more slowly, as exp(beta sqrt(2 log N))/N asymptotically (beta = 1: N x 4 divides it by 2.5 from 64,
/// 2.6 from 256, 2.8 from 1024).
/// \throws ValueError for n < 2
template <class F>
Expansion expected_largest_weight(Index n, const F& weight) {
  const double others = numeric::checked_batch("expected_largest_weight", n, 2) - 1;
  constexpr double panel = 0.125;  // sixteen nodes on an eighth of a standard deviation: round-off
  Expansion sum{0, 0};
  double below[3] = {0, 0, 0};  // integrals of w^k phi from -12 to the panel's left end
  for (double left = -numeric::normal_reach; left < numeric::normal_reach; left += panel) {
    const auto power = [&](int k, double x) { return std::pow(weight(x), k) * numeric::normal_density(x); };
    const auto at = [&](double x, bool corrected) {
      const double log_cdf = numeric::log_normal_cdf(x);
      const double density = (others + 1) * numeric::normal_density(x) * std::exp(others * log_cdf);
      if (density < std::numeric_limits<double>::min()) return 0.0;
      const auto moment = [&](int k) {
        return below[k] + numeric::legendre([&](double y) { return power(k, y); }, left, x);
      };
      const double mean = moment(1) / std::exp(log_cdf);
      const double variance = moment(2) / std::exp(log_cdf) - mean * mean;
      const double w = weight(x), total = w + others * mean;
      return density * w / total * (corrected ? 1 + others * variance / (total * total) : 1);
    };
    sum.leading += numeric::legendre([&](double x) { return at(x, false); }, left, left + panel);
    sum.next += numeric::legendre([&](double x) { return at(x, true); }, left, left + panel);
    for (const int k : {1, 2}) below[k] += numeric::legendre([&](double y) { return power(k, y); }, left, left + panel);
  }
  check_finite("expected_largest_weight", "E max p", sum.next);
  return sum;
}

}  // namespace mts::theory
