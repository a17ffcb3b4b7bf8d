#include "mts/autodiff/losses.hpp"

#include "support/primitives.hpp"

using namespace mts;
using namespace mts::autodiff;
using namespace mts::testing;

namespace {

const std::vector<double> moderate = {0, 1, 1, -2, 0.5, 3, -0.25, 1e-3};
const std::vector<double> saturated = {0, 50, -50, 700, -700, 1, -1, 700, 1e-3};

double entropy(const std::vector<double>& logits, int label, double smoothing) {
  RowMatrix<double> x(1, static_cast<Index>(logits.size()));
  for (std::size_t c = 0; c < logits.size(); ++c) x(0, static_cast<Index>(c)) = logits[c];
  const int classes = static_cast<int>(logits.size());
  return output_of(SoftmaxCrossEntropy{{0, classes}, smoothing}, make_case("", {x}, {{classes, {label}}}))(0, 0);
}

double bernoulli(double logit, double target) {
  return output_of(BernoulliCrossEntropy{}, make_case("", {RowMatrix<double>::Constant(1, 1, logit),
                                                           RowMatrix<double>::Constant(1, 1, target)}))(0, 0);
}

}  // namespace

TEST_CASE("SoftmaxCrossEntropy: derivatives") {
  for (double smoothing : {0.0, 0.1})
    for (Index n : awkward_samples) {
      auto c = make_case("SoftmaxCrossEntropy", {from_values(n, 4, moderate)}, {labels(n, 4)});
      c.wirings = n <= 129;
      check_primitive(SoftmaxCrossEntropy{{0, 4}, smoothing}, c);
    }
}

TEST_CASE("SoftmaxCrossEntropy: derivatives on hostile logits") {
  check_primitive(SoftmaxCrossEntropy{{0, 3}, 1},
                  make_case("all smoothing", {from_values(9, 3, moderate)}, {labels(9, 3)}));
  for (double smoothing : {0.0, 0.1}) {
    const SoftmaxCrossEntropy three{{0, 3}, smoothing};
    check_primitive(three, make_case("saturated logits", {from_values(27, 3, saturated)}, {labels(27, 3)}));
    check_primitive(three, make_case("ties", {RowMatrix<double>::Constant(6, 3, 2.5)}, {labels(6, 3)}));
    check_primitive(three, make_case("one label", {from_values(9, 3, moderate)}, {{3, std::vector<int>(9, 2)}}));
    check_primitive(SoftmaxCrossEntropy{{0, 1}, smoothing},
                    make_case("one class", {from_values(4, 1, moderate)}, {labels(4, 1)}));
    check_primitive(SoftmaxCrossEntropy{{1, 2}, smoothing},
                    make_case("the second column", {from_values(4, 2, moderate)}, {labels(4, 7), labels(4, 2)}));
  }
}

TEST_CASE("SquaredError: derivatives") {
  for (Index n : awkward_samples) {
    auto c = make_case("SquaredError", {from_values(n, 3, moderate), from_values(n, 3, {1, 0, 2, 0.5})});
    c.wirings = n <= 129;
    check_primitive(SquaredError{}, c);
  }
  const auto x = from_values(5, 2, {1e-3, 1, -1e3, 0, 30});
  check_primitive(SquaredError{}, make_case("SquaredError of equals", {x, x}));
  check_primitive(SquaredError{},
                  make_case("SquaredError of width 1", {from_values(3, 1, moderate), x.topLeftCorner(3, 1)}));
}

TEST_CASE("BernoulliCrossEntropy: derivatives") {
  const std::vector<double> targets = {0, 1, 0.5, 1, 0.1};
  for (Index n : awkward_samples) {
    auto c = make_case("BernoulliCrossEntropy", {from_values(n, 3, moderate), from_values(n, 3, targets)});
    c.wirings = n <= 129;
    check_primitive(BernoulliCrossEntropy{}, c);
  }
  check_primitive(BernoulliCrossEntropy{}, make_case("BernoulliCrossEntropy, saturated",
                                                     {from_values(9, 4, saturated), from_values(9, 4, targets)}));
  check_primitive(BernoulliCrossEntropy{}, make_case("BernoulliCrossEntropy, width 1",
                                                     {from_values(3, 1, moderate), from_values(3, 1, targets)}));
}

