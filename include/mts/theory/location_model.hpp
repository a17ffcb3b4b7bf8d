#pragma once
/// \file
/// L16: the Gaussian location model, an end-to-end model of selection with nothing left to estimate.

#include <cmath>
#include <utility>

#include "mts/core/error.hpp"
#include "mts/theory/detail/root.hpp"

namespace mts::theory {

/// l_i = |theta - x_i|^2/2 in R^d; good x ~ N(theta*, sigma^2 I), a fraction rho; bad x ~ N(theta* + b, sigma^2 I). The validation loss
/// is that of good samples, Gamma = theta - theta*, so a_good - a_bad = <b, Gamma>: no signal at theta*.
struct LocationModel {
  double rho = 0.5;      ///< fraction of good samples, in (0, 1)
  double shift = 1;      ///< |b|, positive
  double sigma = 1;      ///< not negative
  double dimension = 1;  ///< d, at least 1
};

namespace domain {

inline void check_location(std::string_view where, const LocationModel& m) {
  check_value(m.rho > 0 && m.rho < 1, where, "rho must be inside (0, 1), found ", m.rho);
  check_value(std::isfinite(m.shift) && m.shift > 0, where, "|b| must be positive and finite, found ", m.shift);
  check_value(std::isfinite(m.sigma) && m.sigma >= 0, where, "sigma must not be negative, found ", m.sigma);
  check_value(std::isfinite(m.dimension) && m.dimension >= 1, where, "d must be at least 1, found ", m.dimension);
}
inline void check_mass(std::string_view where, double q) {
  check_value(q > 0 && q < 1, where, "the mass q on good samples must be inside (0, 1), found ", q);
}
inline void check_location_batch(std::string_view where, double n) {
  check_value(std::isfinite(n) && n > 0, where, "N must be positive and finite, found ", n);
}

}  // namespace domain

/// L16a: E |theta_hat - theta*|^2/2 where theta_hat minimises the training loss of rho N good and (1 - rho) N bad samples with mass q on
/// the good ones, equal within each kind:  [ (1-q)^2 |b|^2 + d sigma^2 (q^2/(rho N) + (1-q)^2/((1-rho) N)) ]/2. Exact.
/// \throws ValueError if q is outside [0, 1], N is not positive, or the model is outside its domain
/// Source: docs/theory.md, L16 (this project's own).
inline double location_excess_loss(const LocationModel& m, double n, double q) {
  domain::check_location("location_excess_loss", m);
  domain::check_location_batch("location_excess_loss", n);
  check_value(q >= 0 && q <= 1, "location_excess_loss", "the mass q must be in [0, 1], found ", q);
  const double noise = m.dimension * m.sigma * m.sigma;
  return ((1 - q) * (1 - q) * m.shift * m.shift +
          noise * (q * q / (m.rho * n) + (1 - q) * (1 - q) / ((1 - m.rho) * n))) /
         2;
}

/// L16a: the best mass, q* = (|b|^2 + B)/(|b|^2 + A + B), A = d sigma^2/(rho N), B = d sigma^2/((1 - rho) N). Below 1 as long as there is
/// noise: bad data still help. \throws ValueError as above
inline double location_best_mass(const LocationModel& m, double n) {
  domain::check_location("location_best_mass", m);
  domain::check_location_batch("location_best_mass", n);
  const double noise = m.dimension * m.sigma * m.sigma, b2 = m.shift * m.shift;
  const double A = noise / (m.rho * n), B = noise / ((1 - m.rho) * n);
  return (b2 + B) / (b2 + A + B);
}

/// L16b, the closed loop: shared softmax logits under gradient flow, theta always at the equilibrium theta* + (1 - q) b of its
/// weights, so q' = 2 c |b|^2 q^2 (1 - q)^3, c = (meta step) eta. The invariant clock
///     F(q) = 3 log(q/(1-q)) - 1/q + 2/(1-q) + 1/(2 (1-q)^2),   F(q(t)) - F(q(0)) = 2 c |b|^2 t.
/// Exact for that flow; with theta relaxing at a finite rate the error is of order c over that rate. \throws ValueError if q is outside
/// (0, 1). Source: docs/theory.md, L16 (this project's own).
inline double location_clock(double q) {
  domain::check_mass("location_clock", q);
  return 3 * std::log(q / (1 - q)) - 1 / q + 2 / (1 - q) + 1 / (2 * (1 - q) * (1 - q));
}

/// The time at which the mass has gone from q0 to q: (F(q) - F(q0))/(2 c |b|^2); negative if q < q0.
/// \throws ValueError if q or q0 is outside (0, 1), or c is not positive and finite; else as above
inline double location_time(const LocationModel& m, double c, double q0, double q) {
  domain::check_location("location_time", m);
  check_value(std::isfinite(c) && c > 0, "location_time", "c must be positive and finite, found ", c);
  return (location_clock(q) - location_clock(q0)) / (2 * c * m.shift * m.shift);
}

/// q(t): F inverted, by its root in the logit of q, to round-off. Late, 1 - q ~ (4 c |b|^2 t)^{-1/2}.
/// \throws ValueError if t is negative or not finite; else as `location_time`
inline double location_mass(const LocationModel& m, double c, double q0, double t) {
  domain::check_location("location_mass", m);
  check_value(std::isfinite(c) && c > 0, "location_mass", "c must be positive and finite, found ", c);
  check_value(std::isfinite(t) && t >= 0, "location_mass", "t must not be negative, found ", t);
  const double target = location_clock(q0) + 2 * c * m.shift * m.shift * t;
  // In x = logit q all is smooth: 1/q = 1 + e^-x, 1/(1-q) = 1 + e^x, and dF/dx = 1/(q (1-q)^2).
  const auto clock = [target](double x) {
    const double up = 1 + std::exp(x), down = 1 + std::exp(-x);
    return std::pair(3 * x - down + 2 * up + up * up / 2 - target, down * up * up);
  };
  const double start = std::log(q0 / (1 - q0));
  if (clock(start).first >= 0) return q0;
  double step = 1;
  while (clock(start + step).first <= 0) step *= 2;
  return 1 / (1 + std::exp(-numeric::increasing_root(clock, start, start + step)));
}

}  // namespace mts::theory
