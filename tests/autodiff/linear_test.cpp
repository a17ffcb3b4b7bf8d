#include "mts/autodiff/linear.hpp"

#include "mts/autodiff/losses.hpp"
#include "support/primitives.hpp"

using namespace mts;
using namespace mts::autodiff;
using namespace mts::testing;

namespace {

RowMatrix<double> x(Index rows, Index cols, double scale = 1) {
  return random_matrix(rows, cols, RandomStream(41, "linear"), scale);
}

Network<double> layer(Linear linear, Index inputs) {
  Graph<double> g;
  const auto y = g.add(linear, {g.input(inputs)}, "layer");
  return Network<double>(std::move(g), {.logits = y});
}

}  // namespace

TEST_CASE("Linear: derivatives") {
  for (Index n : awkward_samples) {
    auto c = make_case("Linear 3 to 4", {x(n, 3)});
    c.wirings = n <= 129;
    check_primitive(Linear{4}, c);
    check_primitive(Linear{.outputs = 4, .bias = false}, c);
  }
  check_primitive(Linear{1}, make_case("Linear 1 to 1", {x(5, 1)}));
  check_primitive(Linear{17}, make_case("Linear 33 to 17", {x(3, 33)}));
  check_primitive(Linear{3}, make_case("Linear, zeros and ties", {from_values(6, 2, {0, 0, 0, 2, 2})}));
  check_primitive(Linear{3}, make_case("Linear, large spread", {from_values(9, 4, {1e-3, 1e3, -1, 0, 30, -1e-3})}));
}

TEST_CASE("Linear: of no input is its bias") {
  Graph<double> g;
  const auto t = g.input(2), empty = g.input(0);
  const auto y = g.add(Linear{2}, {empty}, "layer");
  const auto l = g.add(SquaredError{}, {y, t});
  const Network<double> net(std::move(g), {.value = l, .logits = y});
  const PrimitiveCase c = make_case("", {x(130, 2), x(130, 0)});
  const OwnedInput<double> owned(c.inputs, {}, 130);
  const auto theta = net.initialize(RandomStream(1, "bias"));
  REQUIRE(theta.size() == 2);
  for (Index i : {0, 129}) CHECK(net.forward(theta, owned.input()).logits().row(i).transpose() == theta.values());
  check_derivatives(at("Linear of no input", net, theta, owned.input()));
}

TEST_CASE("Linear: the gradient is sum_i u_i delta_i [x_i, 1]^T at the borders of its blocks") {
  // Blocks of 128 outputs, 256 inputs, 512 samples.
  for (const auto& sizes : std::vector<std::array<Index, 3>>{
           {3, 255, 127}, {3, 256, 128}, {2, 257, 129}, {511, 3, 5}, {512, 3, 5}, {513, 3, 129}, {1025, 257, 2}}) {
    const Index n = sizes[0], inputs = sizes[1], outputs = sizes[2];
    CAPTURE(n);
    CAPTURE(inputs);
    CAPTURE(outputs);
    Graph<double> g;
    const auto in = g.input(inputs), target = g.input(outputs);
    const auto y = g.add(Linear{outputs}, {in});
    const auto l = g.add(SquaredError{}, {y, target});
    const Network<double> net(std::move(g), {.value = l, .logits = y});
    const auto theta = net.initialize(RandomStream(2, "blocks"));
    const OwnedInput<double> owned({x(n, inputs), random_matrix(n, outputs, RandomStream(3, "t"))}, {}, n);
    const auto& rows = owned.input().dense;
    const auto lin = net.linearize(theta, owned.input());
    const Vector u = random_vector(n, RandomStream(4, "u"));
    auto found = theta.zeros_like();
    lin.pullback(u, found);
    Vector expected = Vector::Zero(theta.size());
    SampleVector norms(n);
    for (Index i = 0; i < n; ++i) {
      double delta_squared = 0, x_squared = 1;
      for (Index k = 0; k < inputs; ++k) x_squared += rows[0].row(i)[k] * rows[0].row(i)[k];
      for (Index o = 0; o < outputs; ++o) {
        const double delta = lin.logits()(i, o) - rows[1].row(i)[o];
        for (Index k = 0; k < inputs; ++k) expected[o * inputs + k] += u[i] * delta * rows[0].row(i)[k];
        expected[outputs * inputs + o] += u[i] * delta;
        delta_squared += delta * delta;
      }
      norms[i] = delta_squared * x_squared;
    }
    CHECK((found.values() - expected).cwiseAbs().maxCoeff() <= 1e-13 * expected.cwiseAbs().maxCoeff());
    SampleVector found_norms;
    lin.per_sample_squared_norm(found_norms);
    CHECK((found_norms - norms).cwiseAbs().maxCoeff() <= 1e-13 * norms.maxCoeff());
  }
}

