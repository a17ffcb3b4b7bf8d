#pragma once
/// \file
/// L14: what a finite validation set adds to the variance of the hypergradient, and how to split a budget between N and M.

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "mts/theory/gsnr_moments.hpp"

namespace mts::theory {

/// Var[G] over training batches of N and validation batches of M, drawn independently:
///     Var[G] = train/N + validation/M + cross/(N M) + O(N^-2)    (times eta^2, where G carries the step size).
/// With h_j the h of L10 for validation sample j alone, and mu_j, B1_j its mu and B1:
///     train = E_i[(E_j h_j)^2],   validation = Var_j[mu_j],   cross = E_j E_i[h_j^2] - train + 2 Cov_j(mu_j, B1_j),
/// summed over parameters. The last term of `cross` is the order 1/N of Var_j(E[G_j]).
struct NoiseComponents {
  double mu_mu = 0;  ///< |mu|^2
  double train = 0;
  double validation = 0;
  double cross = 0;
};

/// The components from the expansion of L10 for each of several equally likely validation samples, and for their mean alignments.
/// For a given law; from samples of a larger one they are biased, and `GsnrForecast` is what is wanted.
/// \throws ShapeError if there are none
inline NoiseComponents noise_components(std::span<const GsnrExpansion> each, const GsnrExpansion& mean) {
  if (each.empty()) throw ShapeError("noise_components: expected at least 1 validation sample, found 0");
  GsnrExpansion average;
  for (const GsnrExpansion& e : each) average += 1 / static_cast<double>(each.size()) * e;
  return {mean.mu_mu, mean.v1, std::max(0.0, average.mu_mu - mean.mu_mu),
          average.v1 - mean.v1 + 2 * (average.mu_b1 - mean.mu_b1)};
}

/// Pools that batches are drawn from, without replacement; infinite: fresh samples.
struct PoolSizes {
  double train = std::numeric_limits<double>::infinity();
  double validation = std::numeric_limits<double>::infinity();
};

namespace domain {

inline void check_components(std::string_view where, const NoiseComponents& c) {
  for (double x : {c.mu_mu, c.train, c.validation, c.cross})
    check_value(std::isfinite(x), where, "components must be finite, found ", x);
  for (double x : {c.mu_mu, c.train, c.validation})
    check_value(x >= 0, where, "|mu|^2 and the variances of train and validation must not be negative, found ", x);
}
inline void check_sizes(std::string_view where, double n, double m, const PoolSizes& pools) {
  check_value(std::isfinite(n) && n >= 1 && std::isfinite(m) && m >= 1, where,
              "N and M must be finite and at least 1, found ", n, " and ", m);
  check_value(pools.train >= n && pools.validation >= m, where, "a batch must fit its pool: N = ", n, " of ",
              pools.train, ", M = ", m, " of ", pools.validation);
}

}  // namespace domain

/// L14: train f_N + validation f_M + cross f_N f_M, f_N = 1/N - 1/n, f_M = 1/M - 1/m; components with n - 1 and m - 1 below.
/// A validation set that is never redrawn (M = m) adds no variance, but a bias: |E G - mu|^2 is then validation/m on average.
/// \throws ValueError if N or M is below 1 or above its pool, or a variance is negative or not finite
/// Source: docs/theory.md, L14 (this project's own; the decomposition is Hoeffding's).
inline double hypergradient_variance(const NoiseComponents& c, double n, double m, const PoolSizes& pools = {}) {
  domain::check_components("hypergradient_variance", c);
  domain::check_sizes("hypergradient_variance", n, m, pools);
  const double fn = 1 / n - 1 / pools.train, fm = 1 / m - 1 / pools.validation;
  return c.train * fn + c.validation * fm + c.cross * fn * fm;
}

/// |mu|^2 over the variance of L14, to leading order in 1/N. \throws ValueError as above, or the variance is not positive
inline double gsnr_with_validation_noise(const NoiseComponents& c, double n, double m, const PoolSizes& pools = {}) {
  const double variance = hypergradient_variance(c, n, m, pools);
  check_value(variance > 0, "gsnr_with_validation_noise", "the variance must be positive, found ", variance);
  return c.mu_mu / variance;
}

/// What the GSNR grows to with N at fixed M: M |mu|^2/validation (infinite if the validation noise is 0 and there is a signal).
/// \throws ValueError as above
inline double gsnr_ceiling(const NoiseComponents& c, double m) {
  domain::check_components("gsnr_ceiling", c);
  check_value(std::isfinite(m) && m >= 1, "gsnr_ceiling", "M must be at least 1, found ", m);
  if (c.validation > 0) return m * c.mu_mu / c.validation;
  return c.mu_mu > 0 ? std::numeric_limits<double>::infinity() : 0.0;
}

/// Sizes of the two batches, real numbers.
struct BatchSplit {
  double n = 0;
  double m = 0;
};

/// The split of a budget C = c_N N + c_M M with the least variance (L14):
///     N* = C/(c_N + y),   y^2 = c_N c_M (V_val C + V_cross c_N)/(V_train C + V_cross c_M),   M* = (C - c_N N*)/c_M.
/// With finite pools V_train - V_cross/m stands for V_train and V_val - V_cross/n for V_val (f_N f_M multiplied out). Along the line of
/// the budget the variance is then (A/N + B/M)/C and a constant, A = V_train C + V_cross c_M, B = V_val C + V_cross c_N, since
/// 1/(N M) = (c_N/M + c_M/N)/C: one minimum between the ends 1 <= N <= n, 1 <= M <= m if A and B are positive; else the best end.
/// \throws ValueError if a cost or the budget is not positive and finite, the budget does not pay for one sample of each, or it
///   pays for more than both pools; else as above
/// Source: docs/theory.md, L14 (this project's own; the pools are an extension).
inline BatchSplit best_split(const NoiseComponents& c, double budget, double cost_n, double cost_m,
                             const PoolSizes& pools = {}) {
  const char* const where = "best_split";
  domain::check_components(where, c);
  for (double x : {budget, cost_n, cost_m})
    check_value(std::isfinite(x) && x > 0, where, "budget and costs must be positive and finite, found ", x);
  check_value(pools.train >= 1 && pools.validation >= 1, where, "pools must have a sample, found ", pools.train,
              " and ", pools.validation);
  check_value(budget >= cost_n + cost_m, where, "a budget of ", budget, " does not pay for one sample of each, at ",
              cost_n, " and ", cost_m);
  check_value(budget <= cost_n * pools.train + cost_m * pools.validation, where, "a budget of ", budget,
              " pays for more than the pools hold");
  check_value(c.train != 0 || c.validation != 0 || c.cross != 0, where, "there is no variance to lessen");
  const double below = (c.train - c.cross / pools.validation) * budget + c.cross * cost_m;
  const double above = (c.validation - c.cross / pools.train) * budget + c.cross * cost_n;
  const double least_n = std::max(1.0, (budget - cost_m * pools.validation) / cost_n);
  const double most_n = std::min(pools.train, (budget - cost_m) / cost_n);
  const auto variance = [&](double n) { return below / n + above * cost_m / (budget - cost_n * n); };
  BatchSplit s;
  if (above > 0 && below > 0)
    s.n =
        std::clamp(budget / (cost_n + std::sqrt(cost_n * cost_m * above / below)), least_n, std::max(least_n, most_n));
  else
    s.n = variance(least_n) < variance(most_n) ? least_n : std::max(least_n, most_n);
  s.m = (budget - cost_n * s.n) / cost_m;
  return s;
}

}  // namespace mts::theory
