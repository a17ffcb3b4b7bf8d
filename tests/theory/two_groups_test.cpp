// Two groups: the forms as docs/theory.md states them, inverses, limits, and what is refused. (Against integrated flows
// of all samples: examples/laws/l09.)
#include "mts/theory/two_groups.hpp"

#include <doctest/doctest.h>

#include "data/support.hpp"

using namespace mts::theory;
using doctest::Approx;
using mts::SampleVector;

TEST_CASE("the common form is both of the note's implicit forms") {
  for (const double rho : {0.1, 0.5, 0.8})
    for (const double t : {0.5, 7.0, 300.0}) {
      const TwoGroups g{.rho = rho, .gap = 0.7, .rate = 1.3, .n = 12};
      CAPTURE(rho);
      CAPTURE(t);
      const auto tabular = SoftmaxTwoGroups(g, WeightNetKind::tabular, 0.2, -0.1).at(t);
      const auto f = [rho](double d) {
        return rho * rho * std::exp(d) + 2 * rho * (1 - rho) * d - (1 - rho) * (1 - rho) * std::exp(-d);
      };
      CHECK(f(tabular.z_good - tabular.z_bad) - f(0.3) == Approx(1.3 * 0.7 * t / 12).epsilon(1e-11));
      CHECK(rho * tabular.z_good + (1 - rho) * tabular.z_bad == Approx(rho * 0.2 - (1 - rho) * 0.1));

      const SoftmaxTwoGroups flow(g, WeightNetKind::shared);
      const auto h = [](double q) { return 2 * std::log(q / (1 - q)) - 1 / q + 1 / (1 - q); };
      CHECK(h(flow.at(t).q) - h(rho) == Approx(2 * 1.3 * 0.7 * t).epsilon(1e-10));
      CHECK(flow.at(t).z_good + flow.at(t).z_bad == Approx(0).scale(1));
      CHECK(flow.time_of(flow.at(t).q) == Approx(t).epsilon(1e-10));
    }
}

TEST_CASE("limits: nothing at t = 0; late, q -> 1 as 1 - 1/(r c D t) and B_eff/N -> rho") {
  const TwoGroups g{.rho = 0.8, .gap = 1, .rate = 1, .n = 10};
  const SoftmaxTwoGroups flow(g, WeightNetKind::shared);
  CHECK(flow.at(0).q == Approx(0.8));
  CHECK(flow.at(0).b_eff_fraction == Approx(1));
  for (const double t : {1e4, 1e8}) {
    CHECK((1 - flow.at(t).q) == Approx(flow.late_bad_mass(t)).epsilon(20 * std::log(t) / t));
    CHECK(flow.at(t).b_eff_fraction == Approx(0.8).epsilon(2 / t));
  }
  CHECK(two_group_b_eff(0.3, 0.3) == Approx(1));
  CHECK(two_group_b_eff(0.3, 0) == Approx(0.7));
  CHECK(good_mass(g, 0) == Approx(0.8));
  CHECK(good_mass({.rho = 0.5, .class_weight_good = 3}, 0) == Approx(0.75));
}

TEST_CASE("any activation: softmax gives the closed form; sigmoid ends with the good at weight 1") {
  const TwoGroups g{.rho = 0.3, .gap = 0.5, .rate = 2, .n = 20, .class_weight_good = 2};
  for (const auto kind : {WeightNetKind::tabular, WeightNetKind::shared})
    for (const double t : {0.0, 3.0, 100.0}) {
      const auto a = TwoGroupFlow(Softmax{}, g, kind, 0.1, 0.4).at(t), b = SoftmaxTwoGroups(g, kind, 0.1, 0.4).at(t);
      CHECK(a.q == Approx(b.q).epsilon(1e-12));
      CHECK(a.z_good == Approx(b.z_good).epsilon(1e-11));
      CHECK(a.z_bad == Approx(b.z_bad).epsilon(1e-11));
    }
  const TwoGroupFlow flow(Sigmoid{}, g, WeightNetKind::shared, 0.1, 0.4);
  const auto late = flow.at(1e5);
  CHECK(flow.invariant(late.z_good, late.z_bad) == Approx(flow.invariant(0.1, 0.4)).epsilon(1e-12));
  CHECK(late.q > 0.999);
  CHECK(std::exp(Sigmoid{}.log_value(late.z_good)) > 0.85);  // grows as log t only
  CHECK(flow.time_of(0) == 0);
}

TEST_CASE("L6's far end: two groups with rho = .8, sigmoid, tabular: the mean weight falls, then rises to rho") {
  const TwoGroups g{.rho = 0.8, .gap = 1, .rate = 1, .n = 10};
  const TwoGroupFlow flow(Sigmoid{}, g, WeightNetKind::tabular);
  const auto mean = [&](double t) {
    const auto s = flow.at(t);
    return 0.8 * std::exp(Sigmoid{}.log_value(s.z_good)) + 0.2 * std::exp(Sigmoid{}.log_value(s.z_bad));
  };
  CHECK(mean(10) < 0.5);
  CHECK(mean(1e6) > 0.5);
  CHECK(mean(1e6) < 0.8);
}