TEST_CASE("SoftmaxCrossEntropy: values in closed form") {
  const std::vector<double> x{1, -2, 0.5};
  const double sum = std::exp(1.0) + std::exp(-2.0) + std::exp(0.5);
  for (int label : {0, 1, 2}) {
    double all = 0;
    for (double xc : x) all -= std::log(std::exp(xc) / sum);
    const double hard = -std::log(std::exp(x[static_cast<std::size_t>(label)]) / sum);
    CHECK(entropy(x, label, 0) == doctest::Approx(hard).epsilon(1e-14));
    // q = (1 - e) onehot + e/C
    CHECK(entropy(x, label, 0.3) == doctest::Approx(0.7 * hard + 0.3 * all / 3).epsilon(1e-14));
    CHECK(entropy(x, label, 1) == doctest::Approx(all / 3).epsilon(1e-14));
  }
  CHECK(entropy({4, 4, 4, 4}, 2, 0.2) == doctest::Approx(std::log(4.0)).epsilon(1e-14));
  CHECK(entropy({3}, 0, 0.5) == 0);
  // The loss sees differences of logits only, and stays accurate where exp would overflow or the loss is tiny.
  CHECK(entropy({1001, 998, 1000.5}, 1, 0.3) == doctest::Approx(entropy(x, 1, 0.3)).epsilon(1e-13));
  CHECK(entropy({0, 700}, 0, 0) == 700);
  CHECK(entropy({700, 0}, 0, 0) == 0);
  CHECK(entropy({30, 0}, 0, 0) == doctest::Approx(std::exp(-30.0)).epsilon(1e-2));
  CHECK(entropy({-std::numeric_limits<double>::infinity(), 0}, 1, 0) == 0);
}

TEST_CASE("SoftmaxCrossEntropy: float keeps its digits beside large logits") {
  RowMatrix<double> x(2, 3);
  x << 1000, 998, 990, -3000, -3001, -3002;
  const auto c = make_case("", {x}, {{3, {0, 1}}});
  const SoftmaxCrossEntropy loss{{0, 3}, 0.1};
  const auto in_float = output_of<float>(loss, c);
  const auto in_double = output_of(loss, c);
  for (Index i = 0; i < 2; ++i)
    CHECK(static_cast<double>(in_float(i, 0)) == doctest::Approx(in_double(i, 0)).epsilon(1e-6));
}

TEST_CASE("SquaredError: half the squared distance") {
  RowMatrix<double> a(2, 2), b(2, 2), expected(2, 1);
  a << 1, 2, 3, 4;
  b << 1, 0, -1, 7;
  expected << 2, 12.5;
  CHECK(output_of(SquaredError{}, make_case("", {a, b})) == expected);
}

TEST_CASE("BernoulliCrossEntropy: values in closed form") {
  for (double x : {-5.0, -0.5, 0.0, 0.25, 4.0})
    for (double t : {0.0, 0.3, 1.0}) {
      const double p = 1 / (1 + std::exp(-x));
      CHECK(bernoulli(x, t) == doctest::Approx(-t * std::log(p) - (1 - t) * std::log(1 - p)).epsilon(1e-13));
    }
  CHECK(bernoulli(700, 0) == 700);
  CHECK(bernoulli(700, 1) == 0);
  CHECK(bernoulli(-700, 1) == 700);
  CHECK(bernoulli(-700, 0) == 0);
  // Summed over the width.
  RowMatrix<double> x(1, 2), t(1, 2);
  x << 0, 0;
  t << 1, 0;
  CHECK(output_of(BernoulliCrossEntropy{}, make_case("", {x, t}))(0, 0) ==
        doctest::Approx(2 * std::numbers::ln2).epsilon(1e-14));
}

TEST_CASE("losses: refuse shapes and options that do not fit") {
  Graph<double> g;
  const auto two = g.input(2), three = g.input(3);
  const auto label = g.column(3, "label");
  CHECK_THROWS_WITH_AS(g.add(SoftmaxCrossEntropy{label}, {two}),
                       "SoftmaxCrossEntropy: expected one logit for each of the 3 classes, found 2", ShapeError);
  CHECK_THROWS_WITH_AS(g.add(SoftmaxCrossEntropy{label}, {three, three}),
                       "SoftmaxCrossEntropy: expected 1 input, found 2", ShapeError);
  for (double smoothing : {-0.1, 1.5, std::nan("")})
    CHECK_THROWS_AS(g.add(SoftmaxCrossEntropy{label, smoothing}, {three}), ValueError);
  CHECK_THROWS_WITH_AS(g.add(SoftmaxCrossEntropy{label, 2}, {three}),
                       "SoftmaxCrossEntropy: expected a label smoothing in [0, 1], found 2", ValueError);
  CHECK_THROWS_WITH_AS(g.add(SoftmaxCrossEntropy{Column{7, 3}}, {three}),
                       "Graph::add: expected a column of this graph, which has 1, found column 7 of cardinality 3",
                       ValueError);
  CHECK_THROWS_WITH_AS(g.add(SquaredError{}, {two, three}),
                       "SquaredError: expected inputs of equal width, found 2 and 3", ShapeError);
  CHECK_THROWS_WITH_AS(g.add(SquaredError{}, {two}), "SquaredError: expected 2 inputs, found 1", ShapeError);
  CHECK_THROWS_WITH_AS(g.add(BernoulliCrossEntropy{}, {two, three}),
                       "BernoulliCrossEntropy: expected inputs of equal width, found 2 and 3", ShapeError);
}
