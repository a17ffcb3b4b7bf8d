#pragma once
/// \file
/// `NearestRealCosine`: how close a sample comes to the real samples of its class nearest to it, in a generative embedding.

#include "mts/features/detail/pool_classes.hpp"
#include "mts/features/pool_table.hpp"

namespace mts::features {

/// Columns "nearest_real_cosine_1" ... "_k": the k largest values, descending, of cos(e_i, e_j) over the real samples j != i
/// (group 0) of class c_i; a zero vector has cosine 0. A class with fewer than k real samples (other than i) repeats the
/// smallest value. Offline: `fit` once on the pool, then a look-up by id.
///
/// Cost: fit, a product n_c x r_c x E for each class (n_c samples, r_c real), in tiles and in parallel, with a copy of one
/// class's embeddings at a time, never a matrix of all cosines; a step, a look-up. The same bits for any number of threads.
/// Const calls are thread-safe.
/// Source: MTS reference implementation, SD_real_3nearest.
class NearestRealCosine {
 public:
  /// \throws ValueError if k < 1
  explicit NearestRealCosine(Index k = 3) : k_(k) {
    check_value(k >= 1, "nearest_real_cosine", "k must be at least 1, found ", k);
  }

  std::string name() const { return "nearest_real_cosine"; }
  std::string cost() const { return "a look-up a step; fit: a product n x r x E for each class"; }
  FeatureLayout layout() const {
    FeatureLayout l;
    for (Index r = 1; r <= k_; ++r) l.continuous.push_back(mts::detail::text(name(), "_", r));
    return l;
  }
  static constexpr bool reads_validation() { return false; }
  static constexpr bool by_rows() { return true; }

  /// \param embeddings  pool size x E, row i of the pool's sample i; any Eigen matrix or view; products are in its scalar
  /// \param pool        labels and groups of the pool; its ids, if given, must be 0, 1, ...
  /// \throws ShapeError, NumericalError; ValueError if a sample has no real sample of its class but itself
  template <class Derived>
  void fit(const Eigen::MatrixBase<Derived>& embeddings, const Samples& pool) {
    using S = typename Derived::Scalar;
    table_.assign(detail::nearest_in_class<S>(name(), "real", embeddings.derived(), pool, k_,
                                              [&](std::size_t i) { return pool.groups[i] == 0; }));
  }
  const PoolTable& table() const { return table_; }

  template <class Context>
  void extract(const Context& context, Rows<double> rows, std::span<std::vector<int>>) const {
    table_.look_up(context.samples, rows);
  }

 private:
  Index k_;
  PoolTable table_{"nearest_real_cosine"};
};

}  // namespace mts::features
