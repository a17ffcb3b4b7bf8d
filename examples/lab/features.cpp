#include "lab/features.hpp"

#include "lab/feature_sets.hpp"
#include "lab/registry.hpp"
#include "mts/features/alignment_history.hpp"
#include "mts/features/batch_z_score.hpp"
#include "mts/features/class_label.hpp"
#include "mts/features/class_validation_cosines.hpp"
#include "mts/features/dataset_z_score.hpp"
#include "mts/features/error_norm.hpp"
#include "mts/features/forgetting.hpp"
#include "mts/features/generative_embedding.hpp"
#include "mts/features/gradient_norm.hpp"
#include "mts/features/group.hpp"
#include "mts/features/loss.hpp"
#include "mts/features/loss_quantile.hpp"
#include "mts/features/median_distance_rank.hpp"
#include "mts/features/nearest_real_cosine.hpp"
#include "mts/features/nearest_synthetic_cosine.hpp"
#include "mts/features/nearest_validation_cosine.hpp"
#include "mts/features/neighbour_agreement.hpp"
#include "mts/features/real_centre_cosine.hpp"
#include "mts/features/real_margin.hpp"
#include "mts/features/synthetic_centre_cosine.hpp"
#include "mts/features/validation_centre_cosine.hpp"
#include "mts/features/validation_margin.hpp"

namespace mts::lab {

namespace {

using namespace mts::features;

/// Copies of a history share its record: one is told of alignments, the other says what became of them.
class Remembered final : public Held<BatchZScore<AlignmentHistory>> {
 public:
  Remembered(AlignmentHistory history, const Task& task)
      : Held(BatchZScore{history}, task), history_(std::move(history)) {}
  void observe(std::span<const Index> ids, const SampleVector& alignments) override {
    history_.observe(ids, alignments);
  }

