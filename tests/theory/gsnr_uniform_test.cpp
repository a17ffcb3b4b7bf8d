// L11 against reference values, L10, and its own inversion.
#include "mts/theory/gsnr_uniform.hpp"

#include <doctest/doctest.h>

#include "data/support.hpp"
#include "mts/theory/gsnr_moments.hpp"

using namespace mts::theory;

TEST_CASE("reference values of a Gaussian pair, simulated independently") {
  CHECK(gsnr_uniform_gaussian(16, .3) == doctest::Approx(1.2385).epsilon(1e-4));
  CHECK(gsnr_uniform_gaussian(64, .5) == doctest::Approx(12.6).epsilon(1e-9));
  CHECK(gsnr_uniform_gaussian(256, .1) == doctest::Approx(2.5248).epsilon(1e-4));
}

TEST_CASE("reference values of a binary J with P = .1, r = .5, simulated independently") {
  const double spread = .1 * .9, k22 = .25 * ((1 - 3 * spread) / spread - 3);
  CHECK(gsnr_uniform(5, .5, k22) == doctest::Approx(.439).epsilon(.005));
  CHECK(gsnr_uniform(16, .5, k22) == doctest::Approx(1.532).epsilon(.001));
  CHECK(gsnr_uniform(64, .5, k22) == doctest::Approx(6.27).epsilon(.005));
  CHECK(gsnr_uniform_gaussian(5, .5) == doctest::Approx(.8));
  CHECK(gsnr_uniform_gaussian(16, .5) == doctest::Approx(3.0));
  CHECK(gsnr_uniform_gaussian(64, .5) == doctest::Approx(12.6));
}

TEST_CASE("L10 with uniform weights is L11 up to what it leaves out") {
  // four equally likely atoms, without symmetry
  Eigen::VectorXd x = Eigen::Vector4d(-1, .2, 1.5, .4), a = Eigen::Vector4d(-.3, .9, 1.1, -2),
                  w = Eigen::Vector4d::Ones();
  x.array() -= x.mean();
  a.array() -= a.mean();
  x /= std::sqrt(x.squaredNorm() / 4);
  a /= std::sqrt(a.squaredNorm() / 4);
  const double r = x.dot(a) / 4, k22 = x.cwiseProduct(a).squaredNorm() / 4 - 1 - 2 * r * r;
  const auto e = gsnr_expansion(gsnr_moments({{}, w, x, a, {}}));
  double before = 0;
  for (const double n : {50.0, 100.0, 200.0}) {
    const double error = std::abs(predict_gsnr(e, n).gsnr / gsnr_uniform(n, r, k22) - 1);
    CHECK(error < 3 / (n * n));
    if (before > 0) CHECK(before / error == doctest::Approx(4).epsilon(.1));
    before = error;
  }
}

TEST_CASE("the batch for a target is the inverse") {
  for (const double k22 : {0.0, 1.5, -.4})
    for (const double g : {.5, 2.0, 30.0}) {
      const double n = batch_for_gsnr_uniform(g, .4, k22);
      if (n > 2) CHECK(gsnr_uniform(n, .4, k22) == doctest::Approx(g));
    }
  CHECK(batch_for_gsnr_uniform_gaussian(3, .5) == doctest::Approx(1 + 3 * 1.25 / .25));
  CHECK(batch_for_gsnr_uniform_gaussian(0, .5) == 2);
  CHECK(std::isinf(batch_for_gsnr_uniform_gaussian(1, 0)));
  CHECK(gsnr_uniform_gaussian(100, 0) == 0);
}

TEST_CASE("what is refused") {
  CHECK_REFUSED(mts::ValueError, gsnr_uniform_gaussian(1, .5), "at least 2");
  CHECK_REFUSED(mts::ValueError, gsnr_uniform_gaussian(10, 1), "inside (-1, 1)");
  CHECK_REFUSED(mts::ValueError, gsnr_uniform_gaussian(10, -1.5), "inside (-1, 1)");
  CHECK_REFUSED(mts::ValueError, gsnr_uniform_gaussian(10, std::nan("")), "inside (-1, 1)");
  CHECK_REFUSED(mts::ValueError, gsnr_uniform(10, .5, -2), "k22");
  CHECK_REFUSED(mts::ValueError, batch_for_gsnr_uniform(-1, .5, 0), "target");
}