TEST_CASE("Linear: W x + b") {
  Vector theta(8);
  theta << 1, 2, 3, 4, 5, 6, 10, 20;  // W = [1 2 3; 4 5 6], b = [10 20]
  RowMatrix<double> in(2, 3), expected(2, 2);
  in << 1, 0, -1, 2, 2, 2;
  expected << 8, 18, 22, 50;
  CHECK(output_of(Linear{2}, make_case("", {in}), &theta) == expected);
  theta.conservativeResize(6);
  expected.rowwise() -= Eigen::RowVector2d(10, 20);
  CHECK(output_of(Linear{.outputs = 2, .bias = false}, make_case("", {in}), &theta) == expected);
}

TEST_CASE("Linear: initial parameters have the promised moments and bounds") {
  const Index inputs = 150, outputs = 200;
  const double n = static_cast<double>(inputs * outputs);
  const auto begin = [&](Initialization kind) {
    return layer(Linear{.outputs = outputs, .initialization = kind}, inputs).initialize(RandomStream(6, "linear"));
  };
  // Five standard errors. Of a uniform on [-a, a]: mean a/sqrt(3n), variance a^2 sqrt(4/45/n); of a normal s/sqrt(n) and
  // s^2 sqrt(2/n).
  const auto uniform = [](const Vector& w, double a) {
    const double count = static_cast<double>(w.size());
    CHECK(w.cwiseAbs().maxCoeff() <= a);
    CHECK(w.cwiseAbs().maxCoeff() > 0.9 * a);
    CHECK(std::abs(w.mean()) < 5 * a / std::sqrt(3 * count));
    CHECK(std::abs(w.squaredNorm() / count - a * a / 3) < 5 * a * a * std::sqrt(4.0 / 45 / count));
  };
  auto theta = begin(Initialization::uniform_fan_in);
  uniform(theta.segment("layer.weight"), 1 / std::sqrt(150.0));
  uniform(theta.segment("layer.bias"), 1 / std::sqrt(150.0));
  theta = begin(Initialization::xavier_uniform);
  uniform(theta.segment("layer.weight"), std::sqrt(6 / 350.0));
  CHECK(theta.segment("layer.bias") == Vector::Zero(outputs));
  theta = begin(Initialization::he_normal);
  const Vector w = theta.segment("layer.weight");
  CHECK(std::abs(w.mean()) < 5 * std::sqrt(2 / 150.0 / n));
  CHECK(std::abs(w.squaredNorm() / n - 2 / 150.0) < 5 * 2 / 150.0 * std::sqrt(2 / n));
  CHECK(w.cwiseAbs().maxCoeff() > 3.5 * std::sqrt(2 / 150.0));  // normal, not uniform
  CHECK(theta.segment("layer.bias") == Vector::Zero(outputs));
  CHECK(begin(Initialization::zeros).values() == Vector::Zero(inputs * outputs + outputs));
}

TEST_CASE("Linear: says which parameters decay") {
  const auto net = layer(Linear{.outputs = 2, .bias_decays = false}, 3);
  REQUIRE(net.graph().segments().size() == 2);
  CHECK(net.graph().segments()[0] == Segment{"layer.weight", 0, 6, true});
  CHECK(net.graph().segments()[1] == Segment{"layer.bias", 6, 2, false});
  CHECK(layer(Linear{2}, 3).graph().segments()[1].decays);
  CHECK(layer(Linear{.outputs = 2, .bias = false}, 3).graph().segments().size() == 1);
}

TEST_CASE("Linear: refuses what it cannot map") {
  Graph<double> g;
  const auto a = g.input(2);
  CHECK_THROWS_WITH_AS(g.add(Linear{0}, {a}), "Linear: expected at least 1 output, found 0", ShapeError);
  CHECK_THROWS_WITH_AS(g.add(Linear{1}, {a, a}), "Linear: expected 1 input, found 2", ShapeError);
  CHECK_THROWS_WITH_AS(g.add(Linear{1}, {}), "Linear: expected 1 input, found 0", ShapeError);
}
