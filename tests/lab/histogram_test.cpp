#include "lab/histogram.hpp"

#include <numeric>

#include "lab/support.hpp"

namespace {

using namespace mts::lab;

TEST_CASE("Histogram: shares by weight, the last bin takes what lies above") {
  const double weights[] = {0, 0.49, 0.5, 1.2, 99};
  const auto h = histogram_of(weights, 0.5, 3);
  REQUIRE(h.shares.size() == 3);
  CHECK(h.shares[0] == doctest::Approx(0.4));
  CHECK(h.shares[1] == doctest::Approx(0.2));
  CHECK(h.shares[2] == doctest::Approx(0.4));
  CHECK(histogram_of({}, 1, 2).shares == std::vector<double>{0, 0});
}

TEST_CASE("Histogram: bins reach to where all but a hundredth of the weights end") {
  std::vector<double> weights(1000);
  std::iota(weights.begin(), weights.end(), 1.0);
  weights.back() = 1e9;
  CHECK(bin_width(weights, 10) == doctest::Approx(99).epsilon(0.01));
  CHECK(bin_width({0, 0, 0}, 10) == 1);
  CHECK(bin_width({}, 10) == 1);
  std::vector<double> rare(1000, 0.0);
  rare[3] = 5;
  CHECK(bin_width(rare, 5) == doctest::Approx(1).epsilon(0.001));
  // A weight that many share lies within.
  CHECK(histogram_of(std::vector<double>{2, 2, 0}, bin_width({2, 2, 0}, 4), 4).shares[3] == doctest::Approx(2.0 / 3));
}

TEST_CASE("Histogram: a picture of those that there are") {
  const double real[] = {1, 1, 1}, synthetic[] = {0, 2};
  const std::string both = weight_histogram_svg(real, synthetic, "a <title>");
  CHECK(mts_test::contains(both, ">real<"));
  CHECK(mts_test::contains(both, ">synthetic<"));
  CHECK(mts_test::contains(both, "a &lt;title&gt;"));
  CHECK(mts_test::contains(both, ">100 %<"));
  const std::string one = weight_histogram_svg({}, synthetic, "t");
  CHECK(!mts_test::contains(one, ">real<"));
  CHECK(mts_test::contains(one, ">50 %<"));
  CHECK(mts_test::contains(weight_histogram_svg({}, {}, "t"), "</svg>"));
}

}  // namespace
