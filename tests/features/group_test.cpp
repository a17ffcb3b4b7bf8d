// The group as a categorical column.
#include "mts/features/group.hpp"

#include <doctest/doctest.h>

#include "features/support.hpp"

using namespace mts_test;
using mts::features::Group;

static_assert(mts::FeatureExtractor<Group, mts::FeatureContext<LossesOnly, mts::NoValidation>>);

TEST_CASE("the group is the samples', checked against the number of groups") {
  const LossesOnly train{mts::SampleVector::Zero(3)};
  const Samples none;
  const auto extract = [&](const Group& e, const Samples& samples) {
    std::vector<std::vector<int>> columns(1, std::vector<int>(3));
    RowMatrix<double> rows(3, 0);
    e.extract(context_of(train, mts::NoValidation{}, samples, none), mts::rows_of(rows), columns);
    return columns[0];
  };
  CHECK(Group{}.layout() == mts::FeatureLayout{{}, {{"group", 2}}});
  CHECK(extract(Group{}, {{}, {5, 5, 5}, {1, 0, 1}}) == std::vector<int>{1, 0, 1});
  CHECK(extract(Group{3}, {{}, {}, {2, 0, 1}}) == std::vector<int>{2, 0, 1});
  CHECK_REFUSED(mts::ValueError, extract(Group{}, {{}, {}, {2, 0, 1}}), "group", "sample 0", "0 to 1", "found 2");
  CHECK_REFUSED(mts::ShapeError, extract(Group{}, none), "samples.groups", "expected 3, found 0");
  CHECK_REFUSED(mts::ValueError, Group(0), "group", "at least 1");
}
