#pragma once
/// \file
/// Means over seeds and what can be said of them.

#include <span>

#include "mts/core/types.hpp"

namespace mts::lab {

/// The q with P(|T| <= q) = probability, T of Student's t distribution.
/// \param degrees  degrees of freedom, at least 1
double t_quantile(double probability, Index degrees);

/// Mean and standard deviation (n - 1 below; NaN for n = 1) of n numbers, and the half-width of the mean's 95 % interval by the t
/// distribution (NaN for n = 1). NaN throughout for n = 0.
struct Mean {
  double mean = 0;
  double deviation = 0;
  double half_width = 0;
  Index n = 0;

  double low() const { return mean - half_width; }
  double high() const { return mean + half_width; }
};
Mean mean_of(std::span<const double> x);

/// The middle one; the mean of the two middle ones of an even number. Entries that are NaN are left out; NaN if none is left.
double median(std::vector<double> x);

}  // namespace mts::lab
