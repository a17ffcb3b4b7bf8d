#include "lab/extremes.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

#include "lab/png.hpp"

namespace mts::lab {

Extremes extremes_of(const SampleVector& weights, const data::Problem& problem, Index most) {
  const data::Pool& pool = problem.pool;
  check_size("extremes_of", "weights", pool.size(), weights.size());
  most = std::min(most, pool.size());
  const double mean = weights.mean();
  std::vector<Index> order(static_cast<std::size_t>(pool.size()));
  const auto first = [&](auto&& before) {
    std::iota(order.begin(), order.end(), Index{0});
    std::partial_sort(order.begin(), order.begin() + most, order.end(), [&](Index a, Index b) {
      return weights[a] != weights[b] ? before(weights[a], weights[b]) : a < b;
    });
    std::vector<Extreme> some;
    for (Index k = 0; k < most; ++k) {
      const Index i = order[static_cast<std::size_t>(k)];
      const auto place = static_cast<std::size_t>(i);
      Extreme e{i, weights[i] / mean, pool.labels[place], pool.groups[place], {}};
      if (problem.image && can_be_png(*problem.image))
        e.picture = png_of(*problem.image, {pool.inputs.row(i).data(), static_cast<std::size_t>(pool.inputs.cols())});
      some.push_back(std::move(e));
    }
    return some;
  };
  Extremes extremes;
  extremes.best = first(std::greater<>());
  extremes.worst = first(std::less<>());
  extremes.share_best = (weights.array() == weights.maxCoeff()).count();
  extremes.share_worst = (weights.array() == weights.minCoeff()).count();
  return extremes;
}

}  // namespace mts::lab
