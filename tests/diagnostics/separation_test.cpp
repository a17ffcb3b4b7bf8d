// AUC with ties against all pairs, DeLong's variance against its definition and against simulation, and what is refused.
#include "mts/diagnostics/separation.hpp"

#include <doctest/doctest.h>

#include "data/support.hpp"
#include "mts/core/random.hpp"

using mts::Index;
using mts::SampleVector;
using mts::diagnostics::Separation;
using mts::diagnostics::separation;

namespace {

SampleVector of(std::initializer_list<double> values) {
  SampleVector v(static_cast<Index>(values.size()));
  std::copy(values.begin(), values.end(), v.data());
  return v;
}

// DeLong et al. 1988, equations (2) to (6), pair by pair.
struct Pairs {
  double auc, standard_error;
};
Pairs by_pairs(const SampleVector& score, const std::vector<bool>& truth) {
  std::vector<double> x, y;
  for (std::size_t i = 0; i < truth.size(); ++i) (truth[i] ? x : y).push_back(score[static_cast<Index>(i)]);
  const auto psi = [](double a, double b) { return a > b ? 1.0 : a == b ? 0.5 : 0.0; };
  const auto m = static_cast<double>(x.size()), n = static_cast<double>(y.size());
  double auc = 0;
  for (const double a : x)
    for (const double b : y) auc += psi(a, b) / (m * n);
  double s10 = 0, s01 = 0;
  for (const double a : x) {
    double v = 0;
    for (const double b : y) v += psi(a, b) / n;
    s10 += (v - auc) * (v - auc) / (m - 1);
  }
  for (const double b : y) {
    double v = 0;
    for (const double a : x) v += psi(a, b) / m;
    s01 += (v - auc) * (v - auc) / (n - 1);
  }
  return {auc, std::sqrt(s10 / m + s01 / n)};
}

}  // namespace

TEST_CASE("AUC by hand") {
  CHECK(separation(of({1, 2, 3, 4}), {false, false, true, true}).auc == 1);
  CHECK(separation(of({1, 2, 3, 4}), {true, true, false, false}).auc == 0);
  CHECK(separation(of({1, 1, 1, 1}), {true, false, true, false}).auc == 0.5);
  CHECK(separation(of({1, 3, 2, 4}), {false, false, true, true}).auc == 0.75);
  CHECK(separation(of({1, 2, 2, 4}), {false, false, true, true}).auc == 0.875);
  const double inf = std::numeric_limits<double>::infinity();
  CHECK(separation(of({-inf, -inf, inf}), {false, true, true}).auc == 0.75);
}

TEST_CASE("AUC and standard error are those of all pairs, ties or none, any sizes") {
  mts::RandomStream random(3, "scores");
  for (const int n : {4, 5, 17, 64, 301})
    for (const double grid : {1e-9, 0.5, 3.0}) {
      SampleVector score(n);
      std::vector<bool> truth(static_cast<std::size_t>(n));
      for (int i = 0; i < n; ++i) {
        truth[static_cast<std::size_t>(i)] = i < 2 || (i >= 4 && random.chance(0.3));
        score[i] = std::round((random.normal() + (truth[static_cast<std::size_t>(i)] ? 0.7 : 0)) / grid) * grid;
      }
      const Separation s = separation(score, truth);
      const Pairs p = by_pairs(score, truth);
      CAPTURE(n);
      CAPTURE(grid);
      CHECK(s.positives + s.negatives == n);
      CHECK(s.auc == doctest::Approx(p.auc).epsilon(1e-12));
      CHECK(s.standard_error == doctest::Approx(p.standard_error).epsilon(1e-10));
      CHECK(s.low == doctest::Approx(std::max(0.0, p.auc - 1.959963984540054 * p.standard_error)).epsilon(1e-10));
      CHECK(s.high == doctest::Approx(std::min(1.0, p.auc + 1.959963984540054 * p.standard_error)).epsilon(1e-10));
      const Separation wide = separation(score, truth, 1);
      CHECK(wide.high - wide.auc <= s.high - s.auc);
      // A larger scale changes nothing; a change of sign mirrors.
      const Separation same = separation(4 * score, truth);
      CHECK(same.auc == s.auc);
      CHECK(same.standard_error == s.standard_error);
      CHECK(separation(-score, truth).auc == doctest::Approx(1 - s.auc).epsilon(1e-12));
    }
}

TEST_CASE("the 95 % interval covers the true AUC in about 95 % of samples") {
  // Positives N(1, 1), negatives N(0, 1): AUC = Phi(1/sqrt 2).
  const double truth_auc = 0.5 * std::erfc(-1.0 / 2);
  mts::RandomStream random(5, "coverage");
  std::vector<bool> truth(150);
  for (std::size_t i = 0; i < 60; ++i) truth[i] = true;
  int covered = 0;
  constexpr int repeats = 2000;
  for (int r = 0; r < repeats; ++r) {
    SampleVector score(150);
    for (Index i = 0; i < 150; ++i) score[i] = random.normal() + (i < 60 ? 1 : 0);
    const Separation s = separation(score, truth);
    covered += s.low <= truth_auc && truth_auc <= s.high;
  }
  // binomial standard error 0.5 %, and the normal approximation's own half per cent
  CHECK(covered > 0.93 * repeats);
  CHECK(covered < 0.97 * repeats);
}

TEST_CASE("one sample of a kind: the AUC is known, its error is not") {
  const Separation s = separation(of({1, 2, 3}), {false, false, true});
  CHECK(s.auc == 1);
  CHECK(std::isinf(s.standard_error));
  CHECK(s.low == 0);
  CHECK(s.high == 1);
}

TEST_CASE("a truth of one kind, lengths that differ, NaN and a bad z are refused in words") {
  CHECK_REFUSED(mts::ValueError, separation(of({1, 2}), {true, true}), "both kinds", "2 positive and 0 negative");
  CHECK_REFUSED(mts::ValueError, separation(of({1, 2}), {false, false}), "0 positive and 2 negative");
  CHECK_REFUSED(mts::ValueError, separation(of({}), {}), "0 positive and 0 negative");
  CHECK_REFUSED(mts::ShapeError, separation(of({1, 2}), {true}), "expected 2, found 1");
  CHECK_REFUSED(mts::NumericalError, separation(of({1, std::nan("")}), {true, false}), "sample 1", "NaN");
  CHECK_REFUSED(mts::ValueError, separation(of({1, 2}), {true, false}, 0), "z must be positive");
}
