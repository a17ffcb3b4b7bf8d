// The hypergradient's closed forms: values by hand, identities, limits, and what is refused. (Against brute force and
// the library's own step: examples/laws/l01 to l03.)
#include "mts/theory/hypergradient.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "data/support.hpp"
#include "theory/support.hpp"

using namespace mts::theory;
using doctest::Approx;
using mts::Index;
using mts::SampleVector;
using mts_test::some;

TEST_CASE("L1 by hand: two samples, one of them worth more") {
  const SampleVector p{{0.25, 0.75}}, s{{1, 0.5}}, a{{4, 0}};  // abar = 1
  const SampleVector dz = logit_hypergradient(p, s, a);
  CHECK(dz[0] == Approx(-0.75));
  CHECK(dz[1] == Approx(0.375));
  CHECK(normalisation_identity(dz, s) == Approx(0).scale(1));
  const mts::RowMatrix<double> j{{1, 2}, {3, 4}};
  CHECK(parameter_hypergradient(p, s, a, j)[0] == Approx(-0.75 + 3 * 0.375));
  CHECK(covariance_hypergradient(p, s, a, j)[1] == Approx(-1.5 + 4 * 0.375));
  CHECK(logit_hypergradient_of_mobility(p, SampleVector{{2, -1}}, a) == SampleVector{{-6, -1}});
}

TEST_CASE("equal alignments, or one sample, have no hypergradient") {
  const Weights w = weigh(Sigmoid{}, some(7, 1));
  CHECK(logit_hypergradient(w.p, w.s, SampleVector::Constant(7, 2.5)).norm() <= 1e-15);
  CHECK(logit_hypergradient(SampleVector::Ones(1), SampleVector::Ones(1), SampleVector::Constant(1, 3)).norm() == 0);
}

TEST_CASE("weights: extreme logits neither overflow nor vanish; priors multiply") {
  const Weights w = weigh(Softmax{}, SampleVector{{1000, 1000 + std::log(3.0)}});
  CHECK(w.p[1] == Approx(0.75));
  CHECK(weigh(Sigmoid{}, SampleVector{{-800, -800}}).p[0] == Approx(0.5));
  CHECK(weigh(Softmax{}, SampleVector{{0, 0}}, SampleVector{{1, 4}}).p[1] == Approx(0.8));
  CHECK_REFUSED(mts::ShapeError, weigh(Softmax{}, SampleVector()), "weigh", "at least 1");
  CHECK_REFUSED(mts::NumericalError, weigh(Softmax{}, SampleVector{{0, std::nan("")}}), "logit z", "index 1");
  CHECK_REFUSED(mts::ValueError, weigh(Softmax{}, SampleVector{{0, 0}}, SampleVector{{1, 0}}),
                "prior weight of sample 1");
}

TEST_CASE("slopes of the activations are the derivatives of log psi and of s") {
  const auto check = [](const auto& activation, double z) {
    constexpr double h = 1e-5;
    CAPTURE(z);
    CHECK(activation.log_slope(z) ==
          Approx((activation.log_value(z + h) - activation.log_value(z - h)) / (2 * h)).epsilon(1e-8));
    CHECK(activation.log_curvature(z) ==
          Approx((activation.log_slope(z + h) - activation.log_slope(z - h)) / (2 * h)).epsilon(1e-5).scale(1e-3));
  };
  for (const double z : {-20.0, -3.0, -0.4, 0.0, 0.7, 5.0, 12.0}) {
    check(Softmax{}, z);
    check(Sigmoid{}, z);
    check(Softplus{}, z);
    if (z > 0) check(Power{2.5}, z);
  }
  CHECK(Softplus{}.log_value(-50) == -50);
  CHECK(Softplus{}.log_slope(-50) == 1);
}

TEST_CASE("pulls of SGD: the table of law L1") {
  CHECK(sgd_pull({.learning_rate = 0.2}) == 0.2);
  CHECK(sgd_pull({.learning_rate = 0.2, .dampening = 0.5}) == 0.2);
  CHECK(sgd_pull({.learning_rate = 0.2, .momentum = 0.9}) == 0.2);
  CHECK(sgd_pull({.learning_rate = 0.2, .momentum = 0.9, .nesterov = true}) == Approx(0.38));
  CHECK(sgd_pull({.learning_rate = 0.2, .momentum = 0.9, .nesterov = true, .first_step = true}) == Approx(0.38));
  CHECK(sgd_pull({.learning_rate = 1, .momentum = 0.9, .dampening = 0.25}) == 0.75);
  CHECK(sgd_pull({.learning_rate = 1, .momentum = 0.9, .dampening = 0.25, .first_step = true}) == 1);
  CHECK_REFUSED(mts::ValueError, sgd_pull({.momentum = -1}), "sgd_pull", "-1");
  CHECK_REFUSED(mts::ValueError, sgd_pull({.dampening = 2}), "[0, 1]", "2");
}

