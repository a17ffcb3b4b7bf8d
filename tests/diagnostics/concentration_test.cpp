// Concentration of normalised weights: values by hand, the identities of law L7, and what is refused.
#include "mts/diagnostics/concentration.hpp"

#include <doctest/doctest.h>

#include "data/support.hpp"
#include "mts/core/random.hpp"

using mts::Index;
using mts::SampleVector;
using mts::diagnostics::concentration;

TEST_CASE("concentration of weights by hand") {
  SampleVector p(4);
  p << 0.5, 0.25, 0.25, 0;
  const auto c = concentration(p);
  CHECK(c.samples == 4);
  CHECK(c.b_eff == doctest::Approx(8.0 / 3).epsilon(1e-15));  // 1/(1/4 + 1/16 + 1/16)
  CHECK(c.max_p == 0.5);
  CHECK(c.var_p == doctest::Approx((0.0625 + 0 + 0 + 0.0625) / 4).epsilon(1e-15));
  CHECK(c.entropy == doctest::Approx(1.5 * std::log(2.0)).epsilon(1e-15));
}

TEST_CASE("uniform weights: B_eff = N, no variance, entropy log N; one weight of 1: B_eff = 1, entropy 0") {
  for (const Index n : {1, 2, 3, 64, 1000}) {
    const auto u = concentration(SampleVector::Constant(n, 1 / static_cast<double>(n)));
    CHECK(u.b_eff == doctest::Approx(static_cast<double>(n)).epsilon(1e-13));
    CHECK(u.var_p == 0);
    CHECK(u.entropy == doctest::Approx(std::log(static_cast<double>(n))).epsilon(1e-13));
    SampleVector one = SampleVector::Zero(n);
    one[n / 2] = 1;
    const auto c = concentration(one);
    CHECK(c.b_eff == 1);
    CHECK(c.max_p == 1);
    CHECK(c.entropy == 0);
  }
}

TEST_CASE("law L7: Var p = (1/N)(1/B_eff - 1/N) and 1/max p <= B_eff <= exp(entropy) <= N") {
  mts::RandomStream random(7, "weights");
  for (const Index n : {1, 2, 5, 33, 257}) {
    for (const double spread : {0.0, 0.1, 1.0, 5.0}) {
      SampleVector p(n);
      for (Index i = 0; i < n; ++i) p[i] = std::exp(spread * random.normal());
      p /= p.sum();
      const auto c = concentration(p);
      const auto m = static_cast<double>(n);
      CAPTURE(n);
      CAPTURE(spread);
      CHECK(std::abs(c.var_p - (1 / c.b_eff - 1 / m) / m) <= 1e-15);
      CHECK(1 / c.max_p <= c.b_eff * (1 + 1e-14));
      CHECK(c.b_eff <= std::exp(c.entropy) * (1 + 1e-12));
      CHECK(c.entropy <= std::log(m) + 1e-12);
    }
  }
}

TEST_CASE("weights that are none are refused in words") {
  const auto of = [](std::initializer_list<double> values) {
    SampleVector p(static_cast<Index>(values.size()));
    std::copy(values.begin(), values.end(), p.data());
    return concentration(p);
  };
  CHECK_REFUSED(mts::ShapeError, of({}), "concentration", "at least 1");
  CHECK_REFUSED(mts::NumericalError, of({0.5, std::nan(""), 0.5}), "weight p", "index 1 of 3");
  CHECK_REFUSED(mts::ValueError, of({0.5, 0.75, -0.25}), "sample 2", "-0.25");
  CHECK_REFUSED(mts::ValueError, of({0.5, 0.5 + 3e-9}), "sum to 1", "3e-09");
  CHECK(of({0.5, 0.5 + 0.5e-9}).samples == 2);
}
