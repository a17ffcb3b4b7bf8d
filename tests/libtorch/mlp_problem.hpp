// The problem that the step tests solve in both frameworks: five batches of two groups, a validation batch, and a
// classifier.
#pragma once

#include "libtorch/reference_step.hpp"
#include "mts/features/class_label.hpp"
#include "mts/features/compose.hpp"
#include "mts/features/group.hpp"
#include "mts/features/loss.hpp"
#include "mts/features/validation_centre_cosine.hpp"
#include "mts/nn/classifier.hpp"
#include "mts/selection/mlp_weight_net.hpp"
#include "mts/selection/step.hpp"

namespace parity {

inline constexpr Index inputs = 6, hidden = 8, classes = 3, train_samples = 24, validation_samples = 16, steps = 5;

/// One batch in all the forms that the two frameworks take.
template <class S>
struct Batches {
  mts::nn::ClassificationBatch<S> batch;
  mts::Samples samples;
  ReferenceBatch reference;
  torch_adapter::TorchBatch torch() const { return {reference.inputs, reference.labels}; }
};

/// Clouds of three classes; group 1 is shifted and a third of its labels are wrong. N and the stream decide.
template <class S>
Batches<S> draw(Index n, RandomStream stream) {
  Batches<S> b;
  b.batch.inputs.resize(n, inputs);
  for (Index i = 0; i < n; ++i) {
    const int label = static_cast<int>(stream.below(classes)), group = stream.chance(0.5) ? 1 : 0;
    for (Index j = 0; j < inputs; ++j)
      b.batch.inputs(i, j) = static_cast<S>(stream.normal() + (j == label ? 1.5 : 0.0) + (group == 1 ? 0.3 : 0.0));
    const bool wrong = group == 1 && stream.chance(0.33);
    b.samples.ids.push_back(i);
    b.samples.labels.push_back(wrong ? (label + 1) % static_cast<int>(classes) : label);
    b.samples.groups.push_back(group);
  }
  b.batch.labels = b.samples.labels;
  b.reference = {to_tensor<S>(b.batch.inputs), to_tensor(b.samples.labels), to_tensor(b.samples.groups)};
  return b;
}
template <class S>
Batches<S> train_batch(Index step) {
  return draw<S>(train_samples, {1, "train", static_cast<std::uint64_t>(step)});
}
template <class S>
Batches<S> validation_batch() {
  return draw<S>(validation_samples, {1, "validation"});
}

/// What `ReferenceStep` computes for itself.
inline auto reference_features() {
  using namespace mts::features;
  return compose(BatchZScore{Loss{}}, ValidationCentreCosine{}, ClassLabel{static_cast<int>(classes)}, Group{2});
}
template <class S>
mts::MlpWeightNet<S> reference_weight_net() {
  return mts::MlpWeightNet<S>(reference_features().layout(), {.hidden = {10, 6}});
}
template <class S>
Tensors reference_phi(const DenseParameters<S>& phi) {
  return leaves(phi, {{3, 4}, {2, 1}, {10, 7}, {10}, {6, 10}, {6}, {1, 6}, {1}});
}

}  // namespace parity
