#pragma once
/// \file
/// `RealCentreCosine`: how well a sample points the way of its class's real centre, in a generative embedding.

#include "mts/features/detail/class_cosines.hpp"

namespace mts::features {

/// Column "real_centre_cosine": cos(e_i, mean of e_j over the real samples j (group 0) of class c_i), of unnormalised
/// embeddings e; a zero vector has cosine 0. Offline: `fit` once on the pool, then a look-up by id. A real sample is
/// part of its class's mean, as in the source; that favours it by an order 1/(number of real samples).
///
/// Cost: fit, two passes over pool x E, in parallel; a step, a look-up. The same bits for any number of threads. Const
/// calls are thread-safe.
/// Errors: a class with samples but no real one is refused at fit.
/// Source: MTS reference implementation, SD_real_center.
using RealCentreCosine = detail::CentreCosine<detail::RealSamples>;

}  // namespace mts::features
