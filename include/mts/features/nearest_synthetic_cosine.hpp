#pragma once
/// \file
/// `NearestSyntheticCosine`: how close a sample comes to the synthetic samples of its class nearest to it, in a
/// generative embedding.

#include "mts/features/detail/class_cosines.hpp"

namespace mts::features {

/// Columns "nearest_synthetic_cosine_1" ... "_k": the k largest values, descending, of cos(e_i, e_j) over the synthetic
/// samples j != i (any group but 0) of class c_i; a zero vector has cosine 0. A class with fewer than k synthetic
/// samples (other than i) repeats the smallest value. Offline: `fit` once on the pool, then a look-up by id.
///
/// Cost: fit, a product n_c x r_c x E for each class (n_c samples, r_c synthetic), in tiles and in parallel, with a
/// copy of one class's embeddings at a time; a step, a look-up. The same bits for any number of threads. Const calls
/// are thread-safe.
/// Errors: a class without a synthetic sample, or one alone that has no other to be compared with, is refused at fit.
/// Source: MTS reference implementation, SD_syn_3nearest, without the matrix of all similarities that it asks for.
using NearestSyntheticCosine = detail::NearestCosine<detail::SyntheticSamples>;

}  // namespace mts::features
