// What flows conserve: values, inverses, derivatives, and what is refused. (Along integrated flows: examples/laws/l05.)
#include "mts/theory/conservation.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <numbers>

#include "data/support.hpp"
#include "mts/theory/weight_flow.hpp"

using namespace mts::theory;
using doctest::Approx;
using mts::SampleVector;

TEST_CASE("y by hand") {
  CHECK(conserved(Softmax{}, -3) == -3);
  CHECK(conserved(Sigmoid{}, 0) == 1);
  CHECK(conserved(Power{2}, 4) == 4);
  // Softplus: y = -Li_2(-e^z) - e^-z L + z - L + constant, L = log(1 + e^z). As z -> -infinity y' -> 1 + e^z/2.
  const auto y = [](double z) {
    double dilogarithm = 0;  // Li_2(-e^z) by its series, z < 0
    for (int k = 1; k < 400; ++k) dilogarithm += std::pow(-std::exp(z), k) / k / k;
    const double l = std::log1p(std::exp(z));
    return -dilogarithm - std::exp(-z) * l + z - l;
  };
  CHECK(conserved(Softplus{}, -0.3) - conserved(Softplus{}, -2) == Approx(y(-0.3) - y(-2)).epsilon(1e-12));
  CHECK(conserved_sum(Sigmoid{}, SampleVector{{0, 1}}) == Approx(2 + std::numbers::e));
}

TEST_CASE("the general quadrature is the closed form where there is one") {
  struct OtherSigmoid : Sigmoid {};
  for (const double z : {-30.0, -1.0, 0.0, 0.5, 4.0}) {
    CAPTURE(z);
    CHECK(conserved(OtherSigmoid{}, z) == Approx(z + std::exp(z) - 1).epsilon(1e-12).scale(1));
  }
}

TEST_CASE("the logit at a value of y: inverse of y, over many orders of magnitude") {
  for (const double z : {-700.0, -40.0, -5.0, -0.1, 0.0, 0.2, 1.0, 3.0, 30.0, 700.0}) {
    CAPTURE(z);
    CHECK(logit_of_conserved(Sigmoid{}, conserved(Sigmoid{}, z)) == Approx(z).epsilon(1e-13).scale(1e-2));
    CHECK(logit_of_conserved(Softmax{}, z) == z);
    if (z > 0) CHECK(logit_of_conserved(Power{3}, conserved(Power{3}, z)) == Approx(z));
    if (std::abs(z) < 100)
      CHECK(logit_of_conserved(Softplus{}, conserved(Softplus{}, z)) == Approx(z).epsilon(1e-11).scale(1));
  }
}

TEST_CASE("the drift of a discrete step: softmax none, sigmoid up, and half of y'' dz^2") {
  const SampleVector z{{0.2, -1}}, dz{{1e-4, -2e-4}};
  CHECK(conservation_drift(Softmax{}, z, dz) == 0);
  const double up = conservation_drift(Sigmoid{}, z, dz);
  CHECK(up == Approx((std::exp(0.2) * 1e-8 + std::exp(-1.0) * 4e-8) / 2).epsilon(1e-12));
  CHECK(up > 0);
  CHECK(conservation_drift(Softplus{}, z, dz) > 0);
  CHECK(conservation_drift(Power{1}, SampleVector{{1, 2}}, dz) == Approx((1e-8 + 4e-8) / 2));
}

TEST_CASE("a net that shares parameters otherwise conserves no sum: the flow's own velocity shows it") {
  const SampleVector z{{0.1, -0.4, 0.8}}, a{{1, -0.5, 0.3}};
  const auto rate_of_sum = [&](const Kernel& kernel) {
    const WeightFlow flow(Sigmoid{}, a, 1, kernel);
    return flow.velocity(z).cwiseQuotient(flow.weights(z).s).sum();
  };
  CHECK(std::abs(rate_of_sum(Kernel::tabular(3))) <= 1e-15);
  CHECK(std::abs(rate_of_sum(Kernel::of_jacobian(mts::RowMatrix<double>{{1, 0}, {0.5, 1}, {0, 2}}))) > 0.01);
}

TEST_CASE("what has no y is refused in words") {
  CHECK_REFUSED(mts::NumericalError, conserved(Sigmoid{}, std::nan("")), "conserved", "logit z");
  CHECK_REFUSED(mts::NumericalError, logit_of_conserved(Sigmoid{}, std::numeric_limits<double>::infinity()),
                "logit_of_conserved");
  CHECK_REFUSED(mts::ValueError, conserved(Power{1}, 0), "z > 0");
  CHECK_REFUSED(mts::ValueError, logit_of_conserved(Power{1}, -1), "y > 0", "-1");
  CHECK_REFUSED(mts::ShapeError, conservation_drift(Sigmoid{}, SampleVector{{1}}, SampleVector{{1, 2}}), "steps");
}
