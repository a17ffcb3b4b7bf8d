#pragma once
/// \file
/// Weight activations: from a logit z to a raw weight w = psi(z) >= 0. Everything is per sample, in double, and
/// expressed so that nothing overflows or vanishes: through log psi and s = d log psi/dz where psi is always positive,
/// through psi and psi' where it can be exactly 0.

#include <cmath>
#include <concepts>

namespace mts {

/// PositiveActivation: psi > 0 everywhere.  `log_value(z)` = log psi(z), `log_slope(z)` = s(z) = d log psi/dz.
template <class A>
concept PositiveActivation = requires(const A& a, double z) {
  { a.log_value(z) } -> std::same_as<double>;
  { a.log_slope(z) } -> std::same_as<double>;
};

/// VanishingActivation: psi can be exactly 0.  `value(z)` = psi(z) >= 0, `slope(z)` = psi'(z).
template <class A>
concept VanishingActivation = !PositiveActivation<A> && requires(const A& a, double z) {
  { a.value(z) } -> std::same_as<double>;
  { a.slope(z) } -> std::same_as<double>;
};

template <class A>
concept WeightActivation = PositiveActivation<A> || VanishingActivation<A>;

/// psi = 1/(1 + exp(-z)), s = 1 - w: bounded weights (the paper's choice).
struct SigmoidWeight {
  static constexpr const char* name = "sigmoid";
  double log_value(double z) const { return z >= 0 ? -std::log1p(std::exp(-z)) : z - std::log1p(std::exp(z)); }
  double log_slope(double z) const {
    const double e = std::exp(-std::abs(z));
    return z >= 0 ? e / (1 + e) : 1 / (1 + e);
  }
};

/// psi = exp z, s = 1: p is the softmax of z over the batch.
struct SoftmaxWeight {
  static constexpr const char* name = "softmax";
  double log_value(double z) const { return z; }
  double log_slope(double) const { return 1; }
};

/// psi = log(1 + exp z), s = sigmoid(z)/psi(z): positive, linear for large z. Below z = -37 psi = exp z in double.
struct SoftplusWeight {
  static constexpr const char* name = "softplus";
  double log_value(double z) const { return z < -37 ? z : std::log(softplus(z)); }
  double log_slope(double z) const {
    if (z < -37) return 1;
    const double e = std::exp(-std::abs(z));
    return (z >= 0 ? 1 / (1 + e) : e / (1 + e)) / softplus(z);
  }

 private:
  static double softplus(double z) { return (z > 0 ? z : 0) + std::log1p(std::exp(-std::abs(z))); }
};

/// psi = max(z, 0), psi' = 1 for z > 0, else 0. A batch of vanishing weights (S = 0) is a NumericalError.
struct ReluWeight {
  static constexpr const char* name = "relu";
  double value(double z) const { return z > 0 ? z : 0.0; }
  double slope(double z) const { return z > 0 ? 1.0 : 0.0; }
};

}  // namespace mts
