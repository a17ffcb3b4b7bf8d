#pragma once
/// \file
/// Convolution layer of images: y(p, o) = sum over the taps k of x(p, k) w(k, o) + b(o).

#include "mts/autodiff/convolution.hpp"
#include "mts/autodiff/initialization.hpp"
#include "mts/autodiff/primitive.hpp"

namespace mts::autodiff {

/// 2-d convolution (cross-correlation, as PyTorch's) with stride, padding, dilation and groups. One input, an image of shape `in` as a row,
/// channels last; the output is the image `out()`. Parameters: w of kernel.height x kernel.width x (in.channels/groups) x channels,
/// the output channel fastest; then b (channels). Output channel o belongs to group o/(channels/groups).
///
/// Per sample, with d_i the delta of y_i and V = (V_w, V_b) a direction:
///   <gradient, V>  = <d_i, x_i * V_w + V_b>: one more convolution, no gradient is formed;
///   |gradient|^2   = |sum_p x_i(p, .)^T d_i(p, .)|^2 + |sum_p d_i(p, .)|^2, formed and squared block by block in registers.
struct Conv2d {
  static constexpr bool ignores_output = true;

  ImageShape in;
  Index channels = 1;  ///< of the output
  Window window{};
  Index groups = 1;
  bool bias = true;
  Initialization initialization = Initialization::uniform_fan_in;  ///< fan-in: taps times in.channels/groups
  bool bias_decays = true;  ///< whether weight decay applies to b (it always applies to w)

  /// \throws ShapeError, ValueError if the sizes do not fit
  ImageShape out() const {
    const Extent pixels = window.output("Conv2d", in);
    check_value(channels >= 1, "Conv2d", "expected at least 1 output channel, found ", channels);
    check_value(groups >= 1, "Conv2d", "expected at least 1 group, found ", groups);
    if (in.channels % groups != 0 || channels % groups != 0)
      throw ShapeError(mts::detail::text("Conv2d: expected numbers of channels that ", groups, " groups divide, found ",
                                         in.channels, " in and ", channels, " out"));
    return {pixels.height, pixels.width, channels};
  }
  Index width(Widths widths) const {
    const ImageShape shape = out();
    detail::check_image("Conv2d", in, widths);
    if (std::max(padded_size(in, window.padding), shape.size()) > std::numeric_limits<std::int32_t>::max())
      throw ShapeError(mts::detail::text("Conv2d: expected images of fewer than 2^31 entries, found ", in_words(in)));
    return shape.size();
  }
  std::vector<Segment> segments(Widths) const {
    std::vector<Segment> s{{"weight", 0, sizes().weights(), true}};
    if (bias) s.push_back({"bias", 0, channels, bias_decays});
    return s;
  }
  template <class S>
  void initialize(S* w, Widths, RandomStream& stream) const {
    const Convolution c = sizes();
    autodiff::initialize(initialization, c.depth(), window.taps() * c.group_out(), w, c.weights(), bias ? channels : 0,
                         stream);
  }
  template <class S>
  Index packed_size(Widths, Packing packing) const {
    return packing == Packing::forward ? convolution::packed_size<S>(sizes())
                                       : convolution::packed_delta_size<S>(sizes());
  }
  template <class S>
  void pack(const S* w, Widths, Packing packing, S* to) const {
    if (packing == Packing::forward)
      convolution::pack(sizes(), w, to);
    else
      convolution::pack_delta(sizes(), w, to);
  }

  template <class S>
  void forward(const Tile<S>& t, View<S> y) const {
    apply(t.in[0], t.parameters, t.packed, y, false);
  }
  template <class S>
  void pullback(const Tile<S>& t, ConstView<S> delta, std::span<const DeltaSink<S>> sinks) const {
    if (sinks[0])
      convolution::input_delta(sizes(), delta, t.parameters, t.packed_pullback, sinks[0].view, sinks[0].accumulate);
  }
  template <class S>
  void pushforward(const Tile<S>& t, std::span<const ConstView<S>> tangents, const S* w_tangent, View<S> y) const {
    if (tangents[0])
      convolution::forward<S>(sizes(), tangents[0], t.parameters, t.packed, nullptr, y, false);
    else if (!w_tangent)
      y.matrix().setZero();
    if (w_tangent) apply(t.in[0], w_tangent, t.packed_direction, y, static_cast<bool>(tangents[0]));
  }

  /// Blocks of w; b goes with the first rows.
  Index tasks(Widths) const { return convolution::tasks(sizes()); }
  template <class S>
  void parameter_pullback(const Tile<S>& t, ConstView<S> delta, const S* u, Index task, S* gradient) const {
    const Convolution c = sizes();
    const convolution::Part part = convolution::part(c, task);
    convolution::weight_gradient(c, t.in[0], delta, u, part, gradient);
    if (!bias || part.row_begin > 0) return;
    const Index columns = part.column_end - part.column_begin;
    S* sum = mts::detail::thread_scratch<S, 0>(columns);
    for (Index s = 0; s < t.rows; ++s) {
      sum_over_pixels(c, delta.row(s) + part.column_begin, columns, sum);
      S* to = gradient + c.weights() + part.column_begin;
      for (Index o = 0; o < columns; ++o) to[o] += (u ? u[s] : S{1}) * sum[o];
    }
  }
  template <class S>
  void per_sample_dot(const Tile<S>& t, ConstView<S> delta, const S* v, double* out) const {
    constexpr Index together = 4;  // samples whose images stay in the second cache level
    const Index n = delta.cols;
    S* images = mts::detail::thread_scratch<S, 1>(together * n);
    for (Index begin = 0; begin < t.rows; begin += together) {
      const Index count = std::min(together, t.rows - begin);
      apply<S>({t.in[0].row(begin), count, t.in[0].cols, t.in[0].stride}, v, t.packed_direction,
               View<S>{images, count, n, n}, false);
      for (Index s = 0; s < count; ++s)
        out[begin + s] += static_cast<double>(
            ConstView<S>{images + s * n, 1, n, n}.matrix().row(0).dot(delta.matrix().row(begin + s)));
    }
  }
  template <class S>
  void per_sample_squared_norm(const Tile<S>& t, ConstView<S> delta, double* out) const {
    const Convolution c = sizes();
    convolution::squared_norms(c, t.in[0], delta, out);
    if (!bias) return;
    S* sum = mts::detail::thread_scratch<S, 0>(channels);
    for (Index s = 0; s < t.rows; ++s) {
      sum_over_pixels(c, delta.row(s), channels, sum);
      for (Index o = 0; o < channels; ++o) out[s] += static_cast<double>(sum[o]) * static_cast<double>(sum[o]);
    }
  }

 private:
  Convolution sizes() const {
    const Extent pixels = window.output("Conv2d", in);
    return {in, {pixels.height, pixels.width, channels}, window, groups};
  }
  static Index padded_size(const ImageShape& s, const Extent& p) {
    return (s.height + 2 * p.height) * (s.width + 2 * p.width) * s.channels;
  }
  template <class S>
  void apply(ConstView<S> x, const S* w, const S* packed, View<S> y, bool add) const {
    const Convolution c = sizes();
    convolution::forward(c, x, w, packed, bias ? w + c.weights() : nullptr, y, add);
  }
  template <class S>
  static void sum_over_pixels(const Convolution& c, const S* d, Index count, S* sum) {
    std::fill(sum, sum + count, S{0});
    for (Index p = 0; p < c.out.pixels(); ++p, d += c.out.channels)
      for (Index o = 0; o < count; ++o) sum[o] += d[o];
  }
};

}  // namespace mts::autodiff
