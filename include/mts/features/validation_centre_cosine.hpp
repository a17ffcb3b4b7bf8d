#pragma once
/// \file
/// `ValidationCentreCosine`: how well a sample points the way of the average validation sample.

#include "mts/features/detail/checks.hpp"
#include "mts/features/detail/cosines.hpp"

namespace mts::features {

/// Column "validation_centre_cosine": cos(h_i, mean_v h_v), the mean over all v of the validation batch, of all classes, of
/// unnormalised penultimate activations h at theta; lengths count as at least 1e-6, so a zero vector has cosine 0.
///
/// In double. Cost a step: a pass over (N + M) x E; allocates E doubles a thread once. The same bits for any number of
/// threads. Thread-safe.
/// \throws ShapeError (empty validation batch, widths that differ)
/// Source: MTS reference implementation, CLS_center_cos.
class ValidationCentreCosine {
 public:
  static constexpr double epsilon = 1e-6;

  std::string name() const { return "validation_centre_cosine"; }
  std::string cost() const { return "a pass over (N + M) x E a step"; }
  FeatureLayout layout() const { return {{name()}, {}}; }
  static constexpr bool reads_validation() { return true; }
  static constexpr bool by_rows() { return true; }

  template <class Context>
  void extract(const Context& context, Rows<double> rows, std::span<std::vector<int>>) const {
    detail::with_embeddings("validation_centre_cosine", context, rows.rows(), [&](const auto& a, const auto& b) {
      using S = typename std::remove_cvref_t<decltype(a)>::Scalar;
      thread_local Eigen::RowVectorXd centre;
      centre.setZero(b.cols());
      for (Index v = 0; v < b.rows(); ++v) centre += b.row(v).template cast<double>();
      centre /= static_cast<double>(b.rows());
      detail::cosines_to<S>(a, centre, epsilon, rows);
    });
  }
};

}  // namespace mts::features
