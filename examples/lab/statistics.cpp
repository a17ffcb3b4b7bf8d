#include "lab/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "mts/core/error.hpp"
#include "mts/theory/quantiles.hpp"

namespace mts::lab {

double t_quantile(double probability, Index degrees) {
  check_value(degrees >= 1 && probability > 0 && probability < 1, "t_quantile",
              "expected at least one degree of freedom and a probability between 0 and 1, found ", degrees, " and ",
              probability);
  return theory::student_upper_quantile((1 - probability) / 2, static_cast<double>(degrees));
}

Mean mean_of(std::span<const double> x) {
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  Mean m{none, none, none, static_cast<Index>(x.size())};
  if (x.empty()) return m;
  const auto n = static_cast<double>(x.size());
  m.mean = 0;
  for (const double v : x) m.mean += v / n;
  if (x.size() < 2) return m;
  double squares = 0;
  for (const double v : x) squares += (v - m.mean) * (v - m.mean);
  m.deviation = std::sqrt(squares / (n - 1));
  m.half_width = t_quantile(0.95, m.n - 1) * m.deviation / std::sqrt(n);
  return m;
}

double median(std::vector<double> x) {
  std::erase_if(x, [](double v) { return std::isnan(v); });
  if (x.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(x.begin(), x.end());
  const std::size_t k = x.size() / 2;
  return x.size() % 2 == 1 ? x[k] : (x[k - 1] + x[k]) / 2;
}

}  // namespace mts::lab
