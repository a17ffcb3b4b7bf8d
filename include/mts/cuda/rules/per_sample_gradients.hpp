#pragma once
/// \file
/// What follows from the gradients of samples where they are formed: row i of G is delta_i dy_i/dw, laid out as the parameters.

#include <algorithm>

#include "mts/cuda/rules.hpp"

namespace mts::cuda {

namespace kernels {

/// out_i <- out_i + sum_j g_ij v_j.
template <class S>
struct RowTimesVector {
  const S *g, *v;
  Index cols;
  double* out;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index i) const {
    const S* gi = g + i * cols;
    const S sum = lanes.sum<S>(cols, [&](Index j) { return gi[j] * v[j]; });
    lanes.once([&] { out[i] += static_cast<double>(sum); });
  }
};
/// sums_ib <- |block b of row i|^2.
template <class S>
struct BlockSquaredNorm {
  const S* g;
  Index cols, blocks, block;
  double* sums;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index k) const {
    const Index i = static_cast<unsigned>(k) / static_cast<unsigned>(blocks), begin = (k - i * blocks) * block;
    const S* from = g + i * cols + begin;
    const Index n = cols - begin < block ? cols - begin : block;
    const S sum = lanes.sum<S>(n, [&](Index j) { return from[j] * from[j]; });
    lanes.once([&] { sums[k] = static_cast<double>(sum); });
  }
};
/// out_i <- out_i + sum_j x_ij.
struct AddRowSum {
  const double* x;
  Index cols;
  double* out;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index i) const {
    const double sum = lanes.sum<double>(cols, [&](Index j) { return x[i * cols + j]; });
    lanes.once([&] { out[i] += sum; });
  }
};

}  // namespace kernels

/// f(begin, samples) for chunks of at most `at_most` samples (or 1) that cover [0, samples), in order.
template <class F>
void for_each_chunk(Index samples, Index at_most, F&& f) {
  const Index chunk = std::max<Index>(1, at_most);
  for (Index begin = 0; begin < samples; begin += chunk) f(begin, std::min(chunk, samples - begin));
}

/// to += sum_i u_i g_i: a product, so the order of the sum is the product's.
template <class S, class E>
void add_weighted_rows(const At<S, E>& at, const S* u, ConstMatrix<S> g, S* to) {
  at.queue->template multiply<S>({.rows = 1,
                                  .cols = g.cols,
                                  .depth = g.rows,
                                  .a = {u, g.rows},
                                  .b = {g.data, g.cols},
                                  .to = to,
                                  .stride = g.cols,
                                  .accumulate = true});
}
/// out_i += <g_i, v>.
template <class S, class E>
void add_row_dots(const At<S, E>& at, ConstMatrix<S> g, const S* v, double* out) {
  at.queue->rows(g.rows, kernels::RowTimesVector<S>{g.data, v, g.cols, out});
}
/// out_i += |g_i|^2. A long row is shared by several warps: there may be few rows.
template <class S, class E>
void add_row_squared_norms(const At<S, E>& at, ConstMatrix<S> g, double* out) {
  constexpr Index block = 1024;
  const Index blocks = (g.cols + block - 1) / block;
  auto sums = at.template scratch<double>(g.rows * blocks);
  at.queue->rows(g.rows * blocks, kernels::BlockSquaredNorm<S>{g.data, g.cols, blocks, block, sums.data()});
  at.queue->rows(g.rows, kernels::AddRowSum{sums.data(), blocks, out});
}

}  // namespace mts::cuda
