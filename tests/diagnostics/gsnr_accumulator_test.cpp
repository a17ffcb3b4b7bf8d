// The streaming GSNR: parts by hand, unbiased, an honest standard error, merging to the bit, and what is refused.
#include "mts/diagnostics/gsnr_accumulator.hpp"

#include <doctest/doctest.h>

#include <bit>

#include "data/support.hpp"
#include "mts/core/random.hpp"
#include "support/state.hpp"

using mts::Index;
using mts::SampleVector;
using mts::diagnostics::GsnrAccumulator;

namespace {

SampleVector draw(mts::RandomStream& random, Index parameters) {
  SampleVector g(parameters);
  for (Index m = 0; m < parameters; ++m)
    g[m] = .3 * static_cast<double>(m) + (1 + static_cast<double>(m)) * random.normal();
  return g;
}
bool same_bits(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }

}  // namespace

TEST_CASE("parts by hand") {
  GsnrAccumulator acc(2);
  acc.add(Eigen::Vector2d(1, 4));
  acc.add(Eigen::Vector2d(3, 4));
  acc.add(Eigen::Vector2d(2, 1));
  // means 2 and 3; sample variances 1 and 3
  const auto e = acc.estimate();
  CHECK(e.replicates == 3);
  CHECK(e.noise == doctest::Approx(4));
  CHECK(e.signal == doctest::Approx(13 - 4.0 / 3));
  CHECK(e.plain_ratio == doctest::Approx((13 - 4.0 / 3) / 4));
  CHECK(acc.mean().isApprox(Eigen::Vector2d(2, 3)));
  const auto each = acc.per_parameter();
  CHECK(each.noise[1] == doctest::Approx(3));
  CHECK(each.signal[1] == doctest::Approx(9 - 1));
  CHECK(each.plain_ratio[0] == doctest::Approx((4 - 1.0 / 3) / 1));
}

TEST_CASE("the jackknife by hand, blocks that differ in size") {
  // block 0: replicates 1, 2, 5; block 1: 4, 3. Delete-a-block values recomputed plainly.
  GsnrAccumulator acc(1, 2);
  const double g[] = {1, 4, 2, 3, 5};
  for (Index k = 0; k < 5; ++k) acc.add(g[k], k);
  const auto ratio = [](const std::vector<double>& v) {
    double mean = 0, squares = 0;
    const auto n = static_cast<double>(v.size());
    for (double x : v) mean += x / n;
    for (double x : v) squares += (x - mean) * (x - mean) / (n - 1);
    return (mean * mean - squares / n) / squares;
  };
  const double all = ratio({1, 4, 2, 3, 5}), without0 = ratio({4, 3}), without1 = ratio({1, 2, 5});
  const double h0 = 5.0 / 3, h1 = 5.0 / 2;
  const double p0 = h0 * all - (h0 - 1) * without0, p1 = h1 * all - (h1 - 1) * without1;
  const double corrected = p0 / h0 + p1 / h1;
  const double variance =
      ((p0 - corrected) * (p0 - corrected) / (h0 - 1) + (p1 - corrected) * (p1 - corrected) / (h1 - 1)) / 2;
  const auto e = acc.estimate();
  CHECK(e.plain_ratio == doctest::Approx(all));
  CHECK(e.ratio == doctest::Approx(corrected));
  CHECK(e.standard_error == doctest::Approx(std::sqrt(variance)));
  CHECK(acc.per_parameter().ratio[0] == doctest::Approx(corrected));
  CHECK(acc.per_parameter().standard_error[0] == doctest::Approx(std::sqrt(variance)));
}

TEST_CASE("over many runs: parts unbiased, the ratio nearly, the standard error honest") {
  constexpr int runs = 1500;
  constexpr Index replicates = 128, parameters = 3;
  // |E G|^2 = .09 (1 + 4), tr Var = 1 + 4 + 9
  const double signal = .45, noise = 14, truth = signal / noise;
  double signals = 0, noises = 0, ratios = 0, squares = 0, errors = 0;
  for (int run = 0; run < runs; ++run) {
    mts::RandomStream random(3, "runs", static_cast<std::uint64_t>(run));
    GsnrAccumulator acc(parameters);
    for (Index r = 0; r < replicates; ++r) acc.add(draw(random, parameters), r);
    const auto e = acc.estimate();
    signals += e.signal / runs;
    noises += e.noise / runs;
    ratios += e.ratio / runs;
    squares += (e.ratio - truth) * (e.ratio - truth) / runs;
    errors += e.standard_error * e.standard_error / runs;
  }
  const double spread = std::sqrt(squares / runs);
  CHECK(std::abs(ratios - truth) < 4 * spread);
  CHECK(std::abs(signals - signal) < 4 * spread * noise);
  CHECK(noises == doctest::Approx(noise).epsilon(.01));
  CHECK(std::sqrt(errors) == doctest::Approx(std::sqrt(squares)).epsilon(.1));
  CHECK(spread < .05 * truth);  // so that a signal without its correction, larger by 1/128, could not pass
  CHECK(1.0 / 128 > 4 * spread);
}

