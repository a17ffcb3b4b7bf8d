#pragma once
/// \file
/// `SyntheticCentreCosine`: how well a sample points the way of its class's synthetic centre, in a generative
/// embedding.

#include "mts/features/detail/class_cosines.hpp"

namespace mts::features {

/// Column "synthetic_centre_cosine": cos(e_i, mean of e_j over the synthetic samples j (any group but 0) of class c_i),
/// of unnormalised embeddings e; a zero vector has cosine 0. Offline: `fit` once on the pool, then a look-up by id. A
/// synthetic sample is part of its class's mean, as in the source.
///
/// Cost: fit, two passes over pool x E, in parallel; a step, a look-up. The same bits for any number of threads. Const
/// calls are thread-safe.
/// Errors: a class with samples but no synthetic one is refused at fit.
/// Source: MTS reference implementation, SD_syn_center.
using SyntheticCentreCosine = detail::CentreCosine<detail::SyntheticSamples>;

}  // namespace mts::features
