// The class as a categorical column.
#include "mts/features/class_label.hpp"

#include <doctest/doctest.h>

#include "features/support.hpp"

using namespace mts_test;
using mts::features::ClassLabel;

static_assert(mts::FeatureExtractor<ClassLabel, mts::FeatureContext<LossesOnly, mts::NoValidation>>);

TEST_CASE("the class is the label, checked against the number of classes") {
  const LossesOnly train{mts::SampleVector::Zero(3)};
  const Samples none;
  const auto extract = [&](const ClassLabel& e, const Samples& samples, std::size_t n) {
    std::vector<std::vector<int>> columns(1, std::vector<int>(n));
    RowMatrix<double> rows(static_cast<Index>(n), 0);
    e.extract(context_of(train, mts::NoValidation{}, samples, none), mts::rows_of(rows), columns);
    return columns[0];
  };
  const ClassLabel e(4);
  CHECK(e.layout() == mts::FeatureLayout{{}, {{"class", 4}}});
  CHECK(extract(e, {{}, {3, 0, 1}, {}}, 3) == std::vector<int>{3, 0, 1});
  CHECK_REFUSED(mts::ValueError, extract(e, {{}, {3, 0, 4}, {}}, 3), "class", "sample 2", "0 to 3", "found 4");
  CHECK_REFUSED(mts::ValueError, extract(e, {{}, {3, -1, 0}, {}}, 3), "sample 1", "found -1");
  CHECK_REFUSED(mts::ShapeError, extract(e, none, 3), "samples.labels", "expected 3, found 0");
  CHECK_REFUSED(mts::ValueError, ClassLabel(0), "class", "at least 1");
}
