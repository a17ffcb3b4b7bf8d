#pragma once
/// \file
/// `NeighbourAgreement`: how many of a sample's nearest neighbours in the whole pool share its class.

#include "mts/features/detail/neighbours.hpp"
#include "mts/features/detail/pool_classes.hpp"
#include "mts/features/detail/pool_feature.hpp"

namespace mts::features {

/// Column "neighbour_agreement", in [0, 1]: of the k samples j != i of the whole pool (real and synthetic, of all
/// classes) with the largest cos(e_i, e_j), the share that has the class c_i, each counting by its cosine:
///     sum_j [c_j = c_i] w_j,   w_j = max(cos_j, 0) / sum_k max(cos_k, 0).
/// Where no neighbour's cosine is positive (a zero vector, say), each counts the same. Of equally near samples the one
/// with the lower place in the pool comes first. A pool of fewer than k + 1 samples has as many neighbours as there
/// are; one sample alone has the value 0. Groups are not looked at. Offline: `fit` once on the pool, then a look-up by
/// id.
///
/// Cost: fit, half a product n x n x E, each cosine formed once, in tiles and in parallel, never a matrix of all cosines
/// (n = 50 000, E = 784: 10^12 multiplications); memory, n k neighbours; a step, a look-up. Products are in the
/// embeddings' scalar. The same bits for any number of threads. Const calls are thread-safe.
/// Source: MTS reference implementation, SD_weighted_knn_acc with k = 5. There signed cosines are the weights, which
/// may then be negative or lie above 1; where all are positive, the two differ by the 1e-8 that is there added to the
/// sum.
class NeighbourAgreement : public detail::PoolFeature {
 public:
  /// \throws ValueError if k < 1
  explicit NeighbourAgreement(Index k = 5)
      : PoolFeature("neighbour_agreement", {"neighbour_agreement"}, "half a product n x n x E"), k_(k) {
    check_value(k >= 1, name(), "k must be at least 1, found ", k);
  }

  /// \param embeddings  pool size x E, row i of the pool's sample i; any Eigen matrix or view
  /// \param pool        labels of the pool; its ids, if given, must be 0, 1, ...
  /// \throws ShapeError, ValueError, NumericalError
  template <class Derived>
  void fit(const Eigen::MatrixBase<Derived>& embeddings, const Samples& pool) {
    using S = typename Derived::Scalar;
    const detail::RowsRef<S> e(embeddings.derived());
    detail::check_pool<S>(name(), e, pool, detail::NeedsGroups::no);
    const Index n = e.rows(), k = std::min(k_, n - 1);
    RowMatrix<double> agreement = RowMatrix<double>::Zero(n, 1);
    if (k > 0) {
      std::vector<S> inverse(static_cast<std::size_t>(n));
      detail::inverse_lengths<S>(name(), "embedding", e, detail::tiny_length, inverse.data());
      std::vector<Index> neighbours(static_cast<std::size_t>(n * k));
      RowMatrix<double> cosines(n, k);
      detail::nearest_in_one<S>(e, inverse.data(), rows_of(cosines), neighbours.data());
      for (Index i = 0; i < n; ++i)
        agreement(i, 0) = share(k, &cosines(i, 0), &neighbours[static_cast<std::size_t>(i * k)], pool.labels,
                                pool.labels[static_cast<std::size_t>(i)]);
    }
    assign(std::move(agreement));
  }

 private:
  static double share(Index k, const double* cosines, const Index* neighbours, const std::vector<int>& labels,
                      int own) {
    double agreeing = 0, all = 0, count = 0;
    for (Index r = 0; r < k; ++r) {
      const double weight = std::max(cosines[r], 0.0);
      const bool same = labels[static_cast<std::size_t>(neighbours[r])] == own;
      all += weight;
      agreeing += same ? weight : 0;
      count += same ? 1 : 0;
    }
    return all > 0 ? agreeing / all : count / static_cast<double>(k);
  }

  Index k_;
};

}  // namespace mts::features
