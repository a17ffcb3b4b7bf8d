#pragma once
/// \file
/// L10: the GSNR of a hypergradient over fresh batches, to leading and to next order, from moments of one sample.
///
///     auto e = theory::gsnr_expansion(theory::gsnr_moments_tilted_gaussian(.3, .5));
///     theory::predict_gsnr(e, 256).gsnr;                               // E[G]^2 / Var[G] at N = 256
///
/// G = Cov_p(X, a) = sum p_i X_i a_i - (sum p_i X_i)(sum p_i a_i), p_i = w_i / sum w, X = s J: the hypergradient of one weight-net
/// parameter but for the factor -eta (L2). Assumed: iid samples; Gamma independent of the training batch; X of a sample depends on
/// that sample alone; w > 0 with positive probability, w and the moments below finite.

#include <limits>

#include "mts/core/error.hpp"

namespace mts::theory {

/// Moments of one sample, under the law of the pool (not the weighted law). With W = w/E w, b = E[W X], abar = E[W a]:
///     mu = E[W (X - b)(a - abar)] = Cov_W(X, a),
///     h = W ((X - b)(a - abar) - mu),   u = W (X - b),   v = W (a - abar),   o = W - 1, all of mean 0.
struct GsnrMoments {
  double mu = 0;
  double hh = 0, ho = 0, hu = 0, hv = 0;
  double uu = 0, uv = 0, vv = 0;
  double oo = 0, ou = 0, ov = 0;
  double hho = 0, huv = 0;
};

/// What is left of the moments in E[G] and Var[G], summed over parameters (add expansions for more parameters):
///     E[G] = mu + B1/N + O(N^-2),   Var[G] = V1/N + (V2_pairs + V2_thirds)/N^2 + O(N^-3).
/// In a batch drawn without replacement from a pool of n (whose moments have n - 1 below),
///     E[G] = mu + B1 f,   Var[G] = V1 f + V2_pairs f^2 + V2_thirds f (1/N - 2/n),   f = 1/N - 1/n:
/// V2_thirds are third cumulants, V2_pairs products of second moments.
struct GsnrExpansion {
  double mu_mu = 0;      ///< sum mu^2
  double mu_b1 = 0;      ///< sum mu B1
  double b1_b1 = 0;      ///< sum B1^2
  double v1 = 0;         ///< sum V1
  double v2_pairs = 0;   ///< sum of the part of V2 that second moments make
  double v2_thirds = 0;  ///< sum of the part that third moments make

