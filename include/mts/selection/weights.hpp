#pragma once
/// \file
/// Normalised weights p_i = c_i w_i / S, w = psi(z), S = sum_j c_j w_j, and their pullback to the logits.
///
/// c are prior weights (of a class, of a sample); they multiply w before normalising and change nothing else. With
/// tempering, p_i is proportional to (c_i w_i)^tau, tau in [0, 1] the largest with B_eff(tau) >= floor.

#include <algorithm>
#include <cmath>
#include <limits>

#include "mts/core/error.hpp"
#include "mts/selection/activation.hpp"

namespace mts {

/// The normalised weights of a batch of N and what their pullback needs. Reusable without allocating.
struct BatchWeights {
  SampleVector p;         ///< N, sums to 1
  SampleVector mobility;  ///< q_k = d log-weight/dz_k times p_k: tau p_k s_k, or c_k psi'(z_k)/S
  SampleVector log_w;     ///< log(c_k w_k); kept while tempered
  double mean_w = 0;      ///< mean of the raw weights psi(z), without c
  double b_eff = 0;       ///< 1/sum p^2
  double tau = 1;         ///< the exponent; below 1 where tempering is at work
  bool tempered = false;  ///< whether tau was solved for B_eff = floor

  Index size() const { return p.size(); }
};

namespace detail {

/// p_i proportional to exp(tau l_i), by log-sum-exp; returns B_eff.
inline double softmax_into(const SampleVector& l, double tau, SampleVector& p) {
  const double top = l.maxCoeff();
  double sum = 0, squares = 0;
  for (Index i = 0; i < l.size(); ++i) {
    p[i] = std::isinf(l[i]) ? 0.0 : std::exp(tau * (l[i] - top));
    sum += p[i];
  }
  for (Index i = 0; i < l.size(); ++i) {
    p[i] /= sum;
    squares += p[i] * p[i];
  }
  return 1 / squares;
}

/// sum_i p_i x_i (l_i - lbar) = Cov_p(x, l), over the samples of positive weight.
inline double covariance_under(const SampleVector& p, const SampleVector& x, const SampleVector& l) {
  double mean = 0, sum = 0;
  for (Index i = 0; i < p.size(); ++i)
    if (p[i] > 0) mean += p[i] * l[i];
  for (Index i = 0; i < p.size(); ++i)
    if (p[i] > 0) sum += p[i] * x[i] * (l[i] - mean);
  return sum;
}

/// The tau in [0, 1] with B_eff(tau) = floor; B_eff falls from the number of positive weights to B_eff(1) < floor.
/// Newton's method inside a bracket: dB_eff/dtau = -2 B_eff^2 Cov_p(p, l). Leaves p there.
inline double solve_tempering(const SampleVector& l, double floor, SampleVector& p) {
  double low = 0, high = 1, tau = 0.5;
  for (int iteration = 0; iteration < 200; ++iteration) {
    const double b = softmax_into(l, tau, p);
    const double miss = b - floor;
    (miss > 0 ? low : high) = tau;
    if (std::abs(miss) <= 1e-12 * floor || high - low <= std::numeric_limits<double>::epsilon() * high) break;
    const double slope = -2 * b * b * covariance_under(p, p, l);
    double next = tau - miss / slope;
    if (!(next > low && next < high)) next = (low + high) / 2;
    if (next == tau) break;
    tau = next;
  }
  return tau;
}

}  // namespace detail

/// out <- the normalised weights of logits z.
/// \param prior  c, N non-negative numbers, or empty for all ones
/// \param tempering_floor  0 for none, else a fraction f in (0, 1]: where B_eff < f N, temper until B_eff = f N. Where fewer
///   than f N weights are positive, tau = 0 (uniform over them) is the most that can be had.
/// \throws NumericalError if z is not finite or S = 0; ValueError for bad priors, or tempering an activation that vanishes
template <WeightActivation A>
void normalize(const A& activation, const SampleVector& z, const SampleVector& prior, double tempering_floor,
               BatchWeights& out) {
  const Index n = z.size();
  if (n < 1) throw ShapeError("normalize: empty batch: expected at least 1 logit, found 0");
  if (prior.size() != 0) check_size("normalize", "prior weights", n, prior.size());
  check_finite("normalize", "logit z", z);
  check_value(tempering_floor >= 0 && tempering_floor <= 1, "normalize",
              "the tempering floor must be in [0, 1], found ", tempering_floor);
  for (Index i = 0; i < prior.size(); ++i)
    check_value(prior[i] >= 0 && std::isfinite(prior[i]), "normalize", "prior weight of sample ", i,
                " must be finite and not negative, found ", prior[i]);
  const auto c = [&](Index i) { return prior.size() ? prior[i] : 1.0; };
  out.p.resize(n);
  out.mobility.resize(n);
  out.mean_w = 0;
  out.tau = 1;
  out.tempered = false;

  if constexpr (PositiveActivation<A>) {
    out.log_w.resize(n);
    for (Index i = 0; i < n; ++i) {
      const double log_psi = activation.log_value(z[i]);
      out.mean_w += std::exp(log_psi) / static_cast<double>(n);
      out.log_w[i] = log_psi + std::log(c(i));
    }
    if (std::isinf(out.log_w.maxCoeff()))
      throw NumericalError(detail::text("normalize: S = 0: all ", n, " weights of the batch vanish"));
    out.b_eff = detail::softmax_into(out.log_w, 1, out.p);
    const double floor = tempering_floor * static_cast<double>(n);
    if (out.b_eff < floor) {
      // Counted by their logarithms: a weight so small that its p is 0 in double is one that tempering can revive.
      const auto positive = static_cast<double>((out.log_w.array() > -std::numeric_limits<double>::infinity()).count());
      if (positive > floor) {
        out.tau = detail::solve_tempering(out.log_w, floor, out.p);
        out.tempered = true;
      } else {
        out.tau = 0;
        detail::softmax_into(out.log_w, 0, out.p);
      }
      out.b_eff = 1 / out.p.squaredNorm();
    }
    for (Index i = 0; i < n; ++i) out.mobility[i] = out.tau * out.p[i] * activation.log_slope(z[i]);
  } else {
    check_value(tempering_floor == 0, "normalize", "an activation that can be exactly 0 cannot be tempered");
    double sum = 0;
    for (Index i = 0; i < n; ++i) {
      const double w = activation.value(z[i]);
      out.mean_w += w / static_cast<double>(n);
      out.p[i] = c(i) * w;
      out.mobility[i] = c(i) * activation.slope(z[i]);
      sum += out.p[i];
    }
    if (!(sum > 0)) throw NumericalError(detail::text("normalize: S = 0: all ", n, " weights of the batch vanish"));
    check_finite("normalize", "sum of the weights S", sum);
    out.p /= sum;
    out.mobility /= sum;
    out.b_eff = 1 / out.p.squaredNorm();
  }
}

/// The pullback of normalisation: for a loss with dL/dp_i = -a_i, dz_k <- dL/dz_k.
///
/// Without tempering  dz_k = -q_k (a_k - abar), abar = sum_j p_j a_j, q_k = p_k s_k (law L1; q_k = c_k psi'(z_k)/S where psi can
/// vanish). Tempered to B_eff = floor, tau moves with z: dtau/dz_k = -q_k (p_k - 1/B_eff)/Cov_p(p, log w), and
/// dL/dtau = -Cov_p(a, log w) (this project's derivation from the implicit function theorem).
inline void pullback_to_logits(const BatchWeights& weights, const SampleVector& a, SampleVector& dz) {
  check_size("pullback_to_logits", "alignments", weights.size(), a.size());
  const double mean = weights.p.dot(a);
  dz.resize(a.size());
  for (Index k = 0; k < a.size(); ++k) dz[k] = -weights.mobility[k] * (a[k] - mean);
  if (!weights.tempered) return;
  const double spread = detail::covariance_under(weights.p, weights.p, weights.log_w);
  if (!(spread > 0)) return;
  const double slope = detail::covariance_under(weights.p, a, weights.log_w) / spread;
  for (Index k = 0; k < a.size(); ++k) dz[k] += slope * weights.mobility[k] * (weights.p[k] - 1 / weights.b_eff);
}

}  // namespace mts
