// L14: the variance, its limits, the best split.
#include "mts/theory/validation_noise.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "data/support.hpp"

using namespace mts::theory;

namespace {

constexpr NoiseComponents parts{.5, 4, 2, 30};

}  // namespace

TEST_CASE("variance by hand, and pools") {
  CHECK(hypergradient_variance(parts, 10, 5) == doctest::Approx(.4 + .4 + .6));
  CHECK(hypergradient_variance(parts, 10, 5, {10, 5}) == 0);
  CHECK(hypergradient_variance(parts, 10, 5, {10, 1e300}) ==
        doctest::Approx(.4));  // only the validation batch is random
  CHECK(hypergradient_variance(parts, 10, 5, {20, 5}) ==
        doctest::Approx(4 * .05));  // never redrawn: no variance of its own
  CHECK(gsnr_with_validation_noise(parts, 10, 5) == doctest::Approx(.5 / 1.4));
}

TEST_CASE("the GSNR stops growing at M mu^2 / V_val") {
  CHECK(gsnr_ceiling(parts, 8) == 2);
  CHECK(gsnr_with_validation_noise(parts, 1e9, 8) == doctest::Approx(2).epsilon(1e-6));
  CHECK(std::isinf(gsnr_ceiling({1, 1, 0, 1}, 8)));
  CHECK(gsnr_ceiling({0, 1, 0, 1}, 8) == 0);
}

TEST_CASE("exact variance of subsamples of a table without replacement: all pairs of subsets gone through") {
  // y_ij of 4 x 3; the mean over 2 rows and 2 columns, over all 6 x 3 choices.
  const double y[4][3] = {{1, 4, -2}, {0, 3, 5}, {2, -1, 7}, {6, 2, 2}};
  double mean = 0, squares = 0;
  int count = 0;
  for (int i = 0; i < 4; ++i)
    for (int k = i + 1; k < 4; ++k)
      for (int j = 0; j < 3; ++j)
        for (int l = j + 1; l < 3; ++l) {
          const double value = (y[i][j] + y[i][l] + y[k][j] + y[k][l]) / 4;
          mean += value;
          squares += value * value;
          ++count;
        }
  mean /= count;
  const double variance = squares / count - mean * mean;
  double row[4]{}, column[3]{}, grand = 0;
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 3; ++j) {
      row[i] += y[i][j] / 3;
      column[j] += y[i][j] / 4;
      grand += y[i][j] / 12;
    }
  NoiseComponents c;
  for (int i = 0; i < 4; ++i) c.train += (row[i] - grand) * (row[i] - grand) / 3;
  for (int j = 0; j < 3; ++j) c.validation += (column[j] - grand) * (column[j] - grand) / 2;
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 3; ++j) c.cross += std::pow(y[i][j] - row[i] - column[j] + grand, 2) / 6;
  CHECK(hypergradient_variance(c, 2, 2, {4, 3}) == doctest::Approx(variance).epsilon(1e-12));
}

TEST_CASE("components from expansions: one validation sample has no noise") {
  GsnrExpansion e;
  e.mu_mu = 2;
  e.mu_b1 = -1;
  e.v1 = 3;
  const std::vector<GsnrExpansion> one{e};
  const auto c = noise_components(one, e);
  CHECK(c.train == 3);
  CHECK(c.validation == 0);
  CHECK(c.cross == 0);
  CHECK_REFUSED(mts::ShapeError, noise_components({}, e), "at least 1");
}

TEST_CASE("the best split: a minimum along the budget, and its limits") {
  const double budget = 500, c_n = 2, c_m = 3;
  const auto s = best_split(parts, budget, c_n, c_m);
  CHECK(c_n * s.n + c_m * s.m == doctest::Approx(budget));
  const double least = hypergradient_variance(parts, s.n, s.m);
  for (const double move : {-1.0, 1.0})
    CHECK(hypergradient_variance(parts, s.n + move, s.m - move * c_n / c_m) > least);
  // no cross term: N/M = sqrt(V_train c_M / (V_val c_N))
  const auto plain = best_split({1, 4, 2, 0}, budget, c_n, c_m);
  CHECK(plain.n / plain.m == doctest::Approx(std::sqrt(4 * c_m / (2 * c_n))));
  CHECK(best_split({1, 4, 0, 0}, budget, c_n, c_m).m == doctest::Approx(1));
  CHECK(best_split({1, 0, 4, 0}, budget, c_n, c_m).n == doctest::Approx(1));
  CHECK(best_split({1, 4, 2, 0}, budget, c_n, c_m, {100, 1e6}).n == 100);
  const auto narrow = best_split({1, 1, 100, 0}, budget, c_n, c_m, {1e6, 50});
  CHECK(narrow.m == doctest::Approx(50));
}

TEST_CASE("best_split: in finite pools no other split of the budget has less variance") {
  struct At {
    double train, validation, cross;
    PoolSizes pools;
    double budget, cost_n, cost_m;
  };
  for (const At& at :
       {At{0, 0, 1, {1e9, 100}, 90, 1, 1}, At{.2, 2, 60, {400, 120}, 300, 1, 3}, At{1, 0, 50, {30, 1e9}, 20, 1, 1},
        At{0, 1, 50, {1e9, 30}, 20, 1, 1}, At{0, 0, 1, {40, 40}, 60, 1, 1}, At{0, 0, 1, {60, 40}, 80, 1, 1}}) {
    CAPTURE(at.budget);
    const NoiseComponents noise{1, at.train, at.validation, at.cross};
    const auto variance = [&](double n) {
      return hypergradient_variance(noise, n, (at.budget - at.cost_n * n) / at.cost_m, at.pools);
    };
    const double least = std::max(1.0, (at.budget - at.cost_m * at.pools.validation) / at.cost_n);
    const double most = std::min(at.pools.train, (at.budget - at.cost_m) / at.cost_n);
    double best = std::min(variance(least), variance(most));
    for (int k = 1; k < 4000; ++k) best = std::min(best, variance(least + (most - least) * k / 4000));
    const auto s = best_split(noise, at.budget, at.cost_n, at.cost_m, at.pools);
    CHECK(s.n * at.cost_n + s.m * at.cost_m == doctest::Approx(at.budget));
    CHECK(variance(s.n) <= best * (1 + 1e-12) + 1e-15);
  }
}

TEST_CASE("what is refused") {
  CHECK_REFUSED(mts::ValueError, hypergradient_variance({1, -1, 1, 1}, 10, 5), "must not be negative");
  CHECK_REFUSED(mts::ValueError, hypergradient_variance({1, 1, std::nan(""), 1}, 10, 5), "finite");
  CHECK_REFUSED(mts::ValueError, hypergradient_variance(parts, 0, 5), "at least 1");
  CHECK_REFUSED(mts::ValueError, hypergradient_variance(parts, 10, 5, {9, 5}), "fit its pool");
  CHECK_REFUSED(mts::ValueError, gsnr_with_validation_noise({1, 0, 0, 0}, 10, 5), "positive");
  CHECK_REFUSED(mts::ValueError, best_split(parts, 4, 2, 3), "does not pay for one sample of each");
  CHECK_REFUSED(mts::ValueError, best_split(parts, 400, 0, 3), "positive");
  CHECK_REFUSED(mts::ValueError, best_split(parts, 400, 2, 3, {10, 10}), "more than the pools hold");
  CHECK_REFUSED(mts::ValueError, best_split({1, 0, 0, 0}, 400, 2, 3), "no variance");
}
