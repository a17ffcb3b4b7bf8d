// L12 against reference values, against quadrature of the moments, and its limits.
#include "mts/theory/gsnr_tilted_gaussian.hpp"

#include <doctest/doctest.h>

#include <array>
#include <numbers>

#include "data/support.hpp"

using namespace mts::theory;

TEST_CASE("reference values, simulated independently") {
  struct Reference {
    double n, r, beta, gsnr, error;
  };
  for (const Reference& ref : {Reference{64, .3, .25, 4.583, .017}, Reference{256, .3, .5, 12.78, .04},
                               Reference{1024, .3, 1, 14.66, .07}, Reference{4096, .5, 1, 118.1, 1.5}})
    CHECK(std::abs(gsnr_tilted_gaussian(ref.n, ref.r, ref.beta) - ref.gsnr) < 2 * ref.error);
  CHECK(gsnr_tilted_gaussian_leading(4096, .5, 1) == doctest::Approx(115.9).epsilon(1e-3));
  CHECK(gsnr_tilted_gaussian(4096, .5, 1) == doctest::Approx(118.1).epsilon(1e-3));
}

TEST_CASE("the moments are those of the law, by the trapezoidal rule in J and the variance of a given J") {
  for (const auto& [r, beta] : {std::array{.3, .5}, std::array{-.6, 1.0}, std::array{.8, -.7}}) {
    const double step = .05;
    const mts::Index half = 300, n = 2 * half + 1;
    WeightedPopulation p{mts::SampleVector(n), mts::SampleVector(n), mts::SampleVector(n), mts::SampleVector(n),
                         mts::SampleVector::Constant(n, 1 - r * r)};
    for (mts::Index k = 0; k < n; ++k) {
      const double J = static_cast<double>(k - half) * step;
      p.probability[k] = std::exp(-J * J / 2);
      p.w[k] = std::exp(beta * J);
      p.x[k] = J;
      p.a[k] = r * J;
    }
    const auto m = gsnr_moments_tilted_gaussian(r, beta), q = gsnr_moments(p);
    const std::array closed{m.mu, m.hh, m.ho, m.hu, m.hv, m.uu, m.uv, m.vv, m.oo, m.ou, m.ov, m.hho, m.huv};
    const std::array summed{q.mu, q.hh, q.ho, q.hu, q.hv, q.uu, q.uv, q.vv, q.oo, q.ou, q.ov, q.hho, q.huv};
    for (std::size_t k = 0; k < closed.size(); ++k) CHECK(closed[k] == doctest::Approx(summed[k]).epsilon(1e-9));
  }
}

TEST_CASE("limits: no tilt is the Gaussian pair of L11, and the leading order is that of L10") {
  for (const double n : {100.0, 1000.0})
    CHECK(gsnr_tilted_gaussian(n, .4, 0) == doctest::Approx(gsnr_uniform_gaussian(n, .4)).epsilon(5 / (n * n)));
  CHECK(
      gsnr_tilted_gaussian_leading(64, .3, .7) ==
      doctest::Approx(predict_gsnr(gsnr_expansion(gsnr_moments_tilted_gaussian(.3, .7)), 64, GsnrOrder::leading).gsnr));
  CHECK(gsnr_tilted_gaussian(500, .3, .5) == doctest::Approx(gsnr_tilted_gaussian(500, -.3, -.5)));
  CHECK(tilted_gaussian_validity(100, 1) == doctest::Approx(std::numbers::e * std::numbers::e / 100));
}

TEST_CASE("what is refused") {
  CHECK_REFUSED(mts::ValueError, gsnr_tilted_gaussian(64, 1, .5), "inside (-1, 1)");
  CHECK_REFUSED(mts::ValueError, gsnr_tilted_gaussian(1, .5, .5), "at least 2");
  CHECK_REFUSED(mts::ValueError, gsnr_tilted_gaussian(64, .5, std::nan("")), "beta");
  CHECK_REFUSED(mts::ValueError, gsnr_tilted_gaussian(4, .3, 2), "too small for the expansion");
}
