#pragma once
/// \file
/// `RealCentreCosine`: how well a sample points the way of its class's real centre, in a generative embedding.

#include "mts/features/detail/pool_classes.hpp"
#include "mts/features/pool_table.hpp"

namespace mts::features {

/// Column "real_centre_cosine": cos(e_i, mean of e_j over the real samples j (group 0) of class c_i), of unnormalised embeddings
/// e; a zero vector has cosine 0. Offline: `fit` once on the pool, then a look-up by id. A real sample is part of its class's
/// mean, as in the source; that favours it by an order 1/(number of real samples).
///
/// Cost: fit, two passes over pool x E, in parallel; a step, a look-up. The same bits for any number of threads. Const calls are
/// thread-safe.
/// Source: MTS reference implementation, SD_real_center.
class RealCentreCosine {
 public:
  std::string name() const { return "real_centre_cosine"; }
  std::string cost() const { return "a look-up a step; fit: two passes over pool x E"; }
  FeatureLayout layout() const { return {{name()}, {}}; }
  static constexpr bool reads_validation() { return false; }
  static constexpr bool by_rows() { return true; }

  /// \param embeddings  pool size x E, row i of the pool's sample i; any Eigen matrix or view
  /// \param pool        labels and groups of the pool; its ids, if given, must be 0, 1, ...
  /// \throws ShapeError, NumericalError; ValueError if a class has samples but no real one
  template <class Derived>
  void fit(const Eigen::MatrixBase<Derived>& embeddings, const Samples& pool) {
    using S = typename Derived::Scalar;
    table_.assign(detail::centre_cosines<S>(name(), "real", embeddings.derived(), pool,
                                            [&](std::size_t i) { return pool.groups[i] == 0; }));
  }
  const PoolTable& table() const { return table_; }

  template <class Context>
  void extract(const Context& context, Rows<double> rows, std::span<std::vector<int>>) const {
    table_.look_up(context.samples, rows);
  }

 private:
  PoolTable table_{"real_centre_cosine"};
};

}  // namespace mts::features
