#pragma once
/// \file
/// A soft floor under the effective batch size, as a shift of the alignments (law L3').

#include <algorithm>

#include "mts/selection/weights.hpp"

namespace mts {

/// A floor under the effective batch size: the penalty lambda max(0, f - B_eff/N)^2 on the meta loss is the same as
/// shifting a_i by -(4 lambda/N)(f - B_eff/N)_+ B_eff^2 p_i (law L3', with the inner step's eta already in a). It vanishes
/// at full collapse and cannot revive it; tempering can.
struct EffectiveBatchFloor {
  double fraction = 0;  ///< f in [0, 1]
  double strength = 0;  ///< lambda >= 0, in units of the validation loss

  /// The penalty at these weights.
  double value(const BatchWeights& weights) const {
    const double miss = shortfall(weights);
    return strength * miss * miss;
  }
  /// a <- a + shift
  void shift(const BatchWeights& weights, SampleVector& a) const {
    const double miss = shortfall(weights);
    if (miss == 0 || strength == 0) return;
    a -= (4 * strength / static_cast<double>(weights.size()) * miss * weights.b_eff * weights.b_eff) * weights.p;
  }

 private:
  double shortfall(const BatchWeights& weights) const {
    return std::max(0.0, fraction - weights.b_eff / static_cast<double>(weights.size()));
  }
};

}  // namespace mts
