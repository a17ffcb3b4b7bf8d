#include "mts/autodiff/flatten.hpp"

#include "support/images.hpp"
#include "support/primitives.hpp"

using namespace mts;
using namespace mts::autodiff;
using namespace mts::testing;

TEST_CASE_TEMPLATE("Flatten: channels first", S, float, double) {
  for (const ImageShape& in : {ImageShape{1, 1, 1}, {1, 1, 5}, {3, 2, 1}, {3, 5, 2}, {4, 4, 17}}) {
    CAPTURE(autodiff::in_words(in));
    Jacobian j = Jacobian::Zero(in.size(), in.size());
    Index row = 0;
    for (Index c = 0; c < in.channels; ++c)
      for (Index y = 0; y < in.height; ++y)
        for (Index x = 0; x < in.width; ++x) j(row++, entry(in, y, x, c)) = 1;
    check_against_jacobian<S>(
        Flatten{in}, in.size(), 3, [&](const Vector&) { return j; }, 0);
  }
}

TEST_CASE("Flatten: derivatives") {
  for (Index n : awkward_samples) {
    auto c = make_case("Flatten", {random_matrix(n, 12, RandomStream(51, "flatten"))});
    c.wirings = n <= 2;
    check_primitive(Flatten{{2, 2, 3}}, c);
  }
  check_primitive(Flatten{{1, 1, 1}}, make_case("Flatten of one entry", {RowMatrix<double>::Constant(2, 1, 0.5)}));
}

TEST_CASE("Flatten: refuses what is no such image") {
  const auto refuses = [](const Flatten& p, Index width) { p.width(std::array<Index, 1>{width}); };
  CHECK_THROWS_WITH_AS(refuses({{2, 3, 4}}, 25),
                       "Flatten: expected an input of width 24 (an image of 2 x 3 x 4), found 25", ShapeError);
  CHECK_THROWS_WITH_AS(refuses({{2, 0, 4}}, 0), "Flatten: expected an image of at least 1 x 1 x 1, found 2 x 0 x 4",
                       ValueError);
  CHECK_THROWS_WITH_AS((Flatten{{1, 1, 1}}.width(std::array<Index, 2>{1, 1})), "Flatten: expected 1 input, found 2",
                       ShapeError);
}
