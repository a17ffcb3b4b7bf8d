#pragma once
/// \file
/// L13: the GSNR of a noisy binary feature.

#include <cmath>

#include "mts/theory/gsnr_moments.hpp"

namespace mts::theory {

/// Good or bad y ~ Bernoulli(rho); the weight net sees f = y, flipped with probability eps; a | y ~ N(a_y, sigma^2), independent of f
/// given y; w = exp(beta f), so that X = J = f.
struct BinaryFeature {
  double rho = 0.5;   ///< in (0, 1)
  double eps = 0;     ///< in [0, 1]; 1/2: no information
  double a_good = 1;  ///< mean of a given y = 1
  double a_bad = 0;   ///< mean of a given y = 0
  double sigma = 1;   ///< standard deviation of a given y, not negative
  double beta = 0;
};

/// What the weight net sees: the law of a given f.
struct BinaryFeatureGiven {
  double p1 = 0;  ///< P(f = 1) = rho (1 - eps) + (1 - rho) eps
  double q = 0;   ///< weighted mass on f = 1: p1 e^beta/(p1 e^beta + 1 - p1)
  double mean[2] = {0,
                    0};  ///< E[a | f] = a_bad + (a_good - a_bad) pi_f, pi_1 = rho (1 - eps)/p1, pi_0 = rho eps/(1 - p1)
  double variance[2] = {0, 0};  ///< Var[a | f] = sigma^2 + (a_good - a_bad)^2 pi_f (1 - pi_f)
};

/// \throws ValueError if rho is outside (0, 1), eps outside [0, 1], sigma negative, or a number not finite
inline BinaryFeatureGiven given_feature(const BinaryFeature& law) {
  const char* const where = "BinaryFeature";
  check_value(law.rho > 0 && law.rho < 1, where, "rho must be inside (0, 1), found ", law.rho);
  check_value(law.eps >= 0 && law.eps <= 1, where, "eps must be in [0, 1], found ", law.eps);
  check_value(std::isfinite(law.sigma) && law.sigma >= 0, where, "sigma must not be negative, found ", law.sigma);
  for (double x : {law.a_good, law.a_bad, law.beta}) check_value(std::isfinite(x), where, "not finite: ", x);
  const double gap = law.a_good - law.a_bad;
  BinaryFeatureGiven g;
  g.p1 = law.rho * (1 - law.eps) + (1 - law.rho) * law.eps;
  const double odds = g.p1 / (1 - g.p1) * std::exp(law.beta);
  g.q = 1 / (1 + 1 / odds);
  const double pi[2] = {law.rho * law.eps / (1 - g.p1), law.rho * (1 - law.eps) / g.p1};
  for (int f : {0, 1}) {
    g.mean[f] = law.a_bad + gap * pi[f];
    g.variance[f] = law.sigma * law.sigma + gap * gap * pi[f] * (1 - pi[f]);
  }
  return g;
}

/// All moments of L10, as sums over f in {0, 1}. With W_1 = q/p1, W_0 = (1 - q)/(1 - p1), x_1 = 1 - q, x_0 = -q, D = E[a|1] - E[a|0],
/// y_f = x_f D, t_f = Var[a|f], and sums over f with probability P_f:
///     mu = q (1 - q) D,                        E h^2 = sum P W^2 ((x y - mu)^2 + x^2 t),
///     E[ho] = sum P W^2 (x y - mu),            E[uv] = sum P W^2 x y,      E[u^2] = sum P W^2 x^2,   E[v^2] = sum P W^2 (y^2 + t),
///     E[o^2] = sum P W^2 - 1,                  E[ou] = sum P W^2 x,        E[ov] = sum P W^2 y,
///     E[hu] = sum P W^2 (x y - mu) x,          E[hv] = sum P W^2 ((x y - mu) y + x t),
///     E[h^2 o] = sum P W^2 (W - 1) ((x y - mu)^2 + x^2 t),      E[huv] = sum P W^3 ((x y - mu) x y + x^2 t).
/// \throws ValueError as `given_feature`
/// Source: set-up of arXiv:2606.00571; docs/theory.md, L13 (this project's own).
inline GsnrMoments gsnr_moments_binary_feature(const BinaryFeature& law) {
  const BinaryFeatureGiven g = given_feature(law);
  WeightedPopulation p;
  p.probability = Eigen::Vector2d(1 - g.p1, g.p1);
  p.w = Eigen::Vector2d((1 - g.q) / (1 - g.p1), g.q / g.p1);
  p.x = Eigen::Vector2d(0, 1);
  p.a = Eigen::Vector2d(g.mean[0], g.mean[1]);
  p.a_variance = Eigen::Vector2d(g.variance[0], g.variance[1]);
  return gsnr_moments(p);
}

/// L13 to leading order, which the sums over f collapse to:
///     N D^2 / ( (1 - 2q)^2 D^2/(p1 (1 - p1)) + t_1/p1 + t_0/(1 - p1) ):
/// the weights matter only through 1 - 2q, and q = 1/2 is best. \throws ValueError as above, or N < 2
inline double gsnr_binary_feature_leading(double batch, const BinaryFeature& law) {
  domain::check_batch("gsnr_binary_feature_leading", batch, batch);
  const BinaryFeatureGiven g = given_feature(law);
  const double gap = g.mean[1] - g.mean[0], skew = 1 - 2 * g.q;
  return batch * gap * gap /
         (skew * skew * gap * gap / (g.p1 * (1 - g.p1)) + g.variance[1] / g.p1 + g.variance[0] / (1 - g.p1));
}

}  // namespace mts::theory
