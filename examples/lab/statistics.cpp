#include "lab/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "mts/core/error.hpp"

namespace mts::lab {

namespace {

/// P(|T| <= t), by the finite series in theta = atan(t/sqrt(degrees)) (Abramowitz and Stegun 26.7.3 and 26.7.4).
double t_within(double t, Index degrees) {
  const double theta = std::atan(t / std::sqrt(static_cast<double>(degrees)));
  const double c = std::cos(theta), s = std::sin(theta);
  const bool odd = degrees % 2 == 1;
  double term = odd ? c : 1, sum = degrees == 1 ? 0 : term;
  for (Index k = odd ? 3 : 2; k < degrees; k += 2) {
    term *= c * c * static_cast<double>(k - 1) / static_cast<double>(k);
    sum += term;
  }
  return odd ? 2 / std::numbers::pi * (theta + s * sum) : s * sum;
}

}  // namespace

double t_quantile(double probability, Index degrees) {
  check_value(degrees >= 1 && probability > 0 && probability < 1, "t_quantile",
              "expected at least one degree of freedom and a probability between 0 and 1, found ", degrees, " and ",
              probability);
  double low = 0, high = 1;
  while (t_within(high, degrees) < probability) high *= 2;
  for (int k = 0; k < 100; ++k) {
    const double middle = (low + high) / 2;
    (t_within(middle, degrees) < probability ? low : high) = middle;
  }
  return (low + high) / 2;
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
