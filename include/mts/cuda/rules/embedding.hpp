#pragma once
/// \file
/// Embedding look-up on a device: y_i = T[c_i].

#include <algorithm>

#include "mts/autodiff/embedding.hpp"
#include "mts/cuda/rules.hpp"

namespace mts::cuda {

namespace kernels {

/// out_ij <- table(c_i, j).
template <class S>
struct LookUp {
  const int* value;
  const S* table;
  S* out;
  Index dimension;
  MTS_HOST_DEVICE void operator()(Index i, Index j) const { out[i * dimension + j] = table[value[i] * dimension + j]; }
};
/// out_ic <- u_i where c is sample i's value, else 0.
template <class S>
struct OneHot {
  const int* value;
  const S* u;
  S* out;
  Index cardinality;
  MTS_HOST_DEVICE void operator()(Index i, Index c) const { out[i * cardinality + c] = value[i] == c ? u[i] : S{0}; }
};
/// out_i <- out_i + <delta_i, table(c_i)>.
template <class S>
struct LookedUpDot {
  const int* value;
  const S *delta, *table;
  Index dimension;
  double* out;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index i) const {
    const S *d = delta + i * dimension, *e = table + value[i] * dimension;
    const S sum = lanes.sum<S>(dimension, [&](Index j) { return d[j] * e[j]; });
    lanes.once([&] { out[i] += static_cast<double>(sum); });
  }
};
/// out_i <- out_i + |d_i|^2.
template <class S>
struct AddSquaredNorm {
  const S* d;
  Index cols;
  double* out;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index i) const {
    const S sum = lanes.sum<S>(cols, [&](Index j) { return d[i * cols + j] * d[i * cols + j]; });
    lanes.once([&] { out[i] += static_cast<double>(sum); });
  }
};

}  // namespace kernels

template <class S, class E>
class EmbeddingRules final : public Rules<S, E> {
 public:
  EmbeddingRules(const autodiff::Embedding& p, autodiff::Widths) : p_(p) {}

  void forward(const At<S, E>& at, Matrix<S> out) const override { look_up(at, at.parameters, out); }
  void pullback(const At<S, E>&, ConstMatrix<S>, std::span<const Sink<S>>) const override {}
  void pushforward(const At<S, E>& at, std::span<const ConstMatrix<S>>, const S* w_tangent,
                   Matrix<S> out) const override {
    if (w_tangent)
      look_up(at, w_tangent, out);
    else
      at.queue->clear(out.data, out.size());
  }
  /// The sums over the samples of each value: a product with the one-hot matrix, weighted by u, so many samples at a time that
  /// it stays small.
  void parameter_pullback(const At<S, E>& at, ConstMatrix<S> delta, const S* u, S* gradient) const override {
    constexpr Index entries = Index{1} << 22;
    const Index c = p_.column.cardinality, n = p_.dimension, together = std::max<Index>(1, entries / c);
    for (Index begin = 0; begin < at.rows; begin += together) {
      const Index count = std::min(together, at.rows - begin);
      auto chosen = at.scratch(count * c);
      at.queue->grid(count, c, kernels::OneHot<S>{value(at) + begin, u + begin, chosen.data(), c});
      at.queue->template multiply<S>({.rows = c,
                                      .cols = n,
                                      .depth = count,
                                      .a = {chosen.data(), c, true},
                                      .b = {delta.data + begin * n, n},
                                      .to = gradient,
                                      .stride = n,
                                      .accumulate = true});
    }
  }
  void per_sample_dot(const At<S, E>& at, ConstMatrix<S> delta, const S* v, double* out) const override {
    at.queue->rows(at.rows, kernels::LookedUpDot<S>{value(at), delta.data, v, p_.dimension, out});
  }
  void per_sample_squared_norm(const At<S, E>& at, ConstMatrix<S> delta, double* out) const override {
    at.queue->rows(at.rows, kernels::AddSquaredNorm<S>{delta.data, p_.dimension, out});
  }

 private:
  const int* value(const At<S, E>& at) const { return at.columns[static_cast<std::size_t>(p_.column.index)]; }
  void look_up(const At<S, E>& at, const S* table, Matrix<S> out) const {
    at.queue->grid(at.rows, p_.dimension, kernels::LookUp<S>{value(at), table, out.data, p_.dimension});
  }
  autodiff::Embedding p_;
};

}  // namespace mts::cuda
