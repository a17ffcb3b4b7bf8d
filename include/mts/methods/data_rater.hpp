#pragma once
/// \file
/// DataRater: a sample is rated by its content, whatever the model makes of it.

#include "mts/features/class_label.hpp"
#include "mts/features/compose.hpp"
#include "mts/features/dataset_z_score.hpp"
#include "mts/features/generative_embedding.hpp"
#include "mts/methods/weight_net_method.hpp"

namespace mts::methods {

struct DataRaterOptions {
  Index width = 0;  ///< of the generative embedding, at least 1
  int classes = 0;  ///< C, at least 1
};

/// p = softmax over the batch of z_i = MLP_{100-100}(e_i, E[c_i]), with the generative embedding e of the sample, normalised
/// over the pool, and a learned embedding E of 4 numbers a class. To be fitted on the pool's generative embeddings:
/// `method.features.fit(embeddings, pool)`. In the paper the rater is a network that reads the sample itself; here an
/// embedding has done so.
/// Source: Calian et al., DataRater: meta-learned dataset curation, NeurIPS 2025.
/// \throws ValueError if the width or the number of classes is below 1
inline auto data_rater(const DataRaterOptions& options) {
  return WeightNetMethod{features::compose(features::DatasetZScore{features::GenerativeEmbedding{options.width}},
                                           features::ClassLabel{options.classes}),
                         {.hidden = {100, 100}},
                         SoftmaxWeight{}};
}

}  // namespace mts::methods
