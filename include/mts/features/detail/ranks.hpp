#pragma once
/// \file
/// Ranks as fractions.

#include <algorithm>

#include "mts/core/types.hpp"

namespace mts::features::detail {

/// out_i <- the rank of x_i among n numbers, ascending from 0, over n - 1: 0 for the smallest, 1 for the largest. Equal
/// numbers share the mean of their ranks, so that nothing depends on the order in which they come; one number alone has
/// rank 0.
/// \param x      n finite numbers    \param order  room for n    \param out  n places; may be x
/// \param tolerance  what lies no further above the smallest of a run of equal ones is equal to it
/// Cost: a sort. Allocates nothing.
inline void fractional_ranks(Index n, const double* x, Index* order, double* out, double tolerance = 0) {
  if (n == 1) {
    out[0] = 0;
    return;
  }
  for (Index i = 0; i < n; ++i) order[i] = i;
  std::sort(order, order + n, [&](Index a, Index b) { return x[a] < x[b]; });
  for (Index first = 0, last = 0; first < n; first = last) {
    const double value = x[order[first]];
    while (last < n && x[order[last]] <= value + tolerance) ++last;
    const double rank = static_cast<double>(first + last - 1) / 2 / static_cast<double>(n - 1);
    for (Index r = first; r < last; ++r) out[order[r]] = rank;
  }
}

}  // namespace mts::features::detail
