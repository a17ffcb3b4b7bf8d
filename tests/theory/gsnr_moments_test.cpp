// L10: moments of a discrete law, the expansion, finite pools, and what is refused. The coefficients themselves are checked against all
// batches of a population in examples/laws.
#include "mts/theory/gsnr_moments.hpp"

#include <doctest/doctest.h>

#include "data/support.hpp"

using namespace mts::theory;
using mts::SampleVector;

namespace {

SampleVector vector(std::initializer_list<double> values) {
  SampleVector v(static_cast<mts::Index>(values.size()));
  std::copy(values.begin(), values.end(), v.data());
  return v;
}
WeightedPopulation population() {
  return {
      vector({.3, .2, .35, .15}), vector({1, 2.5, .7, 1.6}), vector({-1, .4, 1.3, 2}), vector({.5, -1.2, .9, 2.2}), {}};
}

}  // namespace

TEST_CASE("moments by hand: two equally likely atoms, uniform weights") {
  // x = a = -1, 1: mu = 1, h = 0, u = v = x.
  const auto m = gsnr_moments({{}, vector({1, 1}), vector({-1, 1}), vector({-1, 1}), {}});
  CHECK(m.mu == 1);
  CHECK(m.hh == 0);
  CHECK(m.uu == 1);
  CHECK(m.uv == 1);
  CHECK(m.vv == 1);
  CHECK(m.oo == 0);
  CHECK(m.huv == 0);
  CHECK(gsnr_bias_coefficient(m) == -1);  // the sample covariance is short of (N - 1)/N
  CHECK(gsnr_mean(m, 4) == .75);
}

TEST_CASE("moments do not depend on the units of w, nor on the origins of X and a") {
  const auto p = population();
  auto q = p;
  q.probability *= 7;
  q.w *= 1e-3;
  q.x.array() += 5;
  q.a.array() -= 3;
  const auto m = gsnr_moments(p), k = gsnr_moments(q);
  CHECK(k.mu == doctest::Approx(m.mu));
  CHECK(k.hh == doctest::Approx(m.hh));
  CHECK(k.ho == doctest::Approx(m.ho));
  CHECK(k.hu == doctest::Approx(m.hu));
  CHECK(k.hv == doctest::Approx(m.hv));
  CHECK(k.hho == doctest::Approx(m.hho));
  CHECK(k.huv == doctest::Approx(m.huv));
  CHECK(k.ou == doctest::Approx(m.ou));
  CHECK(k.ov == doctest::Approx(m.ov));
}

TEST_CASE("a variance of a is the same as atoms that spread as far") {
  auto p = population();
  p.a_variance = vector({.5, 1, 0, 2});
  WeightedPopulation split{SampleVector(8), SampleVector(8), SampleVector(8), SampleVector(8), {}};
  for (mts::Index i = 0; i < 4; ++i)
    for (mts::Index side : {0, 1}) {
      const mts::Index k = 2 * i + side;
      split.probability[k] = p.probability[i] / 2;
      split.w[k] = p.w[i];
      split.x[k] = p.x[i];
      split.a[k] = p.a[i] + (side ? 1 : -1) * std::sqrt(p.a_variance[i]);
    }
  const auto a = gsnr_expansion(gsnr_moments(p)), b = gsnr_expansion(gsnr_moments(split));
  CHECK(a.mu_mu == doctest::Approx(b.mu_mu));
  CHECK(a.mu_b1 == doctest::Approx(b.mu_b1));
  CHECK(a.v1 == doctest::Approx(b.v1));
  CHECK(a.v2_pairs == doctest::Approx(b.v2_pairs));
  CHECK(a.v2_thirds == doctest::Approx(b.v2_thirds));
}

