// L14': without a step it is L10; the two forms agree; what is refused. Coefficients against all batches: examples/laws.
#include "mts/theory/virtual_step_noise.hpp"

#include <doctest/doctest.h>

#include "data/support.hpp"
#include "mts/core/random.hpp"

using namespace mts::theory;
using mts::Index;

namespace {

/// n samples with two parameters and gradients in R^3.
VirtualStepPopulation population(Index n) {
  mts::RandomStream random(5, "population");
  VirtualStepPopulation p;
  p.w.resize(n);
  p.x.resize(n, 2);
  p.a.resize(n);
  mts::RowMatrix<double> g(n, 3);
  for (Index i = 0; i < n; ++i) {
    p.w[i] = .2 + random.uniform();
    for (Index m = 0; m < 2; ++m) p.x(i, m) = random.normal();
    for (Index l = 0; l < 3; ++l) g(i, l) = random.normal() + .5 * p.x(i, 0);
    p.a[i] = g(i, 0) - .3 * g(i, 2);
  }
  p.curvature = g * g.transpose();
  return p;
}

}  // namespace

TEST_CASE("without a step it is L10, summed over parameters") {
  const auto p = population(30);
  GsnrExpansion sum;
  for (Index m = 0; m < 2; ++m) sum += gsnr_expansion(gsnr_moments({{}, p.w, p.x.col(m), p.a, {}}));
  const auto e = virtual_step_expansion(p);
  CHECK(e.mu_mu == doctest::Approx(sum.mu_mu));
  CHECK(e.mu_b1 == doctest::Approx(sum.mu_b1));
  CHECK(e.b1_b1 == doctest::Approx(sum.b1_b1));
  CHECK(e.v1 == doctest::Approx(sum.v1));
  CHECK(e.v2_pairs == doctest::Approx(sum.v2_pairs));
  CHECK(e.v2_thirds == doctest::Approx(sum.v2_thirds));
}

TEST_CASE("the mean step may be taken by the caller") {
  auto p = population(30);
  p.eta = .4;
  const auto e = virtual_step_expansion(p);
  p.a -= p.eta * (p.curvature * p.w) / p.w.sum();
  p.at_mean_step = true;
  const auto k = virtual_step_expansion(p);
  CHECK(k.mu_mu == doctest::Approx(e.mu_mu));
  CHECK(k.v1 == doctest::Approx(e.v1));
  CHECK(k.v2() == doctest::Approx(e.v2()));
}

TEST_CASE("first order: the influence function is h - eta W C.H g~, gradients written out") {
  // one parameter, gradients in one dimension: C is a number
  const Index n = 12;
  mts::RandomStream random(6, "influence");
  VirtualStepPopulation p;
  p.w.resize(n);
  p.x.resize(n, 1);
  mts::SampleVector g(n);
  for (Index i = 0; i < n; ++i) {
    p.w[i] = .5 + random.uniform();
    p.x(i, 0) = random.normal();
    g[i] = random.normal() + p.x(i, 0);
  }
  const double hessian = 2, gamma = .7;
  p.a = gamma * g;
  p.curvature = hessian * g * g.transpose();
  p.eta = .5;
  const mts::SampleVector W = p.w / p.w.mean();
  const double b = W.dot(p.x.col(0)) / n, gbar = W.dot(g) / n, moved = gamma - p.eta * hessian * gbar;
  double C = 0, v1 = 0;
  for (Index i = 0; i < n; ++i) C += W[i] * (p.x(i, 0) - b) * (g[i] - gbar) / n;
  for (Index i = 0; i < n; ++i) {
    const double h = W[i] * ((p.x(i, 0) - b) * (g[i] - gbar) * moved - C * moved);
    const double more = -p.eta * W[i] * C * hessian * (g[i] - gbar);
    v1 += (h + more) * (h + more) / n;
  }
  const auto e = virtual_step_expansion(p);
  CHECK(e.v1 == doctest::Approx(v1));
  CHECK(e.mu_mu == doctest::Approx(C * C * moved * moved));
}

TEST_CASE("the location model: a sampled pool meets the closed form") {
  const LocationStep step{{.3, 1.5, .8, 4}, .7, .5, .6};
  const Index n = 1200;
  mts::RandomStream random(7, "location");
  VirtualStepPopulation p;
  p.w = mts::SampleVector::Ones(n);
  p.x.resize(n, 1);
  p.a.resize(n);
  p.eta = step.eta;
  mts::RowMatrix<double> g(n, 4);
  for (Index i = 0; i < n; ++i) {
    // exactly 30 % good samples: one source of noise less
    p.x(i, 0) = i % 10 < 3 ? 1 : 0;
    for (Index l = 0; l < 4; ++l) {
      const double theta = l == 0 ? .7 * 1.5 : l == 1 ? .5 : 0.0, b = l == 0 && p.x(i, 0) == 0 ? 1.5 : 0.0;
      g(i, l) = theta - b - .8 * random.normal();
    }
    p.a[i] = .7 * 1.5 * g(i, 0) + .5 * g(i, 1);
  }
  p.curvature = g * g.transpose();
  const auto closed = virtual_step_expansion(step);
  for (const PoolPairs pairs : {PoolPairs::all, PoolPairs::distinct}) {
    const auto e = virtual_step_expansion(p, pairs);
    CHECK(e.mu_mu == doctest::Approx(closed.mu_mu).epsilon(.1));
    CHECK(e.mu_b1 == doctest::Approx(closed.mu_b1).epsilon(.1));
    CHECK(e.v1 == doctest::Approx(closed.v1).epsilon(.1));
    CHECK(e.v2_pairs == doctest::Approx(closed.v2_pairs).epsilon(.1));
    CHECK(e.v2_thirds == doctest::Approx(closed.v2_thirds).epsilon(.1));
  }
}

TEST_CASE("the part that grows with the dimension is eta^2 tr(Sigma_C H Sigma_g H)") {
  // d more dimensions of noise: eta^2 t sigma^4 a dimension, the rest cancels
  const LocationStep few{{.3, 1.5, .8, 10}, .7, .5, .6};
  LocationStep many = few;
  many.model.dimension = 1010;
  const double added = virtual_step_expansion(many).v2() - virtual_step_expansion(few).v2();
  CHECK(added == doctest::Approx(1000 * .36 * .21 * std::pow(.8, 4)));
}

TEST_CASE("what is refused") {
  auto p = population(5);
  p.eta = -1;
  CHECK_REFUSED(mts::ValueError, virtual_step_expansion(p), "eta");
  p = population(5);
  p.curvature.resize(4, 5);
  CHECK_REFUSED(mts::ShapeError, virtual_step_expansion(p), "curvature", "expected 5, found 4");
  p = population(5);
  p.w.setZero();
  CHECK_REFUSED(mts::ValueError, virtual_step_expansion(p), "are 0");
  p = population(5);
  p.a[3] = std::nan("");
  CHECK_REFUSED(mts::NumericalError, virtual_step_expansion(p), "alignment", "index 3");
  p = population(2);
  CHECK_REFUSED(mts::ShapeError, virtual_step_expansion(p, PoolPairs::distinct), "too few");
  CHECK_REFUSED(mts::ValueError, virtual_step_expansion(LocationStep{{1, 1, 1, 1}, 1, 0, 0}), "rho");
  CHECK_REFUSED(mts::ValueError, virtual_step_expansion(LocationStep{{.5, 1, 1, 1}, 1, 0, -1}), "eta");
}
