#pragma once
/// \file
/// The hypergradient of one half of a batch: what the live GSNR estimate is made of.

#include "mts/selection/weights.hpp"

namespace mts {

/// dz <- the logit gradient that the samples at even (half 0) or odd (half 1) positions alone would give: weights normalised
/// within the half, dz_k = -(q_k/P)(a_k - abar), P = sum p, abar = sum p a/P over the half; 0 outside the half. The two halves are
/// disjoint, so given Gamma their hypergradients are independent. Returns false (and zeros) if the half has no weight.
inline bool half_batch_logit_gradient(const BatchWeights& weights, const SampleVector& a, int half, SampleVector& dz) {
  check_size("half_batch_logit_gradient", "alignments", weights.size(), a.size());
  dz.setZero(a.size());
  double mass = 0, mean = 0;
  for (Index k = half; k < a.size(); k += 2) {
    mass += weights.p[k];
    mean += weights.p[k] * a[k];
  }
  if (!(mass > 0)) return false;
  mean /= mass;
  for (Index k = half; k < a.size(); k += 2) dz[k] = -weights.mobility[k] / mass * (a[k] - mean);
  return true;
}

}  // namespace mts
