#pragma once
/// \file
/// Extractors of position against the reference samples of one's own class, real or synthetic ones.

#include "mts/features/detail/pool_classes.hpp"
#include "mts/features/detail/pool_feature.hpp"

namespace mts::features::detail {

/// The samples of group 0.
struct RealSamples {
  static constexpr std::string_view name = "real";
  static constexpr bool holds(int group) { return group == 0; }
};
/// Those of every other group.
struct SyntheticSamples {
  static constexpr std::string_view name = "synthetic";
  static constexpr bool holds(int group) { return group != 0; }
};

/// See `RealCentreCosine`, `SyntheticCentreCosine`.
template <class Reference>
class CentreCosine : public PoolFeature {
 public:
  CentreCosine()
      : PoolFeature(mts::detail::text(Reference::name, "_centre_cosine"),
                    {mts::detail::text(Reference::name, "_centre_cosine")}, "two passes over pool x E") {}

  /// \param embeddings  pool size x E, row i of the pool's sample i; any Eigen matrix or view
  /// \param pool        labels and groups of the pool; its ids, if given, must be 0, 1, ...
  /// \throws ShapeError, NumericalError; ValueError if a class has samples but no reference sample
  template <class Derived>
  void fit(const Eigen::MatrixBase<Derived>& embeddings, const Samples& pool) {
    assign(centre_cosines<typename Derived::Scalar>(name(), Reference::name, embeddings.derived(), pool,
                                                    [&](std::size_t i) { return Reference::holds(pool.groups[i]); }));
  }
};

/// See `NearestRealCosine`, `NearestSyntheticCosine`.
template <class Reference>
class NearestCosine : public PoolFeature {
 public:
  /// \throws ValueError if k < 1
  explicit NearestCosine(Index k = 3)
      : PoolFeature(mts::detail::text("nearest_", Reference::name, "_cosine"),
                    numbered(mts::detail::text("nearest_", Reference::name, "_cosine"), k),
                    "a product n x r x E for each class"),
        k_(k) {
    check_value(k >= 1, name(), "k must be at least 1, found ", k);
  }

  /// \param embeddings  pool size x E, row i of the pool's sample i; any Eigen matrix or view; products are in its
  ///   scalar
  /// \param pool        labels and groups of the pool; its ids, if given, must be 0, 1, ...
  /// \throws ShapeError, NumericalError; ValueError if a sample has no reference sample of its class but itself
  template <class Derived>
  void fit(const Eigen::MatrixBase<Derived>& embeddings, const Samples& pool) {
    assign(nearest_in_class<typename Derived::Scalar>(name(), Reference::name, embeddings.derived(), pool, k_,
                                                      [&](std::size_t i) { return Reference::holds(pool.groups[i]); }));
  }

 private:
  Index k_;
};

}  // namespace mts::features::detail
