#include "mts/autodiff/combine.hpp"

#include "support/primitives.hpp"

using namespace mts;
using namespace mts::autodiff;
using namespace mts::testing;

namespace {

const std::vector<double> spread = {0, 1e-3, -1, 2, 2, -1e3, 0.5, 30, 1e3};

RowMatrix<double> x(Index rows, Index cols, std::uint64_t k) {
  return random_matrix(rows, cols, RandomStream(k, "combine"));
}

}  // namespace

TEST_CASE("Add: derivatives, with and without coefficients") {
  for (Index n : awkward_samples) {
    auto c = make_case("Add", {x(n, 3, 0), x(n, 3, 1)});
    c.wirings = n <= 129;
    check_primitive(Add{}, c);
    check_primitive(Add{{0.25, -3}}, c);
  }
  check_primitive(Add{}, make_case("Add of one", {x(5, 2, 0)}));
  check_primitive(Add{{-2}}, make_case("Add of one, coefficient", {x(5, 2, 0)}));
  check_primitive(Add{}, make_case("Add, width 1", {x(4, 1, 0), x(4, 1, 1), x(4, 1, 2)}));
  check_primitive(Add{{0, 1, 0}}, make_case("Add, coefficients 0", {x(4, 2, 0), x(4, 2, 1), x(4, 2, 2)}));
  check_primitive(Add{}, make_case("Add, large spread", {from_values(9, 4, spread), from_values(9, 4, spread)}));
}

TEST_CASE("Concatenate: derivatives, empty inputs among others") {
  for (Index n : awkward_samples) {
    auto c = make_case("Concatenate", {x(n, 3, 0), x(n, 1, 1), x(n, 2, 2)});
    c.wirings = n <= 129;
    check_primitive(Concatenate{}, c);
  }
  check_primitive(Concatenate{}, make_case("Concatenate one", {x(5, 2, 0)}));
  check_primitive(Concatenate{}, make_case("Concatenate with an empty one first", {x(129, 0, 0), x(129, 2, 1)}));
  check_primitive(Concatenate{},
                  make_case("Concatenate with an empty one between", {x(3, 1, 0), x(3, 0, 1), x(3, 2, 2)}));
  check_primitive(Concatenate{}, make_case("Concatenate with an empty one last", {x(3, 1, 0), x(3, 0, 1)}));
  check_primitive(Concatenate{},
                  make_case("Concatenate twins", {from_values(9, 4, spread), from_values(9, 4, spread)}));
}

TEST_CASE("Add: the weighted sum") {
  const auto a = x(4, 3, 0), b = x(4, 3, 1), c = x(4, 3, 2);
  CHECK(output_of(Add{}, make_case("", {a, b, c})) == a + b + c);
  CHECK(output_of(Add{{2, -0.5, 0}}, make_case("", {a, b, c})) == 2 * a - 0.5 * b);
  CHECK(output_of(Add{}, make_case("", {a})) == a);
}

TEST_CASE("Concatenate: side by side, in order") {
  const auto a = x(4, 3, 0), b = x(4, 1, 1);
  RowMatrix<double> expected(4, 4);
  expected << a, b;
  CHECK(output_of(Concatenate{}, make_case("", {a, x(4, 0, 2), b})) == expected);
  CHECK(output_of(Concatenate{}, make_case("", {x(4, 0, 2)})).size() == 0);
}

TEST_CASE("Add: refuses widths and coefficients that do not fit") {
  Graph<double> g;
  const auto a = g.input(2), b = g.input(3);
  CHECK_THROWS_WITH_AS(g.add(Add{}, {a, b}), "Add: expected inputs of equal width, found 2 and 3", ShapeError);
  CHECK_THROWS_WITH_AS(g.add(Add{}, {}), "Add: expected at least one input, found none", ShapeError);
  CHECK_THROWS_WITH_AS(g.add(Add{{1.0}}, {a, a}), "Add: expected 2 coefficients, found 1", ShapeError);
}