TEST_CASE("if W is independent of the rest, the leading order is B_eff times the SNR of one sample") {
  // pairs (x, a) of a law, times weights of a law
  const std::vector<std::array<double, 3>> pairs{{.5, -1, .3}, {.3, .5, -.9}, {.2, 2, 1.4}};  // probability, x, a
  const std::vector<std::array<double, 2>> weights{{.4, 1}, {.6, 3}};
  WeightedPopulation p{SampleVector(6), SampleVector(6), SampleVector(6), SampleVector(6), {}};
  mts::Index k = 0;
  double ew = 0, eww = 0, ex = 0, ea = 0, mu = 0, hh = 0;
  for (const auto& [q, w] : weights) {
    ew += q * w;
    eww += q * w * w;
    for (const auto& [r, x, a] : pairs) {
      p.probability[k] = q * r;
      p.w[k] = w;
      p.x[k] = x;
      p.a[k++] = a;
    }
  }
  for (const auto& [r, x, a] : pairs) {
    ex += r * x;
    ea += r * a;
  }
  for (const auto& [r, x, a] : pairs) mu += r * (x - ex) * (a - ea);
  for (const auto& [r, x, a] : pairs) hh += r * std::pow((x - ex) * (a - ea) - mu, 2);
  const double n = 100, b_eff = n * ew * ew / eww;
  CHECK(predict_gsnr(gsnr_expansion(gsnr_moments(p)), n, GsnrOrder::leading).gsnr ==
        doctest::Approx(b_eff * mu * mu / hh));
}

TEST_CASE("expansions add over parameters") {
  const auto e = gsnr_expansion(gsnr_moments(population()));
  const auto twice = e + e;
  CHECK(predict_gsnr(twice, 50).signal == doctest::Approx(2 * predict_gsnr(e, 50).signal));
  CHECK(predict_gsnr(twice, 50).gsnr == doctest::Approx(predict_gsnr(e, 50).gsnr));
  CHECK((2.0 * e).v1 == twice.v1);
}

TEST_CASE("a batch of the whole pool has no variance, and the pool's own mean") {
  const auto e = gsnr_expansion(gsnr_moments(population()));
  const auto g = predict_gsnr(e, 60, GsnrOrder::next, 60);
  CHECK(g.variance == 0);
  CHECK(g.signal == e.mu_mu);
  CHECK(std::isinf(g.gsnr));
  CHECK(predict_gsnr(e, 30, GsnrOrder::leading, 60).variance == doctest::Approx(e.v1 / 60));
}

TEST_CASE("signal without information is reported") {
  GsnrMoments m;
  m.mu = .01;
  m.uv = 1;
  m.uu = m.vv = m.hh = 2;
  CHECK(predict_gsnr(gsnr_expansion(m), 50).bias_dominates);
  CHECK_FALSE(predict_gsnr(gsnr_expansion(m), 500).bias_dominates);
  CHECK(predict_gsnr(gsnr_expansion({}), 50).gsnr == 0);
}

TEST_CASE("what is refused") {
  const auto e = gsnr_expansion(gsnr_moments(population()));
  CHECK_REFUSED(mts::ValueError, predict_gsnr(e, 1), "at least 2", "found 1");
  CHECK_REFUSED(mts::ValueError, predict_gsnr(e, std::nan("")), "at least 2");
  CHECK_REFUSED(mts::ValueError, predict_gsnr(e, 30, GsnrOrder::next, 20), "pool");
  GsnrMoments m;
  m.hh = -1;
  CHECK_REFUSED(mts::ValueError, gsnr_expansion(m), "must not be negative", "-1");
  m.hh = std::nan("");
  CHECK_REFUSED(mts::NumericalError, gsnr_expansion(m), "moment");
  GsnrExpansion small;
  small.v1 = 1;
  small.v2_thirds = -10;
  CHECK_REFUSED(mts::ValueError, predict_gsnr(small, 5), "too small for the expansion");
  auto p = population();
  p.w[1] = -1;
  CHECK_REFUSED(mts::ValueError, gsnr_moments(p), "negative", "atom 1");
  p.w.setZero();
  CHECK_REFUSED(mts::ValueError, gsnr_moments(p), "are 0");
  p = population();
  p.a.resize(3);
  CHECK_REFUSED(mts::ShapeError, gsnr_moments(p), "expected 4, found 3");
  p = population();
  p.a_variance = vector({0, 0, -1, 0});
  CHECK_REFUSED(mts::ValueError, gsnr_moments(p), "negative variance");
  p = population();
  p.x[2] = std::numeric_limits<double>::infinity();
  CHECK_REFUSED(mts::NumericalError, gsnr_moments(p), "X", "index 2");
  CHECK_REFUSED(mts::ShapeError, gsnr_moments({}), "at least 1 atom");
}
