// Concentration: identities, bounds, moments and expansions against other ways to compute them, and what is refused.
// (Against drawn batches: examples/laws/l07.)
#include "mts/theory/concentration_laws.hpp"

#include <doctest/doctest.h>

#include "data/support.hpp"
#include "mts/core/random.hpp"
#include "mts/diagnostics/concentration.hpp"

using namespace mts::theory;
using doctest::Approx;
using mts::Index;
using mts::SampleVector;

TEST_CASE("identities by hand") {
  CHECK(weight_variance(4, 4) == 0);
  CHECK(weight_variance(1, 4) == Approx(3.0 / 16));  // (9/16 + 3/16)/4
  CHECK(effective_batch(3.0 / 16, 4) == Approx(1));
  CHECK(effective_batch(0, 4) == Approx(4));
  CHECK(weight_variance(1, 1) == 0);
}

TEST_CASE("bounds of the largest weight hold for any weights") {
  mts::RandomStream random(5, "weights");
  for (const Index n : {2, 3, 10, 100})
    for (const double spread : {0.1, 1.0, 4.0}) {
      SampleVector p = SampleVector::NullaryExpr(n, [&] { return std::exp(spread * random.normal()); });
      p /= p.sum();
      const auto c = mts::diagnostics::concentration(p);
      const auto [low, high] = largest_weight_bounds(c.b_eff, n);
      CHECK(low <= c.max_p * (1 + 1e-14));
      CHECK(c.max_p <= high * (1 + 1e-14));
    }
}

TEST_CASE("moments: log-normal in closed form and by quadrature; equal weights have moments 1") {
  for (const double beta : {0.0, 0.3, 1.0, 1.2}) {
    CAPTURE(beta);
    const auto closed = log_normal_moments(beta),
               found = gaussian_weight_moments([beta](double x) { return std::exp(beta * x); });
    CHECK(found.second == Approx(closed.second).epsilon(1e-11));
    CHECK(found.third == Approx(closed.third).epsilon(1e-11));
    CHECK(found.fourth == Approx(closed.fourth).epsilon(1e-11));
  }
  const WeightMoments step = gaussian_weight_moments([](double x) { return x > 0 ? 1.0 : 0.0; });
  CHECK(step.second == Approx(2));
  CHECK(step.fourth == Approx(8));
}

TEST_CASE("equal weights: every expansion is exact") {
  CHECK(expected_effective_batch(10, {}).next == Approx(10));
  CHECK(expected_inverse_effective_batch(10, {}).next == Approx(0.1));
  CHECK(expected_weight_variance(10, {}).next == Approx(0).scale(1));
  CHECK(expected_largest_weight(10, [](double) { return 2.0; }).next == Approx(0.1).epsilon(1e-10));
}

TEST_CASE("weights of 0 or 1: expansions against the binomial sum over how many are 1") {
  // Given K ones of N, B_eff = K. E[B_eff | K > 0] and E[1/B_eff | K > 0] by the binomial; P(K = 0) is negligible.
  constexpr Index n = 400;
  constexpr double q = 0.5;
  double mean = 0, inverse = 0;
  for (Index k = 1; k <= n; ++k) {
    const double x = static_cast<double>(k), m = static_cast<double>(n);
    const double p = std::exp(std::lgamma(m + 1) - std::lgamma(x + 1) - std::lgamma(m - x + 1) + m * std::log(q));
    mean += p * x;
    inverse += p / x;
  }
  const WeightMoments moments{1 / q, 1 / (q * q), 1 / (q * q * q)};
  CHECK(expected_effective_batch(n, moments).next == Approx(mean).epsilon(1e-9));  // no next order: exactly q N
  const auto e = expected_inverse_effective_batch(n, moments);
  CHECK(e.next == Approx(inverse).epsilon(3e-5));
  CHECK(std::abs(e.leading / inverse - 1) > 1e-3);
}

TEST_CASE("scaling: B_eff k-fold, Var 1/k^2; max p about 1/k if bounded, more slowly for exp of a Gaussian") {
  const auto m = log_normal_moments(0.5);
  CHECK(expected_effective_batch(400, m).leading == Approx(4 * expected_effective_batch(100, m).leading));
  CHECK(expected_weight_variance(400, m).leading == Approx(expected_weight_variance(100, m).leading / 16));
  const auto ratio = [](Index n, auto weight) {
    return expected_largest_weight(n, weight).next / expected_largest_weight(4 * n, weight).next;
  };
  const auto exponential = [](double x) { return std::exp(x); };
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  CHECK(ratio(64, exponential) == Approx(2.49).epsilon(0.005));
  CHECK(ratio(256, exponential) == Approx(2.65).epsilon(0.005));
  CHECK(ratio(1024, exponential) == Approx(2.76).epsilon(0.005));
  CHECK(ratio(256, sigmoid) > 3.8);
  CHECK(ratio(256, sigmoid) < 4);
}

TEST_CASE("the largest of two weights, by a double integral on a grid") {
  // E max(w, w')/(w + w') = E 1/(1 + exp(-beta |x - x'|)), x - x' ~ N(0, 2). N = 2 is where the expansion is worst.
  constexpr double beta = 0.5, step = 1e-3;
  double sum = 0;
  for (double d = step / 2; d < 15; d += step)
    sum += 2 * step * std::exp(-d * d / 4) / std::sqrt(4 * std::numbers::pi) / (1 + std::exp(-beta * d));
  const auto e = expected_largest_weight(2, [](double x) { return std::exp(beta * x); });
  CHECK(e.next == Approx(sum).epsilon(0.01));
  CHECK(std::abs(e.next - sum) < std::abs(e.leading - sum));
}

TEST_CASE("what is outside the domain is refused in words") {
  CHECK_REFUSED(mts::ValueError, weight_variance(5, 4), "B_eff must be in [1, 4]", "5");
  CHECK_REFUSED(mts::ValueError, weight_variance(0.5, 4), "B_eff", "0.5");
  CHECK_REFUSED(mts::ValueError, weight_variance(std::nan(""), 4), "B_eff");
  CHECK_REFUSED(mts::ValueError, weight_variance(1, 0), "at least 1", "0");
  CHECK_REFUSED(mts::ValueError, effective_batch(-1e-9, 4), "Var(p)");
  CHECK_REFUSED(mts::ValueError, effective_batch(0.2, 4), "Var(p)");
  CHECK_REFUSED(mts::ValueError, expected_effective_batch(1, {}), "at least 2");
  CHECK_REFUSED(mts::ValueError, expected_effective_batch(8, {0.9, 1, 1}), "no positive weights", "0.9");
  CHECK_REFUSED(mts::ValueError, expected_largest_weight(1, [](double) { return 1.0; }), "at least 2");
  CHECK_REFUSED(mts::NumericalError, log_normal_moments(std::nan("")), "beta");
  CHECK_REFUSED(mts::ValueError, gaussian_weight_moments([](double) { return 0.0; }), "positive mean");
}
