#pragma once
// Whether our side and LibTorch's solve the same problem.

#include "libtorch/peer.hpp"
#include "step/trainer.hpp"

namespace bench {

/// Largest differences over largest numbers.
struct Agreement {
  double losses = 0, weights = 0, weighted_gradient = 0, alignments = 0, hypergradient = 0;
};

/// At the initial parameters: losses and weights p, which tell of the features too; the gradient of sum u_i l_i;
/// alignments along the direction of a first step; and dL_val/dphi of one whole step with selection, which both sides
/// take here. All to 5e-5, gradients over those samples whose gradient does not jump within round-off (see
/// continuity.hpp); but the hypergradient, which has all samples in it, to 2e-2.
/// \throws NumericalError that names what differs
Agreement check_agreement(const Case& c, const Images& train, const Images& validation, Trainer& ours, Peer& theirs);

/// The 13 columns of the pool that are only looked up, as our extractors give them.
const mts::RowMatrix<float>& offline_columns();

}  // namespace bench
