#pragma once
/// \file
/// `Product`: a matrix product to be formed on a device, and the same in the terms of BLAS.

#include "mts/core/types.hpp"

namespace mts::cuda {

/// One factor, row-major; `transposed`: its transpose is meant.
template <class S>
struct Factor {
  const S* data = nullptr;
  Index stride = 0;  ///< from row to row, as it lies in memory
  bool transposed = false;
  Index step = 0;  ///< from the factor of one product to that of the next; 0 for one that all share
};

/// `count` products C <- A B, or C <- C + A B: A is rows x depth, B depth x cols, C rows x cols; all row-major.
template <class S>
struct Product {
  Index rows = 0, cols = 0, depth = 0;
  Factor<S> a, b;
  S* to = nullptr;
  Index stride = 0;  ///< of C
  bool accumulate = false;
  Index count = 1;
  Index step = 0;  ///< from one C to the next
};

/// The same as BLAS takes it, column-major: C <- op(A) op(B) + beta C with C of m x n.
template <class S>
struct ColumnMajorProduct {
  bool transpose_a = false, transpose_b = false;
  Index m = 0, n = 0, k = 0;
  const S* a = nullptr;
  Index lda = 0, step_a = 0;
  const S* b = nullptr;
  Index ldb = 0, step_b = 0;
  S beta = 0;
  S* c = nullptr;
  Index ldc = 0, step_c = 0;
  Index count = 1;
};

/// A row-major matrix is the transpose of a column-major one, so C^T = op(B)^T op(A)^T is formed: the factors change places and
/// nothing else does.
template <class S>
ColumnMajorProduct<S> column_major(const Product<S>& p) {
  return {.transpose_a = p.b.transposed,
          .transpose_b = p.a.transposed,
          .m = p.cols,
          .n = p.rows,
          .k = p.depth,
          .a = p.b.data,
          .lda = p.b.stride,
          .step_a = p.b.step,
          .b = p.a.data,
          .ldb = p.a.stride,
          .step_b = p.a.step,
          .beta = p.accumulate ? S{1} : S{0},
          .c = p.to,
          .ldc = p.stride,
          .step_c = p.step,
          .count = p.count};
}

}  // namespace mts::cuda
