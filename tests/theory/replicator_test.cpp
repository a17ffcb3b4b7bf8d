// The replicator equation: values, limits, and what is refused. (Against integrated flows and drawn batches:
// examples/laws/l08.)
#include "mts/theory/replicator.hpp"

#include <doctest/doctest.h>

#include "data/support.hpp"

using namespace mts::theory;
using doctest::Approx;
using mts::SampleVector;

TEST_CASE("by hand, in pieces, and in the limit") {
  const SampleVector p0{{0.5, 0.25, 0.25}}, a{{std::log(2.0), 0, std::log(4.0)}};
  const SampleVector p = replicator(p0, a, 1, 1);
  CHECK(p[0] == Approx(1 / 2.25));
  CHECK(p[1] == Approx(0.25 / 2.25));
  CHECK((replicator(p0, a, 1, 0) - p0).norm() <= 1e-16);
  CHECK((replicator(replicator(p0, a, 2, 0.7), a, 2, 1.3) - replicator(p0, a, 4, 1)).norm() <= 1e-15);
  CHECK(replicator(p0, a, 1, 1e4)[2] == Approx(1));
  CHECK(replicator(SampleVector{{1, 0}}, SampleVector{{0, 1e6}}, 1, 1e3)[0] == 1);  // what is 0 stays 0
  CHECK((replicator(p0, 5 + a.array(), 1, 1) - p).norm() <= 1e-15);
}

TEST_CASE("its velocity is its derivative, and sums to 0") {
  const SampleVector p0{{0.5, 0.2, 0.3}}, a{{1, -2, 0.5}};
  constexpr double h = 1e-5;
  const SampleVector v = replicator_velocity(p0, a, 2);
  CHECK((v - (replicator(p0, a, 2, h) - p0) / h).norm() <= 1e-3);
  CHECK(v[1] == Approx(2 * 0.2 * (-2 - 0.25)));
  CHECK(std::abs(v.sum()) <= 1e-16);
}

TEST_CASE("Gaussian alignments: the limit, its next order, and the time to a fraction") {
  CHECK(gaussian_replicator_b_eff(0, 100).next == Approx(1));
  const auto b = gaussian_replicator_b_eff(0.5, 100);
  CHECK(b.leading == Approx(std::exp(-0.25)));
  CHECK(b.next - b.leading == Approx((1 - 2 * std::exp(0.25) + std::exp(0.75)) / 100).epsilon(1e-9));
  CHECK(gaussian_replicator_b_eff(gaussian_replicator_tau(0.3), 64).leading == Approx(0.3));
  CHECK(gaussian_replicator_tau(1) == 0);
}

TEST_CASE("what is outside the domain is refused in words") {
  const SampleVector p{{0.5, 0.5}}, a{{1, 0}};
  CHECK_REFUSED(mts::ValueError, replicator(p, a, 1, -1), "time", "-1");
  CHECK_REFUSED(mts::ValueError, replicator(p, a, -1, 1), "rate");
  CHECK_REFUSED(mts::ValueError, replicator(p, a, 1, std::nan("")), "time");
  CHECK_REFUSED(mts::ValueError, replicator(SampleVector{{0.5, 0.4}}, a, 1, 1), "sum to 1");
  CHECK_REFUSED(mts::NumericalError, replicator(p, SampleVector{{1, std::nan("")}}, 1, 1), "index 1");
  CHECK_REFUSED(mts::ValueError, gaussian_replicator_b_eff(-1, 10), "tau");
  CHECK_REFUSED(mts::ValueError, gaussian_replicator_b_eff(1, 1), "at least 2");
  CHECK_REFUSED(mts::ValueError, gaussian_replicator_tau(0), "fraction", "(0, 1]");
}
