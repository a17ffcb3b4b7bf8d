// Split-half GSNR: unbiased parts, merging, and the cases without noise.
#include "mts/diagnostics/gsnr.hpp"

#include <doctest/doctest.h>

#include "data/support.hpp"

using mts::DenseParameters;
using mts::Index;
using mts::diagnostics::Gsnr;
using mts::diagnostics::split_half;

namespace {

DenseParameters<double> vector(std::initializer_list<double> values) {
  DenseParameters<double> v(static_cast<Index>(values.size()));
  std::copy(values.begin(), values.end(), v.data());
  return v;
}

}  // namespace

TEST_CASE("parts by hand") {
  const auto a = vector({1, 2, 3}), b = vector({3, 2, -1});
  const Gsnr g = split_half(a, b);
  CHECK(g.signal == 4);                    // 3 + 4 - 3
  CHECK(g.noise == (4.0 + 0 + 16.0) / 4);  // |(-2, 0, 4)|^2 / 4
  CHECK(g.steps == 1);
  CHECK(g.ratio() == 4.0 / 5);
  auto scratch = vector({9, 9, 9});
  const Gsnr same = split_half(a, b, scratch);
  CHECK(same.signal == g.signal);
  CHECK(same.noise == g.noise);
  CHECK(a.values() == vector({1, 2, 3}).values());
}

TEST_CASE("both parts are unbiased: averages over many draws meet |E G|^2 and tr Var G, G the mean of two halves") {
  // halves ~ N(mean, sd^2 I) in R^d: |E G|^2 = |mean|^2, tr Var G = d sd^2 / 2.
  constexpr Index d = 5;
  constexpr double mean = 0.4, sd = 1.5;
  constexpr int draws = 20000;
  mts::RandomStream random(11, "halves");
  DenseParameters<double> a(d), b(d), scratch(d);
  Gsnr sum;
  double signal_squares = 0, noise_squares = 0;
  for (int k = 0; k < draws; ++k) {
    for (Index j = 0; j < d; ++j) {
      a.values()[j] = mean + sd * random.normal();
      b.values()[j] = mean + sd * random.normal();
    }
    const Gsnr g = split_half(a, b, scratch);
    signal_squares += g.signal * g.signal;
    noise_squares += g.noise * g.noise;
    sum += g;
  }
  CHECK(sum.steps == draws);
  const double signal = sum.signal / draws, noise = sum.noise / draws;
  const double signal_error = std::sqrt((signal_squares / draws - signal * signal) / draws);
  const double noise_error = std::sqrt((noise_squares / draws - noise * noise) / draws);
  CHECK(std::abs(signal - d * mean * mean) < 4 * signal_error);
  CHECK(std::abs(noise - d * sd * sd / 2) < 4 * noise_error);
  CHECK(noise_error < 0.02 * noise);  // so that a wrong constant could not pass
  CHECK(sum.ratio() == doctest::Approx(signal / noise));
}

TEST_CASE("sums merge in any grouping") {
  const Gsnr a = split_half(vector({1, 0}), vector({0, 1})), b = split_half(vector({2, 2}), vector({2, 1})),
             c = split_half(vector({-1, 0}), vector({1, 0}));
  const Gsnr left = (a + b) + c, right = a + (b + c);
  CHECK(left.signal == right.signal);
  CHECK(left.noise == right.noise);
  CHECK(left.steps == 3);
  CHECK(left.ratio() == (0.0 + 6.0 - 1.0) / (0.5 + 0.25 + 1.0));
  CHECK(c.ratio() < 0);
}

TEST_CASE("no noise: infinity with a signal, 0 for 0/0") {
  CHECK(Gsnr{}.ratio() == 0);
  CHECK(split_half(vector({0, 0}), vector({0, 0})).ratio() == 0);
  CHECK(std::isinf(split_half(vector({1, 2}), vector({1, 2})).ratio()));
}

TEST_CASE("noise far below the signal is not lost to cancellation") {
  const Gsnr g = split_half(vector({1e8}), vector({1e8 + 1}));
  CHECK(g.noise == 0.25);
}

TEST_CASE("sizes that disagree and infinite gradients are refused in words") {
  CHECK_REFUSED(mts::ShapeError, split_half(vector({1, 2}), vector({1})), "split_half", "expected 2, found 1");
  auto scratch = vector({1});
  CHECK_REFUSED(mts::ShapeError, split_half(vector({1, 2}), vector({1, 2}), scratch), "scratch");
  CHECK_REFUSED(mts::NumericalError, split_half(vector({std::nan("")}), vector({1})), "signal");
  CHECK_REFUSED(mts::NumericalError, split_half(vector({1e200, 0}), vector({0, 0})), "noise");
}
