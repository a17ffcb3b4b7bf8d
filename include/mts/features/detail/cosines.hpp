#pragma once
/// \file
/// Cosines between rows of two matrices: the k largest of each row, in tiles, never a matrix of all of them.

#include <Eigen/Core>
#include <cmath>
#include <limits>
#include <span>
#include <string_view>

#include "mts/core/error.hpp"
#include "mts/core/parallel.hpp"
#include "mts/core/scratch.hpp"
#include "mts/features/detail/checks.hpp"
#include "mts/kernels/multiply.hpp"

namespace mts::features::detail {

/// Rows of any matrix expression: no copy where it has rows in memory, an evaluated one else. The expression must
/// outlive it.
template <class S>
using RowsRef = Eigen::Ref<const RowMatrix<S>, 0, Eigen::OuterStride<>>;

/// The size of a matrix, wherever it lies.
struct Extent {
  Index rows, cols;
};
/// \throws ShapeError unless there are `samples` rows of a, some of b, and both are of one width
inline void check_embeddings(std::string_view where, Index samples, Extent a, Extent b) {
  check_size(where, "number of samples", samples, a.rows);
  check_size(where, "width of the validation embeddings", a.cols, b.cols);
  if (b.rows < 1) throw ShapeError(mts::detail::text(where, ": expected at least 1 validation sample, found 0"));
}

/// Calls f(a, b) with the embeddings of the training batch (N x E) and of the validation batch (M x E) of a context, checked.
/// \throws ShapeError if there are not `samples` of the first, none of the second, or widths differ
template <class Context, class F>
void with_embeddings(std::string_view where, const Context& context, Index samples, F&& f) {
  require_classifier_forward<std::remove_cvref_t<decltype(context.train)>>();
  require_classifier_forward<std::remove_cvref_t<decltype(context.validation)>>();
  auto&& h_train = context.train.embeddings();
  auto&& h_validation = context.validation.embeddings();
  using S = typename std::remove_cvref_t<decltype(h_train)>::Scalar;
  const RowsRef<S> a(h_train), b(h_validation);
  check_embeddings(where, samples, {a.rows(), a.cols()}, {b.rows(), b.cols()});
  f(a, b);
}

[[noreturn]] inline void refuse_length(std::string_view where, std::string_view what, Index i, double squared) {
  throw NumericalError(mts::detail::text(where, ": ", what, " of sample ", i,
                                         ": expected finite entries of a length that can be squared, found length^2 ",
                                         squared));
}
/// out_i <- 1/max(|x_i|, epsilon). \throws NumericalError that names the first row whose length is not finite
template <class S>
void inverse_lengths(std::string_view where, std::string_view what, const RowsRef<S>& x, double epsilon, S* out) {
  parallel_tiles(x.rows(), 256, [&](Index, Index begin, Index end) {
    for (Index i = begin; i < end; ++i) out[i] = x.row(i).squaredNorm();
  });
  for (Index i = 0; i < x.rows(); ++i) {
    // Where both |a|^2 and |b|^2 are finite in S, so is <a, b>, and every partial sum of it.
    if (!std::isfinite(out[i])) refuse_length(where, what, i, static_cast<double>(out[i]));
    out[i] = S{1} / std::max(std::sqrt(out[i]), static_cast<S>(epsilon));
  }
}

/// Calls f(i, j0, row) for every row a_i of a (N x E) and every block of rows b_j0, b_j0+1, ... of b (M x E), ascending
/// for each i:  row[r] = <a_i, b_(j0+r)> / |b_(j0+r)|. Calls for different i may run in parallel: f writes only to
/// places of i.
///
/// \param inverse_b  M numbers 1/|b_j| (`inverse_lengths`)
/// Cost: one product N x E x M in blocks of 64 x 64; N in parallel. Uses scratch slot 11; allocates nothing once sizes
/// repeat.
template <class S, class F>
void visit_products(const RowsRef<S>& a, const RowsRef<S>& b, const S* inverse_b, F&& f) {
  constexpr Index tile = 64, chunk = 1024;  // rows of a, and of b that are packed together
  const Index depth = a.cols();
  for (Index c0 = 0; c0 < b.rows(); c0 += chunk) {
    const Index columns = std::min(chunk, b.rows() - c0);
    S* packed = nullptr;
    if constexpr (kernels::accelerated<S>) {
      packed = mts::detail::thread_scratch<S, 11>(kernels::packed_size<S>(depth, columns));
      parallel_tiles(columns, tile, [&](Index, Index begin, Index end) {
        kernels::pack_transposed(b.data() + (c0 + begin) * b.outerStride(), b.outerStride(), depth, end - begin,
                                 packed + begin * depth);
      });
    }
    parallel_tiles(a.rows(), tile, [&](Index, Index begin, Index end) {
      Eigen::Matrix<S, tile, tile, Eigen::RowMajor> block;
      const Index n = end - begin;
      for (Index j0 = 0; j0 < columns; j0 += tile) {
        const Index m = std::min(tile, columns - j0);
        if constexpr (kernels::accelerated<S>)
          kernels::multiply<S>(a.data() + begin * a.outerStride(), a.outerStride(), n, depth, packed + j0 * depth, m,
                               block.data(), tile, false, nullptr);
        else
          block.topLeftCorner(n, m).noalias() = a.middleRows(begin, n) * b.middleRows(c0 + j0, m).transpose();
        const Eigen::Map<const Eigen::Array<S, 1, Eigen::Dynamic>> scale(inverse_b + c0 + j0, m);
        for (Index i = begin; i < end; ++i) {
          auto row = block.row(i - begin).head(m).array();
          row *= scale;
          f(i, c0 + j0, row);
        }
      }
    });
  }
}

/// The k largest of numbers that come one after another, descending; of equal ones the first. They begin as -infinity.
struct Largest {
  double* values;           ///< k of them
  Index k;                  ///< how many
  Index* places = nullptr;  ///< which each is, or null

