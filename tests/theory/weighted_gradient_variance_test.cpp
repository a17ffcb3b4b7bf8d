// L15: by hand, and when the effective batch size tells the variance. Simulated in examples/laws.
#include "mts/theory/weighted_gradient_variance.hpp"

#include <doctest/doctest.h>

#include "data/support.hpp"

using namespace mts::theory;

TEST_CASE("uniform weights: tr Sigma/N, and no next order") {
  GradientPopulation p;
  p.w = Eigen::Vector3d::Ones();
  p.g.resize(3, 2);
  p.g << 1, 0, 0, 2, -1, -2;
  const auto m = gradient_moments(p);
  CHECK(m.spread == doctest::Approx(10.0 / 3));
  CHECK(weighted_gradient_variance(m, 5) == doctest::Approx(2.0 / 3));
  CHECK(gradient_variance_by_effective_batch(m, 5) == doctest::Approx(2.0 / 3));
}

TEST_CASE("weights independent of gradients: B_eff tells the leading order") {
  GradientPopulation p;
  p.probability = Eigen::Vector4d(.1, .3, .15, .45);  // (g = 1, -1) x (w = 1, 4), independent
  p.w = Eigen::Vector4d(1, 1, 4, 4);
  p.g = Eigen::Vector4d(1, -1, 1, -1);
  const auto m = gradient_moments(p);
  CHECK(weighted_gradient_variance_leading(m, 50) == doctest::Approx(gradient_variance_by_effective_batch(m, 50)));
}

TEST_CASE("two groups: the effective batch size is five times off") {
  // weights keep the group of small spread
  GradientPopulation p;
  p.probability = Eigen::Vector2d(.5, .5);
  p.w = Eigen::Vector2d(1, .05);
  p.g = Eigen::Vector2d(0, 0);
  p.variance = Eigen::Vector2d(1, 9);
  const auto m = gradient_moments(p);
  const double ratio = gradient_variance_by_effective_batch(m, 64) / weighted_gradient_variance_leading(m, 64);
  CHECK(ratio == doctest::Approx((1 + .0025) / 2 * 5 / ((1 + .0025 * 9) / 2)));
  CHECK(ratio > 4.8);
}

TEST_CASE("what is refused") {
  GradientPopulation p;
  CHECK_REFUSED(mts::ShapeError, gradient_moments(p), "at least 1");
  p.w = Eigen::Vector2d(1, -1);
  p.g = Eigen::Vector2d(0, 0);
  CHECK_REFUSED(mts::ValueError, gradient_moments(p), "must not be negative");
  p.w = Eigen::Vector2d(0, 0);
  CHECK_REFUSED(mts::ValueError, gradient_moments(p), "are 0");
  p.w = Eigen::Vector2d(1, 1);
  p.variance = Eigen::Vector3d(1, 1, 1);
  CHECK_REFUSED(mts::ShapeError, gradient_moments(p), "expected 2, found 3");
  p.variance.resize(0);
  p.g(1, 0) = std::nan("");
  CHECK_REFUSED(mts::NumericalError, gradient_moments(p), "gradient");
  CHECK_REFUSED(mts::ValueError, weighted_gradient_variance({-1, 0, 0, 0, 0}, 5), "must not be negative");
  CHECK_REFUSED(mts::ValueError, weighted_gradient_variance({1, 0, 0, 0, 0}, 0), "at least 1");
}
