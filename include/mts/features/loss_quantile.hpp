#pragma once
/// \file
/// `LossQuantile`: where in its batch a sample's loss stands.

#include "mts/core/scratch.hpp"
#include "mts/features/detail/checks.hpp"
#include "mts/features/detail/ranks.hpp"

namespace mts::features {

/// Column "loss_quantile", in [0, 1]: the rank of l_i(theta) among the losses of the batch, ascending from 0, over N -
/// 1. Equal losses share the mean of their ranks; a batch of one has 0. So it is free of the loss's scale, which falls
/// as training goes on, and of its outliers; as with `BatchZScore`, a sample's value depends on its batch mates. Any
/// model will do.
///
/// Cost: a sort of N numbers a step; allocates nothing once sizes repeat (scratch slots 12 and 13). The same bits for
/// any number of threads. Thread-safe.
/// \throws NumericalError that names a sample whose loss is not finite
/// Source: not of the paper; its input is that of MW-Net (Shu et al., NeurIPS 2019).
class LossQuantile {
 public:
  std::string name() const { return "loss_quantile"; }
  std::string cost() const { return "a sort of N losses a step"; }
  FeatureLayout layout() const { return {{name()}, {}}; }
  static constexpr bool reads_validation() { return false; }
  static constexpr bool by_rows() { return true; }

  template <class Context>
  void extract(const Context& context, Rows<double> rows, std::span<std::vector<int>> columns) const {
    extract_rows(context, rows, columns);
    finish(rows, context.samples);
  }
  /// The losses of a range of the batch.
  template <class Context>
  void extract_rows(const Context& context, Rows<double> rows, std::span<std::vector<int>>) const {
    check_size("loss_quantile", "number of samples", context.train.value().size(), rows.rows());
    rows.col(0) = context.train.value();
  }
  /// The ranks of those of the whole batch.
  void finish(Rows<double> rows, const Samples& samples) const {
    static const std::vector<std::string> names{"loss_quantile"};
    detail::check_columns_finite("loss_quantile", names, rows, samples);
    const Index n = rows.rows();
    if (n == 0) return;
    double* x = mts::detail::thread_scratch<double, 12>(n);
    Index* order = mts::detail::thread_scratch<Index, 13>(n);
    for (Index i = 0; i < n; ++i) x[i] = rows(i, 0);
    detail::fractional_ranks(n, x, order, x);
    for (Index i = 0; i < n; ++i) rows(i, 0) = x[i];
  }
};

}  // namespace mts::features