  GsnrExpansion& operator+=(const GsnrExpansion& e) {
    mu_mu += e.mu_mu;
    mu_b1 += e.mu_b1;
    b1_b1 += e.b1_b1;
    v1 += e.v1;
    v2_pairs += e.v2_pairs;
    v2_thirds += e.v2_thirds;
    return *this;
  }
  friend GsnrExpansion operator+(GsnrExpansion a, const GsnrExpansion& b) { return a += b; }
  friend GsnrExpansion operator*(double c, const GsnrExpansion& e) {
    return {c * e.mu_mu, c * e.mu_b1, c * e.b1_b1, c * e.v1, c * e.v2_pairs, c * e.v2_thirds};
  }
  double v2() const { return v2_pairs + v2_thirds; }
};

enum class GsnrOrder {
  leading,  ///< mu^2 N / V1: relative error O(1/N)
  next      ///< with B1 and V2: relative error O(1/N^2)
};

struct GsnrPrediction {
  double signal = 0;    ///< |E G|^2
  double variance = 0;  ///< tr Var[G]
  double gsnr = 0;      ///< signal / variance; infinity if only the variance is 0, and 0 for 0/0
  /// Signal without information: |B1| f > |mu|, so most of E[G] is the bias of normalising within the batch, which points
  /// nowhere useful and is gone in a larger batch.
  bool bias_dominates = false;
};

/// L10: B1 = -(E[ho] + E[uv]), the coefficient of E[G] = mu + B1/N + O(N^-2).
inline double gsnr_bias_coefficient(const GsnrMoments& m) { return -(m.ho + m.uv); }

/// L10 for one parameter:
///     V1 = E h^2,
///     V2 = 3 V1 E[o^2] + 5 E[ho]^2 + E[u^2] E[v^2] + E[uv]^2 + 6 (E[hu] E[ov] + E[hv] E[ou]) + 4 E[ho] E[uv]
///          - 2 E[h^2 o] - 2 E[huv].
/// From G - mu = hbar/(1 + obar) - ubar vbar/(1 + obar)^2, exact, bars the means over the batch.
/// \throws ValueError if E h^2, E u^2, E v^2 or E o^2 is negative; NumericalError if a moment is not finite
/// Source: set-up of arXiv:2606.00571; docs/theory.md, L10; the next order and its split are this project's own.
inline GsnrExpansion gsnr_expansion(const GsnrMoments& m) {
  for (double x : {m.mu, m.hh, m.ho, m.hu, m.hv, m.uu, m.uv, m.vv, m.oo, m.ou, m.ov, m.hho, m.huv})
    check_finite("gsnr_expansion", "moment", x);
  for (double x : {m.hh, m.uu, m.vv, m.oo})
    check_value(x >= 0, "gsnr_expansion", "E h^2, E u^2, E v^2 and E o^2 must not be negative, found ", x);
  const double b1 = gsnr_bias_coefficient(m);
  GsnrExpansion e;
  e.mu_mu = m.mu * m.mu;
  e.mu_b1 = m.mu * b1;
  e.b1_b1 = b1 * b1;
  e.v1 = m.hh;
  e.v2_pairs =
      3 * m.hh * m.oo + 5 * m.ho * m.ho + m.uu * m.vv + m.uv * m.uv + 6 * (m.hu * m.ov + m.hv * m.ou) + 4 * m.ho * m.uv;
  e.v2_thirds = -2 * m.hho - 2 * m.huv;
  return e;
}

namespace domain {

inline void check_batch(std::string_view where, double batch, double pool) {
  check_value(std::isfinite(batch) && batch >= 2, where, "the batch N must be finite and at least 2, found ", batch);
  check_value(pool >= batch, where, "the pool must not be smaller than the batch: N = ", batch, ", pool = ", pool);
}

}  // namespace domain

/// Signal, variance and GSNR of batches of N.
/// \param pool  n, where batches are drawn without replacement from a pool whose own mean hypergradient is the expansion's mu;
///   infinite by default. A batch of the whole pool has variance 0.
/// \throws ValueError if N < 2, n < N, or the variance to next order is negative (1/N is too large for the expansion)
inline GsnrPrediction predict_gsnr(const GsnrExpansion& e, double batch, GsnrOrder order = GsnrOrder::next,
                                   double pool = std::numeric_limits<double>::infinity()) {
  domain::check_batch("predict_gsnr", batch, pool);
  const double f = 1 / batch - 1 / pool;
  GsnrPrediction g;
  g.signal = e.mu_mu;
  g.variance = e.v1 * f;
  if (order == GsnrOrder::next) {
    g.signal += 2 * e.mu_b1 * f + e.b1_b1 * f * f;
    g.variance += e.v2_pairs * f * f + e.v2_thirds * f * (1 / batch - 2 / pool);
  }
  check_value(g.variance >= 0, "predict_gsnr", "at N = ", batch, " the variance to next order is negative, ",
              g.variance, ": the batch is too small for the expansion");
  g.gsnr = g.variance > 0 ? g.signal / g.variance : g.signal > 0 ? std::numeric_limits<double>::infinity() : 0.0;
  g.bias_dominates = e.b1_b1 * f * f > e.mu_mu;
  return g;
}

/// E[G] of one parameter to next order, mu + B1/N. \throws ValueError if N < 2
inline double gsnr_mean(const GsnrMoments& m, double batch) {
  domain::check_batch("gsnr_mean", batch, batch);
  return m.mu + gsnr_bias_coefficient(m) / batch;
}

/// A discrete joint law of one sample's (w, X, a); with `a_variance`, a is random given the rest, with mean `a`. All that L10
/// asks of a are its first two moments given (w, X), so this is also how a law with densities is handed in: as nodes.
struct WeightedPopulation {
  SampleVector probability;  ///< empty: all equal; need not sum to 1
  SampleVector w;            ///< raw weights, not negative
  SampleVector x;            ///< X = s J
  SampleVector a;            ///< alignments, or their means given w and X
  SampleVector a_variance;   ///< variances of a given w and X; empty: 0
};

/// The moments of a discrete law, or of a pool (with n below, as is right for draws with replacement).
/// Cost: three passes. \throws ShapeError if lengths differ or are 0; ValueError if a probability, weight or variance is negative
///   or all weight is 0; NumericalError if a number is not finite
inline GsnrMoments gsnr_moments(const WeightedPopulation& law) {
  const char* const where = "gsnr_moments";
  const Index n = law.w.size();
  if (n < 1) throw ShapeError("gsnr_moments: expected at least 1 atom, found 0");
  const bool equal = law.probability.size() == 0, sharp = law.a_variance.size() == 0;
  if (!equal) check_size(where, "probabilities", n, law.probability.size());
  if (!sharp) check_size(where, "variances of a", n, law.a_variance.size());
  check_size(where, "X", n, law.x.size());
  check_size(where, "a", n, law.a.size());
  check_finite(where, "probability", law.probability);
  check_finite(where, "weight", law.w);
  check_finite(where, "X", law.x);
  check_finite(where, "a", law.a);
  check_finite(where, "variance of a", law.a_variance);
  double total = 0, mass = 0, b = 0, abar = 0;
  for (Index i = 0; i < n; ++i) {
    const double q = equal ? 1.0 : law.probability[i];
    check_value(q >= 0 && law.w[i] >= 0, where, "probability and weight must not be negative, found ", q, " and ",
                law.w[i], " at atom ", i);
    if (!sharp) check_value(law.a_variance[i] >= 0, where, "negative variance ", law.a_variance[i], " at atom ", i);
    total += q;
    mass += q * law.w[i];
    b += q * law.w[i] * law.x[i];
    abar += q * law.w[i] * law.a[i];
  }
  check_value(mass > 0, where, "the weights of all atoms of positive probability are 0");
  b /= mass;
  abar /= mass;
  GsnrMoments m;
  for (Index i = 0; i < n; ++i) {
    const double q = equal ? 1.0 : law.probability[i];
    m.mu += q * law.w[i] / mass * (law.x[i] - b) * (law.a[i] - abar);
  }
  for (Index i = 0; i < n; ++i) {
    const double q = (equal ? 1.0 : law.probability[i]) / total;
    const double w = law.w[i] * total / mass, o = w - 1, x = law.x[i] - b, y = law.a[i] - abar;
    const double y2 = y * y + (sharp ? 0.0 : law.a_variance[i]);  // E[(a - abar)^2 | w, X]
    const double k = x * y - m.mu, k2 = x * x * y2 - 2 * m.mu * x * y + m.mu * m.mu;
    const double ww = q * w * w;
    m.hh += ww * k2;
    m.hho += ww * k2 * o;
    m.huv += ww * w * (x * x * y2 - m.mu * x * y);
    m.hu += ww * k * x;
    m.hv += ww * (x * y2 - m.mu * y);
    m.uu += ww * x * x;
    m.uv += ww * x * y;
    m.vv += ww * y2;
    m.ho += q * w * k * o;
    m.ou += q * w * x * o;
    m.ov += q * w * y * o;
    m.oo += q * o * o;
  }
  return m;
}

}  // namespace mts::theory
