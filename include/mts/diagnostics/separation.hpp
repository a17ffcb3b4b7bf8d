#pragma once
/// \file
/// How well a score tells two kinds of samples apart: the area under the ROC curve, with its uncertainty.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "mts/core/error.hpp"

namespace mts::diagnostics {

/// AUC = P(score of a positive > score of a negative) + P(equal)/2, with an interval by DeLong's variance.
struct Separation {
  double auc = 0.5;           ///< in [0, 1]; 0.5 for a score that knows nothing
  double standard_error = 0;  ///< sqrt of DeLong's variance; infinite where a kind has one sample only
  double low = 0, high = 1;   ///< auc -+ z standard_error, cut to [0, 1]
  Index positives = 0;
  Index negatives = 0;
};

/// The separation of `truth` by `score`.
///
/// AUC is the Mann-Whitney statistic with midranks for ties. Its variance is s_1^2/m + s_0^2/n, s_1^2 the variance (m - 1
/// below) over the m positives of the fraction of negatives below them, s_0^2 that over the n negatives of the fraction of
/// positives above them, a tie as half. The interval is the normal one. It is honest away from 0 and 1; a score that separates
/// completely has standard error 0, whatever the sizes.
/// \param score  N numbers, larger for positives if the score is any good; infinite ones are allowed
/// \param truth  N; true = positive
/// \param z      half-width of the interval in standard errors; 1.96 for 95 %
/// Cost: O(N log N) by ranks (Sun and Xu 2014), serial. Thread-safe.
/// \throws ShapeError if the lengths differ; NumericalError if a score is NaN; ValueError if the truth has one kind only or z
///   is not positive
/// Source: DeLong, DeLong, Clarke-Pearson, Biometrics 44 (1988) 837-845.
inline Separation separation(const SampleVector& score, const std::vector<bool>& truth, double z = 1.959963984540054) {
  const Index n = score.size();
  check_size("separation", "length of the truth", n, static_cast<Index>(truth.size()));
  check_value(z > 0 && std::isfinite(z), "separation", "z must be positive, found ", z);
  for (Index i = 0; i < n; ++i)
    if (std::isnan(score[i])) throw NumericalError(mts::detail::text("separation: the score of sample ", i, " is NaN"));
  Separation s;
  s.positives = static_cast<Index>(std::count(truth.begin(), truth.end(), true));
  s.negatives = n - s.positives;
  check_value(s.positives > 0 && s.negatives > 0, "separation", "expected a truth with both kinds, found ", s.positives,
              " positive and ", s.negatives, " negative");

  std::vector<Index> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), Index{0});
  std::sort(order.begin(), order.end(), [&](Index a, Index b) { return score[a] < score[b]; });
  const auto m1 = static_cast<double>(s.positives), m0 = static_cast<double>(s.negatives);
  // Runs of equal scores, in order; each sample is placed by the share of the other kind on its better side. In units of
  // 1/2, so that sums are of integers, and exact.
  double placed = 0, squares1 = 0, squares0 = 0;
  const auto visit = [&](auto&& run) {
    Index below1 = 0, below0 = 0;
    for (std::size_t b = 0; b < order.size();) {
      std::size_t e = b;
      Index tied1 = 0, tied0 = 0;
      while (e < order.size() && score[order[e]] == score[order[b]]) {
        ++(truth[static_cast<std::size_t>(order[e])] ? tied1 : tied0);
        ++e;
      }
      run(static_cast<double>(tied1), static_cast<double>(tied0), static_cast<double>(2 * below0 + tied0),
          static_cast<double>(2 * (s.positives - below1 - tied1) + tied1));
      below1 += tied1;
      below0 += tied0;
      b = e;
    }
  };
  visit([&](double tied1, double, double twice_below, double) { placed += tied1 * twice_below; });
  s.auc = placed / (2 * m1 * m0);
  visit([&](double tied1, double tied0, double twice_below, double twice_above) {
    const double d1 = twice_below / (2 * m0) - s.auc, d0 = twice_above / (2 * m1) - s.auc;
    squares1 += tied1 * d1 * d1;
    squares0 += tied0 * d0 * d0;
  });
  if (s.positives < 2 || s.negatives < 2) {
    s.standard_error = std::numeric_limits<double>::infinity();
    return s;
  }
  s.standard_error = std::sqrt(squares1 / ((m1 - 1) * m1) + squares0 / ((m0 - 1) * m0));
  s.low = std::max(0.0, s.auc - z * s.standard_error);
  s.high = std::min(1.0, s.auc + z * s.standard_error);
  return s;
}

}  // namespace mts::diagnostics