TEST_CASE("Adam's first step: eta epsilon/(|g| + epsilon)^2") {
  for (const double g : {-2.0, 0.3})
    CHECK(adam_pull({.learning_rate = 0.1, .epsilon = 1e-2}, g) ==
          Approx(0.1 * 1e-2 / ((std::abs(g) + 1e-2) * (std::abs(g) + 1e-2))).epsilon(1e-12));
  // A large gradient after small ones: the step shrinks as g grows, and alignments are turned round.
  CHECK(adam_pull({.beta1 = 0.5, .beta2 = 0.9, .t = 5, .first_moment = 3, .second_moment = 1e-3}, 4) < 0);
  CHECK_REFUSED(mts::ValueError, adam_pull({.beta1 = 1}, 1), "[0, 1)");
  CHECK_REFUSED(mts::ValueError, adam_pull({}, 0), "no derivative");
}

TEST_CASE("L3: the best step of central differences balances truncation and rounding") {
  const double h = central_difference_step(2, 5);
  const auto worst = [](double x) { return central_difference_error(1, x, 5) + 2.22e-16 * 2 / x; };
  CHECK(worst(h) <= worst(1.1 * h));
  CHECK(worst(h) <= worst(0.9 * h));
  CHECK(central_difference_error(3, 0.1, 2) == Approx(3 * 0.01 / 6 * 2));
  CHECK_REFUSED(mts::ValueError, central_difference_step(0, 1), "loss");
  CHECK_REFUSED(mts::ValueError, central_difference_error(1, 0, 1), "h > 0");
}

TEST_CASE("L3': the floor's shift by hand, and at collapse") {
  const SampleVector p{{0.5, 0.5, 0, 0}};  // B_eff = 2
  const BatchFloor floor{0.75, 3};
  CHECK(floor.penalty(p) == Approx(3.0 / 16));
  CHECK(floor.shift(p)[0] == Approx(-4 * 3 / 4.0 * 0.25 * 4 * 0.5));
  CHECK(BatchFloor{0.5, 3}.shift(p).norm() == 0);
  CHECK(b_eff_gradient(p, SampleVector::Ones(4)).norm() == 0);
  const SampleVector one{{0, 1, 0}};
  CHECK(logit_hypergradient(one, SampleVector::Ones(3), BatchFloor{1, 2}.shift(one)).norm() == 0);
  CHECK_REFUSED(mts::ValueError, (BatchFloor{2, 1}.penalty(p)), "fraction in [0, 1]");
}

TEST_CASE("L3': tempering") {
  const SampleVector log_w = 4 * some(9, 3);
  for (const double floor : {2.0, 5.0, 8.5}) {
    const Tempered t = temper(log_w, floor);
    CHECK(1 / t.p.squaredNorm() == Approx(floor).epsilon(1e-12));
    CHECK(t.tau > 0);
    CHECK(t.tau < 1);
    const SampleVector free = (t.tau * log_w.array()).exp().matrix();
    CHECK((t.p - free / free.sum()).norm() <= 1e-14);
  }
  CHECK(temper(0.01 * some(9, 3), 5).tau == 1);
  CHECK(temper(log_w, 9).tau == 0);
  CHECK_REFUSED(mts::ValueError, temper(log_w, 10), "floor must be in [1, 9]");
  CHECK_REFUSED(mts::ValueError,
                tempered_logit_hypergradient({1, SampleVector{{.5, .5}}}, SampleVector{{1, 1}}, SampleVector{{1, 0}},
                                             SampleVector{{1, 0}}),
                "tau in (0, 1)");
}

TEST_CASE("what is no batch is refused in words") {
  const SampleVector p{{0.5, 0.5}}, x{{1, 2}};
  CHECK_REFUSED(mts::ShapeError, logit_hypergradient(SampleVector(), SampleVector(), SampleVector()), "at least 1");
  CHECK_REFUSED(mts::ShapeError, logit_hypergradient(p, x, SampleVector{{1, 2, 3}}), "expected 2, found 3");
  CHECK_REFUSED(mts::NumericalError,
                logit_hypergradient(p, x, SampleVector{{1, std::numeric_limits<double>::infinity()}}), "index 1");
  CHECK_REFUSED(mts::ValueError, logit_hypergradient(SampleVector{{1.5, -0.5}}, x, x), "sample 1", "-0.5");
  CHECK_REFUSED(mts::ValueError, logit_hypergradient(SampleVector{{0.5, 0.6}}, x, x), "sum to 1", "1.1");
  CHECK_REFUSED(mts::ValueError, normalisation_identity(x, SampleVector{{1, 0}}), "sample 1 must be positive");
  CHECK_REFUSED(mts::ShapeError, parameter_hypergradient(p, x, x, mts::RowMatrix<double>(3, 1)),
                "rows of the Jacobian");
}
