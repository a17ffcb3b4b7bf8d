#pragma once
/// \file
/// Convolution on a device, by products: the taps that every output pixel sees are gathered into a row of a patch matrix.
///
/// P is (samples pixels) x (G K), K = taps Cg: row (i, p), column ((g kernel.height + row) kernel.width + column) Cg + c, the tap's
/// channel g Cg + c at output pixel p of sample i; zero beside the image. P_g are the K columns of group g, y_g the output's, w_g the
/// weights' (K x Og). Then
///     forward              y_g  = P_g w_g + b
///     pullback             dP_g = delta_g w_g^T, and the delta of an input entry is the sum of the entries of dP that it went to
///     parameter pullback   P_g^T diag(u) delta_g
/// A 1x1 kernel that visits every pixel has P = x. All groups are one strided batch of products.

#include "mts/autodiff/conv2d.hpp"
#include "mts/cuda/rules.hpp"
#include "mts/cuda/rules/image_window.hpp"
#include "mts/cuda/rules/linear.hpp"
#include "mts/cuda/rules/per_sample_gradients.hpp"

namespace mts::cuda {

namespace kernels {

/// Column of a patch matrix.
struct Tap {
  int row, column, channel;  ///< the channel is one of the image's
};
struct Patches {
  ImageWindow w;
  int group_channels;

  MTS_HOST_DEVICE Index cols() const { return w.taps() * w.channels; }
  MTS_HOST_DEVICE Tap tap(Index number) const {
    const auto k = static_cast<unsigned>(number), depth = static_cast<unsigned>(group_channels);
    const auto height = static_cast<unsigned>(w.rows.kernel), width = static_cast<unsigned>(w.columns.kernel);
    const unsigned place = k / depth, row = place / width, group = row / height;
    return {static_cast<int>(row - group * height), static_cast<int>(place - row * width),
            static_cast<int>(group * depth + (k - place * depth))};
  }
  MTS_HOST_DEVICE Index number(Tap t) const {
    const int group = static_cast<int>(static_cast<unsigned>(t.channel) / static_cast<unsigned>(group_channels));
    const Index place = (Index{group} * w.rows.kernel + t.row) * w.columns.kernel + t.column;
    return place * group_channels + (t.channel - group * group_channels);
  }
};
/// P <- the patches of x.
template <class S>
struct GatherPatches {
  Patches patches;
  const S* x;
  S* to;
  MTS_HOST_DEVICE void operator()(Index row, Index column) const {
    const ImageWindow& w = patches.w;
    const auto number = static_cast<unsigned>(row), pixels = static_cast<unsigned>(w.out_pixels());
    const unsigned sample = number / pixels, pixel = number - sample * pixels;
    const unsigned y = pixel / static_cast<unsigned>(w.columns.out);
    const Tap tap = patches.tap(column);
    const int r = w.rows.pixel(static_cast<int>(y), tap.row);
    const int c = w.columns.pixel(static_cast<int>(pixel - y * static_cast<unsigned>(w.columns.out)), tap.column);
    to[row * patches.cols() + column] =
        w.rows.on_image(r) && w.columns.on_image(c) ? x[sample * w.in_size() + w.in_number(r, c, tap.channel)] : S{0};
  }
};
/// Every input entry takes the sum of what its copies in P were given, in the order of the windows.
template <class S>
struct SumOfPatches {
  Patches patches;
  const S* from;
  S* to;
  bool accumulate;
  MTS_HOST_DEVICE void operator()(Index i, Index k) const {
    const ImageWindow& w = patches.w;
    const ImageEntry e = w.in_entry(k);
    const S* rows = from + i * w.out_pixels() * patches.cols();
    S sum = 0;
    w.rows.each_window(e.row, [&](int y, int tap_row) {
      w.columns.each_window(e.column, [&](int x, int tap_column) {
        sum += rows[w.out_pixel(y, x) * patches.cols() + patches.number({tap_row, tap_column, e.channel})];
      });
    });
    take(to[i * w.in_size() + k], accumulate, sum);
  }
};
/// to_io <- sum_p d_ipo: a warp for every sample and channel. The rows of `to` are `stride` apart.
template <class S>
struct ChannelSums {
  const S* d;
  S* to;
  Index pixels, channels, stride;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index k) const {
    const Index i = static_cast<unsigned>(k) / static_cast<unsigned>(channels), o = k - i * channels;
    const S* from = d + i * pixels * channels + o;
    const S sum = lanes.sum<S>(pixels, [&](Index p) { return from[p * channels]; });
    lanes.once([&] { to[i * stride + o] = sum; });
  }
};

}  // namespace kernels

