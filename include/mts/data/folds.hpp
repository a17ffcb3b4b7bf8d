#pragma once
/// \file
/// Folds: a set cut into parts, each of which is left out once (cross-fitting).

#include <algorithm>
#include <vector>

#include "mts/core/error.hpp"
#include "mts/core/random.hpp"
#include "mts/core/types.hpp"

namespace mts::data {

/// One fold's part and the rest, both ascending.
struct Fold {
  std::vector<Index> held_out, rest;
};

/// {0, ..., n-1} at random in k parts whose sizes differ by at most one. A function of the arguments alone.
/// \throws ValueError unless 2 <= k <= n
inline std::vector<Fold> folds(Index n, Index k, RandomStream stream) {
  check_value(k >= 2 && k <= n, "folds", "expected 2 to ", n, " folds of ", n, " samples, found ", k);
  const auto order = stream.permutation(n);
  std::vector<Fold> parts(static_cast<std::size_t>(k));
  for (Index i = 0; i < n; ++i)
    for (Index f = 0; f < k; ++f)
      (i * k / n == f ? parts[static_cast<std::size_t>(f)].held_out : parts[static_cast<std::size_t>(f)].rest)
          .push_back(order[static_cast<std::size_t>(i)]);
  for (Fold& fold : parts) {
    std::sort(fold.held_out.begin(), fold.held_out.end());
    std::sort(fold.rest.begin(), fold.rest.end());
  }
  return parts;
}

}  // namespace mts::data
