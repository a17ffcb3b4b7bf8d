#pragma once
/// \file
/// The root of a monotone function, by Newton's method kept inside a bracket.

#include <cmath>
#include <limits>
#include <utility>

#include "mts/core/error.hpp"

namespace mts::theory::numeric {

/// The x in [low, high] with f(x) = 0, f continuous and increasing, as exactly as f can be evaluated.
/// \param f  x -> (f(x), f'(x)); a slope of 0 or one that is not finite is allowed and costs a bisection
/// Newton's step is taken where it lands inside the bracket and the bracket has halved within two steps; bisection
/// otherwise.
/// \throws NumericalError if f is not finite, or f(low) > 0 or f(high) < 0
template <class F>
double increasing_root(const F& f, double low, double high) {
  const auto at = [&](double x) {
    const std::pair<double, double> y = f(x);
    check_finite("increasing_root", "value of the function", y.first);
    return y;
  };
  if (const double below = at(low).first; below >= 0) {
    if (below == 0) return low;
    throw NumericalError(mts::detail::text("increasing_root: expected f(low) <= 0, found ", below, " at ", low));
  }
  if (const double above = at(high).first; above <= 0) {
    if (above == 0) return high;
    throw NumericalError(mts::detail::text("increasing_root: expected f(high) >= 0, found ", above, " at ", high));
  }
  double x = low + (high - low) / 2;
  double width = high - low, before = width;
  for (;;) {
    const auto [value, slope] = at(x);
    if (value == 0) return x;
    (value < 0 ? low : high) = x;
    double next = x - value / slope;
    if (!(next > low && next < high) || 2 * (high - low) > before) next = low + (high - low) / 2;
    before = width;
    width = high - low;
    if (std::abs(next - x) <= std::numeric_limits<double>::epsilon() * std::abs(x) || next <= low || next >= high)
      return next;
    x = next;
  }
}

/// The same on the whole line: the bracket grows from [guess - 1, guess + 1] by doubling.
template <class F>
double increasing_root_near(const F& f, double guess) {
  double reach = 1;
  double low = guess - reach, high = guess + reach;
  while (f(low).first > 0) {
    reach *= 2;
    check_finite("increasing_root_near", "lower end of the bracket", low -= reach);
  }
  reach = 1;
  while (f(high).first < 0) {
    reach *= 2;
    check_finite("increasing_root_near", "upper end of the bracket", high += reach);
  }
  return increasing_root(f, low, high);
}

}  // namespace mts::theory::numeric
