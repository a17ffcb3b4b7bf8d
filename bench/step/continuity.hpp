#pragma once
// Which samples of a batch have a gradient that can be compared between two ways of computing it.
//
// A ReLU or a max pooling whose inputs are level within round-off goes one way here and the other there, and that
// sample's gradient jumps with it. Such samples are found in double alone, by moving the parameters a little.

#include <vector>

#include "support/case.hpp"

namespace bench {

/// Alignments a_i = <g_i, v> at the initial parameters, in double, and whether a_i is continuous there.
struct Exact {
  mts::SampleVector a;
  std::vector<bool> continuous;

  double left_out() const;
  /// Largest difference over largest number, of the continuous samples. \throws ValueError if they are fewer than half
  double error(const mts::SampleVector& found) const;
};
Exact exact_alignments(const Case& c, const Images& train, const Parameters& direction);

/// v = pull(Gamma) of a first step whose virtual step was made by p, in float.
Parameters first_direction(const Case& c, const Images& train, const Images& validation, const mts::SampleVector& p);

}  // namespace bench
