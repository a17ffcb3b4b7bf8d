#pragma once
/// \file
/// Softmax cross-entropy on a device: a warp for every sample.

#include <cmath>

#include "mts/autodiff/losses.hpp"
#include "mts/cuda/rules.hpp"

namespace mts::cuda {

namespace kernels {

/// A sample's logits x, and log sum_c exp x_c = top + log_sum, kept apart: top may be large, and only differences from it
/// matter.
template <class S>
struct LogSumExp {
  const S* x;
  S top, log_sum;
  MTS_HOST_DEVICE LogSumExp(const Lanes& lanes, const S* logits, Index n) : x(logits) {
    using std::exp, std::log;
    top = lanes.largest<S>(n, logits[0], [&](Index c) { return logits[c]; });
    log_sum = log(lanes.sum<S>(n, [&](Index c) { return exp(logits[c] - top); }));
  }
};
/// The classes, the labels and the label smoothing e: q = (1 - e) onehot(label) + e/C.
template <class S>
struct SmoothedLabels {
  const int* label;
  Index classes;
  S smoothing;
  /// softmax(x)_c - q_c
  MTS_HOST_DEVICE S slope(const LogSumExp<S>& lse, Index i, Index c) const {
    using std::exp;
    return exp((lse.x[c] - lse.top) - lse.log_sum) - (c == label[i] ? S{1} - smoothing : S{0}) -
           smoothing / static_cast<S>(classes);
  }
};
template <class S>
struct CrossEntropy {
  SmoothedLabels<S> labels;
  const S* x;
  S* loss;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index i) const {
    const Index n = labels.classes;
    const LogSumExp<S> lse(lanes, x + i * n, n);
    const S e = labels.smoothing;
    const S below = e > S{0} ? lanes.sum<S>(n, [&](Index c) { return lse.top - lse.x[c]; }) : S{0};
    lanes.once([&] {
      loss[i] = lse.log_sum + (S{1} - e) * (lse.top - lse.x[labels.label[i]]) + e * below / static_cast<S>(n);
    });
  }
};
/// to_ic <- or += delta_i (softmax(x_i) - q_i)_c.
template <class S>
struct CrossEntropyPullback {
  SmoothedLabels<S> labels;
  const S *x, *delta;
  S* to;
  bool accumulate;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index i) const {
    const Index n = labels.classes;
    const LogSumExp<S> lse(lanes, x + i * n, n);
    lanes.each(n, [&](Index c) { take(to[i * n + c], accumulate, delta[i] * labels.slope(lse, i, c)); });
  }
};
template <class S>
struct CrossEntropyPushforward {
  SmoothedLabels<S> labels;
  const S *x, *tangent;
  S* out;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index i) const {
    const Index n = labels.classes;
    const LogSumExp<S> lse(lanes, x + i * n, n);
    const S sum = lanes.sum<S>(n, [&](Index c) { return labels.slope(lse, i, c) * tangent[i * n + c]; });
    lanes.once([&] { out[i] = sum; });
  }
};

}  // namespace kernels

template <class S, class E>
class SoftmaxCrossEntropyRules final : public Rules<S, E> {
 public:
  SoftmaxCrossEntropyRules(const autodiff::SoftmaxCrossEntropy& p, autodiff::Widths) : p_(p) {}

  void forward(const At<S, E>& at, Matrix<S> out) const override {
    at.queue->rows(at.rows, kernels::CrossEntropy<S>{labels(at), at.in[0].data, out.data});
  }
  void pullback(const At<S, E>& at, ConstMatrix<S> delta, std::span<const Sink<S>> sinks) const override {
    if (sinks[0])
      at.queue->rows(at.rows, kernels::CrossEntropyPullback<S>{labels(at), at.in[0].data, delta.data, sinks[0].to.data,
                                                               sinks[0].accumulate});
  }
  void pushforward(const At<S, E>& at, std::span<const ConstMatrix<S>> tangents, const S*,
                   Matrix<S> out) const override {
    if (tangents[0])
      at.queue->rows(at.rows,
                     kernels::CrossEntropyPushforward<S>{labels(at), at.in[0].data, tangents[0].data, out.data});
    else
      at.queue->clear(out.data, out.size());
  }

 private:
  kernels::SmoothedLabels<S> labels(const At<S, E>& at) const {
    return {at.columns[static_cast<std::size_t>(p_.label.index)], p_.label.cardinality, static_cast<S>(p_.smoothing)};
  }
  autodiff::SoftmaxCrossEntropy p_;
};

}  // namespace mts::cuda
