#pragma once
/// \file
/// Matrix product with a packed second factor.

#include "mts/kernels/panels.hpp"

namespace mts::kernels {

/// y (r x n) <- or += x (r x k) b + bias, row-major; b (k x n) in panels (`pack`, `pack_transposed`), bias n numbers or null. Panels are
/// visited in groups that stay in the second cache level while all rows of x pass. Of one thread; allocates nothing.
template <class S>
void multiply(const S* x, Index x_stride, Index r, Index k, const S* b, Index n, S* y, Index y_stride, bool add,
              const S* bias) {
  constexpr Index group_bytes = 256 * 1024;
  const Index count_panels = panels<S>(n), panel_size = panel<S> * k;
  const Index group = std::max<Index>(1, group_bytes / static_cast<Index>(sizeof(S)) / std::max<Index>(1, panel_size));
  for (Index first = 0; first < count_panels; first += group) {
    const Index last = std::min(count_panels, first + group);
    for (Index i = 0; i < r;) {
      const Index rows = next_rows(r - i);
      const S* from[block_rows];
      for (Index q = 0; q < rows; ++q) from[q] = x + (i + q) * x_stride;
      for (Index j = first; j < last; ++j) {
        S* to[block_rows];
        for (Index q = 0; q < rows; ++q) to[q] = y + (i + q) * y_stride + j * panel<S>;
        block<S>(rows, from, Contiguous{}, k, {b + j * panel_size, panel<S>},
                 {to, std::min(panel<S>, n - j * panel<S>), add, S{1}, bias ? bias + j * panel<S> : nullptr});
      }
      i += rows;
    }
  }
}

}  // namespace mts::kernels
