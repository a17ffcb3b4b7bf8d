#pragma once
/// \file
/// Per-sample losses: primitives whose output has width 1.

#include <cmath>

#include "mts/autodiff/primitive.hpp"

namespace mts::autodiff {

/// Softmax cross-entropy with label smoothing e (PyTorch's): l = -sum_c q_c log softmax(x)_c,
/// q = (1 - e) onehot(label) + e/C. Delta: softmax(x) - q. The label is an integer column of the batch.
struct SoftmaxCrossEntropy {
  Column label;
  double smoothing = 0;

  Index width(Widths in) const {
    detail::check_inputs("SoftmaxCrossEntropy", 1, in);
    if (in[0] != label.cardinality)
      throw ShapeError(detail::text("SoftmaxCrossEntropy: expected one logit for each of the ", label.cardinality,
                                    " classes, found ", in[0]));
    if (!(smoothing >= 0 && smoothing <= 1))
      throw ValueError(detail::text("SoftmaxCrossEntropy: expected a label smoothing in [0, 1], found ", smoothing));
    return 1;
  }
  std::vector<Column> columns() const { return {label}; }
  template <class S>
  void forward(const Tile<S>& t, View<S> out) const {
    const S e = static_cast<S>(smoothing);
    for (Index i = 0; i < t.rows; ++i) {
      const S* x = t.in[0].row(i);
      const Index classes = t.in[0].cols;
      const LogSumExp<S> lse(x, classes);
      S below = 0;
      for (Index c = 0; c < classes; ++c) below += lse.top - x[c];
      out.row(i)[0] = lse.log_sum + (S{1} - e) * (lse.top - x[target(t, i)]) +
                      (smoothing > 0 ? e * below / static_cast<S>(classes) : S{0});
    }
  }
  template <class S>
  void pullback(const Tile<S>& t, ConstView<S> delta, std::span<const DeltaSink<S>> sinks) const {
    if (!sinks[0]) return;
    for (Index i = 0; i < t.rows; ++i) {
      const S* x = t.in[0].row(i);
      const LogSumExp<S> lse(x, t.in[0].cols);
      S* to = sinks[0].view.row(i);
      for (Index c = 0; c < t.in[0].cols; ++c) {
        const S d = delta.row(i)[0] * slope(t, i, c, x, lse);
        to[c] = sinks[0].accumulate ? to[c] + d : d;
      }
    }
  }
  template <class S>
  void pushforward(const Tile<S>& t, std::span<const ConstView<S>> tangents, const S*, View<S> out) const {
    for (Index i = 0; i < t.rows; ++i) {
      S sum = 0;
      if (tangents[0]) {
        const S* x = t.in[0].row(i);
        const LogSumExp<S> lse(x, t.in[0].cols);
        for (Index c = 0; c < t.in[0].cols; ++c) sum += slope(t, i, c, x, lse) * tangents[0].row(i)[c];
      }
      out.row(i)[0] = sum;
    }
  }

