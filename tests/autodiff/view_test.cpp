#include "mts/autodiff/view.hpp"

using namespace mts;
using namespace mts::autodiff;

TEST_CASE("views: rows are a stride apart, and a view without data is absent") {
  std::vector<double> memory{0, 1, 2, -1, 3, 4, 5, -1};
  const View<double> v{memory.data() + 0, 2, 3, 4};
  CHECK(v);
  CHECK(v.row(1)[2] == 5);
  CHECK(v.matrix()(1, 0) == 3);
  v.matrix()(0, 1) = 9;
  CHECK(memory[1] == 9);
  const ConstView<double> c = v;
  CHECK(c);
  CHECK(c.rows == 2);
  CHECK(c.cols == 3);
  CHECK(c.stride == 4);
  CHECK(c.row(0)[1] == 9);
  CHECK(c.matrix().sum() == 0 + 9 + 2 + 3 + 4 + 5);
  CHECK_FALSE(View<double>{});
  CHECK_FALSE(ConstView<double>{});
}

TEST_CASE("DeltaSink: the first consumer assigns, others add, and nobody writes beyond the view") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  RowMatrix<double> delta(2, 2);
  delta << 1, 2, 3, 4;
  for (bool by_entry : {false, true}) {
    CAPTURE(by_entry);
    std::vector<double> memory{nan, nan, 7, nan, nan, 7};
    DeltaSink<double> sink{{memory.data(), 2, 2, 3}, false};
    const auto take = [&] {
      if (by_entry)
        sink.take_each([&](Index i, Index j) { return delta(i, j); });
      else
        sink.take(delta);
    };
    take();
    CHECK(memory == std::vector<double>{1, 2, 7, 3, 4, 7});
    sink.accumulate = true;
    take();
    take();
    CHECK(memory == std::vector<double>{3, 6, 7, 9, 12, 7});
  }
}

TEST_CASE("DeltaSink: nothing is given where nobody asks") {
  const DeltaSink<double> sink;
  CHECK_FALSE(sink);
  sink.take(RowMatrix<double>::Ones(2, 2));
  sink.take_each([](Index, Index) -> double {
    FAIL("asked for a delta that goes nowhere");
    return 0;
  });
}
