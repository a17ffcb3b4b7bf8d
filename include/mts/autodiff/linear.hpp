#pragma once
/// \file
/// Linear layer: y_i = W x_i + b.

#include <algorithm>

#include "mts/autodiff/initialization.hpp"
#include "mts/autodiff/primitive.hpp"
#include "mts/autodiff/products.hpp"
#include "mts/core/scratch.hpp"

namespace mts::autodiff {

/// y = W x + b; W is o x i row-major, then b (o). One input of width i.
/// Per sample, with delta_i = dl_i/dy_i: gradient W delta_i x_i^T, b delta_i. So
///   <gradient, V> = <delta_i, V_W x_i + V_b>   (one product of forward size for a whole tile),
///   |gradient|^2  = |delta_i|^2 (|x_i|^2 + 1)  (no product at all),
/// and nothing of the size of W is formed per sample.
struct Linear {
  static constexpr bool ignores_output = true;

  Index outputs = 1;
  bool bias = true;
  Initialization initialization = Initialization::uniform_fan_in;
  bool bias_decays = true;  ///< whether weight decay applies to b (it always applies to W)

  Index width(Widths in) const {
    detail::check_inputs("Linear", 1, in);
    if (outputs < 1) throw ShapeError(detail::text("Linear: expected at least 1 output, found ", outputs));
    return outputs;
  }
  std::vector<Segment> segments(Widths in) const {
    std::vector<Segment> s{{"weight", 0, outputs * in[0], true}};
    if (bias) s.push_back({"bias", 0, outputs, bias_decays});
    return s;
  }
  template <class S>
  void initialize(S* w, Widths in, RandomStream& stream) const {
    autodiff::initialize(initialization, in[0], outputs, w, outputs * in[0], bias ? outputs : 0, stream);
  }

  template <class S>
  Index packed_size(Widths in, Packing packing) const {
    return packing == Packing::forward ? products::packed_transposed_size<S>(outputs, in[0])
                                       : products::packed_size<S>(outputs, in[0]);
  }
  template <class S>
  void pack(const S* w, Widths in, Packing packing, S* to) const {
    if (packing == Packing::forward)
      products::pack_transposed(w, outputs, in[0], to);
    else
      products::pack(w, outputs, in[0], to);
  }

  template <class S>
  void forward(const Tile<S>& t, View<S> out) const {
    affine(t.in[0], t.parameters, t.packed, out, false);
  }
  template <class S>
  void pullback(const Tile<S>& t, ConstView<S> delta, std::span<const DeltaSink<S>> sinks) const {
    if (sinks[0]) products::times(delta, t.parameters, t.packed_pullback, sinks[0].view, sinks[0].accumulate);
  }
  template <class S>
  void pushforward(const Tile<S>& t, std::span<const ConstView<S>> tangents, const S* w_tangent, View<S> out) const {
    if (tangents[0])
      products::times_transposed<S>(tangents[0], t.parameters, t.packed, out, false, nullptr);
    else if (!w_tangent)
      out.matrix().setZero();
    if (w_tangent) affine(t.in[0], w_tangent, t.packed_direction, out, static_cast<bool>(tangents[0]));
  }

  /// Blocks of W, so that threads share the work without partial sums.
  Index tasks(Widths in) const { return output_blocks() * std::max<Index>(1, input_blocks(in[0])); }
  template <class S>
  void parameter_pullback(const Tile<S>& t, ConstView<S> delta, const S* u, Index task, S* gradient) const {
    const Index inputs = t.in[0].cols, across = std::max<Index>(1, input_blocks(inputs));
    const Range o = part(outputs, output_blocks(), task / across), i = part(inputs, across, task % across);
    products::weighted_transposed_times<S>(
        {delta.data + o.begin, t.rows, o.count, delta.stride}, u,
        {t.in[0].data + i.begin, t.rows, i.count, t.in[0].stride},
        {gradient + o.begin * inputs + i.begin, o.count, i.count, inputs},
        bias && task % across == 0 ? gradient + outputs * inputs + o.begin : nullptr);
  }
  template <class S>
  void per_sample_dot(const Tile<S>& t, ConstView<S> delta, const S* v, double* out) const {
    View<S> image{mts::detail::thread_scratch<S, 0>(t.rows * outputs), t.rows, outputs, outputs};
    affine(t.in[0], v, t.packed_direction, image, false);
    for (Index k = 0; k < t.rows; ++k) out[k] += static_cast<double>(image.matrix().row(k).dot(delta.matrix().row(k)));
  }
  template <class S>
  void per_sample_squared_norm(const Tile<S>& t, ConstView<S> delta, double* out) const {
    for (Index k = 0; k < t.rows; ++k)
      out[k] += static_cast<double>(delta.matrix().row(k).squaredNorm()) *
                (static_cast<double>(t.in[0].matrix().row(k).squaredNorm()) + (bias ? 1.0 : 0.0));
  }

 private:
  /// At most so many outputs and inputs to a task: what it packs stays in the second cache level.
  static constexpr Index block_outputs = 256, block_inputs = 208;
  Index output_blocks() const { return kernels::ceil_div(outputs, block_outputs); }
  static Index input_blocks(Index inputs) { return kernels::ceil_div(inputs, block_inputs); }

  struct Range {
    Index begin, count;
  };
  /// Part k of `parts` nearly equal parts of [0, n), cut at multiples of 16.
  static Range part(Index n, Index parts, Index k) {
    const Index units = kernels::ceil_div(n, 16);
    const auto cut = [&](Index q) { return std::min(n, units * q / parts * 16); };
    return {cut(k), cut(k + 1) - cut(k)};
  }

  /// out <- or += x W^T + b, with W, b from `w`.
  template <class S>
  void affine(ConstView<S> x, const S* w, const S* packed, View<S> out, bool accumulate) const {
    products::times_transposed<S>(x, w, packed, out, accumulate, bias ? w + outputs * x.cols : nullptr);
  }
};

}  // namespace mts::autodiff
