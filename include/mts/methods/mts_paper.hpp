#pragma once
/// \file
/// MTS as its paper has it: a weight net of 22 inputs that say where a sample lies and how training on it went.

#include "mts/features/paper_features.hpp"
#include "mts/methods/weight_net_method.hpp"

namespace mts::methods {

/// w_i = sigmoid(MLP_{22-100-100-1}(f_i)), p_i = w_i/sum_j w_j, f the features of `paper_features`. To be fitted twice, on the
/// pool's generative embeddings and on a run without selection:
///
///     auto method = mts_paper({.classes = 10});
///     method.features.fit(embeddings, pool);
///     method.features.fit(dynamics);                 // a TrainingDynamics
///
/// By default a step is joint, with exact alignments. The reference implementation's choices are two arguments: its
/// crossed mode a selector batch at each call, `step(train, samples, validation, validation_samples, selector,
/// selector_samples)`; its finite differences the last one of `make_step`, `CentralDifference{}`.
/// Source: arXiv:2606.00571.
/// \throws ValueError for an option out of range
inline auto mts_paper(const features::PaperFeatureOptions& options) {
  return WeightNetMethod{features::paper_features(options), {.hidden = {100, 100}}, SigmoidWeight{}};
}

}  // namespace mts::methods
