#pragma once
/// \file
/// `paper_features`: the features of the MTS paper in the order of its reference implementation.
///
///     auto features = paper_features({.classes = 10});
///     features.fit(embeddings, pool);         // generative embeddings of the pool, its labels and groups
///     features.fit(dynamics);                 // a run without selection
///     MlpWeightNet<float> net(features.layout());

#include "mts/features/batch_z_score.hpp"
#include "mts/features/class_label.hpp"
#include "mts/features/compose.hpp"
#include "mts/features/dataset_z_score.hpp"
#include "mts/features/error_norm.hpp"
#include "mts/features/forgetting.hpp"
#include "mts/features/gradient_norm.hpp"
#include "mts/features/group.hpp"
#include "mts/features/median_distance_rank.hpp"
#include "mts/features/nearest_real_cosine.hpp"
#include "mts/features/nearest_synthetic_cosine.hpp"
#include "mts/features/nearest_validation_cosine.hpp"
#include "mts/features/neighbour_agreement.hpp"
#include "mts/features/real_centre_cosine.hpp"
#include "mts/features/synthetic_centre_cosine.hpp"
#include "mts/features/validation_centre_cosine.hpp"

namespace mts::features {

struct PaperFeatureOptions {
  int classes = 2;
  int groups = 2;
  Index nearest = 3;     ///< how many nearest cosines, of validation, real and synthetic samples
  Index neighbours = 5;  ///< of `NeighbourAgreement`
  NeverLearned never_learned = NeverLearned::most;  ///< zero: as the reference implementation
};

/// A composition of 13 features; with the default options 17 continuous columns, and class and group, which a weight
/// net embeds (as 4 and 1 numbers in `MlpWeightNet`: 22 inputs). Online ones are normalised by batch, offline ones by
/// the pool: those of position by its unbiased deviation, those of a run by the population's. To be fitted on
/// embeddings and on a `TrainingDynamics`; errors at the first extraction say what was not.
/// Source: MTS reference implementation, whose dimensions are literals; for where values differ, see the features.
/// \throws ValueError for an option out of range
inline auto paper_features(const PaperFeatureOptions& options) {
  const auto of_run = Deviation::population;
  return compose(
      BatchZScore{NearestValidationCosine{options.nearest}}, BatchZScore{ValidationCentreCosine{}},
      DatasetZScore{RealCentreCosine{}}, DatasetZScore{SyntheticCentreCosine{}},
      DatasetZScore{NearestRealCosine{options.nearest}}, DatasetZScore{NearestSyntheticCosine{options.nearest}},
      DatasetZScore{NeighbourAgreement{options.neighbours}}, DatasetZScore{MedianDistanceRank{}},
      DatasetZScore{GradientNorm{}, of_run}, DatasetZScore{ErrorNorm{}, of_run},
      DatasetZScore{Forgetting{options.never_learned}, of_run}, ClassLabel{options.classes}, Group{options.groups});
}

}  // namespace mts::features
