#pragma once
/// \file
/// The matrix products of the linear layer, in one place. Row-major; r samples, i inputs, o outputs.

#include "mts/autodiff/view.hpp"

namespace mts::autodiff::products {

/// y (r x o) <- or += x (r x i) w^T, w is o x i, contiguous.
template <class S>
void times_transposed(ConstView<S> x, const S* w, View<S> y, bool accumulate = false) {
  const ConstRows<S> wm(w, y.cols, x.cols, Eigen::OuterStride<>(x.cols));
  auto ym = y.matrix();
  if (accumulate)
    ym.noalias() += x.matrix() * wm.transpose();
  else
    ym.noalias() = x.matrix() * wm.transpose();
}

/// x (r x i) <- or += d (r x o) w.
template <class S>
void times(ConstView<S> d, const S* w, View<S> x, bool accumulate) {
  const ConstRows<S> wm(w, d.cols, x.cols, Eigen::OuterStride<>(x.cols));
  auto xm = x.matrix();
  if (accumulate)
    xm.noalias() += d.matrix() * wm;
  else
    xm.noalias() = d.matrix() * wm;
}

/// g (o x i) += d^T (o x r) x (r x i).
template <class S>
void transposed_times(ConstView<S> d, ConstView<S> x, View<S> g) {
  auto gm = g.matrix();
  gm.noalias() += d.matrix().transpose() * x.matrix();
}

}  // namespace mts::autodiff::products
