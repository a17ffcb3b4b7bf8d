#pragma once
/// \file
/// Why the mean raw weight falls (law L6; Figure 2 of arXiv:2606.00571 shows it in training).
///
/// Tabular flow of L4 from equal logits. Derived for this project: docs/theory.md, L6; the forms for any activation and
/// for any kernel and state are its own.

#include "mts/theory/conservation.hpp"
#include "mts/theory/weight_flow.hpp"

namespace mts::theory {

/// The raw weight w0 from which the mean of sigmoid weights begins to fall: it falls iff w0 > 1/3.
inline constexpr double mean_weight_threshold = 1.0 / 3;

namespace numeric {
inline void check_mean_weight(std::string_view where, Index n, double variance, double rate) {
  check_value(n >= 2, where, "expected a batch of at least 2, found ", n);
  check_value(variance >= 0 && std::isfinite(variance), where, "the variance must be finite and not negative, found ",
              variance);
  check_value(rate >= 0 && std::isfinite(rate), where, "the rate must be finite and not negative, found ", rate);
}
}  // namespace numeric

/// L6, sigmoid: mean(w)'' = w0 (1 - w0)^3 (1 - 3 w0) c^2 Var(a)/N^2 at t = 0, where mean(w)' = 0. Exact at t = 0; the
/// mean itself is w0 + mean(w)'' t^2/2 + O(t^3).
/// \param w0  in (0, 1), every sample's weight
/// \param variance  Var(a) over the batch, with 1/N
/// \param rate  c = (meta step) * eta
inline double mean_weight_curvature(double w0, Index n, double variance, double rate) {
  check_value(w0 > 0 && w0 < 1, "mean_weight_curvature", "w0 must be in (0, 1), found ", w0);
  numeric::check_mean_weight("mean_weight_curvature", n, variance, rate);
  const auto size = static_cast<double>(n);
  return w0 * std::pow(1 - w0, 3) * (1 - 3 * w0) * rate * rate * variance / (size * size);
}

/// d^2 w/dy^2 in the coordinate y of L5, where the mean of y is conserved: psi s^2 (s^2 + 2 s') (dw/dy = psi s^2).
/// Where it is negative w is concave in y, and by Jensen mean w <= w(mean y). For a sigmoid that is w > 1/3; in general
/// 2 psi psi'' < psi'^2.
template <Activation A>
double weight_curvature_in_conserved(const A& activation, double z) {
  check_finite("weight_curvature_in_conserved", "logit z", z);
  const double s = activation.log_slope(z);
  return std::exp(activation.log_value(z)) * s * s * (s * s + 2 * activation.log_curvature(z));
}

/// L6 for any activation: mean(w)'' = psi s^2 (s^2 + 2 s') c^2 Var(a)/N^2 at t = 0: the curvature in y, times the mean
/// of y'^2. Softmax: always up. Softplus: down iff psi > 1.2564 (e^z = 2 psi). Powers z^k: down iff k < 2, so linear
/// weights always fall.
template <Activation A>
double mean_weight_curvature(const A& activation, double z0, Index n, double variance, double rate) {
  numeric::check_mean_weight("mean_weight_curvature", n, variance, rate);
  const auto size = static_cast<double>(n);
  return weight_curvature_in_conserved(activation, z0) * rate * rate * variance / (size * size);
}

/// L6, any kernel, from equal sigmoid weights: mean(w)' = w0 (1 - w0)^2 c 1^T K (a - abar)/N^2 at t = 0. 0 where K 1 is
/// constant (tabular, groups of equal size); otherwise the sign is that of the correlation of a with how strongly a
/// sample drives the net.
inline double mean_weight_slope(double w0, const Kernel& kernel, const SampleVector& a, double rate) {
  check_value(w0 > 0 && w0 < 1, "mean_weight_slope", "w0 must be in (0, 1), found ", w0);
  numeric::check_mean_weight("mean_weight_slope", a.size(), 0, rate);
  check_finite("mean_weight_slope", "alignment", a);
  const auto size = static_cast<double>(a.size());
  const SampleVector off = (a.array() - a.mean()).matrix();
  return w0 * (1 - w0) * (1 - w0) * rate * (kernel * off).sum() / (size * size);
}

/// The mean raw weight and its first two derivatives in time.
struct MeanWeight {
  double value, slope, curvature;
};
/// At any state of any flow: w' = w s z', w'' = w (s z'' + (s^2 + s') z'^2). Exact.
template <Activation A>
MeanWeight mean_weight(const WeightFlow<A>& flow, const SampleVector& z) {
  const Weights weights = flow.weights(z);
  const auto w = z.unaryExpr([&](double x) { return std::exp(flow.activation().log_value(x)); }).array().eval();
  const auto s = weights.s.array();
  const auto dz = flow.velocity(z).array().eval();
  const auto ddz = flow.acceleration(z).array().eval();
  return {w.mean(), (w * s * dz).mean(), (w * (s * ddz + (s.square() + weights.ds.array()) * dz.square())).mean()};
}

/// L6, global form: in the tabular sigmoid flow from logits z the mean raw weight stays below sigmoid(z*), z* the logit
/// at the mean of y, for as long as every weight is above 1/3 (later it can rise: of two groups with good fraction rho
/// = .8 it ends at rho).
/// \throws ValueError where a weight is not above 1/3
inline double mean_weight_bound(const SampleVector& z) {
  check_value(z.size() >= 1, "mean_weight_bound", "expected at least 1 logit, found 0");
  check_finite("mean_weight_bound", "logit z", z);
  const Sigmoid sigmoid;
  for (Index i = 0; i < z.size(); ++i) {
    const double w = std::exp(sigmoid.log_value(z[i]));
    check_value(w > mean_weight_threshold, "mean_weight_bound", "weight of sample ", i,
                ": expected more than 1/3, found ", w);
  }
  return std::exp(
      sigmoid.log_value(logit_of_conserved(sigmoid, conserved_sum(sigmoid, z) / static_cast<double>(z.size()))));
}

}  // namespace mts::theory
