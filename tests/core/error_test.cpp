#include "mts/core/error.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace mts;

TEST_CASE("every kind of error is an mts::Error and a std::runtime_error") {
  CHECK_THROWS_AS(throw ShapeError("x"), Error);
  CHECK_THROWS_AS(throw ValueError("x"), Error);
  CHECK_THROWS_AS(throw NumericalError("x"), Error);
  CHECK_THROWS_AS(throw DataError("x"), Error);
  CHECK_THROWS_WITH_AS(throw Error("words"), "words", std::runtime_error);
}

TEST_CASE("text writes its arguments one after another") {
  CHECK(detail::text("a", 1, ' ', 0.1, std::string("b")) == "a1 0.1b");
  CHECK(detail::text(1.0 / 3) == "0.333333333");
}

TEST_CASE("check_size names where, what, both sizes") {
  CHECK_NOTHROW(check_size("f", "x", 3, 3));
  CHECK_THROWS_WITH_AS(check_size("f", "x", 3, 4), "f: x: expected 3, found 4", ShapeError);
}

TEST_CASE("check_value says its words only when it must") {
  CHECK_NOTHROW(check_value(true, "f", "never said"));
  CHECK_THROWS_WITH_AS(check_value(false, "f", "the rate must be positive, found ", -0.5),
                       "f: the rate must be positive, found -0.5", ValueError);
}

TEST_CASE("check_finite names the first index that is not finite") {
  SampleVector x = SampleVector::Zero(5);
  CHECK_NOTHROW(check_finite("f", "losses", x));
  x[3] = std::numeric_limits<double>::infinity();
  CHECK_THROWS_WITH_AS(check_finite("f", "losses", x), "f: losses: expected finite numbers, found inf at index 3 of 5",
                       NumericalError);
  x[1] = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH_AS(check_finite("f", "losses", x), "f: losses: expected finite numbers, found nan at index 1 of 5",
                       NumericalError);
  CHECK_NOTHROW(check_finite("f", "losses", SampleVector()));
  CHECK_NOTHROW(check_finite("f", "losses", x.head(1)));
  const Eigen::VectorXf y = Eigen::VectorXf::Constant(2, std::numeric_limits<float>::max());
  CHECK_NOTHROW(check_finite("f", "losses", y));
}

TEST_CASE("check_finite takes a single number of either precision") {
  CHECK_NOTHROW(check_finite("f", "S", 1e308));
  CHECK_NOTHROW(check_finite("f", "S", 1.0f));
  CHECK_THROWS_WITH_AS(check_finite("f", "S", -std::numeric_limits<double>::infinity()),
                       "f: S: expected a finite number, found -inf", NumericalError);
  CHECK_THROWS_AS(check_finite("f", "S", std::numeric_limits<float>::quiet_NaN()), NumericalError);
}

TEST_CASE("within puts a place before the words of a NumericalError, and leaves other errors and results alone") {
  CHECK(mts::detail::within("batch", [] { return 3; }) == 3);
  CHECK_THROWS_WITH_AS(mts::detail::within("batch", [] { check_finite("f", "S", std::nan("")); }),
                       "batch: f: S: expected a finite number, found nan", NumericalError);
  CHECK_THROWS_WITH_AS(mts::detail::within("batch", [] { check_size("f", "n", 1, 2); }), "f: n: expected 1, found 2",
                       ShapeError);
}
