#pragma once
// What is told of repeated measurements.

#include <algorithm>
#include <vector>

namespace bench {

/// The median; of an even number of values the mean of the two in the middle. At least one value.
inline double median(std::vector<double> x) {
  const auto middle = x.begin() + static_cast<std::ptrdiff_t>(x.size() / 2);
  std::nth_element(x.begin(), middle, x.end());
  if (x.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(x.begin(), middle)) / 2;
}
inline double least(const std::vector<double>& x) { return *std::min_element(x.begin(), x.end()); }

/// The median of a_k/b_k: both of a round, so what slowed the machine in a round cancels.
inline double median_ratio(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> ratios;
  for (std::size_t k = 0; k < a.size(); ++k) ratios.push_back(a[k] / b[k]);
  return median(std::move(ratios));
}

}  // namespace bench
