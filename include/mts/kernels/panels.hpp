#pragma once
/// \file
/// Packing: a matrix rewritten once as panels of `panel<S>` columns, in the order in which the kernel reads it, and then read by many
/// blocks. Missing columns of the last panel are zeros.

#include "mts/kernels/micro_kernel.hpp"

namespace mts::kernels {

constexpr Index ceil_div(Index n, Index d) { return (n + d - 1) / d; }

/// Panels of a matrix of n columns.
template <class S>
Index panels(Index n) {
  return ceil_div(n, panel<S>);
}
/// Numbers that the panels of a k x n matrix take.
template <class S>
Index packed_size(Index k, Index n) {
  return panels<S>(n) * panel<S> * k;
}

/// All panels of b (k x n, rows `stride` apart), `distance` numbers from one to the next: to[j distance + r panel + c] =
/// b(r, j panel + c).
template <class S>
void pack(const S* b, Index stride, Index k, Index n, S* to, Index distance) {
  constexpr Index ahead = 8;  // rows: short runs of far rows are not fetched by the processor of its own accord
  constexpr Index line = 64 / static_cast<Index>(sizeof(S));
  const Index whole = n / panel<S>, rest = n % panel<S>;
  if (n == 0) return;  // then there may be no memory at all
  for (Index r = 0; r < k; ++r) {
    const S* from = b + r * stride;
    S* at = to + r * panel<S>;
    if (r + ahead < k)
      for (Index c = 0; c < n; c += line) __builtin_prefetch(from + ahead * stride + c);
    for (Index j = 0; j < whole; ++j, from += panel<S>, at += distance)
      std::memcpy(at, from, sizeof(S) * static_cast<std::size_t>(panel<S>));
    if (rest == 0) continue;
    std::copy(from, from + rest, at);
    std::fill(at + rest, at + panel<S>, S{0});
  }
}
/// The same, one panel right after another.
template <class S>
void pack(const S* b, Index stride, Index k, Index n, S* to) {
  pack(b, stride, k, n, to, panel<S> * k);
}
/// All panels of b = w^T, w (n x k, rows `stride` apart).
template <class S>
void pack_transposed(const S* w, Index stride, Index k, Index n, S* to) {
  constexpr Index strip = 16;  // columns of w at a time, so that what is written stays in the first cache level
  for (Index first = 0; first < n; first += panel<S>, to += panel<S> * k) {
    const Index columns = std::min(panel<S>, n - first);
    for (Index r0 = 0; r0 < k; r0 += strip) {
      const Index r1 = std::min(k, r0 + strip);
      for (Index c = 0; c < columns; ++c) {
        const S* from = w + (first + c) * stride;
        for (Index r = r0; r < r1; ++r) to[r * panel<S> + c] = from[r];
      }
      for (Index c = columns; c < panel<S>; ++c)
        for (Index r = r0; r < r1; ++r) to[r * panel<S> + c] = S{0};
    }
  }
}

}  // namespace mts::kernels
