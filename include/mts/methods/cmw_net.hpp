#pragma once
/// \file
/// CMW-Net: a sample's weight is a learned function of its loss and class.

#include "mts/features/class_label.hpp"
#include "mts/features/compose.hpp"
#include "mts/features/loss.hpp"
#include "mts/methods/weight_net_method.hpp"

namespace mts::methods {

struct CmwNetOptions {
  int classes = 0;  ///< C, at least 1
};

/// w_i = sigmoid(MLP_{5-100-1}(l_i, E[c_i])), p_i = w_i/sum_j w_j, with a learned embedding E of 4 numbers a class. Nothing to
/// fit. In the paper classes are grouped by their size and each group has a weighting function of its own; the embedding
/// stands for that and needs no sizes.
/// Source: Shu et al., CMW-Net: learning a class-aware sample weighting mapping for robust deep learning, TPAMI 2023.
/// \throws ValueError if there are no classes
inline auto cmw_net(const CmwNetOptions& options) {
  return WeightNetMethod{
      features::compose(features::Loss{}, features::ClassLabel{options.classes}), {.hidden = {100}}, SigmoidWeight{}};
}

}  // namespace mts::methods
