#pragma once
/// \file
/// L15: the variance of the weighted training gradient, and when the effective batch size tells it.

#include "mts/core/error.hpp"

namespace mts::theory {

/// Moments of one sample for the gradient gbar_p = sum p_i g_i, p_i = w_i/sum w; W = w/E w, g~ = g - E[W g], u = W g~, o = W - 1.
struct GradientMoments {
  double uu = 0;      ///< E |u|^2
  double oo = 0;      ///< E o^2
  double uo_uo = 0;   ///< |E[u o]|^2
  double uuo = 0;     ///< E[|u|^2 o]
  double spread = 0;  ///< tr Sigma_g = E |g - E g|^2, unweighted
};

/// A discrete joint law of a sample's weight and gradient; with `variance`, the trace of the gradient's covariance given the rest.
struct GradientPopulation {
  SampleVector probability;  ///< empty: all equal
  SampleVector w;            ///< raw weights, not negative
  RowMatrix<double> g;       ///< a row a sample: the gradient, or its mean given the weight
  SampleVector variance;     ///< tr Var[g | atom]; empty: 0
};

/// \throws ShapeError, ValueError, NumericalError as `gsnr_moments`
inline GradientMoments gradient_moments(const GradientPopulation& law) {
  const char* const where = "gradient_moments";
  const Index n = law.w.size();
  if (n < 1) throw ShapeError("gradient_moments: expected at least 1 atom, found 0");
  check_size(where, "gradients", n, law.g.rows());
  const SampleVector variance = law.variance.size() == 0 ? SampleVector::Zero(n) : law.variance;
  SampleVector p = law.probability.size() == 0 ? SampleVector::Ones(n) : law.probability;
  check_size(where, "probabilities", n, p.size());
  check_size(where, "variances", n, variance.size());
  check_finite(where, "probability", p);
  check_finite(where, "weight", law.w);
  check_finite(where, "gradient entry", law.g.reshaped<Eigen::RowMajor>());
  check_finite(where, "variance", variance);
  check_value(p.minCoeff() >= 0 && law.w.minCoeff() >= 0 && variance.minCoeff() >= 0, where,
              "probabilities, weights and variances must not be negative, found ", p.minCoeff(), ", ", law.w.minCoeff(),
              ", ", variance.minCoeff());
  check_value(p.dot(law.w) > 0, where, "the weights of all atoms of positive probability are 0");
  p /= p.sum();
  const SampleVector w = law.w / p.dot(law.w);
  const SampleVector weighted_mean = law.g.transpose() * p.cwiseProduct(w), mean = law.g.transpose() * p;
  SampleVector uo = SampleVector::Zero(law.g.cols());
  GradientMoments m;
  for (Index i = 0; i < n; ++i) {
    const SampleVector centred = law.g.row(i).transpose() - weighted_mean;
    const double o = w[i] - 1, u2 = w[i] * w[i] * (centred.squaredNorm() + variance[i]);
    m.uu += p[i] * u2;
    m.uuo += p[i] * u2 * o;
    m.oo += p[i] * o * o;
    m.spread += p[i] * ((law.g.row(i).transpose() - mean).squaredNorm() + variance[i]);
    uo += p[i] * w[i] * o * centred;
  }
  m.uo_uo = uo.squaredNorm();
  return m;
}

/// L15: tr Var[gbar_p] = E[W^2 |g - E[W g]|^2]/N + O(N^-2). \throws ValueError if N < 1 or a variance is negative or not finite
inline double weighted_gradient_variance_leading(const GradientMoments& m, double batch) {
  check_value(std::isfinite(batch) && batch >= 1, "weighted_gradient_variance", "N must be at least 1, found ", batch);
  check_value(std::isfinite(m.uu) && m.uu >= 0, "weighted_gradient_variance", "E |u|^2 must not be negative, found ",
              m.uu);
  return m.uu / batch;
}

/// With the next order: + (3 E|u|^2 E o^2 + 5 |E[uo]|^2 - 2 E[|u|^2 o])/N^2, error O(N^-3), from gbar_p - E[W g] = ubar/(1 + obar).
/// Source: docs/theory.md, L15; the next order is this project's own extension.
inline double weighted_gradient_variance(const GradientMoments& m, double batch) {
  return weighted_gradient_variance_leading(m, batch) + (3 * m.uu * m.oo + 5 * m.uo_uo - 2 * m.uuo) / (batch * batch);
}

/// tr(Sigma_g)/B_eff, B_eff = N/E[W^2]: what is usually said. It equals the leading order if W is independent of g, and may be several
/// times off otherwise.
inline double gradient_variance_by_effective_batch(const GradientMoments& m, double batch) {
  check_value(std::isfinite(batch) && batch >= 1, "gradient_variance_by_effective_batch",
              "N must be at least 1, found ", batch);
  return m.spread * (1 + m.oo) / batch;
}

}  // namespace mts::theory
