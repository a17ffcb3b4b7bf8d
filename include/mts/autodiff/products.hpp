#pragma once
/// \file
/// The matrix products of the linear layer, in one place. Row-major; r samples, i inputs, o outputs. By the library's own kernel
/// for float and double, by Eigen for any other scalar and where MTS_EIGEN_KERNELS is defined (docs/performance.md shows the
/// measurements that decided).
///
/// The weights w are packed once for many tiles of samples: `pack_*` fills memory of `packed_*_size` numbers (none where Eigen,
/// which packs by itself, does the work). No call allocates but for thread scratch.

#include "mts/autodiff/view.hpp"
#include "mts/core/scratch.hpp"
#include "mts/kernels/multiply.hpp"

namespace mts::autodiff::products {

/// Numbers that the packed w^T takes, for `times_transposed`.
template <class S>
Index packed_transposed_size(Index outputs, Index inputs) {
  return kernels::accelerated<S> ? kernels::packed_size<S>(inputs, outputs) : 0;
}
/// Numbers that the packed w takes, for `times`.
template <class S>
Index packed_size(Index outputs, Index inputs) {
  return kernels::accelerated<S> ? kernels::packed_size<S>(outputs, inputs) : 0;
}
template <class S>
void pack_transposed(const S* w, Index outputs, Index inputs, S* packed) {
  if constexpr (kernels::accelerated<S>) kernels::pack_transposed(w, inputs, inputs, outputs, packed);
}
template <class S>
void pack(const S* w, Index outputs, Index inputs, S* packed) {
  if constexpr (kernels::accelerated<S>) kernels::pack(w, inputs, outputs, inputs, packed);
}

/// y (r x o) <- or += x (r x i) w^T + bias; w is o x i, contiguous; bias has o numbers or is null.
template <class S>
void times_transposed(ConstView<S> x, const S* w, const S* packed, View<S> y, bool add, const S* bias) {
  if constexpr (kernels::accelerated<S>) {
    kernels::multiply(x.data, x.stride, y.rows, x.cols, packed, y.cols, y.data, y.stride, add, bias);
  } else {
    const ConstRows<S> wm(w, y.cols, x.cols, Eigen::OuterStride<>(x.cols));
    auto ym = y.matrix();
    if (!add) ym.setZero();
    if (bias) ym.rowwise() += Eigen::Map<const Eigen::Matrix<S, 1, Eigen::Dynamic>>(bias, y.cols);
    ym.noalias() += x.matrix() * wm.transpose();
  }
}

/// x (r x i) <- or += d (r x o) w.
template <class S>
void times(ConstView<S> d, const S* w, const S* packed, View<S> x, bool add) {
  if constexpr (kernels::accelerated<S>) {
    kernels::multiply<S>(d.data, d.stride, x.rows, d.cols, packed, x.cols, x.data, x.stride, add, nullptr);
  } else {
    const ConstRows<S> wm(w, d.cols, x.cols, Eigen::OuterStride<>(x.cols));
    auto xm = x.matrix();
    if (add)
      xm.noalias() += d.matrix() * wm;
    else
      xm.noalias() = d.matrix() * wm;
  }
}

/// Samples summed in one go by `weighted_transposed_times`: part of what fixes a result's bits.
inline constexpr Index sum_depth = 256;

/// g (o x i) += (diag(u) d)^T x over r samples, in slices of `sum_depth`; b (o) += d^T u unless null. u null stands for ones.
/// Asks for scratch slots 0 and 1.
template <class S>
void weighted_transposed_times(ConstView<S> d, const S* u, ConstView<S> x, View<S> g, S* b) {
  using Simd = kernels::Simd<S>;
  constexpr Index rows = kernels::block_rows, panel = kernels::panel<S>;
  const Index outputs = d.cols, blocks = kernels::ceil_div(outputs, rows);
  const Index block_size = rows * sum_depth + panel;  // with room for what whole registers write past the last row
  S* scaled = mts::detail::thread_scratch<S, 0>(blocks * block_size);
  constexpr Index group = 8;  // panels packed together: a row of x is then read in runs of several cache lines
  const auto distance = [](Index depth) {
    return panel * (depth + 1);
  };  // no power of two, or panels meet in one cache set
  S* columns = mts::detail::thread_scratch<S, 1>(group * distance(sum_depth));
  for (Index r = 0; r < d.rows; r += sum_depth) {
    const Index depth = std::min(sum_depth, d.rows - r);
    const auto weight = [&](Index k) { return u ? u[r + k] : S{1}; };
    if constexpr (kernels::accelerated<S>) {
      // Blocks of 6 outputs, each depth x 6. Copied by whole registers: what is too much is overwritten by the next sample.
      constexpr Index copied = kernels::ceil_div(rows, kernels::lanes<S>) * kernels::lanes<S>;
      for (Index k = 0; k < depth; ++k) {
        const S* from = d.row(r + k);
        const S w = weight(k);
        S* to = scaled + k * rows;
        for (Index o = 0; o < outputs; o += rows, to += block_size) {
          if (o + copied <= outputs) {
            for (Index j = 0; j < copied; j += kernels::lanes<S>) Simd::store(to + j, w * Simd::load(from + o + j));
          } else {
            for (Index j = 0; j < std::min(rows, outputs - o); ++j) to[j] = w * from[o + j];
          }
        }
      }
      if (b)
        for (Index o = 0; o < outputs; o += rows) {
          typename Simd::Vector sum[copied / kernels::lanes<S>] = {};
          const S* from = scaled + o / rows * block_size;
          for (Index k = 0; k < depth; ++k, from += rows)
            for (Index j = 0; j < copied; j += kernels::lanes<S>) sum[j / kernels::lanes<S>] += Simd::load(from + j);
          S sums[copied];
          std::memcpy(sums, sum, sizeof sums);
          for (Index j = 0; j < std::min(rows, outputs - o); ++j) b[o + j] += sums[j];
        }
      for (Index first = 0; first < x.cols; first += group * panel) {
        const Index width = std::min(group * panel, x.cols - first);
        kernels::pack(x.row(r) + first, x.stride, depth, width, columns, distance(depth));
        for (Index j = 0; j < width; j += panel)
          for (Index o = 0; o < outputs; o += rows) {
            const Index count = std::min(rows, outputs - o);
            const S* from[rows];
            S* to[rows];
            for (Index k = 0; k < count; ++k) {
              from[k] = scaled + o / rows * block_size + k;
              to[k] = g.row(o + k) + first + j;
            }
            kernels::block<S>(count, from, kernels::Strided{rows}, depth,
                              {columns + j / panel * distance(depth), panel}, {to, std::min(panel, width - j), true});
          }
      }
    } else {
      View<S> part{scaled, depth, outputs, outputs};
      for (Index k = 0; k < depth; ++k)
        for (Index o = 0; o < outputs; ++o) part.row(k)[o] = weight(k) * d.row(r + k)[o];
      auto gm = g.matrix();
      gm.noalias() += part.matrix().transpose() * ConstView<S>{x.row(r), depth, x.cols, x.stride}.matrix();
      if (b) Eigen::Map<Eigen::Matrix<S, 1, Eigen::Dynamic>>(b, outputs) += part.matrix().colwise().sum();
    }
  }
}

}  // namespace mts::autodiff::products
