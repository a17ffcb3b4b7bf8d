#include "mts/autodiff/gaussian.hpp"

#include "support/primitives.hpp"

using namespace mts;
using namespace mts::autodiff;
using namespace mts::testing;

namespace {

const std::vector<double> means = {0, 1, -3, 0.5, 0.5, 1e-3, 10};
const std::vector<double> log_variances = {0, -1, 2, 0.5, -50, 5, 1e-3};
const std::vector<double> noises = {0.25, -2, 0, 1, 3};

}  // namespace

TEST_CASE("GaussianReparametrisation: derivatives") {
  for (Index n : awkward_samples) {
    auto c = make_case("GaussianReparametrisation",
                       {from_values(n, 2, means), from_values(n, 2, log_variances), from_values(n, 2, noises)});
    c.wirings = n <= 129;
    check_primitive(GaussianReparametrisation{}, c);
  }
}

TEST_CASE("GaussianDivergence: derivatives") {
  for (Index n : awkward_samples) {
    auto c = make_case("GaussianDivergence", {from_values(n, 2, means), from_values(n, 2, log_variances)});
    c.wirings = n <= 129;
    check_primitive(GaussianDivergence{}, c);
  }
  check_primitive(GaussianDivergence{}, make_case("GaussianDivergence at its minimum",
                                                  {RowMatrix<double>::Zero(3, 2), RowMatrix<double>::Zero(3, 2)}));
  auto wide = make_case("GaussianDivergence, large spread",
                        {from_values(9, 2, {1e-3, 1e3, -1, 0, 30}), from_values(9, 2, {-700, 0, 20, 1, 1e-3})});
  wide.wirings = false;
  check_primitive(GaussianDivergence{}, wide);
  check_primitive(GaussianDivergence{}, make_case("GaussianDivergence, width 1",
                                                  {from_values(4, 1, means), from_values(4, 1, log_variances)}));
}

TEST_CASE("GaussianReparametrisation: mu + sigma noise") {
  const auto mu = from_values(6, 2, means), v = from_values(6, 2, log_variances), e = from_values(6, 2, noises);
  const auto z = output_of(GaussianReparametrisation{}, make_case("", {mu, v, e}));
  for (Index i = 0; i < 6; ++i)
    for (Index j = 0; j < 2; ++j)
      CHECK(z(i, j) == doctest::Approx(mu(i, j) + std::sqrt(std::exp(v(i, j))) * e(i, j)).epsilon(1e-14));
}

TEST_CASE("GaussianDivergence: the integral of p log(p/q), and nothing at q itself") {
  RowMatrix<double> mu(4, 1), v(4, 1);
  mu << 0, 0.7, -1.5, 0.2;
  v << 0, 0.4, -1, 1;
  const auto divergence = output_of(GaussianDivergence{}, make_case("", {mu, v}));
  CHECK(divergence(0, 0) == 0);
  for (Index i = 1; i < 4; ++i) {
    const double m = mu(i, 0), s = std::exp(v(i, 0) / 2);
    // (mu^2 + sigma^2 - log sigma^2 - 1)/2, and by the trapezoidal rule.
    CHECK(divergence(i, 0) == doctest::Approx((m * m + s * s - std::log(s * s) - 1) / 2).epsilon(1e-14));
    double integral = 0;
    const double step = 1e-3;
    for (double x = m - 12 * s; x < m + 12 * s; x += step) {
      const double log_p = -(x - m) * (x - m) / (2 * s * s) - std::log(s), log_q = -x * x / 2;
      integral += step * std::exp(log_p) / std::sqrt(2 * std::numbers::pi) * (log_p - log_q);
    }
    CHECK(divergence(i, 0) == doctest::Approx(integral).epsilon(1e-9));
  }
}

TEST_CASE("gaussian primitives: refuse inputs that do not fit") {
  Graph<double> g;
  const auto two = g.input(2), three = g.input(3);
  CHECK_THROWS_WITH_AS(g.add(GaussianReparametrisation{}, {two, two}),
                       "GaussianReparametrisation: expected 3 inputs, found 2", ShapeError);
  CHECK_THROWS_WITH_AS(g.add(GaussianReparametrisation{}, {two, two, three}),
                       "GaussianReparametrisation: expected inputs of equal width, found 2 and 3", ShapeError);
  CHECK_THROWS_WITH_AS(g.add(GaussianDivergence{}, {two}), "GaussianDivergence: expected 2 inputs, found 1",
                       ShapeError);
  CHECK_THROWS_WITH_AS(g.add(GaussianDivergence{}, {three, two}),
                       "GaussianDivergence: expected inputs of equal width, found 3 and 2", ShapeError);
}