 private:
  AlignmentHistory history_;
};

}  // namespace

const std::vector<FeatureEntry>& features() {
  static const std::vector<FeatureEntry> entries = {
      {"loss", "the sample's loss", [](const Task& t) { return hold(Loss{}, t); }},
      {"nearest-validation-cosine", "cosines to the 3 nearest validation embeddings; batch z-score",
       [](const Task& t) { return hold(BatchZScore{NearestValidationCosine{3}}, t); }},
      {"validation-centre-cosine", "cosine to the mean validation embedding; batch z-score",
       [](const Task& t) { return hold(BatchZScore{ValidationCentreCosine{}}, t); }},
      {"real-centre-cosine",
       "cosine to the mean real sample of its class, in the generative embedding; data set z-score",
       [](const Task& t) { return hold(DatasetZScore{RealCentreCosine{}}, t); }},
      {"nearest-real-cosine",
       "cosines to the 3 nearest real samples of its class, in the generative embedding; data set z-score",
       [](const Task& t) { return hold(DatasetZScore{NearestRealCosine{3}}, t); }},
      {"synthetic-centre-cosine",
       "cosine to the mean synthetic sample of its class, in the generative embedding; data set z-score",
       [](const Task& t) { return hold(DatasetZScore{SyntheticCentreCosine{}}, t); }},
      {"nearest-synthetic-cosine",
       "cosines to the 3 nearest synthetic samples of its class, in the generative embedding; data set z-score",
       [](const Task& t) { return hold(DatasetZScore{NearestSyntheticCosine{3}}, t); }},
      {"neighbour-agreement",
       "share of its class among the 5 nearest samples of the pool, in the generative embedding; data set z-score",
       [](const Task& t) { return hold(DatasetZScore{NeighbourAgreement{5}}, t); }},
      {"median-distance-rank",
       "how unusual its distance from its class's mean is, in the generative embedding; data set z-score",
       [](const Task& t) { return hold(DatasetZScore{MedianDistanceRank{}}, t); }},
      {"real-margin",
       "nearness of the 3 nearest real samples of its class less that of other classes'; data set z-score",
       [](const Task& t) { return hold(DatasetZScore{RealMargin{3}}, t); }},
      {"validation-margin",
       "nearness of the 3 nearest validation samples of its class less that of other classes'; data set z-score",
       [](const Task& t) {
         const auto& v = t.problem.validation;
         return hold(DatasetZScore{ValidationMargin{v.embeddings, v.labels, 3}}, t);
       }},
      {"gradient-norm", "GraNd: the length of its gradient in a run without selection; data set z-score",
       [](const Task& t) {
         return hold(DatasetZScore{GradientNorm{}, Deviation::population}, t);
       }},
      {"error-norm", "EL2N: how wrong its prediction is in a run without selection; data set z-score",
       [](const Task& t) {
         return hold(DatasetZScore{ErrorNorm{}, Deviation::population}, t);
       }},
      {"forgetting", "how often a run without selection forgets it; data set z-score",
       [](const Task& t) {
         return hold(DatasetZScore{Forgetting{}, Deviation::population}, t);
       }},
      {"generative-embedding", "its generative embedding; data set z-score",
       [](const Task& t) { return hold(DatasetZScore{GenerativeEmbedding{t.pool->embeddings.cols()}}, t); }},
      {"class-validation-cosines",
       "cosines to its class's mean validation embedding and to the nearest other class's; batch z-score",
       [](const Task& t) { return hold(BatchZScore{ClassValidationCosines{}}, t); }},
      {"alignment-history",
       "mean of its alignments in the steps so far, shrunk to 0, and that mean's standard error; batch z-score",
       [](const Task& t) -> std::shared_ptr<AnyFeature> {
         return std::make_shared<Remembered>(AlignmentHistory(t.pool->size()), t);
       }},
      {"loss-quantile", "rank of the sample's loss in the batch",
       [](const Task& t) { return hold(LossQuantile{}, t); }},
      {"class", "the sample's class, as a learned embedding",
       [](const Task& t) { return hold(ClassLabel{t.problem.classes}, t); }},
      {"group", "real or synthetic, as a learned embedding", [](const Task& t) { return hold(Group{2}, t); }},
  };
  return entries;
}

FeatureLayout ChosenFeatures::layout() const {
  FeatureLayout all;
  for (const auto& feature : features_) {
    const FeatureLayout part = feature->layout();
    all.continuous.insert(all.continuous.end(), part.continuous.begin(), part.continuous.end());
    all.categorical.insert(all.categorical.end(), part.categorical.begin(), part.categorical.end());
  }
  return all;
}

/// Calls f(feature, its columns of rows, its first categorical column, how many it has).
template <class F>
void ChosenFeatures::for_each_part(Rows<double> rows, F&& f) const {
  Index column = 0;
  std::size_t categorical = 0;
  for (const auto& feature : features_) {
    const FeatureLayout part = feature->layout();
    const auto width = static_cast<Index>(part.continuous.size());
    f(*feature, Rows<double>(rows.data() + column, rows.rows(), width, Eigen::OuterStride<>(rows.outerStride())),
      categorical, part.categorical.size());
    column += width;
    categorical += part.categorical.size();
  }
}
void ChosenFeatures::extract_rows(const LabContext& context, Rows<double> rows,
                                  std::span<std::vector<int>> columns) const {
  for_each_part(rows, [&](const AnyFeature& feature, Rows<double> own, std::size_t first, std::size_t count) {
    feature.extract_rows(context, own, columns.subspan(first, count));
  });
}
void ChosenFeatures::finish(Rows<double> rows, const Samples& samples) const {
  for_each_part(rows, [&](const AnyFeature& feature, Rows<double> own, std::size_t, std::size_t) {
    feature.finish(own, samples);
  });
}

mts::features::Composition<ChosenFeatures> make_features(std::span<const std::string> names, const Task& task) {
  std::vector<std::shared_ptr<AnyFeature>> chosen;
  for (const auto& name : features_of(names)) chosen.push_back(feature_named(name).make(task));
  return compose(ChosenFeatures(std::move(chosen)));
}

}  // namespace mts::lab
