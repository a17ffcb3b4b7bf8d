#pragma once
/// \file
/// L12: the GSNR where the weights themselves follow the feature, w = exp(beta J), (J, a) a standardised Gaussian pair.

#include <cmath>

#include "mts/theory/gsnr_moments.hpp"
#include "mts/theory/gsnr_uniform.hpp"

namespace mts::theory {

namespace domain {

inline void check_tilt(std::string_view where, double r, double beta) {
  check_correlation(where, r);
  check_value(std::isfinite(beta), where, "beta must be finite, found ", beta);
}

}  // namespace domain

/// L12: all moments of L10. With E = e^{beta^2}, P(m) = 1 + r^2 + m^2 (1 + 3 r^2) + r^2 m^4, Q(m) = P(m) + r^2 m^2:
///     mu = r,  E h^2 = E P(beta),  E[ho] = E r beta^2,  E[uv] = E r (1 + beta^2),  E o^2 = E - 1,
///     E[ou] = E beta,  E[ov] = E r beta,  E u^2 = E (1 + beta^2),  E v^2 = E (1 + r^2 beta^2),
///     E[hu] = E r (2 beta + beta^3),  E[hv] = E (beta + r^2 (beta + beta^3)),
///     E[h^2 o] = E^3 P(2 beta) - E P(beta),  E[huv] = E^3 Q(2 beta):
/// E[W^k F(J, a)] is e^{(k^2 - k) beta^2/2} times the mean of F under the pair shifted by k beta (1, r).
/// \throws ValueError if r is outside (-1, 1) or beta is not finite
/// Source: set-up of arXiv:2606.00571; docs/theory.md, L12 (this project's own).
inline GsnrMoments gsnr_moments_tilted_gaussian(double r, double beta) {
  domain::check_tilt("gsnr_moments_tilted_gaussian", r, beta);
  const double E = std::exp(beta * beta), b2 = beta * beta, r2 = r * r;
  const auto P = [r2](double m) { return 1 + r2 + m * m * (1 + 3 * r2) + r2 * m * m * m * m; };
  const auto Q = [r2, &P](double m) { return P(m) + r2 * m * m; };
  GsnrMoments m;
  m.mu = r;
  m.hh = E * P(beta);
  m.ho = E * r * b2;
  m.uv = E * r * (1 + b2);
  m.oo = E - 1;
  m.ou = E * beta;
  m.ov = E * r * beta;
  m.uu = E * (1 + b2);
  m.vv = E * (1 + r2 * b2);
  m.hu = E * r * (2 * beta + beta * b2);
  m.hv = E * (beta + r2 * (beta + beta * b2));
  m.hho = E * E * E * P(2 * beta) - E * P(beta);
  m.huv = E * E * E * Q(2 * beta);
  return m;
}

/// L12 to leading order: N r^2 e^{-beta^2} / (1 + r^2 + beta^2 (1 + 3 r^2) + r^2 beta^4). \throws ValueError as above, or N < 2
inline double gsnr_tilted_gaussian_leading(double batch, double r, double beta) {
  domain::check_batch("gsnr_tilted_gaussian_leading", batch, batch);
  domain::check_tilt("gsnr_tilted_gaussian_leading", r, beta);
  const double b2 = beta * beta, r2 = r * r;
  return batch * r2 * std::exp(-b2) / (1 + r2 + b2 * (1 + 3 * r2) + r2 * b2 * b2);
}

/// The GSNR to next order, relative error O(N^-2); trust it while `tilted_gaussian_validity` << 1.
/// \throws ValueError as above, or the expansion fails altogether (negative variance)
inline double gsnr_tilted_gaussian(double batch, double r, double beta) {
  return predict_gsnr(gsnr_expansion(gsnr_moments_tilted_gaussian(r, beta)), batch).gsnr;
}

/// v = e^{2 beta^2}/N: the expansion is good while this is << 1. How good depends on beta: the next order is nearly exact for small
/// beta, but simulated at beta = .5, .6, .7 its relative error was about (10 to 25, 20 to 60, 30 to 90) v^2, the more the larger |r|:
/// at beta = .7 ask for v < .02.
/// \throws ValueError if N < 2 or beta is not finite
inline double tilted_gaussian_validity(double batch, double beta) {
  domain::check_batch("tilted_gaussian_validity", batch, batch);
  domain::check_tilt("tilted_gaussian_validity", 0, beta);
  return std::exp(2 * beta * beta) / batch;
}

}  // namespace mts::theory
