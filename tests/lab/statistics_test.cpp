#include "lab/statistics.hpp"

#include <doctest/doctest.h>

#include <boost/math/distributions/students_t.hpp>

#include "data/support.hpp"

namespace {

using namespace mts::lab;

TEST_CASE("Statistics: t quantiles agree with Boost's") {
  for (const mts::Index degrees : {1, 2, 3, 4, 7, 9, 10, 29, 30, 100, 1001})
    for (const double probability : {0.1, 0.5, 0.9, 0.95, 0.99, 0.999}) {
      CAPTURE(degrees);
      CAPTURE(probability);
      const double expected = boost::math::quantile(
          boost::math::students_t_distribution<double>(static_cast<double>(degrees)), 0.5 + probability / 2);
      CHECK(t_quantile(probability, degrees) == doctest::Approx(expected).epsilon(1e-9));
    }
}

TEST_CASE("Statistics: mean, deviation and interval by hand") {
  // 2, 4, 9: mean 5, squares 9 + 1 + 16 = 26, deviation sqrt(13); t_.975(2) = 4.302652730.
  const double x[] = {2, 4, 9};
  const auto m = mean_of(x);
  CHECK(m.n == 3);
  CHECK(m.mean == doctest::Approx(5));
  CHECK(m.deviation == doctest::Approx(std::sqrt(13.0)));
  CHECK(m.half_width == doctest::Approx(4.302652730 * std::sqrt(13.0 / 3)));
  CHECK(m.low() == doctest::Approx(5 - m.half_width));
  CHECK(m.high() == doctest::Approx(5 + m.half_width));
}

TEST_CASE("Statistics: one number has no deviation, none has no mean") {
  const double one[] = {3};
  CHECK(mean_of(one).mean == 3);
  CHECK(std::isnan(mean_of(one).deviation));
  CHECK(std::isnan(mean_of(one).half_width));
  CHECK(std::isnan(mean_of({}).mean));
}

TEST_CASE("Statistics: the median leaves NaN out") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(median({3, 1, 2}) == 2);
  CHECK(median({4, 1, 2, 3}) == 2.5);
  CHECK(median({nan, 1, nan, 5}) == 3);
  CHECK(std::isnan(median({nan})));
  CHECK(std::isnan(median({})));
}

TEST_CASE("Statistics: quantiles outside their domain are refused") {
  CHECK_REFUSED(mts::ValueError, t_quantile(0.95, 0), "degree of freedom");
  CHECK_REFUSED(mts::ValueError, t_quantile(1.0, 3), "between 0 and 1");
}

}  // namespace
