// L13: limits and identities; the GSNR itself is simulated in examples/laws.
#include "mts/theory/gsnr_binary_feature.hpp"

#include <doctest/doctest.h>

#include "data/support.hpp"
#include "mts/theory/gsnr_uniform.hpp"

using namespace mts::theory;

TEST_CASE("the law of a given f, by hand") {
  const auto g = given_feature({.25, .2, 2, -1, .5, std::log(3.0)});
  CHECK(g.p1 == doctest::Approx(.25 * .8 + .75 * .2));  // .35
  CHECK(g.q == doctest::Approx(3 * .35 / (3 * .35 + .65)));
  CHECK(g.mean[1] == doctest::Approx(-1 + 3 * (.2 / .35)));
  CHECK(g.mean[0] == doctest::Approx(-1 + 3 * (.05 / .65)));
  CHECK(g.variance[1] == doctest::Approx(.25 + 9 * (.2 / .35) * (.15 / .35)));
}

TEST_CASE("uniform weights are L11 for a binary J, to the order that is kept") {
  const BinaryFeature law{.1, 0, 1, 0, 1.2, 0};
  const double spread = .09, r2 = spread / (spread + 1.44), k22 = r2 * ((1 - 3 * spread) / spread - 3);
  const auto e = gsnr_expansion(gsnr_moments_binary_feature(law));
  CHECK(predict_gsnr(e, 500).gsnr == doctest::Approx(gsnr_uniform(500, std::sqrt(r2), k22)).epsilon(1e-4));
}

TEST_CASE("the line and the sums agree, and half the mass on each value is best") {
  BinaryFeature law{.2, .15, 1, -1, .7, .4};
  CHECK(gsnr_binary_feature_leading(64, law) ==
        doctest::Approx(predict_gsnr(gsnr_expansion(gsnr_moments_binary_feature(law)), 64, GsnrOrder::leading).gsnr));
  const double p1 = given_feature(law).p1;
  law.beta = std::log((1 - p1) / p1);
  CHECK(given_feature(law).q == doctest::Approx(.5));
  const double best = gsnr_binary_feature_leading(64, law);
  for (const double shift : {-.5, .5}) {
    BinaryFeature other = law;
    other.beta += shift;
    CHECK(gsnr_binary_feature_leading(64, other) < best);
  }
}

TEST_CASE("a feature of pure noise has no signal; one that always lies is as good as one that never does") {
  CHECK(gsnr_moments_binary_feature({.3, .5, 1, 0, 1, .7}).mu == doctest::Approx(0));
  CHECK(gsnr_binary_feature_leading(64, {.3, 1, 1, 0, 1, 0}) ==
        doctest::Approx(gsnr_binary_feature_leading(64, {.3, 0, 1, 0, 1, 0})));
}

TEST_CASE("what is refused") {
  CHECK_REFUSED(mts::ValueError, given_feature({0, .1, 1, 0, 1, 0}), "rho", "(0, 1)");
  CHECK_REFUSED(mts::ValueError, given_feature({1, .1, 1, 0, 1, 0}), "rho", "(0, 1)");
  CHECK_REFUSED(mts::ValueError, given_feature({.5, 1.1, 1, 0, 1, 0}), "eps");
  CHECK_REFUSED(mts::ValueError, given_feature({.5, .1, 1, 0, -1, 0}), "sigma");
  CHECK_REFUSED(mts::ValueError, given_feature({.5, .1, 1, 0, 1, std::nan("")}), "finite");
  CHECK_REFUSED(mts::ValueError, gsnr_binary_feature_leading(1, {}), "at least 2");
}
