// Folds: each sample is left out once, in parts of a size, by the stream alone.
#include "mts/data/folds.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include "data/support.hpp"

using mts::Index;
using mts::RandomStream;
using mts::ValueError;
using mts::data::Fold;
using mts::data::folds;

namespace {

bool same(const std::vector<Fold>& a, const std::vector<Fold>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Fold& x, const Fold& y) { return x.held_out == y.held_out && x.rest == y.rest; });
}

}  // namespace

TEST_CASE("folds: parts of a size that are left out once; the rest is what is not left out; both ascend") {
  for (const Index n : {2, 3, 7, 10, 64, 101})
    for (const Index k : {2, 3, 5, 10, 64, 101}) {
      if (k > n) continue;
      CAPTURE(n);
      CAPTURE(k);
      const auto parts = folds(n, k, {3, "folds"});
      REQUIRE(static_cast<Index>(parts.size()) == k);
      std::vector<int> times(static_cast<std::size_t>(n), 0);
      for (const Fold& fold : parts) {
        const auto held = static_cast<Index>(fold.held_out.size());
        CHECK(held >= n / k);
        CHECK(held <= (n + k - 1) / k);
        CHECK(static_cast<Index>(fold.rest.size()) == n - held);
        CHECK(std::is_sorted(fold.held_out.begin(), fold.held_out.end()));
        CHECK(std::is_sorted(fold.rest.begin(), fold.rest.end()));
        for (const Index i : fold.held_out) {
          REQUIRE(i >= 0);
          REQUIRE(i < n);
          ++times[static_cast<std::size_t>(i)];
          CHECK(!std::binary_search(fold.rest.begin(), fold.rest.end(), i));
        }
        std::vector<Index> all;
        std::merge(fold.held_out.begin(), fold.held_out.end(), fold.rest.begin(), fold.rest.end(),
                   std::back_inserter(all));
        for (std::size_t i = 0; i < all.size(); ++i) CHECK(all[i] == static_cast<Index>(i));
      }
      CHECK(std::all_of(times.begin(), times.end(), [](int t) { return t == 1; }));
    }
}

TEST_CASE("folds: a function of size, number and stream; the caller's stream stays where it is") {
  RandomStream stream(5, "folds");
  const auto once = folds(50, 5, stream);
  CHECK(stream.position() == 0);
  CHECK(same(folds(50, 5, stream), once));
  CHECK(!same(folds(50, 5, {6, "folds"}), once));
  CHECK(!same(folds(50, 5, {5, "other folds"}), once));
  CHECK(!same(folds(50, 5, {5, "folds", 1}), once));
}

TEST_CASE("folds: every sample is in every part equally often, and any two in the same one as often as they must") {
  // 4000 draws of 6 in 3 parts. Sample i is in part 0 with probability 1/3: standard deviation 29.8; with sample 0 in one part
  // with probability 1/5: standard deviation 25.3. Five of them.
  std::vector<int> first(6), together(6);
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    const auto parts = folds(6, 3, {seed, "folds"});
    for (const Index i : parts[0].held_out) ++first[static_cast<std::size_t>(i)];
    for (const Fold& fold : parts)
      if (fold.held_out.front() == 0)
        for (const Index i : fold.held_out) ++together[static_cast<std::size_t>(i)];
  }
  for (const int times : first) CHECK(std::abs(times - 4000.0 / 3) < 149);
  CHECK(together[0] == 4000);
  for (std::size_t i = 1; i < 6; ++i) CHECK(std::abs(together[i] - 800) < 127);
}

TEST_CASE("folds: fewer than two parts and more parts than samples are refused") {
  CHECK_REFUSED(ValueError, folds(10, 1, {1, "folds"}), "folds", "2 to 10", "10 samples", "found 1");
  CHECK_REFUSED(ValueError, folds(10, 11, {1, "folds"}), "folds", "2 to 10", "found 11");
  CHECK_REFUSED(ValueError, folds(10, -2, {1, "folds"}), "found -2");
  CHECK_REFUSED(ValueError, folds(0, 2, {1, "folds"}), "0 samples", "found 2");
  CHECK(folds(2, 2, {1, "folds"}).size() == 2);
}
