#pragma once
// The inputs and values of reference_values.hpp as matrices.

#include "features/reference_values.hpp"
#include "features/support.hpp"

namespace mts_test::reference {

inline RowMatrix<double> matrix(const std::vector<double>& values, Index columns) {
  return Eigen::Map<const RowMatrix<double>>(values.data(), static_cast<Index>(values.size()) / columns, columns);
}
template <class S>
RowMatrix<S> embeddings() {
  return matrix(pool, width).cast<S>();
}
template <class S>
RowMatrix<S> validation_embeddings() {
  return matrix(validation, width).cast<S>();
}
inline Samples pool_samples() { return {{}, labels, groups}; }

/// The largest difference from what the script has found.
inline double difference(const RowMatrix<double>& found, const std::vector<double>& expected) {
  return (found - matrix(expected, found.cols())).cwiseAbs().maxCoeff();
}

}  // namespace mts_test::reference
