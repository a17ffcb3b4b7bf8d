#pragma once
/// \file
/// Linear layer: y_i = W x_i + b.

#include <algorithm>
#include <cmath>

#include "mts/autodiff/primitive.hpp"
#include "mts/autodiff/products.hpp"
#include "mts/core/scratch.hpp"

namespace mts::autodiff {

/// How a linear layer's parameters begin.
enum class Initialization {
  uniform_fan_in,  ///< W, b ~ U(-1/sqrt(i), 1/sqrt(i)): PyTorch's default for linear layers
  he_normal,       ///< W ~ N(0, 2/i), b = 0 (He et al. 2015; for ReLU)
  xavier_uniform,  ///< W ~ U(-sqrt(6/(i+o)), sqrt(6/(i+o))), b = 0 (Glorot and Bengio 2010)
  zeros            ///< W = 0, b = 0
};

/// y = W x + b; W is o x i row-major, then b (o). One input of width i.
/// Per sample, with delta_i = dl_i/dy_i: gradient W delta_i x_i^T, b delta_i. So
///   <gradient, V> = <delta_i, V_W x_i + V_b>   (one product of forward size for a whole tile),
///   |gradient|^2  = |delta_i|^2 (|x_i|^2 + 1)  (no product at all),
/// and nothing of the size of W is formed per sample.
struct Linear {
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
    const Index weights = outputs * in[0];
    const double i = static_cast<double>(std::max<Index>(in[0], 1)), o = static_cast<double>(outputs);
    std::fill(w, w + weights + (bias ? outputs : 0), S{0});
    switch (initialization) {
      case Initialization::uniform_fan_in:
        for (Index k = 0; k < weights + (bias ? outputs : 0); ++k)
          w[k] = static_cast<S>(stream.uniform(-1, 1) / std::sqrt(i));
        break;
      case Initialization::he_normal:
        for (Index k = 0; k < weights; ++k) w[k] = static_cast<S>(stream.normal() * std::sqrt(2 / i));
        break;
      case Initialization::xavier_uniform:
        for (Index k = 0; k < weights; ++k) w[k] = static_cast<S>(stream.uniform(-1, 1) * std::sqrt(6 / (i + o)));
        break;
      case Initialization::zeros:
        break;
    }
  }

  template <class S>
  void forward(const Tile<S>& t, View<S> out) const {
    affine(t.in[0], t.parameters, out, false);
  }
  template <class S>
  void pullback(const Tile<S>& t, ConstView<S> delta, std::span<const DeltaSink<S>> sinks) const {
    if (sinks[0]) products::times(delta, t.parameters, sinks[0].view, sinks[0].accumulate);
  }
  template <class S>
  void pushforward(const Tile<S>& t, std::span<const ConstView<S>> tangents, const S* w_tangent, View<S> out) const {
    if (tangents[0])
      products::times_transposed(tangents[0], t.parameters, out);
    else
      out.matrix().setZero();
    if (w_tangent) affine(t.in[0], w_tangent, out, true);
  }

  /// Blocks of W, so that threads share the work without partial sums.
  Index tasks(Widths in) const {
    return blocks(outputs, block_outputs) * std::max<Index>(1, blocks(in[0], block_inputs));
  }
  template <class S>
  void parameter_pullback(const Tile<S>& t, ConstView<S> delta, const S* u, Index task, S* gradient) const {
    const Index inputs = t.in[0].cols;
    const Index across = std::max<Index>(1, blocks(inputs, block_inputs));
    const Index o = task / across * block_outputs, i = task % across * block_inputs;
    const Index oc = std::min(block_outputs, outputs - o), ic = std::min(block_inputs, inputs - i);
    S* scaled = mts::detail::thread_scratch<S, 0>(depth * block_outputs);
    for (Index r = 0; r < t.rows; r += depth) {
      const Index rc = std::min(depth, t.rows - r);
      View<S> d{scaled, rc, oc, oc};
      for (Index k = 0; k < rc; ++k) {
        const S* from = delta.row(r + k) + o;
        const S scale = u ? u[r + k] : S{1};
        for (Index j = 0; j < oc; ++j) scaled[k * oc + j] = scale * from[j];
      }
      if (ic > 0)
        products::transposed_times<S>(d, {t.in[0].row(r) + i, rc, ic, t.in[0].stride},
                                      {gradient + o * inputs + i, oc, ic, inputs});
      if (bias && i == 0) {
        S* g = gradient + outputs * inputs + o;
        for (Index k = 0; k < rc; ++k)
          for (Index j = 0; j < oc; ++j) g[j] += scaled[k * oc + j];
      }
    }
  }
  template <class S>
  void per_sample_dot(const Tile<S>& t, ConstView<S> delta, const S* v, double* out) const {
    View<S> image{mts::detail::thread_scratch<S, 0>(t.rows * outputs), t.rows, outputs, outputs};
    affine(t.in[0], v, image, false);
    for (Index k = 0; k < t.rows; ++k) out[k] += static_cast<double>(image.matrix().row(k).dot(delta.matrix().row(k)));
  }
  template <class S>
  void per_sample_squared_norm(const Tile<S>& t, ConstView<S> delta, double* out) const {
    for (Index k = 0; k < t.rows; ++k)
      out[k] += static_cast<double>(delta.matrix().row(k).squaredNorm()) *
                (static_cast<double>(t.in[0].matrix().row(k).squaredNorm()) + (bias ? 1.0 : 0.0));
  }

 private:
  static constexpr Index block_outputs = 128, block_inputs = 256, depth = 512;
  static Index blocks(Index n, Index block) { return (n + block - 1) / block; }

  /// out <- or += x W^T + b, with W, b from `w`.
  template <class S>
  void affine(ConstView<S> x, const S* w, View<S> out, bool accumulate) const {
    products::times_transposed(x, w, out, accumulate);
    if (!bias) return;
    const S* b = w + outputs * x.cols;
    for (Index k = 0; k < out.rows; ++k) {
      S* y = out.row(k);
      for (Index j = 0; j < outputs; ++j) y[j] += b[j];
    }
  }
};

}  // namespace mts::autodiff