TEST_CASE("discrete steps: the correction goes the right way, and vanishes with the step") {
  const TwoGroups g{.rho = 0.8, .gap = 1, .rate = 0.5, .n = 10};
  const SoftmaxTwoGroups flow(g, WeightNetKind::shared);
  double l = std::log(4.0);
  for (int k = 0; k < 20; ++k) {
    const double q = 1 / (1 + std::exp(-l));
    l += 2 * 0.5 * q * (1 - q);
  }
  const double stepped = 1 / (1 + std::exp(-l));
  CHECK(std::abs(flow.at_step(20).q - stepped) < std::abs(flow.at(20).q - stepped) / 10);
  const SoftmaxTwoGroups fine({.rho = 0.8, .rate = 1e-7, .n = 10}, WeightNetKind::shared);
  CHECK(fine.at_step(1e7).q == Approx(fine.at(1e7).q).epsilon(1e-7));
  CHECK(flow.at_step(0).q == Approx(0.8));
}

TEST_CASE("several groups: two of them are the two-group flow; what is kept is kept") {
  const SampleVector rho{{0.3, 0.7}}, a{{1, 0.5}}, z{{0.1, 0.4}};
  const GroupFlow flow(Sigmoid{}, rho, a, 2, 20, WeightNetKind::tabular, SampleVector{{2, 1}});
  const TwoGroups g{.rho = 0.3, .gap = 0.5, .rate = 2, .n = 20, .class_weight_good = 2};
  const TwoGroupFlow two(Sigmoid{}, g, WeightNetKind::tabular, 0.1, 0.4);
  CHECK(flow.masses(z)[0] == Approx(two.at(0).q));
  CHECK(flow.b_eff_fraction(z) == Approx(two.at(0).b_eff_fraction));
  CHECK(flow.invariant(z) == Approx(two.invariant(0.1, 0.4)));
  constexpr double h = 1e-4;
  CHECK(flow.velocity(z)[0] == Approx((two.at(h).z_good - 0.1) / h).epsilon(1e-4));
  CHECK(flow.velocity(z)[1] == Approx((two.at(h).z_bad - 0.4) / h).epsilon(1e-4));
  std::vector<double> x{0.1, 0.4}, dx(2);
  flow(x, dx, 0);
  CHECK(dx[0] == flow.velocity(z)[0]);
}

TEST_CASE("what is outside the domain is refused in words") {
  const auto make = [](const TwoGroups& g) { return SoftmaxTwoGroups(g, WeightNetKind::shared); };
  for (const double rho : {0.0, 1.0, -0.2, 1.5, std::nan("")})
    CHECK_REFUSED(mts::ValueError, make({.rho = rho}), "rho must be in (0, 1)");
  CHECK_REFUSED(mts::ValueError, make({.gap = 0}), "gap");
  CHECK_REFUSED(mts::ValueError, make({.rate = -1}), "rate");
  CHECK_REFUSED(mts::ValueError, make({.n = 1}), "at least 2", "1");
  CHECK_REFUSED(mts::ValueError, make({.class_weight_bad = 0}), "class weights");
  const SoftmaxTwoGroups flow = make({.rho = 0.8});
  CHECK_REFUSED(mts::ValueError, flow.at(-1), "time", "-1");
  CHECK_REFUSED(mts::ValueError, flow.at(std::nan("")), "time");
  CHECK_REFUSED(mts::ValueError, flow.time_of(0.5), "only grows", "0.5");
  CHECK_REFUSED(mts::ValueError, flow.time_of(1), "(0, 1)");
  CHECK_REFUSED(mts::ValueError, make({.rate = 2}).at_step(3), "r c D <= 2", "4");
  CHECK_REFUSED(mts::ValueError, TwoGroupFlow(Sigmoid{}, {.rho = 2}, WeightNetKind::shared), "rho");
  CHECK_REFUSED(mts::ValueError, TwoGroupFlow(Sigmoid{}, {}, WeightNetKind::shared).at(-2), "time");
  CHECK_REFUSED(mts::ValueError, two_group_b_eff(0.5, 1.5), "q must be in [0, 1]");
  const auto several = [](SampleVector rho, SampleVector a) {
    return GroupFlow(Softmax{}, std::move(rho), std::move(a), 1, 10, WeightNetKind::shared);
  };
  CHECK_REFUSED(mts::ValueError, several(SampleVector{{1}}, SampleVector{{1}}), "at least 2 groups");
  CHECK_REFUSED(mts::ValueError, several(SampleVector{{0.5, 0.6}}, SampleVector{{1, 2}}), "sum to 1");
  CHECK_REFUSED(mts::ValueError, several(SampleVector{{1.5, -0.5}}, SampleVector{{1, 2}}), "group 1");
  CHECK_REFUSED(mts::ShapeError, several(SampleVector{{0.5, 0.5}}, SampleVector{{1}}), "alignments");
}