 private:
  template <class S>
  Index target(const Tile<S>& t, Index i) const {
    return t.columns[static_cast<std::size_t>(label.index)][i];
  }
  /// log sum_c exp x_c = top + log_sum, kept apart: top may be large, and only differences from it matter.
  template <class S>
  struct LogSumExp {
    LogSumExp(const S* x, Index n) : top(x[0]) {
      using std::exp, std::log;
      for (Index c = 1; c < n; ++c) top = x[c] > top ? x[c] : top;
      S sum = 0;
      for (Index c = 0; c < n; ++c) sum += exp(x[c] - top);
      log_sum = log(sum);
    }
    S top;
    S log_sum;
  };
  /// softmax(x)_c - q_c
  template <class S>
  S slope(const Tile<S>& t, Index i, Index c, const S* x, const LogSumExp<S>& lse) const {
    using std::exp;
    const S e = static_cast<S>(smoothing);
    return exp((x[c] - lse.top) - lse.log_sum) - (c == target(t, i) ? S{1} - e : S{0}) -
           e / static_cast<S>(t.in[0].cols);
  }
};

/// Squared error l = |y - t|^2 / 2 (a half, and a sum over the width). Inputs: y, t; both may carry gradients.
struct SquaredError {
  Index width(Widths in) const {
    detail::check_inputs("SquaredError", 2, in);
    detail::check_same_width("SquaredError", in);
    return 1;
  }
  template <class S>
  void forward(const Tile<S>& t, View<S> out) const {
    for (Index i = 0; i < t.rows; ++i)
      out.row(i)[0] = (t.in[0].matrix().row(i) - t.in[1].matrix().row(i)).squaredNorm() / S{2};
  }
  template <class S>
  void pullback(const Tile<S>& t, ConstView<S> delta, std::span<const DeltaSink<S>> sinks) const {
    const auto slope = [&](Index i, Index j) { return delta.row(i)[0] * (t.in[0].row(i)[j] - t.in[1].row(i)[j]); };
    sinks[0].take_each(slope);
    sinks[1].take_each([&](Index i, Index j) { return -slope(i, j); });
  }
  template <class S>
  void pushforward(const Tile<S>& t, std::span<const ConstView<S>> tangents, const S*, View<S> out) const {
    for (Index i = 0; i < t.rows; ++i) {
      const auto difference = t.in[0].matrix().row(i) - t.in[1].matrix().row(i);
      S sum = 0;
      if (tangents[0]) sum += difference.dot(tangents[0].matrix().row(i));
      if (tangents[1]) sum -= difference.dot(tangents[1].matrix().row(i));
      out.row(i)[0] = sum;
    }
  }
};

/// Bernoulli cross-entropy from logits, summed over the width: l = sum_j max(x, 0) - x t + log(1 + exp(-|x|)).
/// Inputs: logits x, targets t in [0, 1]. Deltas: sigmoid(x) - t and -x.
struct BernoulliCrossEntropy {
  Index width(Widths in) const {
    detail::check_inputs("BernoulliCrossEntropy", 2, in);
    detail::check_same_width("BernoulliCrossEntropy", in);
    return 1;
  }
  template <class S>
  void forward(const Tile<S>& t, View<S> out) const {
    for (Index i = 0; i < t.rows; ++i) {
      const auto x = t.in[0].matrix().row(i).array();
      const auto target = t.in[1].matrix().row(i).array();
      out.row(i)[0] = (x.max(S{0}) - x * target + ((-x.abs()).exp() + S{1}).log()).sum();
    }
  }
  template <class S>
  void pullback(const Tile<S>& t, ConstView<S> delta, std::span<const DeltaSink<S>> sinks) const {
    for (Index i = 0; i < t.rows; ++i) {
      const S d = delta.row(i)[0];
      const auto x = t.in[0].matrix().row(i).array();
      add_row(sinks[0], i, (d * (sigmoid(x) - t.in[1].matrix().row(i).array())).matrix());
      add_row(sinks[1], i, (-d * x).matrix());
    }
  }
  template <class S>
  void pushforward(const Tile<S>& t, std::span<const ConstView<S>> tangents, const S*, View<S> out) const {
    for (Index i = 0; i < t.rows; ++i) {
      const auto x = t.in[0].matrix().row(i).array();
      S sum = 0;
      if (tangents[0])
        sum += ((sigmoid(x) - t.in[1].matrix().row(i).array()) * tangents[0].matrix().row(i).array()).sum();
      if (tangents[1]) sum -= (x * tangents[1].matrix().row(i).array()).sum();
      out.row(i)[0] = sum;
    }
  }

 private:
  /// Saturates at 0 and 1 without a NaN: exp(-x) = infinity gives 0.
  template <class X>
  static auto sigmoid(const X& x) {
    using S = typename X::Scalar;
    return ((-x).exp() + S{1}).inverse();
  }
  template <class S, class Row>
  static void add_row(const DeltaSink<S>& sink, Index i, const Row& row) {
    if (!sink) return;
    if (sink.accumulate)
      sink.view.matrix().row(i) += row;
    else
      sink.view.matrix().row(i) = row;
  }
};

}  // namespace mts::autodiff
