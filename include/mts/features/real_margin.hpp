#pragma once
/// \file
/// `RealMargin`: how much nearer the real samples of its own class are to a sample than those of other classes.

#include "mts/features/detail/margins.hpp"
#include "mts/features/detail/pool_classes.hpp"
#include "mts/features/detail/pool_feature.hpp"

namespace mts::features {

/// Column "real_margin", in [-2, 2]: the mean of the k largest cos(e_i, e_j) over the real samples j != i (group 0) of
/// class c_i, less the mean of the k largest over the real samples of all other classes. Below 0, the sample looks like
/// another class. Where there are fewer than k, the mean is of those there are; a zero vector has cosine 0. Offline:
/// `fit` once on the pool, then a look-up by id.
///
/// Cost: fit, a product n x r x E (n samples, r real) in tiles and in parallel, with a copy of the real samples'
/// embeddings; a step, a look-up. Products are in the embeddings' scalar. The same bits for any number of threads.
/// Const calls are thread-safe.
/// Source: not of the paper; the hypothesis margin of nearest-neighbour classifiers (Crammer et al., NIPS 2002), by
/// cosines.
class RealMargin : public detail::PoolFeature {
 public:
  /// \throws ValueError if k < 1
  explicit RealMargin(Index k = 3) : PoolFeature("real_margin", {"real_margin"}, "a product n x r x E"), k_(k) {
    check_value(k >= 1, name(), "k must be at least 1, found ", k);
  }

  /// \param embeddings  pool size x E, row i of the pool's sample i; any Eigen matrix or view
  /// \param pool        labels and groups of the pool; its ids, if given, must be 0, 1, ...
  /// \throws ShapeError, NumericalError; ValueError if a sample has no real sample of its class but itself, or of no
  ///   other class
  template <class Derived>
  void fit(const Eigen::MatrixBase<Derived>& embeddings, const Samples& pool) {
    using S = typename Derived::Scalar;
    const detail::RowsRef<S> e(embeddings.derived());
    detail::check_pool<S>(name(), e, pool);
    const Index n = e.rows();
    std::vector<Index> real, self(static_cast<std::size_t>(n), -1);
    std::vector<int> labels;
    for (Index i = 0; i < n; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (pool.groups[at] != 0) continue;
      self[at] = static_cast<Index>(real.size());
      real.push_back(i);
      labels.push_back(pool.labels[at]);
    }
    const RowMatrix<S> anchors = e(real, Eigen::all);
    const detail::RowsRef<S> b(anchors);
    std::vector<S> inverse_a(static_cast<std::size_t>(n)), inverse_b(real.size());
    detail::inverse_lengths<S>(name(), "embedding", e, detail::tiny_length, inverse_a.data());
    for (std::size_t j = 0; j < real.size(); ++j) inverse_b[j] = inverse_a[static_cast<std::size_t>(real[j])];
    RowMatrix<double> margins(n, 1);
    const Index bad = detail::class_margins<S>({e, inverse_a.data(), pool.labels.data()},
                                               {b, inverse_b.data(), labels.data()}, self, k_, margins.data());
    if (bad >= 0) refuse(pool, bad);
    assign(std::move(margins));
  }

 private:
  [[noreturn]] void refuse(const Samples& pool, Index i) const {
    const int own = pool.labels[static_cast<std::size_t>(i)];
    Index same = 0, other = 0;
    for (std::size_t j = 0; j < pool.groups.size(); ++j)
      if (pool.groups[j] == 0 && static_cast<Index>(j) != i) ++(pool.labels[j] == own ? same : other);
    throw ValueError(mts::detail::text(
        name(), ": fit: sample ", i, " of class ", own,
        ": expected at least 1 real sample besides it of its class and 1 of another, found ", same, " and ", other));
  }

  Index k_;
};

}  // namespace mts::features
