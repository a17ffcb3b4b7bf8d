#pragma once
/// \file
/// A soft gate on the alignments: what L2RW clips, this one weighs down.

#include <cmath>

#include "mts/core/error.hpp"

namespace mts::rules {

/// w_i = 1/(1 + exp(-sharpness a_i/s)), s = sqrt((1/N) sum (a_j - mean a)^2); a_i = <grad l_i, grad L_val> at theta. Nothing is thrown
/// away for good, and a sample of a slightly negative alignment counts nearly half. Where all alignments are equal so are the weights.
///
/// Cost: as L2RW. Source: this project (docs/benchmarks.md); in the limit of a large sharpness the sign of the alignment.
class SoftGate {
 public:
  static constexpr const char* name = "soft gate";
  static constexpr bool shows = false;

  /// \param sharpness  > 0
  explicit SoftGate(double sharpness = 2) : sharpness_(sharpness) {
    check_value(sharpness > 0 && std::isfinite(sharpness), name, "the sharpness must be positive, found ", sharpness);
  }

  template <class Context>
  void operator()(const Context& context, SampleVector& w) const {
    const SampleVector& a = context.alignments();
    const double mean = a.mean();
    const double s = std::sqrt((a.array() - mean).square().mean());
    if (s > 0)
      w = (1 + (-sharpness_ / s * a.array()).exp()).inverse();
    else
      w.setOnes(a.size());
  }

 private:
  double sharpness_;
};

}  // namespace mts::rules
