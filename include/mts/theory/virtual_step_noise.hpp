#pragma once
/// \file
/// L14': in the real step Gamma sits at theta+ of the same batch, so the training batch also moves Gamma.
///
/// With Gamma linear in theta over the step (H the validation Hessian; exact for a quadratic validation loss),
///     G = Cov_p(X, a_0) - eta Cov_p(X, g)^T H gbar_p,   a_0 = <g, Gamma(theta)>,   gbar_p = sum p_i g_i.
/// Let g~ = g - E[W g], a = <g, Gamma> with Gamma at the mean virtual step theta - eta E[W g], C = E[W (X - b) g~], and mu, h, u, v, o
/// as in L10 of that a. Then, exactly, bars the means over the batch,
///     G - mu = k/(1 + o) - (u v + eta c.H gamma)/(1 + o)^2 + eta u gamma.H gamma/(1 + o)^3,
///     k = h - eta W C.H g~,   c = W ((X - b) g~ - C),   gamma = W g~,
/// so that all follows from L10 with k for h, and the pair (u, v) joined by the pairs (c, eta H gamma).

#include <utility>

#include "mts/theory/gsnr_moments.hpp"
#include "mts/theory/location_model.hpp"

namespace mts::theory {

/// A pool of n equally likely samples, as the law of a sample. Gradients enter through their products alone.
struct VirtualStepPopulation {
  SampleVector w;               ///< n raw weights
  RowMatrix<double> x;          ///< n x P: X = s J, a column a parameter
  SampleVector a;               ///< n: <g_i, Gamma(theta)>, or at the mean virtual step (see `at_mean_step`)
  RowMatrix<double> curvature;  ///< n x n, symmetric: g_i^T H g_j
  double eta = 0;               ///< step size, not negative
  bool at_mean_step = false;    ///< whether `a` belongs to theta - eta E[W g] already
};

/// What is averaged over pairs (i, j) of the pool for the next order.
enum class PoolPairs {
  all,      ///< the pool is the law: batches are drawn from it with replacement
  distinct  ///< the pool stands for a larger one: i = j, which has probability n^-1 here and 0 there, is left out
};

namespace numeric {

/// All inner products of rows of the one with rows of the other. One place, for the compiler's sake.
inline RowMatrix<double> products_of_rows(const RowMatrix<double>& left, const RowMatrix<double>& right) {
  return left * right.transpose();
}

}  // namespace numeric

/// L14': first order, E k^2 for E h^2; next order, with psi_ij = u_i v_j + eta c_i.H gamma_j,
///     B1 = -E_i[k o + psi_ii],
///     V2 = 3 E k^2 E o^2 + 5 E[ko]^2 + E_ij[psi_ij^2 + psi_ij psi_ji] + 6 E_ij[(k_i o_j + k_j o_i) psi_ij] + 4 E[ko] E_i psi_ii
///          + 2 eta (E[ku] E_i[gamma.H gamma] + 2 E_ij[k_i gamma_i.H gamma_j u_j]) - 2 E[k^2 o] - 2 E_i[k_i psi_ii].
/// The part of E psi_ij^2 that grows with the dimension is eta^2 tr(Sigma_C H Sigma_g H), Sigma_C = E[c c^T], Sigma_g = E[gamma
/// gamma^T]; -2 E[k psi_ii] and 2 eta E[ku] E[gamma.H gamma] grow too, but cancel to that order. With `distinct` the averages over
/// pairs and C are taken over i != j. Relative error O(N^-2), and O(eta^2 |third derivative|).
/// Cost: O(n^2 P) in matrix products, five n x n matrices. Summed over the parameters.
/// \throws ShapeError, ValueError or NumericalError: no samples (distinct: fewer than 3), lengths that differ, a negative weight or
///   step size, no weight at all, numbers that are not finite
/// Source: set-up of arXiv:2606.00571; docs/theory.md, L14' (this project's own; the complete next order is an extension).
inline GsnrExpansion virtual_step_expansion(const VirtualStepPopulation& law, PoolPairs pairs = PoolPairs::all) {
  const char* const where = "virtual_step_expansion";
  const Index n = law.w.size();
  const bool distinct = pairs == PoolPairs::distinct;
  if (n < (distinct ? 3 : 1)) throw ShapeError(mts::detail::text(where, ": too few samples, found ", n));
  check_size(where, "rows of X", n, law.x.rows());
  check_size(where, "alignments", n, law.a.size());
  check_size(where, "rows of the curvature", n, law.curvature.rows());
  check_size(where, "columns of the curvature", n, law.curvature.cols());
  check_finite(where, "weight", law.w);
  check_finite(where, "entry of X", law.x.reshaped<Eigen::RowMajor>());
  check_finite(where, "alignment", law.a);
  check_finite(where, "curvature", law.curvature.reshaped<Eigen::RowMajor>());
  check_value(std::isfinite(law.eta) && law.eta >= 0, where, "eta must not be negative, found ", law.eta);
  check_value(law.w.minCoeff() >= 0, where, "a weight must not be negative, found ", law.w.minCoeff());
  check_value(law.w.sum() > 0, where, "the weights of all samples are 0");

  const auto count = static_cast<double>(n);
  const Index parameters = law.x.cols();
  const double eta = law.eta;
  const SampleVector W = law.w * (count / law.w.sum());
  // x~ = X - b, a~ = a - abar, H_ij = g~_i.H g~_j
  RowMatrix<double> x = law.x, H = law.curvature;
  SampleVector a = law.a, bend = SampleVector::Zero(n), b = SampleVector::Zero(parameters);
  for (Index i = 0; i < n; ++i) {
    b += W[i] / count * x.row(i).transpose();
    bend += W[i] / count * H.row(i).transpose();
  }
  if (!law.at_mean_step) a -= eta * bend;
  const double abar = W.dot(a) / count, bend_mean = W.dot(bend) / count;
  for (Index i = 0; i < n; ++i) {
    x.row(i) -= b.transpose();
    a[i] -= abar;
    for (Index j = 0; j < n; ++j) H(i, j) += bend_mean - bend[i] - bend[j];
  }
  const SampleVector o = W.array() - 1, W2 = W.cwiseAbs2(), H_ii = H.diagonal();

  // mu, and q_i = C.H g~_i, each a row of P; a sample must not meet itself in C where the pool stands for a larger one.
  RowMatrix<double> weighted_x(parameters, n);
  for (Index i = 0; i < n; ++i) weighted_x.col(i) = W[i] / count * x.row(i).transpose();
  RowMatrix<double> q = numeric::products_of_rows(H, weighted_x);
  SampleVector mu = SampleVector::Zero(parameters);
  for (Index i = 0; i < n; ++i) {
    mu += a[i] * weighted_x.col(i);
    if (distinct) q.row(i) = (q.row(i) - H_ii[i] * weighted_x.col(i).transpose()) * (count / (count - 1));
  }

  // k = h - eta W q and psi_ii = u v + eta W^2 (x~ H_ii - q), one sample as both of a pair.
  RowMatrix<double> k(n, parameters);
  SampleVector ko = SampleVector::Zero(parameters), psi = ko;
  double kk = 0, kko = 0, ku = 0, kpsi = 0, oo = 0, gamma_gamma = 0;
  for (Index i = 0; i < n; ++i) {
    for (Index m = 0; m < parameters; ++m) {
      const double k_i = W[i] * (x(i, m) * a[i] - mu[m] - eta * q(i, m));
      const double psi_ii = W2[i] * (x(i, m) * (a[i] + eta * H_ii[i]) - eta * q(i, m));
      k(i, m) = k_i;
      ko[m] += k_i * o[i] / count;
      psi[m] += psi_ii / count;
      kk += k_i * k_i / count;
      kko += k_i * k_i * o[i] / count;
      ku += k_i * W[i] * x(i, m) / count;
      kpsi += k_i * psi_ii / count;
    }
    oo += o[i] * o[i] / count;
    gamma_gamma += W2[i] * H_ii[i] / count;
  }
  const SampleVector b1 = -(ko + psi);

  // Averages over pairs of what is summed over parameters: s_ij = a~_j + eta H_ij, psi_ij = W_i W_j (x~_i s_ij - eta q_j).
  const RowMatrix<double> xx = numeric::products_of_rows(x, x), xq = numeric::products_of_rows(x, q),
                          qq = numeric::products_of_rows(q, q);
  const RowMatrix<double> kx = numeric::products_of_rows(k, x), kq = numeric::products_of_rows(k, q);
  double squares = 0, crossed = 0, ends = 0, bends = 0;
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < n; ++j) {
      if (distinct && i == j) continue;
      const double WW = W[i] * W[j], s_ij = a[j] + eta * H(i, j), s_ji = a[i] + eta * H(i, j);
      squares += WW * WW * (xx(i, i) * s_ij * s_ij - 2 * eta * s_ij * xq(i, j) + eta * eta * qq(j, j));
      crossed +=
          WW * WW * (xx(i, j) * s_ij * s_ji - eta * s_ij * xq(i, i) - eta * s_ji * xq(j, j) + eta * eta * qq(i, j));
      ends += WW * (o[j] * (kx(i, i) * s_ij - eta * kq(i, j)) + o[i] * (kx(j, i) * s_ij - eta * kq(j, j)));
      bends += WW * W[j] * kx(i, j) * H(i, j);
    }
  const double pair_count = distinct ? count * (count - 1) : count * count;

