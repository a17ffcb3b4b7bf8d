#pragma once
/// \file
/// `ValidationMargin`: how much nearer the validation samples of its own class are to a sample than those of other
/// classes, in a generative embedding.

#include "mts/features/detail/margins.hpp"
#include "mts/features/detail/pool_classes.hpp"
#include "mts/features/detail/pool_feature.hpp"

namespace mts::features {

/// Column "validation_margin", in [-2, 2]: the mean of the k largest cos(e_i, e_v) over the validation samples v of
/// class c_i, less the mean of the k largest over those of all other classes; e are generative embeddings of both.
/// Where there are fewer than k, the mean is of those there are; a zero vector has cosine 0. Offline: `fit` once on the
/// pool, then a look-up by id.
///
///     ValidationMargin margin{validation.embeddings, validation.labels};
///
/// Cost: fit, a product n x M x E in tiles and in parallel; it keeps a copy of the validation embeddings, M x E; a
/// step, a look-up. The same bits for any number of threads. Const calls are thread-safe.
/// Source: not of the paper; see `RealMargin`. The validation set that selection is trained on is looked at, as by
/// every feature that reads it.
/// \tparam S  the scalar of the embeddings, of the pool's too
template <class S>
class ValidationMargin : public detail::PoolFeature {
 public:
  /// \param embeddings  M x E    \param labels  M of them
  /// \throws ValueError if k < 1 or a label is negative; ShapeError if there are none or lengths differ; NumericalError
  template <class Derived>
  ValidationMargin(const Eigen::MatrixBase<Derived>& embeddings, std::vector<int> labels, Index k = 3)
      : PoolFeature("validation_margin", {"validation_margin"}, "a product n x M x E"),
        rows_(embeddings),
        labels_(std::move(labels)),
        inverse_(static_cast<std::size_t>(rows_.rows())),
        k_(k) {
    check_value(k >= 1, name(), "k must be at least 1, found ", k);
    if (rows_.rows() < 1)
      throw ShapeError(mts::detail::text(name(), ": expected at least 1 validation sample, found 0"));
    check_size(name(), "validation labels", rows_.rows(), static_cast<Index>(labels_.size()));
    for (std::size_t v = 0; v < labels_.size(); ++v)
      check_value(labels_[v] >= 0, name(), "label of validation sample ", v, " must not be negative, found ",
                  labels_[v]);
    detail::inverse_lengths<S>(name(), "validation embedding", rows_, detail::tiny_length, inverse_.data());
  }

  /// \param embeddings  pool size x E, row i of the pool's sample i, of scalar S; any Eigen matrix or view
  /// \param pool        labels of the pool; its ids, if given, must be 0, 1, ...
  /// \throws ShapeError, NumericalError; ValueError if there is no validation sample of a sample's class, or of no
  ///   other
  template <class Derived>
    requires std::same_as<typename Derived::Scalar, S>
  void fit(const Eigen::MatrixBase<Derived>& embeddings, const Samples& pool) {
    const detail::RowsRef<S> e(embeddings.derived()), b(rows_);
    detail::check_pool<S>(name(), e, pool, detail::NeedsGroups::no);
    check_size(name(), "width of the pool's embeddings", b.cols(), e.cols());
    std::vector<S> inverse(static_cast<std::size_t>(e.rows()));
    detail::inverse_lengths<S>(name(), "embedding", e, detail::tiny_length, inverse.data());
    RowMatrix<double> margins(e.rows(), 1);
    const Index bad = detail::class_margins<S>({e, inverse.data(), pool.labels.data()},
                                               {b, inverse_.data(), labels_.data()}, {}, k_, margins.data());
    if (bad >= 0) {
      const int own = pool.labels[static_cast<std::size_t>(bad)];
      const auto same = std::count(labels_.begin(), labels_.end(), own);
      throw ValueError(
          mts::detail::text(name(), ": fit: sample ", bad, " of class ", own,
                            ": expected at least 1 validation sample of its class and 1 of another, found ", same,
                            " and ", static_cast<Index>(labels_.size()) - same));
    }
    assign(std::move(margins));
  }

 private:
  RowMatrix<S> rows_;
  std::vector<int> labels_;
  std::vector<S> inverse_;
  Index k_;
};

template <class Derived>
ValidationMargin(const Eigen::MatrixBase<Derived>&, std::vector<int>, Index = 3)
    -> ValidationMargin<typename Derived::Scalar>;

}  // namespace mts::features
