// Flows of weights: kernels by hand, what every flow must do, and what is refused. (Against integrated flows and the
// library's SGD: examples/laws/l04.)
#include "mts/theory/weight_flow.hpp"

#include <doctest/doctest.h>

#include <boost/numeric/odeint/integrate/integrate_const.hpp>
#include <boost/numeric/odeint/stepper/runge_kutta4.hpp>

#include "data/support.hpp"
#include "theory/support.hpp"

using namespace mts::theory;
using doctest::Approx;
using mts::Index;
using mts::SampleVector;
using mts_test::some;

TEST_CASE("kernels by hand") {
  const SampleVector u{{1, 2, 4}};
  CHECK(Kernel::tabular(3) * u == u);
  CHECK(Kernel::shared({0, 1, 0}) * u == SampleVector{{5, 2, 5}});
  CHECK(Kernel::of_jacobian(mts::RowMatrix<double>{{1, 0}, {0, 1}, {1, 0}}) * u == SampleVector{{5, 2, 5}});
  CHECK_REFUSED(mts::ValueError, Kernel::general(mts::RowMatrix<double>{{1, 2}, {0, 1}}), "symmetric");
  CHECK_REFUSED(mts::ShapeError, Kernel::general(mts::RowMatrix<double>(2, 3)), "columns of K");
  CHECK_REFUSED(mts::ValueError, Kernel::shared({0, -1}), "-1");
  CHECK_REFUSED(mts::ValueError, Kernel::tabular(0), "at least 1");
  CHECK_REFUSED(mts::ShapeError, Kernel::tabular(2) * u, "expected 2, found 3");
}

TEST_CASE("two equal samples, softmax: z' = c D/4 up and down, p' = c D/8") {
  const SampleVector a{{1, 0}};
  const WeightFlow flow(Softmax{}, a, 2, Kernel::tabular(2));
  const SampleVector z = SampleVector::Zero(2);
  CHECK(flow.velocity(z) == SampleVector{{0.5, -0.5}});
  CHECK(flow.step(z) == SampleVector{{0.5, -0.5}});
  CHECK(tabular_weight_velocity(flow.weights(z).p, SampleVector::Ones(2), a, 2) == SampleVector{{0.25, -0.25}});
  CHECK(weight_velocity(flow.weights(z).p, SampleVector::Ones(2), flow.velocity(z)) == SampleVector{{0.25, -0.25}});
}

TEST_CASE("every flow: p' sums to 0 and the mean alignment does not fall") {
  for (std::uint64_t seed = 1; seed < 20; ++seed) {
    const SampleVector z = some(6, seed), a = some(6, seed + 100);
    mts::RowMatrix<double> j(6, 2);
    j << some(6, seed + 200), some(6, seed + 300);
    const WeightFlow flow(Sigmoid{}, a, 1, Kernel::of_jacobian(j), SampleVector{{1, 2, 1, 3, 1, 1}});
    const Weights w = flow.weights(z);
    const SampleVector dp = weight_velocity(w.p, w.s, flow.velocity(z));
    CHECK(std::abs(dp.sum()) <= 1e-15);
    CHECK(dp.dot(a) >= 0);
    CHECK(flow.mean_alignment(z + 1e-6 * flow.velocity(z)) >= flow.mean_alignment(z));
  }
}

TEST_CASE("the tabular form of p' is the general one") {
  const SampleVector z = some(8, 1), a = some(8, 2);
  const WeightFlow flow(Softplus{}, a, 1.7, Kernel::tabular(8));
  const Weights w = flow.weights(z);
  CHECK((tabular_weight_velocity(w.p, w.s, a, 1.7) - weight_velocity(w.p, w.s, flow.velocity(z))).norm() <= 1e-15);
}

TEST_CASE("a right-hand side for an integrator: std::vector or SampleVector, time ignored") {
  const WeightFlow flow(Softmax{}, SampleVector{{1, 0}}, 1, Kernel::tabular(2));
  std::vector<double> z{0, 0};
  boost::numeric::odeint::integrate_const(boost::numeric::odeint::runge_kutta4<std::vector<double>>{}, flow, z, 0.0,
                                          10.0, 0.01);
  CHECK(z[0] + z[1] == Approx(0).scale(1));
  // L9 with rho = 1/2, N = 2: e^d/4 + d/2 - e^-d/4 = t/2
  const double d = z[0] - z[1];
  CHECK(std::sinh(d) / 2 + d / 2 == Approx(5).epsilon(1e-8));
  SampleVector x = SampleVector::Zero(2), dx(2);
  flow(x, dx, 3);
  CHECK(dx == SampleVector{{0.25, -0.25}});
  flow.modified()(x, dx, 3);
  CHECK((dx - flow.velocity(x) + flow.acceleration(x) / 2).norm() == 0);
  std::vector<double> wrong(3);
  CHECK_REFUSED(mts::ShapeError, flow(wrong, wrong, 0), "logits", "expected 2, found 3");
}

TEST_CASE("what is no flow is refused in words") {
  const SampleVector a{{1, 0}};
  CHECK_REFUSED(mts::ShapeError, WeightFlow(Softmax{}, a, 1, Kernel::tabular(3)), "alignments");
  CHECK_REFUSED(mts::ValueError, WeightFlow(Softmax{}, a, -1, Kernel::tabular(2)), "rate", "-1");
  CHECK_REFUSED(mts::ValueError, WeightFlow(Softmax{}, a, std::nan(""), Kernel::tabular(2)), "rate");
  CHECK_REFUSED(mts::NumericalError, WeightFlow(Softmax{}, SampleVector{{1, std::nan("")}}, 1, Kernel::tabular(2)),
                "alignment");
  CHECK_REFUSED(mts::ShapeError, WeightFlow(Softmax{}, a, 1, Kernel::tabular(2), SampleVector{{1}}), "prior");
}
