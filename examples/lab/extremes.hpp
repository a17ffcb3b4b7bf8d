#pragma once
/// \file
/// The samples that a method thinks most and least of.

#include <string>
#include <vector>

#include "mts/data/pool.hpp"

namespace mts::lab {

struct Extreme {
  Index sample = 0;   ///< its place in the pool
  double weight = 0;  ///< over the mean weight of the pool
  int label = 0, group = 0;
  std::string picture;  ///< a PNG; empty where the inputs are no images
};

struct Extremes {
  std::vector<Extreme> best, worst;       ///< descending; ascending. Of equal weights the first in the pool
  Index share_best = 0, share_worst = 0;  ///< how many samples have the largest, and the smallest weight
};

/// \param weights  one for each sample of the pool, not all 0
/// \param most     how many of each are wanted
/// \throws ShapeError if there are not as many weights as samples
Extremes extremes_of(const SampleVector& weights, const data::Problem& problem, Index most = 10);

}  // namespace mts::lab
