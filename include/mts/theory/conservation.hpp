#pragma once
/// \file
/// What a flow of weights conserves (law L5).
///
/// In the tabular flow of L4 z_k'/s_k = c p_k (a_k - abar), and the right-hand sides sum to 0, so sum_k y(z_k) is
/// constant, y(z) = integral dz/s. Assumptions: gradient flow, any fixed or moving alignments, any class or prior
/// weights (they enter p alone). A net with one logit a group conserves sum_g y(phi_g), each group counted once,
/// because the groups' pushes sum to 0 as well (which is how L9 uses it); other nets that share parameters, and Adam,
/// conserve nothing of the kind.
///
/// In discrete time: softmax keeps sum z_k exactly, for SGD with any momentum and no weight decay (each step is a sum of gradients
/// whose entries sum to 0); any other y drifts, at first order in the step, by `conservation_drift`. Derived for this
/// project: docs/theory.md, L5; softplus, powers, shared groups and the drift are its own extensions.

#include <cmath>

#include "mts/theory/activation.hpp"
#include "mts/theory/detail/integrate.hpp"
#include "mts/theory/detail/root.hpp"

namespace mts::theory {

/// y(z) = integral dz/s for any activation, from 0 (so up to a constant of the activation), by quadrature to about
/// 1e-13.
/// \throws NumericalError if z or the integral is not finite
template <Activation A>
double conserved(const A& activation, double z) {
  check_finite("conserved", "logit z", z);
  return numeric::integrate([&](double x) { return 1 / activation.log_slope(x); }, 0, z);
}
/// Softmax: y = z.
inline double conserved(const Softmax&, double z) {
  check_finite("conserved", "logit z", z);
  return z;
}
/// Sigmoid: y = z + exp z.
inline double conserved(const Sigmoid&, double z) {
  check_finite("conserved", "logit z", z);
  return z + std::exp(z);
}
/// Powers, ReLU's linear branch among them: y = z^2/(2 k). There sum z^2 is kept while all z > 0.
inline double conserved(const Power& power, double z) {
  check_value(z > 0 && std::isfinite(z), "conserved", "a power weight needs z > 0, found ", z);
  return z * z / (2 * power.exponent);
}

/// sum_k y(z_k).
template <Activation A>
double conserved_sum(const A& activation, const SampleVector& z) {
  double sum = 0;
  for (Index k = 0; k < z.size(); ++k) sum += conserved(activation, z[k]);
  return sum;
}

/// The logit at a value of y, to round-off: y increases because s > 0. Where z grows without bound the answer is found
/// by Newton's method inside a bracket that grows.
template <Activation A>
double logit_of_conserved(const A& activation, double y) {
  check_finite("logit_of_conserved", "y", y);
  return numeric::increasing_root_near(
      [&](double z) { return std::pair(conserved(activation, z) - y, 1 / activation.log_slope(z)); }, 0);
}
inline double logit_of_conserved(const Softmax&, double y) { return y; }
/// Sigmoid: z + exp z = y. z lies between y - exp y and y where y <= 1, and between 0 and log y where y > 1.
inline double logit_of_conserved(const Sigmoid&, double y) {
  check_finite("logit_of_conserved", "y", y);
  return numeric::increasing_root([y](double z) { return std::pair(z + std::exp(z) - y, 1 + std::exp(z)); },
                                  y > 1 ? 0.0 : y - std::exp(y), y > 1 ? std::log(y) : y);
}
inline double logit_of_conserved(const Power& power, double y) {
  check_value(y > 0 && std::isfinite(y), "logit_of_conserved", "a power weight has y > 0, found ", y);
  return std::sqrt(2 * power.exponent * y);
}

/// What one discrete step does to the conserved sum at leading order: sum_k y''(z_k) (dz_k)^2/2, y'' = -s'/s^2;
/// relative error O(dz). Never negative where s falls (sigmoid, softplus, powers): discrete steps push the sum up.
/// \param dz  the step of the logits, along the negative hypergradient
template <Activation A>
double conservation_drift(const A& activation, const SampleVector& z, const SampleVector& dz) {
  check_size("conservation_drift", "steps of the logits", z.size(), dz.size());
  check_finite("conservation_drift", "logit z", z);
  check_finite("conservation_drift", "step of a logit", dz);
  double sum = 0;
  for (Index k = 0; k < z.size(); ++k) {
    const double s = activation.log_slope(z[k]);
    sum -= activation.log_curvature(z[k]) / (s * s) * dz[k] * dz[k] / 2;
  }
  return sum;
}

}  // namespace mts::theory
