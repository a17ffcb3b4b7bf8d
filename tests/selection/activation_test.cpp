// Weight activations against direct formulas in long double, whose range (e^11356) holds exp(800) with room to spare.
#include "mts/selection/activation.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <limits>
#include <vector>

using namespace mts;

static_assert(PositiveActivation<SigmoidWeight> && PositiveActivation<SoftmaxWeight> &&
              PositiveActivation<SoftplusWeight>);
static_assert(VanishingActivation<ReluWeight> && !PositiveActivation<ReluWeight>);
static_assert(!VanishingActivation<SigmoidWeight> && WeightActivation<ReluWeight> && !WeightActivation<double>);

namespace {

using Long = long double;

/// Dense near 0, both sides of every place where a formula changes, and out to +-800.
std::vector<double> logits() {
  std::vector<double> z = {0.0, -0.0, 1e-300, -1e-300, 1e-17, -1e-17, 0.5413248546129181, 800, -800};
  for (const double border : {-37.0, 37.0, 36.04, -36.04, 709.78, -709.78, 745.2, -745.2})
    for (const double to : {-1e9, 1e9}) z.insert(z.end(), {border, std::nextafter(border, to)});
  for (double x = 1e-3; x < 800; x *= 1.07) z.insert(z.end(), {x, -x});
  return z;
}

struct Case {
  const char* name;
  std::function<double(double)> log_value, log_slope;
  std::function<Long(Long)> exact_log_value, exact_log_slope;
  double log_value_floor;  ///< where log psi passes through 0 its error is that of psi
};

template <class A>
Case make(std::function<Long(Long)> value, std::function<Long(Long)> slope, double floor) {
  return {A::name,
          [](double z) { return A{}.log_value(z); },
          [](double z) { return A{}.log_slope(z); },
          std::move(value),
          std::move(slope),
          floor};
}

std::vector<Case> cases() {
  return {
      make<SigmoidWeight>([](Long z) { return -std::log1p(std::exp(-z)); },
                          [](Long z) { return 1 / (1 + std::exp(z)); }, 0),
      make<SoftmaxWeight>([](Long z) { return z; }, [](Long) { return Long{1}; }, 0),
      make<SoftplusWeight>([](Long z) { return std::log(std::log1p(std::exp(z))); },
                           [](Long z) { return 1 / (1 + std::exp(-z)) / std::log1p(std::exp(z)); }, 1e-15),
  };
}

}  // namespace

TEST_CASE("log psi and s = d log psi/dz meet the direct formulas over [-800, 800]") {
  constexpr double relative = 8 * std::numeric_limits<double>::epsilon();
  constexpr double smallest = std::numeric_limits<double>::min();  // below, numbers lose digits
  for (const auto& c : cases())
    for (const double z : logits()) {
      CAPTURE(c.name);
      CAPTURE(z);
      const double value = c.log_value(z), slope = c.log_slope(z);
      CHECK(std::isfinite(value));
      CHECK(std::isfinite(slope));
      CHECK(slope >= 0);
      const auto expected = static_cast<double>(c.exact_log_value(static_cast<Long>(z))),
                 s = static_cast<double>(c.exact_log_slope(static_cast<Long>(z)));
      CHECK(std::abs(value - expected) <= relative * std::abs(expected) + c.log_value_floor + smallest);
      CHECK(std::abs(slope - s) <= relative * s + smallest);
    }
}

TEST_CASE("s is the slope of log psi: central differences") {
  for (const auto& c : cases())
    for (const double z : logits()) {
      if (std::abs(z) > 600) continue;
      CAPTURE(c.name);
      CAPTURE(z);
      const double h = 0x1p-8;
      const double d =
          (8 * (c.log_value(z + h) - c.log_value(z - h)) - (c.log_value(z + 2 * h) - c.log_value(z - 2 * h))) /
          (12 * h);
      const double noise = 1e-15 * std::max(std::abs(c.log_value(z - 2 * h)), std::abs(c.log_value(z + 2 * h))) / h;
      const double floor = c.log_value_floor / h;
      CHECK(std::abs(c.log_slope(z) - d) <= 1e-9 * std::abs(d) + 2 * noise + 2 * floor);
    }
}

TEST_CASE("sigmoid: s = 1 - w; softplus: exp z far left, z far right") {
  for (const double z : {-30.0, -1.0, 0.0, 1.0, 30.0})
    CHECK(SigmoidWeight{}.log_slope(z) == doctest::Approx(1 - std::exp(SigmoidWeight{}.log_value(z))).epsilon(1e-14));
  CHECK(SoftplusWeight{}.log_value(-700) == -700);
  CHECK(SoftplusWeight{}.log_slope(-700) == 1);
  CHECK(std::exp(SoftplusWeight{}.log_value(700)) == doctest::Approx(700).epsilon(1e-13));
  CHECK(SoftplusWeight{}.log_slope(700) == doctest::Approx(1.0 / 700).epsilon(1e-14));
}

TEST_CASE("ReLU: value and slope by hand; both are 0 at 0, from either side") {
  const ReluWeight relu;
  for (const double z : {0.0, -0.0, -5e-324, -1.0, -800.0}) {
    CHECK(relu.value(z) == 0);
    CHECK(!std::signbit(relu.value(z)));
    CHECK(relu.slope(z) == 0);
  }
  for (const double z : {5e-324, 1.0, 800.0}) {
    CHECK(relu.value(z) == z);
    CHECK(relu.slope(z) == 1);
  }
}
