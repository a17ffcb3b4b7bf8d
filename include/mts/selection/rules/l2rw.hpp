#pragma once
/// \file
/// L2RW: weights from the alignments of this very batch, without a weight net.

#include "mts/core/types.hpp"

namespace mts::rules {

/// w_i = max(a_i, 0): the step of the weights, from 0 along the negative gradient of the validation loss, clipped; a_i =
/// <grad l_i, grad L_val> at theta. With w/sum w as p. Where no alignment is positive all weights are 0.
///
/// Cost: a linearisation of the validation batch, its pullback, one alignment of the batch.
/// Source: Ren, Zeng, Yang and Urtasun, Learning to reweight examples for robust deep learning, ICML 2018, algorithm 1.
struct L2rw {
  static constexpr const char* name = "l2rw";
  static constexpr bool shows = false;
  template <class Context>
  void operator()(const Context& context, SampleVector& w) const {
    w = context.alignments().cwiseMax(0.0);
  }
};

}  // namespace mts::rules
