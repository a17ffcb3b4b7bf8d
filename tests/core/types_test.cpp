#include "mts/core/types.hpp"

#include <doctest/doctest.h>

using namespace mts;

TEST_CASE("rows_of views a row-major matrix without copying") {
  RowMatrix<float> m(2, 3);
  m << 1, 2, 3, 4, 5, 6;
  Rows<float> rows = rows_of(m);
  CHECK(rows.data() == m.data());
  CHECK(rows.outerStride() == 3);
  rows(1, 0) = 40;
  CHECK(m(1, 0) == 40);
  const auto& constant = m;
  CHECK(rows_of(constant).row(1) == m.row(1));
  CHECK(m.data()[3] == 40);  // [i, j] at i d + j

  // A view of columns 1 and 2: row stride 3, 2 columns.
  const ConstRows<float> part(m.data() + 1, 2, 2, Eigen::OuterStride<>(3));
  CHECK(part(1, 1) == 6);
}

TEST_CASE("an empty matrix has an empty view") {
  RowMatrix<double> m(0, 4);
  CHECK(rows_of(m).rows() == 0);
  CHECK(rows_of(m).cols() == 4);
}

TEST_CASE("the size of Samples is that of whatever is known") {
  CHECK(Samples{}.size() == 0);
  CHECK(Samples{{4, 5, 6}, {}, {}}.size() == 3);
  CHECK(Samples{{}, {1, 0}, {}}.size() == 2);
  CHECK(Samples{{}, {}, {1}}.size() == 1);
}

TEST_CASE("a range of Samples: what is known of all is known of it") {
  const Samples all{{4, 5, 6, 7}, {1, 0, 1, 2}, {}};
  Samples range{{9}, {9}, {9}};
  all.slice_into(1, 2, range);
  CHECK(range.ids == std::vector<Index>{5, 6});
  CHECK(range.labels == std::vector<int>{0, 1});
  CHECK(range.groups.empty());
  all.slice_into(4, 0, range);
  CHECK(range.size() == 0);
}
