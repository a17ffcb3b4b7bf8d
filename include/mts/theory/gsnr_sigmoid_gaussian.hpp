#pragma once
/// \file
/// L10 for sigmoid weights of Gaussian features: no closed moments, but a quadrature that converges geometrically.

#include <algorithm>
#include <cmath>
#include <numbers>

#include "mts/theory/gsnr_moments.hpp"

namespace mts::theory {

/// w = sigmoid(z), z = z_f f + z_e e + z_0, a = a_f f + a_e e + a_noise n; f, e, n independent standard Gaussians. The
/// parameter is z_f, so J = f, s = 1 - w, X = (1 - w) f: one layer of a weight net that sees f and e.
struct SigmoidGaussian {
  double z_f = 1, z_e = 0, z_0 = 0;
  double a_f = 1, a_e = 0, a_noise = 0;
};

/// The moments of L10, by the trapezoidal rule in f and e. For an integrand analytic within a distance d of the real line its
/// error is e^{-2 pi d/h}; the sigmoid's poles are at distance pi/|z_f| and pi/|z_e|. The step h is chosen for round-off. Cost:
/// 1e4 nodes for slopes near 1, growing like |z_f z_e|.
/// \throws ValueError if a coefficient is not finite or a slope's size is above 50
/// Source: extension of docs/theory.md, L10 (this project's own).
inline GsnrMoments gsnr_moments_sigmoid_gaussian(const SigmoidGaussian& law) {
  constexpr double range = 9;       // e^{-81/2}: below round-off, and moments are of low degree
  constexpr double widest = 0.4;    // enough for a Gaussian times a polynomial
  constexpr double round_off = 36;  // e^{-36}
  constexpr double steepest = 50;
  for (double c : {law.z_f, law.z_e, law.z_0, law.a_f, law.a_e, law.a_noise})
    check_value(std::isfinite(c), "gsnr_moments_sigmoid_gaussian", "coefficients must be finite, found ", c);
  for (double c : {law.z_f, law.z_e})
    check_value(std::abs(c) <= steepest, "gsnr_moments_sigmoid_gaussian", "slopes are at most ", steepest,
                " in size, found ", c);
  const auto nodes = [&](double slope) {
    const double pole = std::numbers::pi / std::max(std::abs(slope), 1e-3);
    const double step = std::min(widest, 2 * std::numbers::pi * pole / round_off);
    const auto half = static_cast<Index>(std::ceil(range / step));
    SampleVector x(2 * half + 1);
    for (Index k = -half; k <= half; ++k) x[k + half] = static_cast<double>(k) * step;
    return x;
  };
  const SampleVector fs = nodes(law.z_f), es = law.z_e == 0 && law.a_e == 0 ? SampleVector::Zero(1) : nodes(law.z_e);
  const Index n = fs.size() * es.size();
  WeightedPopulation p{SampleVector(n), SampleVector(n), SampleVector(n), SampleVector(n),
                       SampleVector::Constant(n, law.a_noise * law.a_noise)};
  Index k = 0;
  for (const double f : fs)
    for (const double e : es) {
      const double z = law.z_f * f + law.z_e * e + law.z_0;
      const double small = std::exp(-std::abs(z)), w = (z >= 0 ? 1.0 : small) / (1 + small);
      p.probability[k] = std::exp(-(f * f + e * e) / 2);
      p.w[k] = w;
      p.x[k] = (z >= 0 ? small : 1.0) / (1 + small) * f;
      p.a[k++] = law.a_f * f + law.a_e * e;
    }
  return gsnr_moments(p);
}

}  // namespace mts::theory
