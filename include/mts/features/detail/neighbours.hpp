#pragma once
/// \file
/// The k nearest neighbours of every row of one matrix in that matrix, each cosine formed once.

#include <utility>
#include <vector>

#include "mts/features/detail/cosines.hpp"

namespace mts::features::detail {

/// For each row a_i of a (N x E): the k <= N - 1 largest cos(a_i, a_j), j != i, descending, and which j each is (of equal
/// cosines the first).
///
/// Rows are cut into strips; strips meet in pairs, every two of them once, in rounds in which each is in one pair alone, so
/// that one product serves the lists of both and no two threads write to one.
///
/// \param inverse     N numbers 1/|a_i| (`inverse_lengths`)
/// \param out         N x k    \param neighbours  N x k row-major
/// Cost: one product N x E x N/2 in blocks of 64 x 64; scratch slot 14. The same bits for any number of threads.
template <class S>
void nearest_in_one(const RowsRef<S>& a, const S* inverse, Rows<double> out, Index* neighbours) {
  constexpr Index tile = 64, strip = 256;
  using Block = Eigen::Matrix<S, tile, tile, Eigen::RowMajor>;
  using Line = Eigen::Array<S, 1, tile>;
  const Index n = a.rows(), k = out.cols(), depth = a.cols();
  const auto insert = [&](Index i, double value, Index place) {
    double* values = &out(i, 0);
    Index* places = neighbours + i * k;
    const auto after = [&](Index r) { return values[r] < value || (values[r] == value && places[r] > place); };
    if (!after(k - 1)) return;
    Index at = k - 1;
    for (; at > 0 && after(at - 1); --at) {
      values[at] = values[at - 1];
      places[at] = places[at - 1];
    }
    values[at] = value;
    places[at] = place;
  };
  // The products of rows i0... and j0... of two different strips, or of one with itself, which then come both ways round.
  const auto visit = [&](Block& block, Index i0, Index rows, Index j0, Index columns, bool both) {
    Line largest = Line::Constant(-std::numeric_limits<S>::infinity());
    const Eigen::Map<const Eigen::Array<S, 1, Eigen::Dynamic>> scale(inverse + j0, columns);
    for (Index r = 0; r < rows; ++r) {
      const Index i = i0 + r;
      const auto row = block.row(r).head(columns).array();
      if (both) largest.head(columns) = largest.head(columns).max(row * inverse[i]);
      if (static_cast<double>((row * scale).maxCoeff()) < out(i, k - 1)) continue;
      for (Index c = 0; c < columns; ++c)
        if (j0 + c != i) insert(i, static_cast<double>(row[c] * inverse[j0 + c]), j0 + c);
    }
    if (!both) return;
    for (Index c = 0; c < columns; ++c) {
      const Index j = j0 + c;
      if (static_cast<double>(largest[c]) < out(j, k - 1)) continue;
      for (Index r = 0; r < rows; ++r) insert(j, static_cast<double>(block(r, c) * inverse[i0 + r]), i0 + r);
    }
  };
  const auto meet = [&](Index first, Index second) {
    const Index first_end = std::min(n, (first + 1) * strip), second_end = std::min(n, (second + 1) * strip);
    Block block;
    for (Index j0 = second * strip; j0 < second_end; j0 += tile) {
      const Index columns = std::min(tile, second_end - j0);
      S* packed = nullptr;
      if constexpr (kernels::accelerated<S>) {
        packed = mts::detail::thread_scratch<S, 14>(kernels::packed_size<S>(depth, columns));
        kernels::pack_transposed(a.data() + j0 * a.outerStride(), a.outerStride(), depth, columns, packed);
      }
      for (Index i0 = first * strip; i0 < first_end; i0 += tile) {
        const Index rows = std::min(tile, first_end - i0);
        if constexpr (kernels::accelerated<S>)
          kernels::multiply<S>(a.data() + i0 * a.outerStride(), a.outerStride(), rows, depth, packed, columns,
                               block.data(), tile, false, nullptr);
        else
          block.topLeftCorner(rows, columns).noalias() = a.middleRows(i0, rows) * a.middleRows(j0, columns).transpose();
        visit(block, i0, rows, j0, columns, first != second);
      }
    }
  };

  out.setConstant(-std::numeric_limits<double>::infinity());
  std::fill(neighbours, neighbours + n * k, n);
  const Index strips = (n + strip - 1) / strip;
  parallel_tasks(strips, [&](Index s) { meet(s, s); });
  // A tournament of an even number of strips: the last stays, the others go round; a strip that is not there has a rest.
  const Index even = strips + strips % 2;
  for (Index round = 0; round + 1 < even; ++round)
    parallel_tasks(even / 2, [&](Index pair) {
      const auto at = [&](Index place) { return (round + place) % (even - 1); };
      const Index one = pair == 0 ? even - 1 : at(pair), other = pair == 0 ? at(0) : at(even - 1 - pair);
      if (std::max(one, other) < strips) meet(std::min(one, other), std::max(one, other));
    });
  for (Index i = 0; i < n; ++i)
    for (Index r = 0; r < k; ++r) out(i, r) = std::clamp(out(i, r) * static_cast<double>(inverse[i]), -1.0, 1.0);
}

}  // namespace mts::features::detail
