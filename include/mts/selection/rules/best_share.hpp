#pragma once
/// \file
/// The best of a batch by a score: what several rules end in.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>
#include <vector>

#include "mts/core/error.hpp"

namespace mts::rules {

/// How many of n a share keeps: share n to the nearest, but at least one. \throws ValueError unless 0 < share <= 1
inline Index kept_of(std::string_view where, Index n, double share) {
  check_value(share > 0 && share <= 1, where, "the share that is kept must be in (0, 1], found ", share);
  return std::clamp<Index>(std::llround(share * static_cast<double>(n)), 1, std::max<Index>(1, n));
}

/// w_i <- 1 for the `kept` samples of the lowest scores, else 0; of equal scores the first in the batch.
/// \param order  memory
inline void keep_lowest(const SampleVector& scores, Index kept, std::vector<Index>& order, SampleVector& w) {
  order.resize(static_cast<std::size_t>(scores.size()));
  std::iota(order.begin(), order.end(), Index{0});
  const auto before = [&](Index i, Index j) { return scores[i] != scores[j] ? scores[i] < scores[j] : i < j; };
  std::nth_element(order.begin(), order.begin() + kept - 1, order.end(), before);
  w.setZero(scores.size());
  for (Index k = 0; k < kept; ++k) w[order[static_cast<std::size_t>(k)]] = 1;
}

}  // namespace mts::rules
