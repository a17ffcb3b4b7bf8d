// The root finder and the quadrature behind the closed forms.
#include <doctest/doctest.h>

#include <numbers>

#include "data/support.hpp"
#include "mts/theory/detail/integrate.hpp"
#include "mts/theory/detail/root.hpp"

using namespace mts::theory::numeric;
using doctest::Approx;

TEST_CASE("roots to round-off: smooth, flat, steep, kinked") {
  const auto root = [](auto f, auto df, double low, double high) {
    int calls = 0;
    const double x =
        increasing_root([&](double y) { return ++calls, std::pair<double, double>(f(y), df(y)); }, low, high);
    CHECK(calls < 150);
    return x;
  };
  CHECK(root([](double x) { return x * x - 2; }, [](double x) { return 2 * x; }, 0, 2) ==
        Approx(std::sqrt(2)).epsilon(1e-15));
  CHECK(root([](double x) { return std::exp(x) - 1e300; }, [](double x) { return std::exp(x); }, 0, 700) ==
        Approx(300 * std::numbers::ln10).epsilon(1e-14));
  CHECK(root([](double x) { return std::pow(x - 1, 3); }, [](double x) { return 3 * (x - 1) * (x - 1); }, -1, 2.5) ==
        Approx(1).epsilon(1e-7));
  CHECK(root([](double x) { return x < 0.3 ? -1.0 : 1.0; }, [](double) { return 0.0; }, 0, 1) ==
        Approx(0.3).epsilon(1e-14));
  CHECK(root([](double x) { return x; }, [](double) { return 1.0; }, 0, 1) == 0);
  CHECK(root([](double x) { return x - 1; }, [](double) { return 1.0; }, 0, 1) == 1);
  CHECK(increasing_root_near([](double x) { return std::pair(x - 1e6, 1.0); }, 0) == Approx(1e6));
  CHECK(increasing_root_near([](double x) { return std::pair(x + 1e6, 1.0); }, 0) == Approx(-1e6));
}

TEST_CASE("a bracket that holds no root, and a function that is none, are refused") {
  const auto line = [](double x) { return std::pair(x, 1.0); };
  CHECK_REFUSED(mts::NumericalError, increasing_root(line, 1, 2), "f(low) <= 0", "1");
  CHECK_REFUSED(mts::NumericalError, increasing_root(line, -2, -1), "f(high) >= 0", "-1");
  CHECK_REFUSED(mts::NumericalError, increasing_root([](double) { return std::pair(std::nan(""), 1.0); }, 0, 1),
                "finite");
  CHECK_REFUSED(mts::NumericalError, increasing_root_near([](double) { return std::pair(-1.0, 1.0); }, 0), "bracket");
}

TEST_CASE("integrals: polynomials exactly, peaks, both directions, kinks") {
  CHECK(legendre<8>([](double x) { return std::pow(x, 15) + x * x; }, -1, 1) == Approx(2.0 / 3).epsilon(1e-15));
  CHECK(integrate([](double x) { return std::exp(x); }, 0, 3) == Approx(std::expm1(3)).epsilon(1e-14));
  CHECK(integrate([](double x) { return std::exp(x); }, 3, 0) == Approx(-std::expm1(3)).epsilon(1e-14));
  CHECK(integrate([](double x) { return 1 / (1e-4 + x * x); }, -1, 1) == Approx(200 * std::atan(100)).epsilon(1e-12));
  CHECK(integrate([](double x) { return std::abs(x - 0.3); }, 0, 1) == Approx((0.09 + 0.49) / 2).epsilon(1e-12));
  CHECK(integrate([](double) { return 1.0; }, 2, 2) == 0);
  CHECK_REFUSED(mts::NumericalError, integrate([](double x) { return std::log(x - 1); }, 0, 1), "finite");
}
