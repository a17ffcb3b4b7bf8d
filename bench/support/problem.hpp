#pragma once
// The same in types: the nets, and the features that give the weight net the 22 inputs of the paper, 17 continuous
// columns, class in 4 dimensions and group in one.

#include <limits>

#include "mts/features/batch_z_score.hpp"
#include "mts/features/class_label.hpp"
#include "mts/features/compose.hpp"
#include "mts/features/dataset_z_score.hpp"
#include "mts/features/group.hpp"
#include "mts/features/nearest_real_cosine.hpp"
#include "mts/features/nearest_validation_cosine.hpp"
#include "mts/features/real_centre_cosine.hpp"
#include "mts/features/validation_centre_cosine.hpp"
#include "mts/nn/cnn.hpp"
#include "mts/nn/mlp.hpp"
#include "mts/selection/mlp_weight_net.hpp"
#include "support/case.hpp"

namespace bench {

/// The workspace budget, of the classifier and of the weight net, under which activations are kept or not.
constexpr Index budget(bool keeps) { return keeps ? std::numeric_limits<Index>::max() : 0; }

template <class S>
mts::nn::Classifier<S> classifier(Net net, bool keeps = true) {
  if (net == Net::cnn) return mts::nn::cnn<S>({28, 28, 1}, {.workspace_budget = budget(keeps)});
  return mts::nn::mlp<S>({pixels, 256, 256, classes}, {.workspace_budget = budget(keeps)});
}

/// The 17 continuous columns, class and group. Offline columns are a look-up whatever they mean, so the twelve nearest
/// real samples stand for those that the library does not compute yet.
inline auto make_features() {
  using namespace mts::features;
  auto f =
      compose(BatchZScore{NearestValidationCosine{3}}, BatchZScore{ValidationCentreCosine{}},
              DatasetZScore{RealCentreCosine{}}, DatasetZScore{NearestRealCosine{12}}, ClassLabel{classes}, Group{2});
  mts::RandomStream stream(0, "embeddings");
  mts::RowMatrix<float> embeddings(pool_samples, pool_embedding);
  for (Index k = 0; k < embeddings.size(); ++k) embeddings.data()[k] = static_cast<float>(stream.normal());
  f.fit(embeddings, samples_of(pool_samples));
  return f;
}
/// The same, fitted once for the program.
inline const auto& features() {
  static const auto fitted = make_features();
  return fitted;
}
using Features = decltype(make_features());

}  // namespace bench
