#pragma once
/// \file
/// Views of a tile of samples, as the rules of primitives see them.

#include <cstddef>
#include <span>

#include "mts/core/types.hpp"

namespace mts::autodiff {

/// A read-only matrix with one row per sample: rows x cols, row-major, rows `stride` apart. A view without data stands
/// for an absent matrix (a tangent that is zero).
template <class S>
struct ConstView {
  const S* data = nullptr;
  Index rows = 0;
  Index cols = 0;
  Index stride = 0;

  explicit operator bool() const { return data != nullptr; }
  ConstRows<S> matrix() const { return ConstRows<S>(data, rows, cols, Eigen::OuterStride<>(stride)); }
  const S* row(Index i) const { return data + i * stride; }
};

/// A mutable one.
template <class S>
struct View {
  S* data = nullptr;
  Index rows = 0;
  Index cols = 0;
  Index stride = 0;

  explicit operator bool() const { return data != nullptr; }
  Rows<S> matrix() const { return Rows<S>(data, rows, cols, Eigen::OuterStride<>(stride)); }
  S* row(Index i) const { return data + i * stride; }
  operator ConstView<S>() const { return {data, rows, cols, stride}; }
};

/// Where a pullback leaves the delta of one input: the first consumer of a node assigns, the others add; an input that
/// nobody asks for (it depends on no parameter) takes nothing.
template <class S>
struct DeltaSink {
  View<S> view;
  bool accumulate = false;

  explicit operator bool() const { return static_cast<bool>(view); }
  /// delta <- expression, or delta <- delta + expression.
  template <class Expression>
  void take(const Expression& expression) const {
    if (!view) return;
    auto m = view.matrix();
    if (accumulate)
      m += expression;
    else
      m = expression;
  }
  /// The same entry by entry: f(i, j).
  template <class F>
  void take_each(F&& f) const {
    if (!view) return;
    for (Index i = 0; i < view.rows; ++i) {
      S* d = view.row(i);
      if (accumulate)
        for (Index j = 0; j < view.cols; ++j) d[j] += f(i, j);
      else
        for (Index j = 0; j < view.cols; ++j) d[j] = f(i, j);
    }
  }
};

/// What every rule of a primitive gets: a tile of samples at which the primitive has been evaluated.
template <class S>
struct Tile {
  Index rows = 0;                            ///< samples in the tile
  std::span<const ConstView<S>> in;          ///< values of the inputs, rows x width each
  ConstView<S> out;                          ///< value of the output (absent in `forward`, which makes it)
  const S* parameters = nullptr;             ///< the primitive's own parameters
  std::span<const int* const> columns = {};  ///< the batch's integer columns, at the tile's first row
  const S* packed = nullptr;                 ///< those packed for `forward` and `pushforward`
  const S* packed_pullback = nullptr;        ///< those packed for `pullback`
  const S* packed_direction = nullptr;  ///< the direction of `pushforward` or `per_sample_dot`, packed as for `forward`
};

/// An integer column of the batch (labels, categories): its place among the columns and its number of values.
struct Column {
  int index = 0;
  int cardinality = 0;
};

}  // namespace mts::autodiff
