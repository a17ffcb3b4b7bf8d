#include "mts/autodiff/elementwise.hpp"

#include "support/primitives.hpp"

using namespace mts;
using namespace mts::autodiff;
using namespace mts::testing;

namespace {

// Both sides of 0, ties, saturation and a spread of six orders. 0 is among them for the smooth functions only.
const std::vector<double> away_from_zero = {1e-3, -1e-3, 0.5, 0.5, -0.5, -2, 3, 20, -20, 1e3, -1e3, 0.03};
const std::vector<double> smooth = {0, 1e-3, -1e-3, 0.5, 0.5, -0.5, -2, 3, 6, -6, 50, -50, 700, -700, 0.03};

template <class F>
void check_elementwise(const std::vector<double>& values) {
  const Elementwise<F> primitive;
  for (Index n : awkward_samples) {
    auto c = make_case(F::name, {from_values(n, 3, values)});
    c.wirings = n <= 129;
    check_primitive(primitive, c);
  }
  check_primitive(primitive, make_case("of width 1", {from_values(5, 1, values)}));
  check_primitive(primitive, make_case("of width 33", {from_values(2, 33, values)}));
}

template <class F>
double value(double x) {
  return output_of(Elementwise<F>{}, make_case("", {RowMatrix<double>::Constant(1, 1, x)}))(0, 0);
}

}  // namespace

TEST_CASE("elementwise: derivatives of ReLU on both sides of its kink") {
  check_elementwise<ReluFunction>(away_from_zero);
}
TEST_CASE("elementwise: derivatives of tanh") { check_elementwise<TanhFunction>(smooth); }
TEST_CASE("elementwise: derivatives of the sigmoid") { check_elementwise<SigmoidFunction>(smooth); }
TEST_CASE("elementwise: derivatives of GELU") { check_elementwise<GeluFunction>(smooth); }

TEST_CASE("elementwise: ReLU's value and derivative at and beside 0, its NaN") {
  const double tiny = std::numeric_limits<double>::denorm_min(), nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(value<ReluFunction>(0.0) == 0);
  CHECK(value<ReluFunction>(-0.0) == 0);
  CHECK(value<ReluFunction>(tiny) == tiny);
  CHECK(value<ReluFunction>(-tiny) == 0);
  CHECK(std::isnan(value<ReluFunction>(nan)));
  CHECK(ReluFunction::derivative(0.0, 0.0) == 0);
  CHECK(ReluFunction::derivative(-0.0, 0.0) == 0);
  CHECK(ReluFunction::derivative(tiny, tiny) == 1);
  CHECK(ReluFunction::derivative(-tiny, 0.0) == 0);
  CHECK(ReluFunction::derivative(3.0f, 3.0f) == 1.0f);

  // The same by the rules: x = 0 gives nothing back and passes no tangent.
  const Relu relu;
  const std::vector<double> x{0.0, -0.0, 1.0, -1.0}, y{0, 0, 1, 0}, delta{5, 6, 7, 8};
  std::vector<double> out(4, 9.0), back(4, 9.0);
  const ConstView<double> in{x.data(), 1, 4, 4};
  const Tile<double> tile{1, {&in, 1}, {y.data(), 1, 4, 4}, nullptr, {}};
  const DeltaSink<double> sink{{back.data(), 1, 4, 4}, false};
  const ConstView<double> d{delta.data(), 1, 4, 4};
  relu.pullback(tile, d, std::span<const DeltaSink<double>>(&sink, 1));
  CHECK(back == std::vector<double>{0, 0, 7, 0});
  relu.pushforward(tile, std::span<const ConstView<double>>(&d, 1), static_cast<const double*>(nullptr),
                   View<double>{out.data(), 1, 4, 4});
  CHECK(out == std::vector<double>{0, 0, 7, 0});
}

TEST_CASE("elementwise: values in closed form") {
  for (double x : {-3.0, -1.0, -0.25, 0.0, 0.5, 2.0, 4.0}) {
    CAPTURE(x);
    CHECK(value<ReluFunction>(x) == (x > 0 ? x : 0));
    const double e = std::exp(2 * x);
    CHECK(value<TanhFunction>(x) == doctest::Approx((e - 1) / (e + 1)).epsilon(1e-14));
    CHECK(value<SigmoidFunction>(x) == doctest::Approx(1 / (1 + std::exp(-x))).epsilon(1e-14));
    CHECK(value<GeluFunction>(x) == doctest::Approx(x * (1 + std::erf(x / std::sqrt(2.0))) / 2).epsilon(1e-14));
  }
  // x Phi(x) to 15 digits (Abramowitz and Stegun, table 26.1): the exact form, which the tanh approximation misses by 1e-4.
  CHECK(value<GeluFunction>(1.0) == doctest::Approx(0.841344746068543).epsilon(1e-14));
  CHECK(value<GeluFunction>(-1.0) == doctest::Approx(-0.158655253931457).epsilon(1e-14));
  CHECK(value<GeluFunction>(2.0) == doctest::Approx(2 * 0.977249868051821).epsilon(1e-14));
  CHECK(value<GeluFunction>(-0.5) == doctest::Approx(-0.5 * 0.308537538725987).epsilon(1e-14));
  // The derivative Phi(x) + x phi(x).
  CHECK(GeluFunction::derivative(1.0, 0.0) == doctest::Approx(0.841344746068543 + 0.241970724519143).epsilon(1e-14));
  CHECK(GeluFunction::derivative(0.0, 0.0) == 0.5);
}

TEST_CASE("elementwise: saturation is exact, and never NaN") {
  CHECK(value<SigmoidFunction>(800.0) == 1);
  CHECK(value<SigmoidFunction>(-800.0) == 0);
  CHECK(value<SigmoidFunction>(-700.0) == doctest::Approx(std::exp(-700.0)).epsilon(1e-13));
  CHECK(value<TanhFunction>(800.0) == 1);
  CHECK(value<TanhFunction>(-800.0) == -1);
  CHECK(value<GeluFunction>(1e200) == 1e200);
  CHECK(value<GeluFunction>(-1e200) == 0);
  CHECK(GeluFunction::derivative(1e200, 1e200) == 1);
  CHECK(GeluFunction::derivative(-1e200, 0.0) == 0);
  CHECK(std::isnan(value<SigmoidFunction>(std::nan(""))));
  CHECK(std::isnan(value<TanhFunction>(std::nan(""))));
  CHECK(std::isnan(value<GeluFunction>(std::nan(""))));
}

TEST_CASE("elementwise: takes one input") {
  Graph<double> g;
  const auto x = g.input(2);
  CHECK_THROWS_WITH_AS(g.add(Tanh{}, {}), "Tanh: expected 1 input, found 0", ShapeError);
  CHECK_THROWS_WITH_AS(g.add(Relu{}, {x, x}), "Relu: expected 1 input, found 2", ShapeError);
}
