// The mean raw weight: signs and thresholds, the general form, the bound, and what is refused. (Along simulated flows:
// examples/laws/l06.)
#include "mts/theory/mean_weight.hpp"

#include <doctest/doctest.h>

#include "data/support.hpp"
#include "mts/core/random.hpp"

using namespace mts::theory;
using doctest::Approx;
using mts::SampleVector;

TEST_CASE("by hand: w0 = 1/2, two samples, a = -+1: -c^2/128") {
  CHECK(mean_weight_curvature(0.5, 2, 1, 1) == Approx(0.5 * 0.125 * -0.5 / 4));
  CHECK(mean_weight_curvature(0.5, 2, 1, 3) == Approx(9 * mean_weight_curvature(0.5, 2, 1, 1)));
  CHECK(std::abs(mean_weight_curvature(mean_weight_threshold, 5, 2, 1)) <= 1e-17);
  CHECK(mean_weight_curvature(0.3, 5, 2, 1) > 0);
  CHECK(mean_weight_curvature(0.4, 5, 2, 1) < 0);
  CHECK(mean_weight_curvature(0.5, 5, 0, 1) == 0);
}

TEST_CASE("any activation: the sigmoid's form, and where others turn") {
  for (const double w0 : {0.1, 0.5, 0.9})
    CHECK(mean_weight_curvature(Sigmoid{}, std::log(w0 / (1 - w0)), 8, 0.7, 2) ==
          Approx(mean_weight_curvature(w0, 8, 0.7, 2)).epsilon(1e-12));
  CHECK(mean_weight_curvature(Softmax{}, 3, 4, 1, 1) == Approx(std::exp(3.0) / 16));
  const double turn = std::log(2 * 1.2564312086261697);  // e^z = 2 log(1 + e^z)
  CHECK(mean_weight_curvature(Softplus{}, turn, 4, 1, 1) == Approx(0).scale(1e-9));
  CHECK(mean_weight_curvature(Softplus{}, turn + 0.01, 4, 1, 1) < 0);
  CHECK(mean_weight_curvature(Softplus{}, turn - 0.01, 4, 1, 1) > 0);
  CHECK(mean_weight_curvature(Power{1}, 0.7, 4, 1, 1) < 0);
  CHECK(mean_weight_curvature(Power{3}, 0.7, 4, 1, 1) > 0);
}

TEST_CASE("curvature in y is the second derivative of w there") {
  for (const double z : {-2.0, -0.7, 0.0, 1.5}) {
    const double y = conserved(Sigmoid{}, z), h = 1e-3;
    const auto w = [](double at) { return std::exp(Sigmoid{}.log_value(logit_of_conserved(Sigmoid{}, at))); };
    CHECK(weight_curvature_in_conserved(Sigmoid{}, z) ==
          Approx((w(y + h) - 2 * w(y) + w(y - h)) / (h * h)).epsilon(1e-5).scale(1e-2));
  }
}

TEST_CASE("any kernel: no slope for tabular nets and equal groups; unequal groups have one") {
  const SampleVector a{{1, 2, -1, 0}};
  CHECK(mean_weight_slope(0.5, Kernel::tabular(4), a, 1) == Approx(0).scale(1));
  CHECK(mean_weight_slope(0.5, Kernel::shared({0, 1, 0, 1}), a, 1) == Approx(0).scale(1));
  // The large group {2, 3} + {0}: K 1 = (3, 1, 3, 3); 1^T K (a - 1/2) = 3 (.5) + 1.5 + 3 (-1.5) + 3 (-.5) = -3.
  CHECK(mean_weight_slope(0.5, Kernel::shared({0, 1, 0, 0}), a, 1) == Approx(0.125 * -3 / 16));
  const WeightFlow flow(Sigmoid{}, a, 1, Kernel::shared({0, 1, 0, 0}));
  const MeanWeight mean = mean_weight(flow, SampleVector::Zero(4));
  CHECK(mean.value == Approx(0.5));
  CHECK(mean.slope == Approx(0.125 * -3 / 16));
}

TEST_CASE("derivatives at any state are those of the closed forms at equal logits") {
  const SampleVector a{{1, 2, -1, 0.5, 0.1}};
  const WeightFlow flow(Sigmoid{}, a, 1.5, Kernel::tabular(5));
  const MeanWeight mean = mean_weight(flow, SampleVector::Constant(5, 0.6));
  CHECK(mean.slope == Approx(0).scale(1));
  CHECK(mean.curvature ==
        Approx(mean_weight_curvature(Sigmoid{}, 0.6, 5, (a.array() - a.mean()).square().mean(), 1.5)).epsilon(1e-12));
}

TEST_CASE("the mean stays below its bound while all weights are above 1/3, and below w0") {
  mts::RandomStream random(3, "alignments");
  const SampleVector a = SampleVector::NullaryExpr(10, [&] { return random.normal(); });
  const WeightFlow flow(Sigmoid{}, a, 0.2, Kernel::tabular(10));
  SampleVector z = SampleVector::Zero(10);
  const double bound = mean_weight_bound(z);
  CHECK(bound == Approx(0.5));
  int steps = 0;
  for (; steps < 2000 && z.minCoeff() > std::log(0.5); ++steps) {
    // The midpoint rule, so that the discrete drift of the sum of y does not show.
    z = (z + flow.velocity(z + flow.velocity(z) / 2)).eval();
    CHECK(mean_weight(flow, z).value <= bound);
    if (z.minCoeff() > std::log(0.5)) CHECK(mean_weight_bound(z) == Approx(0.5).epsilon(1e-4));
  }
  CHECK(steps > 20);
  CHECK_REFUSED(mts::ValueError, mean_weight_bound(SampleVector{{0, -1}}), "sample 1", "1/3");
}

TEST_CASE("what is outside the domain is refused in words") {
  CHECK_REFUSED(mts::ValueError, mean_weight_curvature(1.0, 4, 1, 1), "w0 must be in (0, 1)", "1");
  CHECK_REFUSED(mts::ValueError, mean_weight_curvature(0.5, 1, 1, 1), "at least 2", "1");
  CHECK_REFUSED(mts::ValueError, mean_weight_curvature(0.5, 4, -1, 1), "variance", "-1");
  CHECK_REFUSED(mts::ValueError, mean_weight_curvature(0.5, 4, 1, std::nan("")), "rate");
  CHECK_REFUSED(mts::ValueError, mean_weight_slope(0, Kernel::tabular(2), SampleVector{{1, 2}}, 1), "w0");
}
