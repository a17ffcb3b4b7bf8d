#pragma once
/// \file
/// Static selection: which samples of a pool are trained on, decided once, by a score.

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "mts/core/error.hpp"
#include "mts/core/random.hpp"

namespace mts {

/// The places, ascending, of all real samples (group 0) and, within each class, of the share of the others with the highest scores:
/// share n_c to the nearest whole number. Of equal scores the first in the pool. So real data are never lost and no class dies out
/// by a score that ranks classes.
/// \param scores  one finite number for each sample of the pool; those of real samples do not matter
/// \param share   in [0, 1]
/// \throws ShapeError, ValueError, NumericalError
inline std::vector<Index> keep_best(const SampleVector& scores, const Samples& pool, double share) {
  const Index n = scores.size();
  check_size("keep_best", "labels", n, static_cast<Index>(pool.labels.size()));
  check_size("keep_best", "groups", n, static_cast<Index>(pool.groups.size()));
  check_value(share >= 0 && share <= 1, "keep_best", "the share that is kept must be in [0, 1], found ", share);
  check_finite("keep_best", "score", scores);
  std::vector<Index> kept;
  std::map<int, std::vector<Index>> others;
  for (Index i = 0; i < n; ++i) {
    const auto k = static_cast<std::size_t>(i);
    if (pool.groups[k] == 0)
      kept.push_back(i);
    else
      others[pool.labels[k]].push_back(i);
  }
  for (auto& [label, places] : others) {
    std::stable_sort(places.begin(), places.end(), [&](Index i, Index j) { return scores[i] > scores[j]; });
    const auto count = std::llround(share * static_cast<double>(places.size()));
    kept.insert(kept.end(), places.begin(), places.begin() + count);
  }
  std::sort(kept.begin(), kept.end());
  return kept;
}

/// The same by chance: scores from a stream.
inline std::vector<Index> keep_random(const Samples& pool, double share, RandomStream stream) {
  SampleVector scores(static_cast<Index>(pool.labels.size()));
  for (Index i = 0; i < scores.size(); ++i) scores[i] = stream.uniform();
  return keep_best(scores, pool, share);
}

}  // namespace mts
