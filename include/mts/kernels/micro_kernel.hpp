#pragma once
/// \file
/// The one kernel of all products: matrix products, convolutions, and their transposes differ only in where it reads.
///
/// It forms a block of R rows and `panel<S>` columns, kept in registers over the whole depth,
///     block(r, c) = sum_k a_r[at(k)] b[k stride + c],
/// that is, R scalars spread over a register each, times a row of b, per k. Rows a_r are pointers and `at` is a rule (next to
/// one another, a fixed distance apart, or a table), so that a convolution reads its image where it lies: no im2col.
/// Vectors are those of g++ and clang (`vector_size`); on AVX2 a block of 6 x 16 floats takes 12 of the 16 registers and is bound
/// by the two multiply-adds a cycle, if both reads come from the first two cache levels (docs/performance.md).
///
/// Each block is summed over k in ascending order by one thread: the same bits wherever it is computed.

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <cstring>

#include "mts/core/types.hpp"

#if defined(MTS_COUNT_KERNELS)
#include <atomic>
#endif

namespace mts::kernels {

#if defined(__AVX__)
inline constexpr int vector_bytes = 32;
#else
inline constexpr int vector_bytes = 16;
#endif

/// Whether products of this scalar go through the kernel; others, and all where MTS_EIGEN_KERNELS is defined, go through Eigen.
template <class S>
inline constexpr bool accelerated =
#if defined(MTS_EIGEN_KERNELS)
    false;
#else
    std::same_as<S, float> || std::same_as<S, double>;
#endif

#if defined(MTS_COUNT_KERNELS)
/// How often the kernel ran: for the test that shows that it did.
inline std::atomic<long> kernel_calls = 0;
#endif

/// Numbers a register holds.
template <class S>
inline constexpr Index lanes = vector_bytes / static_cast<Index>(sizeof(S));
/// Columns of a block: two registers.
template <class S>
inline constexpr Index panel = 2 * lanes<S>;
/// Rows of a block at most.
inline constexpr Index block_rows = 6;

template <class S>
struct Simd {
  typedef S Vector __attribute__((vector_size(vector_bytes)));

  static Vector load(const S* p) {
    Vector v;
    std::memcpy(&v, p, sizeof v);
    return v;
  }
  static void store(S* p, Vector v) { std::memcpy(p, &v, sizeof v); }
};

/// Where a_r[at(k)] lies: k, k times a distance, or by a table.
struct Contiguous {
  Index operator()(Index k) const { return k; }
};
struct Strided {
  Index distance;
  Index operator()(Index k) const { return k * distance; }
};
struct Tabled {
  const std::int32_t* offsets;
  Index operator()(Index k) const { return offsets[k]; }
};

/// The second factor: rows of `panel` columns, `stride` apart. All `panel` columns must be readable.
template <class S>
struct PanelRows {
  const S* data;
  Index stride;
};

/// Where a block goes: c_r[j] <- (add ? c_r[j] : 0) + scale block(r, j) + bias[j] for j < columns.
template <class S>
struct BlockTarget {
  S* const* rows;
  Index columns;  ///< 1 to panel
  bool add = false;
  S scale = 1;
  const S* bias = nullptr;  ///< `columns` numbers, or null for none
};

namespace detail {

template <class S, int R>
using Block = typename Simd<S>::Vector[R][2];

template <class S, int R, class At>
[[gnu::always_inline]] inline void accumulate(const S* const* rows, At at, Index depth, PanelRows<S> b,
                                              Block<S, R>& block) {
  using V = Simd<S>;
#if defined(MTS_COUNT_KERNELS)
  kernel_calls.fetch_add(1, std::memory_order_relaxed);
#endif
  const S* a[R];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    a[r] = rows[r];
    block[r][0] = block[r][1] = typename V::Vector{};
  }
  for (Index k = 0; k < depth; ++k) {
    const auto b0 = V::load(b.data), b1 = V::load(b.data + lanes<S>);
    b.data += b.stride;
    const Index offset = at(k);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const S x = a[r][offset];
      block[r][0] += x * b0;
      block[r][1] += x * b1;
    }
  }
}

template <class S, int R, class At>
[[gnu::noinline]] void block_of_rows(const S* const* rows, At at, Index depth, PanelRows<S> b,
                                     const BlockTarget<S>& to) {
  using V = Simd<S>;
  Block<S, R> block;
  accumulate<S, R>(rows, at, depth, b, block);
  S bias[panel<S>] = {};
  if (to.bias) std::copy(to.bias, to.bias + to.columns, bias);
  const auto bias0 = V::load(bias), bias1 = V::load(bias + lanes<S>);
  if (to.columns == panel<S>) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      S* c = to.rows[r];
      auto c0 = bias0, c1 = bias1;
      if (to.add) {
        c0 += V::load(c);
        c1 += V::load(c + lanes<S>);
      }
      V::store(c, c0 + to.scale * block[r][0]);
      V::store(c + lanes<S>, c1 + to.scale * block[r][1]);
    }
    return;
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    S part[panel<S>];
    V::store(part, bias0 + to.scale * block[r][0]);
    V::store(part + lanes<S>, bias1 + to.scale * block[r][1]);
    S* c = to.rows[r];
    for (Index j = 0; j < to.columns; ++j) c[j] = to.add ? c[j] + part[j] : part[j];
  }
}

template <class S, int R, class At>
[[gnu::noinline]] double squares_of_rows(const S* const* rows, At at, Index depth, PanelRows<S> b) {
  using V = Simd<S>;
  Block<S, R> block;
  accumulate<S, R>(rows, at, depth, b, block);
  typename V::Vector sum{};
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) sum += block[r][0] * block[r][0] + block[r][1] * block[r][1];
  S parts[lanes<S>];
  V::store(parts, sum);
  double total = 0;
  for (const S part : parts) total += static_cast<double>(part);
  return total;
}

/// Calls f(std::integral_constant<int, rows>) for rows in 1 to 6.
template <class F>
[[gnu::always_inline]] inline decltype(auto) with_rows(Index rows, F&& f) {
  switch (rows) {
    case 6:
      return f(std::integral_constant<int, 6>{});
    case 5:
      return f(std::integral_constant<int, 5>{});
    case 4:
      return f(std::integral_constant<int, 4>{});
    case 3:
      return f(std::integral_constant<int, 3>{});
    case 2:
      return f(std::integral_constant<int, 2>{});
    default:
      return f(std::integral_constant<int, 1>{});
  }
}

}  // namespace detail

/// Rows of the next block where `left` are left: 6, but so that none of the last two has fewer than 3 if that can be helped (a
/// block of few rows waits for its own sums).
inline Index next_rows(Index left) {
  if (left <= block_rows) return left;
  return left >= 10 ? block_rows : (left + 1) / 2;
}

/// One block of `count` rows (1 to 6).
template <class S, class At>
void block(Index count, const S* const* rows, At at, Index depth, PanelRows<S> b, const BlockTarget<S>& to) {
  detail::with_rows(count, [&](auto r) { detail::block_of_rows<S, r()>(rows, at, depth, b, to); });
}
/// The sum of the squares of a block that is never stored. Columns that do not count must be zero in b.
template <class S, class At>
double block_squares(Index count, const S* const* rows, At at, Index depth, PanelRows<S> b) {
  return detail::with_rows(count, [&](auto r) { return detail::squares_of_rows<S, r()>(rows, at, depth, b); });
}

}  // namespace mts::kernels
