// No allocation in steady state. Eigen allocates by malloc, so malloc is what is counted: of this thread, while asked for.
#include <doctest/doctest.h>

#include "features/support.hpp"
#include "mts/features/class_label.hpp"
#include "mts/features/compose.hpp"
#include "mts/features/dataset_z_score.hpp"
#include "mts/features/group.hpp"
#include "mts/features/loss.hpp"
#include "mts/features/nearest_real_cosine.hpp"
#include "mts/features/nearest_validation_cosine.hpp"
#include "mts/features/validation_centre_cosine.hpp"
#include "support/sanitized.hpp"

#if defined(__GLIBC__) && !defined(MTS_SANITIZED)

namespace {
thread_local bool counting = false;
thread_local int allocations = 0;
}  // namespace

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void* malloc(std::size_t size) noexcept {
  allocations += counting;
  return __libc_malloc(size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  allocations += counting;
  return __libc_memalign(alignment, size);
}
}

using namespace mts_test;
using namespace mts::features;

TEST_CASE("features allocate nothing once sizes repeat, however large") {
  const mts::ThreadLimit limit(1);
  const Index pool_size = 200;
  auto features = compose(BatchZScore{NearestValidationCosine{3}}, BatchZScore{ValidationCentreCosine{}},
                          DatasetZScore{NearestRealCosine{3}}, Loss{}, ClassLabel{2}, Group{});
  Samples pool, none;
  for (Index i = 0; i < pool_size; ++i) {
    pool.ids.push_back(i);
    pool.labels.push_back(static_cast<int>(i % 2));
    pool.groups.push_back(static_cast<int>(i % 3 == 0));
  }
  features.fit(random_rows<float>(pool_size, 10, 1), pool);
  for (const Index width : {16, 300, 2048}) {
    const Shown<double> t(random_rows<double>(pool_size, width, 2)), v(random_rows<double>(150, width, 3));
    const auto context = context_of(t, v, pool, none);
    mts::FeatureBatch<float> out;
    features.extract(context, out);
    allocations = 0;
    counting = true;
    features.extract(context, out);
    counting = false;
    CAPTURE(width);
    CHECK(allocations == 0);
  }
  counting = true;
  const auto proof = std::make_unique<int>(1);
  counting = false;
  CHECK(allocations == 1);  // that it does count
}

#endif
