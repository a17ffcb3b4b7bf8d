#pragma once
/// \file
/// Max and average pooling on a device. Every thread makes one entry, of the output or of the input's delta: deltas are gathered from
/// the windows that see an entry, in order, rather than scattered.

#include "mts/autodiff/average_pool2d.hpp"
#include "mts/autodiff/max_pool2d.hpp"
#include "mts/cuda/rules.hpp"
#include "mts/cuda/rules/image_window.hpp"

namespace mts::cuda {

namespace kernels {

/// The largest tap of a window in one channel: the first of equal ones. NaN wins, and then no tap is the maximum.
template <class S>
struct LargestTap {
  S value{};
  int row = -1, column = -1;

  MTS_HOST_DEVICE LargestTap(const ImageWindow& w, const S* image, int y, int x, int channel) {
    bool first = true;
    for (int i = w.rows.first_tap(y); i < w.rows.end_tap(y); ++i)
      for (int j = w.columns.first_tap(x); j < w.columns.end_tap(x); ++j) {
        const int r = w.rows.pixel(y, i), c = w.columns.pixel(x, j);
        const S here = image[w.in_number(r, c, channel)];
        if (!first && !(here > value) && here == here) continue;
        first = false;
        value = here;
        row = r;
        column = c;
      }
    if (value != value) row = column = -1;
  }
};
template <class S>
struct MaxPoolForward {
  ImageWindow w;
  const S* x;
  S* y;
  Index cols;
  MTS_HOST_DEVICE void operator()(Index i, Index j) const {
    const ImageEntry e = w.out_entry(j);
    y[i * cols + j] = LargestTap<S>(w, x + i * w.in_size(), e.row, e.column, e.channel).value;
  }
};
template <class S>
struct MaxPoolPushforward {
  ImageWindow w;
  const S *x, *tangent;
  S* out;
  Index cols;
  MTS_HOST_DEVICE void operator()(Index i, Index j) const {
    const ImageEntry e = w.out_entry(j);
    const LargestTap<S> top(w, x + i * w.in_size(), e.row, e.column, e.channel);
    out[i * cols + j] = top.row < 0 ? S{0} : tangent[i * w.in_size() + w.in_number(top.row, top.column, e.channel)];
  }
};
/// The deltas of the windows whose maximum an entry is.
template <class S>
struct MaxPoolPullback {
  ImageWindow w;
  const S *x, *delta;
  S* to;
  Index out_size;
  bool accumulate;
  MTS_HOST_DEVICE void operator()(Index i, Index k) const {
    const ImageEntry e = w.in_entry(k);
    const S *image = x + i * w.in_size(), *d = delta + i * out_size;
    S sum = 0;
    w.rows.each_window(e.row, [&](int row, int) {
      w.columns.each_window(e.column, [&](int column, int) {
        const LargestTap<S> top(w, image, row, column, e.channel);
        if (top.row == e.row && top.column == e.column) sum += d[w.out_pixel(row, column) * w.channels + e.channel];
      });
    });
    take(to[i * w.in_size() + k], accumulate, sum);
  }
};

/// 1/n of a window's mean.
template <class S>
struct ShareOfTap {
  ImageWindow w;
  bool count_padding;
  MTS_HOST_DEVICE S operator()(int y, int x) const {
    return S{1} / static_cast<S>(count_padding ? w.taps() : w.taps_on_image(y, x));
  }
};
template <class S>
struct AveragePoolForward {
  ShareOfTap<S> share;
  const S* x;
  S* y;
  Index cols;
  MTS_HOST_DEVICE void operator()(Index i, Index j) const {
    const ImageWindow& w = share.w;
    const ImageEntry e = w.out_entry(j);
    const S *image = x + i * w.in_size(), part = share(e.row, e.column);
    S sum = 0;
    for (int r = w.rows.first_tap(e.row); r < w.rows.end_tap(e.row); ++r)
      for (int c = w.columns.first_tap(e.column); c < w.columns.end_tap(e.column); ++c)
        sum += part * image[w.in_number(w.rows.pixel(e.row, r), w.columns.pixel(e.column, c), e.channel)];
    y[i * cols + j] = sum;
  }
};
template <class S>
struct AveragePoolPullback {
  ShareOfTap<S> share;
  const S* delta;
  S* to;
  Index out_size;
  bool accumulate;
  MTS_HOST_DEVICE void operator()(Index i, Index k) const {
    const ImageWindow& w = share.w;
    const ImageEntry e = w.in_entry(k);
    const S* d = delta + i * out_size;
    S sum = 0;
    w.rows.each_window(e.row, [&](int row, int) {
      w.columns.each_window(e.column, [&](int column, int) {
        sum += share(row, column) * d[w.out_pixel(row, column) * w.channels + e.channel];
      });
    });
    take(to[i * w.in_size() + k], accumulate, sum);
  }
};

}  // namespace kernels

template <class S, class E>
class MaxPool2dRules final : public Rules<S, E> {
 public:
  MaxPool2dRules(const autodiff::MaxPool2d& p, autodiff::Widths)
      : window_(p.in, p.window, {p.out().height, p.out().width}) {}

  void forward(const At<S, E>& at, Matrix<S> out) const override {
    at.queue->grid(at.rows, out.cols, kernels::MaxPoolForward<S>{window_, at.in[0].data, out.data, out.cols});
  }
  void pullback(const At<S, E>& at, ConstMatrix<S> delta, std::span<const Sink<S>> sinks) const override {
    if (const auto& s = sinks[0])
      at.queue->grid(
          at.rows, window_.in_size(),
          kernels::MaxPoolPullback<S>{window_, at.in[0].data, delta.data, s.to.data, delta.cols, s.accumulate});
  }
  void pushforward(const At<S, E>& at, std::span<const ConstMatrix<S>> tangents, const S*,
                   Matrix<S> out) const override {
    if (tangents[0])
      at.queue->grid(at.rows, out.cols,
                     kernels::MaxPoolPushforward<S>{window_, at.in[0].data, tangents[0].data, out.data, out.cols});
    else
      at.queue->clear(out.data, out.size());
  }

 private:
  ImageWindow window_;
};

template <class S, class E>
class AveragePool2dRules final : public Rules<S, E> {
 public:
  AveragePool2dRules(const autodiff::AveragePool2d& p, autodiff::Widths)
      : share_{{p.in, p.window, {p.out().height, p.out().width}}, p.count_padding} {}

  void forward(const At<S, E>& at, Matrix<S> out) const override { means(at, at.in[0], out); }
  void pullback(const At<S, E>& at, ConstMatrix<S> delta, std::span<const Sink<S>> sinks) const override {
    if (const auto& s = sinks[0])
      at.queue->grid(at.rows, share_.w.in_size(),
                     kernels::AveragePoolPullback<S>{share_, delta.data, s.to.data, delta.cols, s.accumulate});
  }
  void pushforward(const At<S, E>& at, std::span<const ConstMatrix<S>> tangents, const S*,
                   Matrix<S> out) const override {
    if (tangents[0])
      means(at, tangents[0], out);
    else
      at.queue->clear(out.data, out.size());
  }

 private:
  void means(const At<S, E>& at, ConstMatrix<S> x, Matrix<S> y) const {
    at.queue->grid(at.rows, y.cols, kernels::AveragePoolForward<S>{share_, x.data, y.data, y.cols});
  }
  kernels::ShareOfTap<S> share_;
};

}  // namespace mts::cuda
