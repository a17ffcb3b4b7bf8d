#include "mts/autodiff/layer_norm.hpp"

#include "support/primitives.hpp"

using namespace mts;
using namespace mts::autodiff;
using namespace mts::testing;

namespace {

RowMatrix<double> x(Index rows, Index cols, double scale = 1) {
  return random_matrix(rows, cols, RandomStream(31, "layer norm"), scale);
}

}  // namespace

TEST_CASE("LayerNorm: derivatives") {
  for (Index n : awkward_samples) {
    auto c = make_case("LayerNorm", {x(n, 4)});
    c.wirings = n <= 129;
    check_primitive(LayerNorm{}, c);
  }
  check_primitive(LayerNorm{}, make_case("LayerNorm of width 2", {x(5, 2)}));
  check_primitive(LayerNorm{}, make_case("LayerNorm of width 33", {x(3, 33)}));
  check_primitive(LayerNorm{0.5}, make_case("LayerNorm, epsilon a half", {x(5, 3)}));
}

TEST_CASE("LayerNorm: derivatives on hostile rows") {
  // One feature: it is its own mean, so only the shift is left, in float too, though 1/sqrt(epsilon) is 316.
  check_primitive(LayerNorm{}, make_case("LayerNorm of width 1", {from_values(5, 1, {0, 1, -3, 1e3})}));
  check_primitive(LayerNorm{}, make_case("LayerNorm, large spread in a row",
                                         {from_values(9, 5, {1e-3, 1, -1e3, 0, 1e3, 3, -1e-3})}));
  RowMatrix<double> scaled = x(6, 4);
  for (Index i = 0; i < 6; ++i) scaled.row(i) *= std::pow(10.0, i - 3);
  check_primitive(LayerNorm{}, make_case("LayerNorm, rows of scale 1e-3 to 1e2", {scaled}));
  // Constant rows: the variance is 0 and the slope 1/sqrt(epsilon), 316 times the input.
  check_primitive(LayerNorm{}, make_case("LayerNorm, ties", {RowMatrix<double>::Constant(4, 3, 0.75)}));
  check_primitive(LayerNorm{}, make_case("LayerNorm, zeros", {RowMatrix<double>::Zero(4, 3)}));
}

TEST_CASE("LayerNorm: the output has mean b and variance g^2 var/(var + epsilon)") {
  const RowMatrix<double> in = x(7, 16, 3);
  const auto y = output_of(LayerNorm{}, make_case("", {in}));
  for (Index i = 0; i < 7; ++i) {
    const double mean = in.row(i).mean(), variance = (in.row(i).array() - mean).square().mean();
    const double shrunk = variance / (variance + 1e-5);
    CHECK(std::abs(y.row(i).mean()) < 1e-14);
    CHECK(y.row(i).squaredNorm() / 16 == doctest::Approx(shrunk).epsilon(1e-13));
    for (Index j = 0; j < 16; ++j)
      CHECK(y(i, j) == doctest::Approx((in(i, j) - mean) / std::sqrt(variance + 1e-5)).epsilon(1e-13));
  }
  Vector parameters(32);
  parameters << Vector::Constant(16, -2.0), Vector::LinSpaced(16, 0, 15);
  const auto z = output_of(LayerNorm{}, make_case("", {in}), &parameters);
  for (Index j = 0; j < 16; ++j)
    CHECK(z(3, j) == doctest::Approx(-2 * y(3, j) + static_cast<double>(j)).epsilon(1e-13));
}

TEST_CASE("LayerNorm: does not see a shift of its input, nor (but for epsilon) its scale") {
  const RowMatrix<double> in = x(5, 8, 3);
  const auto y = output_of(LayerNorm{}, make_case("", {in}));
  CHECK((output_of(LayerNorm{}, make_case("", {in.array() + 7})) - y).cwiseAbs().maxCoeff() < 1e-13);
  CHECK((output_of(LayerNorm{1e-5 * 16}, make_case("", {in * 4})) - y).cwiseAbs().maxCoeff() < 1e-13);
}

TEST_CASE("LayerNorm: begins as the normalisation alone, and says which parameters decay") {
  for (bool decays : {true, false}) {
    Graph<double> g;
    const auto y = g.add(LayerNorm{.decays = decays}, {g.input(3)}, "norm");
    const Network<double> net(std::move(g), {.logits = y});
    const auto theta = net.initialize(RandomStream(1, "x"));
    CHECK(theta.values() == (Vector(6) << 1, 1, 1, 0, 0, 0).finished());
    REQUIRE(theta.segments().size() == 2);
    CHECK(theta.segments()[0] == Segment{"norm.scale", 0, 3, decays});
    CHECK(theta.segments()[1] == Segment{"norm.shift", 3, 3, decays});
  }
}

TEST_CASE("LayerNorm: refuses an empty input") {
  Graph<double> g;
  const auto empty = g.input(0), a = g.input(2);
  CHECK_THROWS_WITH_AS(g.add(LayerNorm{}, {empty}), "LayerNorm: expected a width of at least 1, found 0", ShapeError);
  CHECK_THROWS_WITH_AS(g.add(LayerNorm{}, {a, a}), "LayerNorm: expected 1 input, found 2", ShapeError);
}
