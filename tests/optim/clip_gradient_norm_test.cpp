#include "mts/optim/clip_gradient_norm.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "core/minimal_types.hpp"
#include "mts/optim/adam.hpp"
#include "mts/optim/sgd.hpp"
#include "optim/optimizers.hpp"
#include "support/allocations.hpp"

using namespace mts;
using optimizers::Dense;
using optimizers::hostile_gradient;
using optimizers::hostile_parameters;
using optimizers::vector;

namespace {

using Clipped = ClipGradientNorm<Sgd<Dense>, Dense>;
using ClippedAdamW = ClipGradientNorm<AdamW<Dense>, Dense>;

static_assert(InnerOptimizer<Clipped, Dense>);
static_assert(InnerOptimizer<ClippedAdamW, Dense>);
static_assert(InnerOptimizer<ClipGradientNorm<Sgd<minimal::Vector>, minimal::Vector>, minimal::Vector>);

const SgdOptions heavy_ball = {.learning_rate = 0.7, .momentum = 0.9, .weight_decay = 0.1};

/// (3, 4) scaled to length `length`.
Dense of_length(double length) { return vector({0.6 * length, 0.8 * length}); }

}  // namespace

TEST_CASE("clipping by hand: a gradient beyond the bound keeps its direction and gets the bound's length") {
  Clipped sgd(Sgd<Dense>({.learning_rate = 0.5}), 2);
  Dense theta = vector({1.0, 1.0});
  sgd.step(theta, vector({30.0, -40.0}));  // c = (1.2, -1.6)
  CHECK(theta.values()[0] == doctest::Approx(0.4).epsilon(1e-15));
  CHECK(theta.values()[1] == doctest::Approx(1.8).epsilon(1e-15));
  CHECK(sgd.clipped() == 1);
  sgd.step(theta, vector({0.6, 0.8}));  // within: as it is
  CHECK(theta.values()[0] == doctest::Approx(0.1).epsilon(1e-14));
  CHECK(theta.values()[1] == doctest::Approx(1.4).epsilon(1e-15));
  CHECK(sgd.clipped() == 1);
  CHECK(sgd.steps() == 2);
}

TEST_CASE("a gradient of just the bound's length is not touched, one beyond it is") {
  const auto moved = [](const Dense& g) {
    Clipped sgd(Sgd<Dense>({.learning_rate = 1}), 5);
    Dense theta = vector({0.0, 0.0});
    sgd.step(theta, g);
    return -theta.values()[0];
  };
  CHECK(moved(vector({3.0, 4.0})) == 3.0);
  CHECK(moved(vector({6.0, 8.0})) == doctest::Approx(3.0).epsilon(1e-15));
  CHECK(moved(vector({2.9, 4.0})) == 2.9);
}

TEST_CASE("without a bound it is the inner optimiser, bit for bit") {
  Clipped clipped{Sgd<Dense>(heavy_ball)};
  Sgd<Dense> plain(heavy_ball);
  Dense a = hostile_parameters(), b = hostile_parameters();
  for (Index k = 0; k < 5; ++k) {
    Dense u = a.zeros_like(), v = a.zeros_like();
    clipped.pull(hostile_gradient(k + 1), a, hostile_gradient(k), u);
    plain.pull(hostile_gradient(k + 1), b, hostile_gradient(k), v);
    CHECK(u.values() == v.values());
    clipped.step(a, hostile_gradient(k));
    plain.step(b, hostile_gradient(k));
    CHECK(a.values() == b.values());
  }
  CHECK(clipped.clipped() == 0);
}

TEST_CASE("with a bound the steps are the inner optimiser's at the clipped gradient, momentum and decay included") {
  const double bound = 3;
  Clipped clipped(Sgd<Dense>(heavy_ball), bound);
  Sgd<Dense> plain(heavy_ball);
  Dense a = hostile_parameters(), b = hostile_parameters();
  for (Index k = 0; k < 6; ++k) {
    Dense g = hostile_gradient(k);
    clipped.step(a, g);
    const double length = g.values().norm();
    if (length > bound) g.scale(bound / length);
    plain.step(b, g);
    for (Index j = 0; j < a.size(); ++j) {
      CAPTURE(k);
      CAPTURE(j);
      CHECK(a.values()[j] == doctest::Approx(b.values()[j]).epsilon(1e-12));
    }
  }
  CHECK(clipped.clipped() == 6);
}

