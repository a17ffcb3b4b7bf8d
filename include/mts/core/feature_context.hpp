#pragma once
/// \file
/// `FeatureContext`: what a feature extractor may look at.

#include "mts/core/types.hpp"

namespace mts {

/// Stands where a validation forward would, if no extractor reads it.
struct NoValidation {};

/// One batch as features see it. Not owned; lives for one `extract`.
/// \tparam Train       the model's linearisation of the batch (at least a Forward; a classifier's shows logits and embeddings)
/// \tparam Validation  the model's forward of the validation batch, or NoValidation
template <class Train, class Validation>
struct FeatureContext {
  const Train& train;
  const Validation& validation;
  const Samples& samples;
  const Samples& validation_samples;
};

}  // namespace mts
