#pragma once
/// \file
/// Meta-Weight-Net: a sample's weight is a learned function of its loss.

#include "mts/features/compose.hpp"
#include "mts/features/loss.hpp"
#include "mts/methods/weight_net_method.hpp"

namespace mts::methods {

/// w_i = sigmoid(MLP_{1-100-1}(l_i)), p_i = w_i/sum_j w_j. Nothing to fit. Cost beyond the step's: a weight net of 301 parameters.
/// Source: Shu et al., Meta-Weight-Net: learning an explicit mapping for sample weighting, NeurIPS 2019.
inline auto mw_net() {
  return WeightNetMethod{features::compose(features::Loss{}), {.hidden = {100}}, SigmoidWeight{}};
}

}  // namespace mts::methods
