// Sigmoid weights of Gaussian features: the quadrature converges, has the right limits, and the next order meets a simulation where the
// leading order is six times off.
#include "mts/theory/gsnr_sigmoid_gaussian.hpp"

#include <doctest/doctest.h>

#include "data/support.hpp"
#include "mts/core/random.hpp"
#include "mts/theory/gsnr_uniform.hpp"

using namespace mts::theory;

TEST_CASE("noise in a is the same as a feature that the weights do not see") {
  // One is a sum over nodes in e, the other a variance given f.
  SigmoidGaussian with, without;
  with.z_f = without.z_f = 6;
  with.z_0 = without.z_0 = -2;
  with.a_f = without.a_f = .5;
  with.a_e = .8;
  without.a_noise = .8;
  const auto a = gsnr_expansion(gsnr_moments_sigmoid_gaussian(with)),
             b = gsnr_expansion(gsnr_moments_sigmoid_gaussian(without));
  CHECK(a.mu_mu == doctest::Approx(b.mu_mu).epsilon(1e-9));
  CHECK(a.v1 == doctest::Approx(b.v1).epsilon(1e-9));
  CHECK(a.v2() == doctest::Approx(b.v2()).epsilon(1e-9));
}

TEST_CASE("flat weights are L11 for J = f") {
  SigmoidGaussian law;
  law.z_f = 0;
  law.a_f = .3;
  law.a_noise = std::sqrt(1 - .09);
  const auto g = predict_gsnr(gsnr_expansion(gsnr_moments_sigmoid_gaussian(law)), 400);
  CHECK(g.gsnr == doctest::Approx(gsnr_uniform_gaussian(400, .3)).epsilon(1e-4));
}

TEST_CASE("mu nearly vanishes: the leading order is six times off, the next order within 7 % at N = 32") {
  SigmoidGaussian law;
  law.z_f = 2;
  law.z_e = .8;
  law.z_0 = -1;
  law.a_f = .647;
  law.a_e = std::sqrt(1 - law.a_f * law.a_f);
  const auto m = gsnr_moments_sigmoid_gaussian(law);
  const auto e = gsnr_expansion(m);
  const auto next = predict_gsnr(e, 32), leading = predict_gsnr(e, 32, GsnrOrder::leading);
  CHECK(next.gsnr / leading.gsnr == doctest::Approx(6).epsilon(.15));
  // Simulated with a control of known mean, the first-order part of G, so that a weak signal can be measured at all.
  double mean = 0, control = 0, squares = 0, crossed = 0, controls = 0;
  constexpr int batches = 60000;
  mts::RandomStream random(1, "sigmoid");
  double w_mean = 0, b = 0, abar = 0;
  {
    mts::RandomStream first(2, "sigmoid means");
    for (int i = 0; i < 1000000; ++i) {
      const double f = first.normal(), n = first.normal(), w = 1 / (1 + std::exp(1 - 2 * f - .8 * n));
      w_mean += w;
      b += w * (1 - w) * f;
      abar += w * (law.a_f * f + law.a_e * n);
    }
    b /= w_mean;
    abar /= w_mean;
    w_mean /= 1000000;
  }
  for (int k = 0; k < batches; ++k) {
    double s = 0, x = 0, a = 0, xa = 0, h = 0;
    for (int i = 0; i < 32; ++i) {
      const double f = random.normal(), n = random.normal(), w = 1 / (1 + std::exp(1 - 2 * f - .8 * n));
      const double x_i = (1 - w) * f, a_i = law.a_f * f + law.a_e * n;
      s += w;
      x += w * x_i;
      a += w * a_i;
      xa += w * x_i * a_i;
      h += w / w_mean * ((x_i - b) * (a_i - abar) - m.mu) / 32;
    }
    const double g = xa / s - x / s * (a / s);
    mean += g / batches;
    squares += g * g / batches;
    control += h / batches;
    controls += h * h / batches;
    crossed += g * h / batches;
  }
  const double slope = (crossed - mean * control) / (controls - control * control);
  const double controlled = mean - slope * control;  // E h = 0
  const double simulated = controlled * controlled / (squares - mean * mean);
  CHECK(next.gsnr == doctest::Approx(simulated).epsilon(.07));
}

TEST_CASE("what is refused") {
  SigmoidGaussian law;
  law.z_f = 1000;
  CHECK_REFUSED(mts::ValueError, gsnr_moments_sigmoid_gaussian(law), "at most 50");
  law.z_f = std::nan("");
  CHECK_REFUSED(mts::ValueError, gsnr_moments_sigmoid_gaussian(law), "finite");
}
