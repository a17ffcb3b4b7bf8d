// Prior weights: tables by class and by place in the pool, and what is refused.
#include "mts/selection/prior_weights.hpp"

#include <doctest/doctest.h>

#include "data/support.hpp"

using namespace mts;

namespace {

SampleVector filled(const PriorWeights& prior, Index n, const Samples& samples) {
  SampleVector c = SampleVector::Constant(7, -1);
  prior.fill(n, samples, c);
  return c;
}
SampleVector numbers(std::initializer_list<double> x) {
  SampleVector v(static_cast<Index>(x.size()));
  std::copy(x.begin(), x.end(), v.data());
  return v;
}

}  // namespace

TEST_CASE("c = by_class[label] by_sample[id]; an empty table counts as ones; two empty ones give none") {
  const Samples samples{{4, 0, 2}, {1, 0, 1}, {}};
  const std::vector<double> by_class = {2, 3}, by_sample = {1, 10, 100, 1000, 0.5};
  CHECK(filled({}, 3, samples).size() == 0);
  CHECK(filled({by_class, {}}, 3, samples) == numbers({3, 2, 3}));
  CHECK(filled({{}, by_sample}, 3, samples) == numbers({0.5, 1, 100}));
  CHECK(filled({by_class, by_sample}, 3, samples) == numbers({1.5, 2, 300}));
  CHECK(filled({by_class, {}}, 3, {{}, {0, 1, 1}, {}}) == numbers({2, 3, 3}));  // ids are not asked for
}

TEST_CASE("labels and ids that are missing or have no weight are refused with their place") {
  const PriorWeights by_class{{2, 3}, {}}, by_sample{{}, {1, 1, 1}};
  CHECK_REFUSED(ShapeError, filled(by_class, 3, {{0, 1, 2}, {}, {}}), "PriorWeights", "number of labels", "expected 3",
                "found 0");
  CHECK_REFUSED(ShapeError, filled(by_sample, 3, {{0, 1}, {}, {}}), "number of ids", "expected 3", "found 2");
  CHECK_REFUSED(ValueError, filled(by_class, 2, {{}, {1, 2}, {}}), "label of sample 1", "expected 0 to 1", "found 2");
  CHECK_REFUSED(ValueError, filled(by_class, 2, {{}, {-1, 1}, {}}), "label of sample 0", "found -1");
  CHECK_REFUSED(ValueError, filled(by_sample, 1, {{3}, {}, {}}), "id of sample 0", "expected 0 to 2", "found 3");
}
