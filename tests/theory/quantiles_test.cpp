// Tails and critical values against Boost.Math.
#include "mts/theory/quantiles.hpp"

#include <doctest/doctest.h>

#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>

#include "data/support.hpp"

namespace {

using namespace mts::theory;
namespace bm = boost::math;

void check_close(double found, double expected, double tolerance) {
  CAPTURE(found);
  CAPTURE(expected);
  CHECK(std::abs(found - expected) <= tolerance * std::abs(expected));
}

TEST_CASE("normal: the tail and its inverse") {
  const bm::normal_distribution<double> normal;
  for (const double z : {-6.0, -1.0, 0.0, 0.3, 1.96, 4.4, 12.0, 35.0})
    check_close(normal_upper_tail(z), bm::cdf(bm::complement(normal, z)), 1e-12);
  for (const double p : {1e-300, 1e-20, 5e-6, 0.025, 0.3, 0.499, 0.5, 0.7, 0.975}) {
    CAPTURE(p);
    if (p == 0.5)
      CHECK(normal_upper_quantile(p) == 0);
    else
      check_close(normal_upper_quantile(p), bm::quantile(bm::complement(normal, p)), 1e-12);
  }
}

TEST_CASE("Student: the tail and its inverse, from one degree of freedom to many") {
  for (const double freedom : {1.0, 2.0, 3.0, 7.0, 31.0, 127.0, 1023.0, 2.5}) {
    CAPTURE(freedom);
    const bm::students_t_distribution<double> student(freedom);
    for (const double t : {-3.0, 0.0, 0.01, 0.5, 0.999, 1.0, 2.0, 4.5, 20.0}) {
      CAPTURE(t);
      check_close(student_upper_tail(t, freedom), bm::cdf(bm::complement(student, t)), 1e-11);
    }
    for (const double p : {1e-9, 5e-6, 0.025, 0.3, 0.49, 0.6, 0.975}) {
      CAPTURE(p);
      check_close(student_upper_quantile(p, freedom), bm::quantile(bm::complement(student, p)), 1e-10);
    }
    CHECK(student_upper_quantile(0.5, freedom) == 0);
  }
  CHECK(student_upper_tail(HUGE_VAL, 5) == 0);
  CHECK(student_upper_tail(-HUGE_VAL, 5) == 1);
  check_close(student_upper_quantile(5e-6, 1e5), normal_upper_quantile(5e-6), 1e-3);  // the limit of many degrees
}

TEST_CASE("arguments outside their domain are refused") {
  CHECK_REFUSED(mts::ValueError, normal_upper_quantile(0), "between 0 and 1", "found 0");
  CHECK_REFUSED(mts::ValueError, normal_upper_quantile(1), "found 1");
  CHECK_REFUSED(mts::ValueError, normal_upper_quantile(std::nan("")), "found nan");
  CHECK_REFUSED(mts::ValueError, student_upper_quantile(-0.1, 5), "found -0.1");
  CHECK_REFUSED(mts::ValueError, student_upper_quantile(0.1, 0), "degrees of freedom", "found 0");
  CHECK_REFUSED(mts::ValueError, student_upper_tail(1, -1), "degrees of freedom");
  CHECK_REFUSED(mts::ValueError, student_upper_tail(std::nan(""), 3), "NaN");
}

}  // namespace
