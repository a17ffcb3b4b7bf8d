#include "mts/cuda/lanes.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cstdint>
#include <limits>
#include <vector>

#include "mts/cuda/queue.hpp"
#include "support/derivatives.hpp"
#include "support/emulated.hpp"

using namespace mts;
using cuda::Lanes;

namespace {

const std::vector<Index> awkward_lengths = {0, 1, 2, 31, 32, 33, 63, 64, 65, 1000};

/// Numbers of 16 orders of magnitude: any other order of the sum shows in its bits.
template <class S>
std::vector<S> hostile(Index n) {
  const auto x = testing::random_vector(n, RandomStream(1, "lanes"));
  std::vector<S> values;
  for (Index k = 0; k < n; ++k) values.push_back(static_cast<S>(x[k] * std::pow(10.0, k * 7 % 17 - 8)));
  return values;
}

/// What lanes l, l + stride, l + 2 stride, ... have together: lane l has the entries l, l + 32, ..., and halves are
/// added.
template <class S>
S by_halves(const std::vector<S>& x, std::size_t lane, std::size_t stride) {
  if (stride < Lanes::count) return by_halves(x, lane, 2 * stride) + by_halves(x, lane + stride, 2 * stride);
  S sum = 0;
  for (std::size_t k = lane; k < x.size(); k += Lanes::count) sum += x[k];
  return sum;
}

template <class S>
auto bits(S x) {
  if constexpr (sizeof(S) == 4)
    return std::bit_cast<std::uint32_t>(x);
  else
    return std::bit_cast<std::uint64_t>(x);
}

}  // namespace

TEST_CASE_TEMPLATE("Lanes: a sum has the documented order, bit for bit", S, float, double) {
  for (const Index n : awkward_lengths) {
    CAPTURE(n);
    const auto x = hostile<S>(n);
    const S sum = Lanes{}.sum<S>(n, [&](Index k) { return x[static_cast<std::size_t>(k)]; });
    CHECK(bits(sum) == bits(by_halves(x, 0, 1)));
  }
  // The order matters: from left to right the bits are others.
  const auto x = hostile<S>(1000);
  S left_to_right = 0;
  for (const S v : x) left_to_right += v;
  CHECK(bits(left_to_right) != bits(by_halves(x, 0, 1)));
}

TEST_CASE("Lanes: a sum is formed in the scalar that was asked for") {
  // 2^24, to which a float adds no 1: lane 0 loses entry 32 and lane 16, and then gets 2, 4, 8, 16.
  const auto big = [](Index k) { return k == 0 ? 16777216.0f : 1.0f; };
  CHECK(Lanes{}.sum<float>(33, big) == 16777216.0f + 30);
  CHECK(Lanes{}.sum<double>(33, big) == 16777248.0);
  CHECK(Lanes{}.sum<float>(2, [](Index) { return 0.1; }) == 0.1f + 0.1f);
}

TEST_CASE_TEMPLATE("Lanes: the largest, wherever it is; NaN never wins", S, float, double) {
  const S nan = std::numeric_limits<S>::quiet_NaN(), least = -std::numeric_limits<S>::infinity();
  for (const Index n : awkward_lengths) {
    const auto size = static_cast<std::size_t>(n);
    CAPTURE(n);
    for (std::size_t place = 0; place < size; ++place) {
      std::vector<S> x(size, S{-3}), among_nan(size, nan);
      x[place] = among_nan[place] = S{-2};
      const auto of = [n, least](const std::vector<S>& v) {
        return Lanes{}.largest<S>(n, least, [&](Index k) { return v[static_cast<std::size_t>(k)]; });
      };
      REQUIRE(of(x) == S{-2});
      REQUIRE(of(among_nan) == S{-2});
    }
    CHECK(Lanes{}.largest<S>(n, S{-7}, [nan](Index) { return nan; }) == S{-7});
    CHECK(Lanes{}.largest<S>(n, S{5}, [](Index) { return S{4}; }) == S{5});
  }
}

TEST_CASE("Lanes: each entry is visited once, and one lane does what is to be done once") {
  for (const Index n : awkward_lengths) {
    std::vector<int> visits(static_cast<std::size_t>(n), 0);
    Lanes{}.each(n, [&](Index k) { ++visits[static_cast<std::size_t>(k)]; });
    CHECK(visits == std::vector<int>(static_cast<std::size_t>(n), 1));
  }
  int times = 0;
  for (int lane = 0; lane < Lanes::count; ++lane) Lanes{lane}.once([&] { ++times; });
  CHECK(times == 1);
}

namespace {
struct RowSum {
  const double* x;
  Index cols;
  double* out;
  void operator()(const Lanes& lanes, Index i) const {
    const double sum = lanes.sum<double>(cols, [&](Index j) { return x[i * cols + j]; });
    lanes.once([&] { out[i] = sum; });
  }
};
}  // namespace

TEST_CASE("Lanes: a launch over rows gives every row its own") {
  constexpr Index rows = 5, cols = 33;
  auto queue = cuda::make_queue<cuda::Emulation>();
  const RowMatrix<double> x = testing::random_matrix(rows, cols, RandomStream(2, "rows"));
  std::vector<double> out(rows, -1);
  queue->rows(rows, RowSum{x.data(), cols, out.data()});
  for (Index i = 0; i < rows; ++i) {
    const std::vector<double> row(x.data() + i * cols, x.data() + (i + 1) * cols);
    CHECK(out[static_cast<std::size_t>(i)] == by_halves(row, 0, 1));
  }
}
