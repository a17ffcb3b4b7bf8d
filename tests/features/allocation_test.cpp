// No allocation in steady state.
#include <doctest/doctest.h>

#include "features/support.hpp"
#include "mts/features/alignment_history.hpp"
#include "mts/features/class_label.hpp"
#include "mts/features/class_validation_cosines.hpp"
#include "mts/features/compose.hpp"
#include "mts/features/dataset_z_score.hpp"
#include "mts/features/group.hpp"
#include "mts/features/loss.hpp"
#include "mts/features/loss_quantile.hpp"
#include "mts/features/nearest_real_cosine.hpp"
#include "mts/features/nearest_validation_cosine.hpp"
#include "mts/features/validation_centre_cosine.hpp"
#include "support/allocations.hpp"

#if defined(MTS_COUNTS_ALLOCATIONS)

using namespace mts_test;
using namespace mts::features;

TEST_CASE("features allocate nothing once sizes repeat, however large") {
  const mts::ThreadLimit limit(1);
  const Index pool_size = 200;
  AlignmentHistory history(pool_size);
  auto features = compose(BatchZScore{NearestValidationCosine{3}}, BatchZScore{ValidationCentreCosine{}},
                          DatasetZScore{NearestRealCosine{3}}, Loss{}, LossQuantile{},
                          BatchZScore{ClassValidationCosines{}}, history, ClassLabel{2}, Group{});
  Samples pool, known;
  for (Index v = 0; v < 150; ++v) known.labels.push_back(static_cast<int>(v % 3));
  for (Index i = 0; i < pool_size; ++i) {
    pool.ids.push_back(i);
    pool.labels.push_back(static_cast<int>(i % 2));
    pool.groups.push_back(static_cast<int>(i % 3 == 0));
  }
  features.fit(random_rows<float>(pool_size, 10, 1), pool);
  for (const Index width : {16, 300, 2048}) {
    const Shown<double> t(random_rows<double>(pool_size, width, 2)), v(random_rows<double>(150, width, 3));
    const auto context = context_of(t, v, pool, known);
    mts::FeatureBatch<float> out;
    features.extract(context, out);
    CAPTURE(width);
    CHECK(allocations_of([&] { features.extract(context, out); }) == 0);
    CHECK(allocations_of([&] { history.observe(pool.ids, t.losses); }) == 0);
  }
  std::unique_ptr<int> proof;
  CHECK(allocations_of([&] { proof = std::make_unique<int>(1); }) == 1);  // that it does count
}

#endif