  double worst() const { return values[k - 1]; }
  /// value > worst()
  void insert(double value, Index place) {
    Index at = k - 1;
    for (; at > 0 && values[at - 1] < value; --at) {
      values[at] = values[at - 1];
      if (places) places[at] = places[at - 1];
    }
    values[at] = value;
    if (places) places[at] = place;
  }
};

/// For each row a_i of a (N x E): the k largest cos(a_i, b_j) over the rows b_j of b (M x E), descending.
///
/// \param inverse_a, inverse_b  N and M numbers 1/|a_i|, 1/|b_j| (`inverse_lengths`)
/// \param self  N numbers: the j that is a_i itself and does not count, or -1; empty for none
/// \param out   N x k. Where fewer than k rows of b count, the smallest that does fills the rest; where none does,
///   -infinity
/// \param neighbours  N x k row-major, or null: which j each is (of equal cosines the first; -1 where filled up)
/// Cost: that of `visit_products`, a scan of each block, an insertion where one is among the k best. The same bits for
/// any number of threads.
template <class S>
void nearest_cosines(const RowsRef<S>& a, const S* inverse_a, const RowsRef<S>& b, const S* inverse_b,
                     std::span<const Index> self, Rows<double> out, Index* neighbours = nullptr) {
  const Index k = out.cols();
  out.setConstant(-std::numeric_limits<double>::infinity());
  if (neighbours) std::fill(neighbours, neighbours + a.rows() * k, Index{-1});
  visit_products<S>(a, b, inverse_b, [&](Index i, Index j0, const auto& row) {  // 1/|a_i| does not change the order
    Largest best{&out(i, 0), k, neighbours ? neighbours + i * k : nullptr};
    if (!(static_cast<double>(row.maxCoeff()) > best.worst())) return;
    const Index own = self.empty() ? -1 : self[static_cast<std::size_t>(i)];
    for (Index r = 0; r < row.size(); ++r) {
      const auto value = static_cast<double>(row[r]);
      if (value > best.worst() && j0 + r != own) best.insert(value, j0 + r);
    }
  });
  for (Index i = 0; i < a.rows(); ++i)
    for (Index r = 0; r < k; ++r) {
      double& value = out(i, r);
      if (r > 0 && std::isinf(value))
        value = out(i, r - 1);
      else if (!std::isinf(value))
        value = std::clamp(value * static_cast<double>(inverse_a[i]), -1.0, 1.0);
    }
}

/// out_i <- cos(a_i, centre), in double; 0 where either is shorter than epsilon (its length then counts as epsilon).
template <class S>
void cosines_to(const RowsRef<S>& a, const Eigen::RowVectorXd& centre, double epsilon, Rows<double> out) {
  const double inverse = 1 / std::max(centre.norm(), epsilon);
  parallel_tiles(a.rows(), 64, [&](Index, Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const auto row = a.row(i).template cast<double>();
      out(i, 0) = std::clamp(row.dot(centre) * inverse / std::max(row.norm(), epsilon), -1.0, 1.0);
    }
  });
}

}  // namespace mts::features::detail
