// L16: inversion, limits, and the closed loop against an ODE library.
#include "mts/theory/location_model.hpp"

#include <doctest/doctest.h>

#include <boost/numeric/odeint.hpp>

#include "data/support.hpp"

using namespace mts::theory;

TEST_CASE("excess loss by hand, its minimum, and its limits") {
  const LocationModel m{.25, 2, 3, 5};
  CHECK(location_excess_loss(m, 20, 1) == doctest::Approx(5 * 9 / (.25 * 20) / 2));
  CHECK(location_excess_loss(m, 20, 0) == doctest::Approx((4 + 5 * 9 / (.75 * 20)) / 2));
  const double q = location_best_mass(m, 20);
  CHECK(q < 1);
  for (const double other : {q - .01, q + .01})
    CHECK(location_excess_loss(m, 20, other) > location_excess_loss(m, 20, q));
  CHECK(location_best_mass({.25, 2, 0, 5}, 20) == 1);  // no noise: good samples alone
  CHECK(location_best_mass({.25, 1e-9, 1, 5}, 20) == doctest::Approx(.25).epsilon(1e-6));  // no shift: all the same
}

TEST_CASE("mass and time are inverse to each other") {
  const LocationModel m{.4, 1.5, 1, 3};
  for (const double q0 : {1e-6, .02, .5, .9})
    for (const double t : {0.0, 1e-3, 1.0, 40.0, 1e6}) {
      const double q = location_mass(m, .1, q0, t);
      CHECK(q >= q0);
      CHECK(q < 1);
      if (t > 0) CHECK(location_time(m, .1, q0, q) == doctest::Approx(t).epsilon(1e-6));
    }
  CHECK(location_mass(m, .1, .3, 0) == doctest::Approx(.3).epsilon(1e-14));
  CHECK(location_time(m, .1, .5, .4) < 0);
}

TEST_CASE("the clock's rate is that of the flow: q' = 2 c |b|^2 q^2 (1 - q)^3") {
  const double c = .1, b = 1.5;
  double q = .2;
  const auto flow = [&](double x, double& change, double) { change = 2 * c * b * b * x * x * std::pow(1 - x, 3); };
  namespace ode = boost::numeric::odeint;
  ode::integrate_adaptive(ode::make_controlled(1e-13, 1e-13, ode::runge_kutta_fehlberg78<double>()), flow, q, 0.0, 25.0,
                          .01);
  CHECK(location_mass({.5, b, 1, 1}, c, .2, 25) == doctest::Approx(q).epsilon(1e-11));
}

TEST_CASE("what is refused") {
  const LocationModel m;
  CHECK_REFUSED(mts::ValueError, location_excess_loss({0, 1, 1, 1}, 10, .5), "rho", "(0, 1)");
  CHECK_REFUSED(mts::ValueError, location_excess_loss({.5, 1, -1, 1}, 10, .5), "sigma");
  CHECK_REFUSED(mts::ValueError, location_excess_loss({.5, 1, 1, 0}, 10, .5), "d must");
  CHECK_REFUSED(mts::ValueError, location_excess_loss(m, 0, .5), "N must");
  CHECK_REFUSED(mts::ValueError, location_excess_loss(m, 10, 1.5), "[0, 1]");
  CHECK_REFUSED(mts::ValueError, location_best_mass({.5, 0, 1, 1}, 10), "|b|");
  CHECK_REFUSED(mts::ValueError, location_clock(1), "(0, 1)");
  CHECK_REFUSED(mts::ValueError, location_mass(m, .1, 0, 1), "(0, 1)");
  CHECK_REFUSED(mts::ValueError, location_mass(m, .1, .5, -1), "t must");
  CHECK_REFUSED(mts::ValueError, location_mass(m, 0, .5, 1), "c must");
}
