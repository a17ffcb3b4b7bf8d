#pragma once
/// \file
/// Margins: how much nearer the nearest samples of one's own class are than the nearest of another.

#include "mts/features/detail/cosines.hpp"

namespace mts::features::detail {

/// Anchors of a margin: rows and their labels; inverse lengths belong to the rows.
template <class S>
struct LabelledRows {
  const RowsRef<S>& rows;
  const S* inverse;
  const int* labels;
};

/// out_i <- mean of the k largest cos(a_i, b_j) over c_j = c_i, j not i itself, less that over c_j != c_i; of as many
/// as there are where there are fewer than k.
/// \param self  N numbers: the j that is a_i itself and does not count, or -1; empty for none
/// \return the first i for which there is none of one of the two kinds, or -1
/// Cost: one product N x E x M, as `nearest_cosines`. The same bits for any number of threads.
template <class S>
Index class_margins(const LabelledRows<S>& a, const LabelledRows<S>& b, std::span<const Index> self, Index k,
                    double* out) {
  constexpr double none = -std::numeric_limits<double>::infinity();
  const Index n = a.rows.rows();
  RowMatrix<double> nearest = RowMatrix<double>::Constant(n, 2 * k, none);  // of the own class, and of others
  visit_products<S>(a.rows, b.rows, b.inverse, [&](Index i, Index j0, const auto& row) {
    Largest own{&nearest(i, 0), k}, other{&nearest(i, k), k};
    const double least = std::min(own.worst(), other.worst());
    if (!(static_cast<double>(row.maxCoeff()) > least)) return;
    const Index same = self.empty() ? -1 : self[static_cast<std::size_t>(i)];
    for (Index r = 0; r < row.size(); ++r) {
      const auto value = static_cast<double>(row[r]);
      if (!(value > least) || j0 + r == same) continue;
      Largest& best = b.labels[j0 + r] == a.labels[i] ? own : other;
      if (value > best.worst()) best.insert(value, j0 + r);
    }
  });
  const auto mean = [&](Index i, Index first) {
    double sum = 0;
    Index count = 0;
    for (; count < k && !std::isinf(nearest(i, first + count)); ++count)
      sum += std::clamp(nearest(i, first + count) * static_cast<double>(a.inverse[i]), -1.0, 1.0);
    return count > 0 ? sum / static_cast<double>(count) : none;
  };
  for (Index i = 0; i < n; ++i) {
    const double own = mean(i, 0), other = mean(i, k);
    if (std::isinf(own) || std::isinf(other)) return i;
    out[i] = own - other;
  }
  return -1;
}

}  // namespace mts::features::detail
