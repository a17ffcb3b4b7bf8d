// What docs/pitfalls.md shows.
#include <doctest/doctest.h>

#include <Eigen/Core>
#include <xtensor/xarray.hpp>

#include "mts/core/random.hpp"
#include "mts/nn/mlp.hpp"

namespace {

TEST_CASE("Manual: an expression held by auto is formed when it is read") {
  Eigen::VectorXd x = Eigen::VectorXd::Ones(3);
  const auto later = 2 * x;           // an expression that refers to x
  const Eigen::VectorXd now = 2 * x;  // numbers
  x.setZero();
  CHECK(later.sum() == 0);
  CHECK(now.sum() == 6);

  xt::xarray<double> y = {1, 1, 1};
  const auto y_later = 2 * y;
  const xt::xarray<double> y_now = 2 * y;
  y.fill(0);
  CHECK(y_later(0) == 0);
  CHECK(y_now(0) == 2);
}

TEST_CASE("Manual: what a linearisation refers to outlives it") {
  const auto model = mts::nn::mlp<float>({2, 3});
  const auto theta = model.initialize({1, "theta"});
  const mts::nn::ClassificationBatch<float> batch{mts::RowMatrix<float>::Ones(4, 2), {0, 1, 2, 0}};
  const auto lin = model.linearize(theta, batch);  // theta and batch have names, and stay
  CHECK(lin.value().size() == 4);
}

TEST_CASE("Manual: streams of different purposes or numbers know nothing of one another") {
  mts::RandomStream theta(7, "theta"), order(7, "batch order"), third(7, "batch order", 3);
  const double a = theta.uniform(), b = order.uniform(), c = third.uniform();
  CHECK(a != b);
  CHECK(b != c);
  CHECK(mts::RandomStream(7, "batch order", 3).uniform() == c);
}

}  // namespace