TEST_CASE("virtual steps leave the state alone and give step's bits, within and beyond the bound") {
  for (const double bound : {1e-3, 40.0, 1e6}) {
    CAPTURE(bound);
    optimizers::check_virtual_step(Clipped(Sgd<Dense>(heavy_ball), bound), hostile_parameters(), hostile_gradient(0),
                                   4);
  }
}

TEST_CASE("pull is the transposed derivative of the step, by central differences, within and beyond the bound") {
  const Dense theta = vector({0.4, -1.1});
  const Dense u = vector({0.7, -0.3});
  const auto check = [&](auto optimizer, double length) {
    CAPTURE(length);
    const Dense g = of_length(length);
    Dense moved = theta.clone();
    optimizer.step(moved, vector({-0.5, 0.9}));  // a state that is not the first one's
    Dense pulled = g.zeros_like();
    optimizer.pull(u, theta, g, pulled);
    const Dense expected = optimizers::pull_by_differences(
        [&](const Dense& x, Dense& out) { optimizer.step_of(theta, x, out); }, u, g, 1e-5, 1e-6);
    for (Index j = 0; j < 2; ++j) {
      CAPTURE(j);
      CHECK(std::abs(pulled.values()[j] - expected.values()[j]) <= 1e-8 * (1 + std::abs(expected.values()[j])));
    }
  };
  for (const double length : {0.5, 1.99, 2.01, 7.0, 300.0}) {
    check(Clipped(Sgd<Dense>(heavy_ball), 2), length);
    check(ClippedAdamW(AdamW<Dense>({.learning_rate = 0.1, .epsilon = 0.1}), 2), length);
  }
}

TEST_CASE("beyond the bound what lies along the gradient is judged to change nothing") {
  const Clipped sgd(Sgd<Dense>({.learning_rate = 1}), 2);
  const Dense theta = vector({0.0, 0.0}), g = of_length(10);
  Dense out = g.zeros_like();
  sgd.pull(g, theta, g, out);
  CHECK(out.values().norm() <= 1e-14);
  sgd.pull(vector({-0.8, 0.6}), theta, g, out);  // across it: b/|g| = 0.2
  CHECK(out.values()[0] == doctest::Approx(-0.16).epsilon(1e-14));
  CHECK(out.values()[1] == doctest::Approx(0.12).epsilon(1e-14));
}

TEST_CASE("a zero gradient stays one; one that is not finite is an error, and nothing has moved") {
  Clipped sgd(Sgd<Dense>({.learning_rate = 1}), 2);
  Dense theta = vector({1.0, 2.0}), out = theta.zeros_like();
  sgd.step(theta, vector({0.0, 0.0}));
  sgd.pull(vector({1.0, 1.0}), theta, vector({0.0, 0.0}), out);
  CHECK(theta.values() == vector({1.0, 2.0}).values());
  CHECK(out.values() == vector({1.0, 1.0}).values());
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    CHECK_THROWS_WITH_AS(sgd.step(theta, vector({bad, 0.0})), doctest::Contains("length of the gradient"),
                         NumericalError);
    CHECK(sgd.steps() == 1);
    CHECK(theta.values() == vector({1.0, 2.0}).values());
  }
}

TEST_CASE("a bound is above 0") {
  for (const double bad : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()})
    CHECK_THROWS_WITH_AS(Clipped(Sgd<Dense>(heavy_ball), bad), doctest::Contains("the bound must be above 0"),
                         ValueError);
}

TEST_CASE("the state of a clipped optimiser survives a round trip") {
  optimizers::check_round_trip(Clipped(Sgd<Dense>(heavy_ball), 2), 3);
}

#ifdef MTS_COUNTS_ALLOCATIONS
TEST_CASE("steady clipped steps allocate nothing") {
  Clipped sgd(Sgd<Dense>(heavy_ball), 2);
  Dense theta = hostile_parameters(), out = theta.zeros_like();
  const Dense g = hostile_gradient(0);
  const auto all = [&] {
    sgd.virtual_step(theta, g, out);
    sgd.pull(g, theta, g, out);
    sgd.step(theta, g);
  };
  CHECK(mts_test::allocations_of(all) > 0);
  CHECK(mts_test::allocations_of(all) == 0);
}
#endif
