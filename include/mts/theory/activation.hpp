#pragma once
/// \file
/// Weight activations as the laws need them, and the normalised weights of a batch: log psi, its slope s and the slope
/// of the slope. (`selection/activation.hpp` is what training runs; the laws are checked against it and share no code
/// with it.)

#include <algorithm>
#include <cmath>
#include <concepts>
#include <string_view>

#include "mts/core/error.hpp"

namespace mts::theory {

/// Activation: psi > 0. `log_value(z)` = log psi, `log_slope(z)` = s = d log psi/dz, `log_curvature(z)` = ds/dz.
template <class A>
concept Activation = std::copyable<A> && requires(const A& a, double z) {
  { a.log_value(z) } -> std::convertible_to<double>;
  { a.log_slope(z) } -> std::convertible_to<double>;
  { a.log_curvature(z) } -> std::convertible_to<double>;
};

/// psi = exp z: s = 1, s' = 0.
struct Softmax {
  double log_value(double z) const { return z; }
  double log_slope(double) const { return 1; }
  double log_curvature(double) const { return 0; }
};

/// psi = 1/(1 + exp(-z)): s = 1 - w, s' = -w (1 - w).
struct Sigmoid {
  double log_value(double z) const { return -log1p_exp(-z); }
  double log_slope(double z) const { return std::exp(-log1p_exp(z)); }
  double log_curvature(double z) const { return -std::exp(-log1p_exp(z) - log1p_exp(-z)); }

  /// log(1 + exp z) without overflow.
  static double log1p_exp(double z) { return std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z))); }
};

/// psi = log(1 + exp z): with w = sigmoid(z), s = w/psi, s' = s (1 - w - s).
struct Softplus {
  double log_value(double z) const {
    return z < vanishing ? z : std::log(Sigmoid::log1p_exp(z));  // psi = e^z (1 - e^z/2 + ...)
  }
  double log_slope(double z) const {
    return z < vanishing ? 1 : std::exp(Sigmoid{}.log_value(z)) / Sigmoid::log1p_exp(z);
  }
  double log_curvature(double z) const {
    if (z < small) return -std::exp(z) / 2;  // s = 1 - e^z/2 + ...: the closed form cancels
    const double s = log_slope(z);
    return s * (Sigmoid{}.log_slope(z) - s);
  }

 private:
  static constexpr double vanishing = -37;  // e^z is below the rounding of 1
  static constexpr double small = -17;      // e^z squared is below the rounding of 1
};

/// psi = z^k on z > 0, k > 0 (k = 1: the linear branch of a ReLU): s = k/z, s' = -k/z^2.
struct Power {
  double exponent = 1;
  double log_value(double z) const { return exponent * std::log(z); }
  double log_slope(double z) const { return exponent / z; }
  double log_curvature(double z) const { return -exponent / (z * z); }
};

/// The normalised weights of a batch and the log-slopes that move them.
struct Weights {
  SampleVector p;   ///< p_i = c_i psi(z_i)/S, sums to 1
  SampleVector s;   ///< s_i = d log psi/dz
  SampleVector ds;  ///< ds_i/dz
};

namespace numeric {
inline void check_prior(std::string_view where, Index n, const SampleVector& prior) {
  if (prior.size() == 0) return;
  check_size(where, "prior weights", n, prior.size());
  for (Index i = 0; i < n; ++i)
    check_value(prior[i] > 0 && std::isfinite(prior[i]), where, "prior weight of sample ", i,
                " must be positive and finite, found ", prior[i]);
}
}  // namespace numeric

/// The weights at logits z. Class or prior weights c > 0 multiply psi before normalising (empty: all ones).
/// \throws ShapeError for an empty batch or priors of another length; NumericalError if z, log psi or s is not finite;
///   ValueError for a prior that is not positive
template <Activation A>
Weights weigh(const A& activation, const SampleVector& z, const SampleVector& prior = {}) {
  if (z.size() < 1) throw ShapeError("weigh: expected at least 1 logit, found 0");
  check_finite("weigh", "logit z", z);
  numeric::check_prior("weigh", z.size(), prior);
  Weights w{z, z, z};
  for (Index i = 0; i < z.size(); ++i) {
    w.p[i] = activation.log_value(z[i]) + (prior.size() ? std::log(prior[i]) : 0.0);
    w.s[i] = activation.log_slope(z[i]);
    w.ds[i] = activation.log_curvature(z[i]);
  }
  check_finite("weigh", "log psi", w.p);
  check_finite("weigh", "log-slope s", w.s);
  w.p = (w.p.array() - w.p.maxCoeff()).exp().matrix().eval();
  w.p /= w.p.sum();
  return w;
}

}  // namespace mts::theory