TEST_CASE("accumulators of different blocks merge to the bits of one, in any order and grouping") {
  constexpr Index blocks = 8, replicates = 60, parameters = 4;
  std::vector<SampleVector> g;
  mts::RandomStream random(4, "merge");
  for (Index r = 0; r < replicates; ++r) g.push_back(draw(random, parameters));
  GsnrAccumulator all(parameters, blocks);
  for (Index r = 0; r < replicates; ++r) all.add(g[static_cast<std::size_t>(r)], r);
  std::vector<GsnrAccumulator> parts(3, GsnrAccumulator(parameters, blocks));
  for (Index r = 0; r < replicates; ++r)
    parts[static_cast<std::size_t>(r % blocks % 3)].add(g[static_cast<std::size_t>(r)], r);
  GsnrAccumulator forward = parts[0], backward = parts[2], inner = parts[1];
  forward.merge(parts[1]);
  forward.merge(parts[2]);
  inner.merge(parts[0]);
  backward.merge(inner);
  for (const auto& merged : {forward, backward}) {
    CHECK(merged.replicates() == replicates);
    CHECK(same_bits(merged.estimate().ratio, all.estimate().ratio));
    CHECK(same_bits(merged.estimate().standard_error, all.estimate().standard_error));
    CHECK(same_bits(merged.estimate().signal, all.estimate().signal));
    for (Index m = 0; m < parameters; ++m)
      CHECK(same_bits(merged.per_parameter().ratio[m], all.per_parameter().ratio[m]));
  }
  // Blocks that meet: the same up to rounding.
  GsnrAccumulator first(parameters, blocks), second(parameters, blocks);
  for (Index r = 0; r < replicates; ++r) (r < 25 ? first : second).add(g[static_cast<std::size_t>(r)], r);
  first.merge(second);
  CHECK(first.estimate().ratio == doctest::Approx(all.estimate().ratio).epsilon(1e-12));
  CHECK(first.estimate().standard_error == doctest::Approx(all.estimate().standard_error).epsilon(1e-9));
}

TEST_CASE("noise far below the signal is not lost to cancellation") {
  GsnrAccumulator acc(1);
  for (Index r = 0; r < 64; ++r) acc.add(1e8 + (r % 2 ? 1.0 : -1.0), r);
  CHECK(acc.estimate().noise == doctest::Approx(64.0 / 63).epsilon(1e-12));
}

TEST_CASE("no noise, and too few replicates for an error") {
  GsnrAccumulator still(1), nothing(1), two(1);
  for (Index r = 0; r < 5; ++r) {
    still.add(2, r);
    nothing.add(0, r);
  }
  CHECK(std::isinf(still.estimate().plain_ratio));
  CHECK(std::isinf(still.estimate().standard_error));
  CHECK(nothing.estimate().ratio == 0);
  two.add(1, 0);
  two.add(2, 1);
  CHECK(two.estimate().ratio == two.estimate().plain_ratio);
  CHECK(std::isinf(two.estimate().standard_error));
  CHECK(std::isinf(two.per_parameter().standard_error[0]));
}

TEST_CASE("what is refused, and nothing is added by what is") {
  GsnrAccumulator acc(2);
  CHECK_REFUSED(mts::ValueError, acc.estimate(), "at least 2 replicates", "found 0");
  CHECK_REFUSED(mts::ValueError, acc.mean(), "no replicates");
  acc.add(Eigen::Vector2d(1, 2));
  CHECK_REFUSED(mts::ValueError, acc.estimate(), "at least 2 replicates", "found 1");
  CHECK_REFUSED(mts::ValueError, acc.per_parameter(), "at least 2 replicates");
  CHECK_REFUSED(mts::ShapeError, acc.add(Eigen::Vector3d(1, 2, 3)), "expected 2, found 3");
  CHECK_REFUSED(mts::NumericalError, acc.add(Eigen::Vector2d(1, std::nan(""))), "hypergradient", "index 1");
  CHECK_REFUSED(mts::ValueError, acc.add(Eigen::Vector2d(1, 2), -1), "negative");
  CHECK(acc.replicates() == 1);
  CHECK_REFUSED(mts::ShapeError, acc.merge(GsnrAccumulator(3)), "parameters", "expected 2, found 3");
  CHECK_REFUSED(mts::ShapeError, acc.merge(GsnrAccumulator(2, 4)), "blocks");
  CHECK_REFUSED(mts::ValueError, GsnrAccumulator(0), "at least 1 parameter");
  CHECK_REFUSED(mts::ValueError, GsnrAccumulator(1, 1), "at least 2 blocks");
}

TEST_CASE("an accumulator that was saved and loaded goes on as one left alone") {
  const auto add = [](GsnrAccumulator& acc, int k) {
    mts::RandomStream random(5, "replicate", static_cast<std::uint64_t>(k));
    acc.add(draw(random, 3), k);
    return std::vector<double>{acc.mean()[2], acc.replicates() < 2 ? 0 : acc.estimate().ratio};
  };
  for (const int before : {0, 3, 11}) mts_test::check_resumes([] { return GsnrAccumulator(3, 4); }, add, before, 9);
  GsnrAccumulator acc(3, 4);
  add(acc, 0);
  mts_test::check_refuses(acc, mts_test::saved(GsnrAccumulator(2, 4)));
  mts_test::check_refuses(acc, mts_test::saved(GsnrAccumulator(3, 5)));
}