  GsnrExpansion e;
  e.mu_mu = mu.squaredNorm();
  e.mu_b1 = mu.dot(b1);
  e.b1_b1 = b1.squaredNorm();
  e.v1 = kk;
  e.v2_pairs = 3 * kk * oo + 5 * ko.squaredNorm() + (squares + crossed + 6 * ends) / pair_count + 4 * ko.dot(psi) +
               2 * eta * (ku * gamma_gamma + 2 * bends / pair_count);
  e.v2_thirds = -2 * kko - 2 * kpsi;
  return e;
}

/// The real step in the location model of L16 (H = I): uniform weights, J the indicator of a good sample, theta - theta* = along b + a vector
/// of length `across` at right angles to b.
struct LocationStep {
  LocationModel model;
  double along = 1;
  double across = 0;
  double eta = 0;
};

namespace domain {

inline void check_location_step(std::string_view where, const LocationStep& s) {
  check_location(where, s.model);
  for (double x : {s.along, s.across}) check_value(std::isfinite(x), where, "theta must be finite, found ", x);
  check_value(std::isfinite(s.eta) && s.eta >= 0, where, "eta must not be negative, found ", s.eta);
}

}  // namespace domain

/// L14' with all moments of the location model done: with t = rho (1 - rho), e_k = E (J - rho)^k, B = |b|^2, kappa = (1 - eta) along +
/// eta (1 - rho), D = <b, Gamma> = kappa B, |Gamma|^2 = kappa^2 B + (1 - eta)^2 across^2, K = D e_3 - eta t^2 B,
///     mu = t D,   B1 = -t D - eta e_3 B,
///     V1 = D^2 (e_4 - t^2) - 2 eta t B D e_3 + eta^2 t^3 B^2 + t sigma^2 |Gamma|^2 + eta^2 t^2 sigma^2 B,
/// and V2 from E[gamma gamma^T] = t b b^T + sigma^2 I, E[c c^T] = (e_4 - t^2) b b^T + t sigma^2 I, E[c gamma^T] = e_3 b b^T; its part
/// that grows with d is eta^2 t sigma^4 d. The validation loss is quadratic, so the relative error is O(N^-2) for every eta.
/// \throws ValueError if the model, theta or eta is outside its domain
/// Source: docs/theory.md, L14' and L16 (this project's own).
inline GsnrExpansion virtual_step_expansion(const LocationStep& step) {
  domain::check_location_step("virtual_step_expansion", step);
  const auto& [rho, shift, sigma, d] = step.model;
  const double eta = step.eta, t = rho * (1 - rho), B = shift * shift, s2 = sigma * sigma;
  const auto e = [rho = rho](int k) { return rho * std::pow(1 - rho, k) + (1 - rho) * std::pow(-rho, k); };
  const double e3 = e(3), e4 = e(4), e5 = e(5);
  const double kappa = (1 - eta) * step.along + eta * (1 - rho), D = kappa * B;
  const double gamma2 = kappa * kappa * B + (1 - eta) * (1 - eta) * step.across * step.across;  // |Gamma|^2
  const double K = D * e3 - eta * t * t * B;                                                    // E[k u]
  const double mu = t * D, b1 = -t * D - eta * e3 * B;
  const double trace_g = t * B + d * s2;

  GsnrExpansion x;
  x.mu_mu = mu * mu;
  x.mu_b1 = mu * b1;
  x.b1_b1 = b1 * b1;
  x.v1 = D * D * (e4 - t * t) - 2 * eta * t * B * D * e3 + eta * eta * t * t * t * B * B + t * s2 * gamma2 +
         eta * eta * t * t * s2 * B;
  // sum over pairs of pairs E[u_k u_l] E[v_k v_l]
  const double squares = t * (t * D * D + s2 * gamma2) + 2 * eta * e3 * D * (t * B + s2) +
                         eta * eta * ((e4 - t * t) * B * (t * B + s2) + t * s2 * (t * B + d * s2));
  const double crossed =
      t * t * D * D + 2 * eta * t * e3 * B * D + eta * eta * e3 * e3 * B * B;  // E[u_k v_l] E[v_k u_l]
  // E[k gamma] = (K - eta t s2) b: what the own noise of gamma does to k
  const double bend = 2 * eta * (K * trace_g + 2 * (K - eta * t * s2) * t * B);
  x.v2_pairs = squares + crossed + bend;
  // E[k u v] = E[k h], E[k c.gamma] with c.gamma = j |g~|^2 - t <b, g~>
  const double kuv = D * D * (e4 - t * t) - eta * t * B * D * e3 + t * s2 * gamma2;
  const double rest = d * s2 - t * B;
  const double kcg = D * (B * e5 - t * B * e3 + rest * e3) - eta * t * B * (B * e4 + rest * t) + 2 * e3 * s2 * D -
                     eta * t * t * s2 * B;
  x.v2_thirds = -2 * (kuv + eta * kcg);
  return x;
}

}  // namespace mts::theory