/// Works through the samples in chunks, one after another, so that what it needs besides is bounded.
template <class S, class E>
class Conv2dRules : public Rules<S, E> {
 public:
  /// \param scratch  numbers that a rule may have in memory besides at a time; at least what a sample takes
  Conv2dRules(const autodiff::Conv2d& p, autodiff::Widths, Index scratch = Index{1} << 26)
      : patches_{{p.in, p.window, {p.out().height, p.out().width}}, static_cast<int>(p.in.channels / p.groups)},
        groups_(p.groups),
        depth_(p.window.taps() * (p.in.channels / p.groups)),
        channels_(p.channels),
        pixels_(p.out().pixels()),
        in_size_(p.in.size()),
        bias_(p.bias),
        pointwise_(p.window == autodiff::Window{.kernel = {1, 1}, .dilation = p.window.dilation}),
        scratch_(scratch) {}

  void forward(const At<S, E>& at, Matrix<S> out) const override { affine(at, at.in[0], at.parameters, out, false); }
  void pullback(const At<S, E>& at, ConstMatrix<S> delta, std::span<const Sink<S>> sinks) const override {
    const auto& sink = sinks[0];
    if (!sink) return;
    if (pointwise_) return times_transposed(at, delta.data, at.rows, at.parameters, sink.to.data, sink.accumulate);
    auto memory = at.scratch(chunk(at, patch_row()) * patch_row());
    for_each_chunk(at.rows, chunk(at, patch_row()), [&](Index begin, Index n) {
      times_transposed(at, delta.data + begin * out_size(), n, at.parameters, memory.data(), false);
      at.queue->grid(
          n, in_size_,
          kernels::SumOfPatches<S>{patches_, memory.data(), sink.to.data + begin * in_size_, sink.accumulate});
    });
  }
  void pushforward(const At<S, E>& at, std::span<const ConstMatrix<S>> tangents, const S* w_tangent,
                   Matrix<S> out) const override {
    if (tangents[0])
      convolve(at, tangents[0], at.parameters, out, false);
    else if (!w_tangent)
      at.queue->clear(out.data, out.size());
    if (w_tangent) affine(at, at.in[0], w_tangent, out, static_cast<bool>(tangents[0]));
  }
  void parameter_pullback(const At<S, E>& at, ConstMatrix<S> delta, const S* u, S* gradient) const override {
    const Index row = patch_memory() + out_size() + channels_, at_once = chunk(at, row);
    auto patches = at.scratch(at_once * patch_memory());
    auto weighted = at.scratch(at_once * out_size()), sums = at.scratch(at_once * channels_);
    for_each_chunk(at.rows, at_once, [&](Index begin, Index n) {
      const S* d = delta.data + begin * out_size();
      at.queue->grid(n, out_size(), kernels::ScaleRows<S>{u + begin, d, weighted.data(), out_size()});
      add_gradients(at, gathered(at, at.in[0].data, begin, n, patches.data()), weighted.data(), n, gradient);
      if (!bias_) return;
      at.queue->rows(n * channels_, kernels::ChannelSums<S>{d, sums.data(), pixels_, channels_, channels_});
      add_weighted_rows<S>(at, u + begin, {sums.data(), n, channels_}, gradient + weights());
    });
  }
  /// <delta_i, x_i * V_w + V_b>
  void per_sample_dot(const At<S, E>& at, ConstMatrix<S> delta, const S* v, double* out) const override {
    const Index row = patch_memory() + out_size(), at_once = chunk(at, row);
    auto patches = at.scratch(at_once * patch_memory()), images = at.scratch(at_once * out_size());
    for_each_chunk(at.rows, at_once, [&](Index begin, Index n) {
      times(at, gathered(at, at.in[0].data, begin, n, patches.data()), n, v, images.data(), false);
      at.queue->rows(n, kernels::RowDot<S>{delta.data + begin * out_size(), images.data(),
                                           bias_ ? v + weights() : nullptr, out_size(), channels_, out + begin});
    });
  }
  /// The gradient of every sample is formed.
  void per_sample_squared_norm(const At<S, E>& at, ConstMatrix<S> delta, double* out) const override {
    const Index parameters = weights() + (bias_ ? channels_ : 0);
    // A product a sample: batches of 2^16 and more have failed in some versions of cuBLAS.
    const Index row = patch_memory() + parameters, at_once = std::min(chunk(at, row), Index{1} << 15);
    auto patches = at.scratch(at_once * patch_memory()), gradients = at.scratch(at_once * parameters);
    for_each_chunk(at.rows, at_once, [&](Index begin, Index n) {
      const S* d = delta.data + begin * out_size();
      per_sample_weights(at, gathered(at, at.in[0].data, begin, n, patches.data()), d, n, gradients.data(), parameters);
      if (bias_)
        at.queue->rows(n * channels_,
                       kernels::ChannelSums<S>{d, gradients.data() + weights(), pixels_, channels_, parameters});
      add_row_squared_norms<S>(at, {gradients.data(), n, parameters}, out + begin);
    });
  }

