#pragma once
/// \file
/// `MedianDistanceRank`: how unusual a sample's distance from its class's centre is.

#include "mts/features/detail/pool_classes.hpp"
#include "mts/features/detail/pool_feature.hpp"
#include "mts/features/detail/ranks.hpp"

namespace mts::features {

/// Column "median_distance_rank", in [0, 1]: with d_i = |e_i - mean of its class's e| (real and synthetic samples,
/// unnormalised embeddings) and m the lower median of d in the class, the rank of |d_i - m| in the class, ascending
/// from 0, over n_c - 1. 0 is the sample at the median, 1 the one whose distance is the most unusual, be it near or
/// far. Equal values (to 1e-12 of the largest distance) share the mean of their ranks, so two samples of a class have
/// 1/2 each; one alone has 0. Groups are not looked at. Offline: `fit` once on the pool, then a look-up by id.
///
/// In double. Cost: fit, two passes over pool x E, in parallel, and a sort; a step, a look-up. The same bits for any
/// number of threads. Const calls are thread-safe.
/// Source: MTS reference implementation, SD_distance_median; there equal values are ranked in the order of a sort.
class MedianDistanceRank : public detail::PoolFeature {
 public:
  MedianDistanceRank() : PoolFeature("median_distance_rank", {"median_distance_rank"}, "two passes over pool x E") {}

  /// \param embeddings  pool size x E, row i of the pool's sample i; any Eigen matrix or view
  /// \param pool        labels of the pool; its ids, if given, must be 0, 1, ...
  /// \throws ShapeError, ValueError, NumericalError
  template <class Derived>
  void fit(const Eigen::MatrixBase<Derived>& embeddings, const Samples& pool) {
    using S = typename Derived::Scalar;
    const detail::RowsRef<S> e(embeddings.derived());
    detail::check_pool<S>(name(), e, pool, detail::NeedsGroups::no);
    RowMatrix<double> out(e.rows(), 1);
    std::vector<double> d, sorted;
    std::vector<Index> order;
    for (const auto& [label, members] : detail::classes_of(pool, [](std::size_t) { return false; })) {
      const auto& all = members.all;
      const auto n = static_cast<Index>(all.size());
      Eigen::RowVectorXd mean = Eigen::RowVectorXd::Zero(e.cols());
      for (const Index i : all) mean += e.row(i).template cast<double>();
      mean /= static_cast<double>(n);
      d.resize(all.size());
      order.resize(all.size());
      parallel_tiles(n, 256, [&](Index, Index begin, Index end) {
        for (Index r = begin; r < end; ++r)
          d[static_cast<std::size_t>(r)] = distance(e, all[static_cast<std::size_t>(r)], mean);
      });
      for (std::size_t r = 0; r < all.size(); ++r)
        if (!std::isfinite(d[r]))
          throw NumericalError(mts::detail::text(name(), ": fit: distance of sample ", all[r],
                                                 " from the mean of class ", label,
                                                 ": expected a finite number, found ", d[r]));
      sorted = d;
      const auto middle = sorted.begin() + (n - 1) / 2;
      std::nth_element(sorted.begin(), middle, sorted.end());
      const double largest = *std::max_element(d.begin(), d.end());
      for (double& x : d) x = std::abs(x - *middle);
      detail::fractional_ranks(n, d.data(), order.data(), d.data(), 1e-12 * largest);
      for (std::size_t r = 0; r < all.size(); ++r) out(all[r], 0) = d[r];
    }
    assign(std::move(out));
  }

 private:
  /// Summed in one order wherever the row lies in memory, so that equal rows are equally far.
  template <class S>
  static double distance(const detail::RowsRef<S>& e, Index i, const Eigen::RowVectorXd& mean) {
    double sum = 0;
    for (Index k = 0; k < mean.size(); ++k) {
      const double x = static_cast<double>(e(i, k)) - mean[k];
      sum += x * x;
    }
    return std::sqrt(sum);
  }
};

}  // namespace mts::features
