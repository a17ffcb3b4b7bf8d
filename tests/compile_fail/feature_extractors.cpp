// expect: mts: FeatureExtractor, FE1: add  FeatureLayout layout() const
// expect: mts: FeatureExtractor, FE3: add  static constexpr bool reads_validation()
// expect: mts: FeatureExtractor, FE2: add  void extract(
// expect: mts: ClassifierForward, CF1: this feature is made of embeddings
// expect: mts: DatasetZScore asks for an offline extractor
// Features that do not fit, each for one reason.
#include "mts/features/compose.hpp"
#include "mts/features/dataset_z_score.hpp"
#include "mts/features/loss.hpp"
#include "mts/features/nearest_validation_cosine.hpp"

struct LossesOnly {  // a model without logits and embeddings
  mts::SampleVector losses;
  const mts::SampleVector& value() const { return losses; }
};
using Context = mts::FeatureContext<LossesOnly, LossesOnly>;

struct NoLayout {
  static constexpr bool reads_validation() { return false; }
};
struct SilentOnValidation {
  mts::FeatureLayout layout() const { return {{"column"}, {}}; }
};
struct NoExtract {  // declares a column and does not fill it
  mts::FeatureLayout layout() const { return {{"column"}, {}}; }
  static constexpr bool reads_validation() { return false; }
};

using mts::features::Composition;
template class mts::features::Composition<NoLayout>;
template class mts::features::Composition<SilentOnValidation>;

void use(const Context& context, mts::FeatureBatch<float>& out) {
  Composition<NoExtract>(NoExtract{}).extract(context, out);
  Composition<mts::features::NearestValidationCosine>(mts::features::NearestValidationCosine{3}).extract(context, out);
  mts::features::DatasetZScore<mts::features::Loss> online(mts::features::Loss{});
}