 private:
  Index weights() const { return depth_ * channels_; }
  Index group_out() const { return channels_ / groups_; }
  Index out_size() const { return pixels_ * channels_; }
  Index patch_cols() const { return depth_ * groups_; }
  /// Numbers of a sample's patches, and of those that have to be gathered.
  Index patch_row() const { return pixels_ * patch_cols(); }
  Index patch_memory() const { return pointwise_ ? 0 : patch_row(); }
  /// Samples at a time, if each takes `row` numbers.
  Index chunk(const At<S, E>& at, Index row) const { return std::clamp<Index>(scratch_ / row, 1, at.rows); }

  /// The patches of n samples from `begin` on, in `memory` if they do not lie in x already.
  const S* gathered(const At<S, E>& at, const S* x, Index begin, Index n, S* memory) const {
    const S* from = x + begin * in_size_;
    if (pointwise_) return from;
    at.queue->grid(n * pixels_, patch_cols(), kernels::GatherPatches<S>{patches_, from, memory});
    return memory;
  }
  /// y_g <- or += P_g w_g.
  void times(const At<S, E>& at, const S* patches, Index samples, const S* w, S* y, bool accumulate) const {
    at.queue->template multiply<S>({.rows = samples * pixels_,
                                    .cols = group_out(),
                                    .depth = depth_,
                                    .a = {patches, patch_cols(), false, depth_},
                                    .b = {w, channels_, false, group_out()},
                                    .to = y,
                                    .stride = channels_,
                                    .accumulate = accumulate,
                                    .count = groups_,
                                    .step = group_out()});
  }
  /// dP_g <- or += delta_g w_g^T.
  void times_transposed(const At<S, E>& at, const S* delta, Index samples, const S* w, S* patches,
                        bool accumulate) const {
    at.queue->template multiply<S>({.rows = samples * pixels_,
                                    .cols = depth_,
                                    .depth = group_out(),
                                    .a = {delta, channels_, false, group_out()},
                                    .b = {w, channels_, true, group_out()},
                                    .to = patches,
                                    .stride = patch_cols(),
                                    .accumulate = accumulate,
                                    .count = groups_,
                                    .step = depth_});
  }
  /// gradient_g += P_g^T d_g.
  void add_gradients(const At<S, E>& at, const S* patches, const S* d, Index n, S* gradient) const {
    auto product = gradient_of_group(patches, d, n * pixels_, gradient);
    product.accumulate = true;
    product.count = groups_;
    product.a.step = depth_;
    product.b.step = product.step = group_out();
    at.queue->multiply(product);
  }
  /// The same for every sample by itself: G_i <- P_i^T d_i, `row` numbers apart. A batch has one step, so the products are batched
  /// over the samples or over the groups, whichever there are more of.
  void per_sample_weights(const At<S, E>& at, const S* patches, const S* d, Index n, S* to, Index row) const {
    if (n >= groups_) {
      for (Index g = 0; g < groups_; ++g) {
        auto product = gradient_of_group(patches + g * depth_, d + g * group_out(), pixels_, to + g * group_out());
        product.count = n;
        product.a.step = patch_row();
        product.b.step = out_size();
        product.step = row;
        at.queue->multiply(product);
      }
    } else {
      for (Index i = 0; i < n; ++i) {
        auto product = gradient_of_group(patches + i * patch_row(), d + i * out_size(), pixels_, to + i * row);
        product.count = groups_;
        product.a.step = depth_;
        product.b.step = product.step = group_out();
        at.queue->multiply(product);
      }
    }
  }
  /// P_g^T d_g over so many pixels, of one group, assigned.
  Product<S> gradient_of_group(const S* patches, const S* d, Index pixels, S* to) const {
    return {.rows = depth_,
            .cols = group_out(),
            .depth = pixels,
            .a = {patches, patch_cols(), true},
            .b = {d, channels_},
            .to = to,
            .stride = channels_};
  }
  /// y <- or += x * w.
  void convolve(const At<S, E>& at, ConstMatrix<S> x, const S* w, Matrix<S> y, bool accumulate) const {
    if (pointwise_) return times(at, x.data, at.rows, w, y.data, accumulate);
    auto memory = at.scratch(chunk(at, patch_row()) * patch_row());
    for_each_chunk(at.rows, chunk(at, patch_row()), [&](Index begin, Index n) {
      times(at, gathered(at, x.data, begin, n, memory.data()), n, w, y.data + begin * out_size(), accumulate);
    });
  }
  void affine(const At<S, E>& at, ConstMatrix<S> x, const S* w, Matrix<S> y, bool accumulate) const {
    convolve(at, x, w, y, accumulate);
    if (bias_) at.queue->grid(at.rows * pixels_, channels_, kernels::AddBias<S>{w + weights(), y.data, channels_});
  }

  kernels::Patches patches_;
  Index groups_, depth_, channels_, pixels_, in_size_;
  bool bias_, pointwise_;
  Index scratch_;
};

}  // namespace mts::cuda
