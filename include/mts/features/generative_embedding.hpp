#pragma once
/// \file
/// `GenerativeEmbedding`: the sample itself, as a generative model encodes it.

#include "mts/features/detail/pool_classes.hpp"
#include "mts/features/detail/pool_feature.hpp"

namespace mts::features {

/// Columns "embedding_1" ... "embedding_E": e_i. For weight nets that are to judge a sample by what it is instead of by where it
/// lies among others. Offline: `fit` once on the pool, then a look-up by id.
///
/// Cost: fit, a copy of the embeddings in double; a step, a look-up. Const calls are thread-safe.
/// Source: not of the paper; DataRater (Calian et al., NeurIPS 2025) rates a sample by its content.
class GenerativeEmbedding : public detail::PoolFeature {
 public:
  /// \param width  E \throws ValueError if it is below 1
  explicit GenerativeEmbedding(Index width)
      : PoolFeature("embedding", detail::numbered("embedding", checked(width)), "a copy of the embeddings") {}

  /// \param embeddings  pool size x E, row i of the pool's sample i; any Eigen matrix or view
  /// \param pool        its ids, if given, must be 0, 1, ...
  /// \throws ShapeError, NumericalError
  template <class Derived>
  void fit(const Eigen::MatrixBase<Derived>& embeddings, const Samples& pool) {
    using S = typename Derived::Scalar;
    const detail::RowsRef<S> e(embeddings.derived());
    detail::check_pool<S>(name(), e, pool, detail::NeedsGroups::no);
    check_size(name(), "width of the embeddings", static_cast<Index>(layout().continuous.size()), e.cols());
    assign(e.template cast<double>());
  }

 private:
  static Index checked(Index width) {
    check_value(width >= 1, "embedding", "the width must be at least 1, found ", width);
    return width;
  }
};

}  // namespace mts::features
