#pragma once
/// \file
/// Embedding look-up: y_i = E[c_i], with a table E of one row for each value of an integer column.

#include "mts/autodiff/primitive.hpp"

namespace mts::autodiff {

/// Parameters: E, cardinality x dimension, row-major, entries begin as N(0, 1) (PyTorch's default). No dense input.
/// Per sample: <gradient, V> = <delta_i, V[c_i]>, |gradient|^2 = |delta_i|^2.
struct Embedding {
  static constexpr bool ignores_output = true;

  Column column;
  Index dimension = 1;
  bool decays = true;
  double scale = 1;  ///< standard deviation of the initial entries; 0 begins at zero

  Index width(Widths in) const {
    detail::check_inputs("Embedding", 0, in);
    if (dimension < 1 || column.cardinality < 1)
      throw ShapeError(detail::text("Embedding: expected dimension and cardinality of at least 1, found ", dimension,
                                    " and ", column.cardinality));
    return dimension;
  }
  std::vector<Column> columns() const { return {column}; }
  std::vector<Segment> segments(Widths) const { return {{"table", 0, column.cardinality * dimension, decays}}; }
  template <class S>
  void initialize(S* w, Widths, RandomStream& stream) const {
    for (Index k = 0; k < column.cardinality * dimension; ++k) w[k] = static_cast<S>(scale * stream.normal());
  }
  template <class S>
  void forward(const Tile<S>& t, View<S> out) const {
    look_up(t, t.parameters, out);
  }
  template <class S>
  void pullback(const Tile<S>&, ConstView<S>, std::span<const DeltaSink<S>>) const {}
  template <class S>
  void pushforward(const Tile<S>& t, std::span<const ConstView<S>>, const S* w_tangent, View<S> out) const {
    if (w_tangent)
      look_up(t, w_tangent, out);
    else
      out.matrix().setZero();
  }
  Index tasks(Widths) const { return 1; }
  template <class S>
  void parameter_pullback(const Tile<S>& t, ConstView<S> delta, const S* u, Index, S* gradient) const {
    for (Index i = 0; i < t.rows; ++i) {
      S* g = gradient + value(t, i) * dimension;
      for (Index j = 0; j < dimension; ++j) g[j] += (u ? u[i] : S{1}) * delta.row(i)[j];
    }
  }
  template <class S>
  void per_sample_dot(const Tile<S>& t, ConstView<S> delta, const S* v, double* out) const {
    for (Index i = 0; i < t.rows; ++i) {
      const S* e = v + value(t, i) * dimension;
      for (Index j = 0; j < dimension; ++j) out[i] += static_cast<double>(delta.row(i)[j] * e[j]);
    }
  }
  template <class S>
  void per_sample_squared_norm(const Tile<S>& t, ConstView<S> delta, double* out) const {
    for (Index i = 0; i < t.rows; ++i) out[i] += static_cast<double>(delta.matrix().row(i).squaredNorm());
  }

 private:
  template <class S>
  Index value(const Tile<S>& t, Index i) const {
    return t.columns[static_cast<std::size_t>(column.index)][i];
  }
  template <class S>
  void look_up(const Tile<S>& t, const S* table, View<S> out) const {
    for (Index i = 0; i < t.rows; ++i)
      for (Index j = 0; j < dimension; ++j) out.row(i)[j] = table[value(t, i) * dimension + j];
  }
};

}  // namespace mts::autodiff
