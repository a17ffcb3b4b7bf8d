#pragma once
/// \file
/// Group normalisation (Wu and He 2018): y = g xhat + b, xhat = (x - mean x)/sqrt(var x + eps), with g and b per
/// channel and the moments over the pixels and the channels of one group of one sample (1/n variance).
///
/// Why there is no BatchNorm here: its moments are those of the batch, so y_i depends on every x_j, and a sample's loss
/// changes with its company. The derivative of l_i then runs through all samples: nothing per sample (dots, squared
/// norms) follows from sample i's own values and delta. GroupNorm in convolutional nets (with one group it is the layer
/// norm of an image, with as many groups as channels the instance norm) and LayerNorm elsewhere do the same service
/// from one sample alone. A foreign model (a `Model` of another framework) may well have BatchNorm: theta -> l is still a
/// differentiable map, and with an exact `pushforward` the hypergradient of the step is exact too; only the per-sample
/// rules it does not have.

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>
#include <utility>

#include "mts/autodiff/image.hpp"
#include "mts/autodiff/primitive.hpp"
#include "mts/core/scratch.hpp"

namespace mts::autodiff {

/// Parameters: g (channels, begins at `initial_scale`), then b (channels, begins at 0). One input, an image of shape
/// `in`; the output has its shape. Group k is the channels [k, k+1) channels/groups, as in PyTorch.
/// Per sample and channel, with sums over pixels p: gradient g sum delta xhat, b sum delta. The moments are computed
/// anew in each rule: they cost less than what would keep them.
struct GroupNorm {
  static constexpr bool ignores_output = true;

  ImageShape in;
  Index groups = 1;
  double epsilon = 1e-5;
  bool decays = true;        ///< whether weight decay applies to g and b
  double initial_scale = 1;  ///< 0 in the last norm of a residual branch makes the block begin as its shortcut

  /// \throws ShapeError if the input is no image of shape `in`; ValueError if that is empty, if the channels do not
  ///   divide into `groups` groups, or if epsilon is not positive
  Index width(Widths widths) const {
    detail::check_image("GroupNorm", in, widths);
    check_value(groups >= 1 && in.channels % groups == 0, "GroupNorm", "expected a number of groups that divides the ",
                in.channels, " channels, found ", groups);
    check_value(epsilon > 0, "GroupNorm", "expected an epsilon above 0, found ", epsilon);
    return in.size();
  }
  std::vector<Segment> segments(Widths) const {
    return {{"scale", 0, in.channels, decays}, {"shift", 0, in.channels, decays}};
  }
  template <class S>
  void initialize(S* w, Widths, RandomStream&) const {
    std::fill(w, w + in.channels, static_cast<S>(initial_scale));
    std::fill(w + in.channels, w + 2 * in.channels, S{0});
  }
  template <class S>
  void forward(const Tile<S>& t, View<S> out) const {
    const Index n = in.channels;
    for (Index i = 0; i < t.rows; ++i) {
      const S* x = t.in[0].row(i);
      S* y = out.row(i);
      const Moments<S> m(*this, x, 0, n);
      each_block(n, [&](auto block, Index c) {
        using V = Lanes<S, decltype(block)::value>;
        const auto normal = m.template at<V>(c);
        const V scale = load<V>(t.parameters + c), shift = load<V>(t.parameters + n + c);
        for (Index p = c; p < in.size(); p += n) store(y + p, V(scale * normal(x + p) + shift));
      });
    }
  }
  /// dl/dx = r (d - mean d - xhat mean(d xhat)), d = g delta, r = 1/sqrt(var + eps), means over the group.
  template <class S>
  void pullback(const Tile<S>& t, ConstView<S> delta, std::span<const DeltaSink<S>> sinks) const {
    const auto& sink = sinks[0];
    if (!sink) return;
    const Index n = in.channels;
    // Rounded once and kept: fused into each use, what should cancel would not, and r can be large.
    S* d = mts::detail::thread_scratch<S, 0>(in.size());
    for (Index i = 0; i < t.rows; ++i) {
      const S *x = t.in[0].row(i), *from = delta.row(i);
      each_block(n, [&](auto block, Index c) {
        using V = Lanes<S, decltype(block)::value>;
        const V scale = load<V>(t.parameters + c);
        for (Index p = c; p < in.size(); p += n) store(d + p, V(scale * load<V>(from + p)));
      });
      const Moments<S> m(*this, x, 0, n);
      m.sums(d);
      m.to_group_means();
      S* to = sink.view.row(i);
      each_block(n, [&](auto block, Index c) {
        using V = Lanes<S, decltype(block)::value>;
        const auto normal = m.template at<V>(c);
        const V mean = load<V>(m.sum + c), slope = load<V>(m.sum_hat + c);
        for (Index p = c; p < in.size(); p += n) {
          const V g = normal.r * (load<V>(d + p) - mean - normal(x + p) * slope);
          store(to + p, sink.accumulate ? V(load<V>(to + p) + g) : g);
        }
      });
    }
  }
  template <class S>
  void pushforward(const Tile<S>& t, std::span<const ConstView<S>> tangents, const S* w_tangent, View<S> out) const {
    const Index n = in.channels;
    if (!tangents[0] && !w_tangent) return out.matrix().setZero(), void();
    for (Index i = 0; i < t.rows; ++i) {
      const S *x = t.in[0].row(i), *v = tangents[0] ? tangents[0].row(i) : nullptr;
      S* y = out.row(i);
      const Moments<S> m(*this, x, 0, n);
      if (v) {
        m.sums(v);
        m.to_group_means();
      }
      each_block(n, [&](auto block, Index c) {
        using V = Lanes<S, decltype(block)::value>;
        const auto normal = m.template at<V>(c);
        if (v) {
          const V slope = load<V>(t.parameters + c) * normal.r;
          const V mean = load<V>(m.sum + c), mean_hat = load<V>(m.sum_hat + c);
          for (Index p = c; p < in.size(); p += n)
            store(y + p, V(slope * (load<V>(v + p) - mean - normal(x + p) * mean_hat)));
        } else {
          for (Index p = c; p < in.size(); p += n) store(y + p, V(V::Zero()));
        }
        if (!w_tangent) return;
        const V scale = load<V>(w_tangent + c), shift = load<V>(w_tangent + n + c);
        for (Index p = c; p < in.size(); p += n) store(y + p, V(load<V>(y + p) + (scale * normal(x + p) + shift)));
      });
    }
  }

  /// Blocks of whole groups, of as many channels as a cache line holds or more.
  Index tasks(Widths) const { return (in.channels + channels_per_task() - 1) / channels_per_task(); }
  template <class S>
  void parameter_pullback(const Tile<S>& t, ConstView<S> delta, const S* u, Index task, S* gradient) const {
    const Index first = task * channels_per_task(), count = std::min(channels_per_task(), in.channels - first);
    for (Index i = 0; i < t.rows; ++i) {
      const Moments<S> m(*this, t.in[0].row(i), first, count);
      m.sums(delta.row(i) + first);
      const S scale = u ? u[i] : S{1};
      for (Index c = 0; c < count; ++c) {
        gradient[first + c] += scale * m.sum_hat[c];
        gradient[in.channels + first + c] += scale * m.sum[c];
      }
    }
  }
  /// sum_c v_g sum_p delta xhat + v_b sum_p delta
  template <class S>
  void per_sample_dot(const Tile<S>& t, ConstView<S> delta, const S* v, double* out) const {
    const Index n = in.channels;
    for (Index i = 0; i < t.rows; ++i) {
      const Moments<S> m(*this, t.in[0].row(i), 0, n);
      m.sums(delta.row(i));
      S dot = 0;
      for (Index c = 0; c < n; ++c) dot += v[c] * m.sum_hat[c] + v[n + c] * m.sum[c];
      out[i] += static_cast<double>(dot);
    }
  }
  /// sum_c (sum_p delta xhat)^2 + (sum_p delta)^2
  template <class S>
  void per_sample_squared_norm(const Tile<S>& t, ConstView<S> delta, double* out) const {
    for (Index i = 0; i < t.rows; ++i) {
      const Moments<S> m(*this, t.in[0].row(i), 0, in.channels);
      m.sums(delta.row(i));
      S norm = 0;
      for (Index c = 0; c < in.channels; ++c) norm += m.sum_hat[c] * m.sum_hat[c] + m.sum[c] * m.sum[c];
      out[i] += static_cast<double>(norm);
    }
  }

 private:
  Index channels_per_group() const { return in.channels / groups; }
  Index channels_per_task() const { return (15 + channels_per_group()) / channels_per_group() * channels_per_group(); }

  /// Some neighbouring channels of one pixel, in registers.
  template <class S, int n>
  using Lanes = Eigen::Array<S, n, 1>;
  template <class V>
  static V load(const typename V::Scalar* from) {
    return Eigen::Map<const V>(from);
  }
  template <class V>
  static void store(typename V::Scalar* to, const V& x) {
    Eigen::Map<V>{to} = x;
  }
  /// f(block, first channel) for blocks of 16, 4 and 1 channels that cover [0, n).
  template <class F>
  static void each_block(Index n, F&& f) {
    Index c = 0;
    for (; c + 16 <= n; c += 16) f(std::integral_constant<int, 16>{}, c);
    for (; c + 4 <= n; c += 4) f(std::integral_constant<int, 4>{}, c);
    for (; c < n; ++c) f(std::integral_constant<int, 1>{}, c);
  }

  /// xhat = ((x - mean) - rest) r of some channels. `mean` is rounded; `rest` is the mean of x - mean, so that images
  /// far from 0 keep their digits.
  template <class V>
  struct Normal {
    V mean, rest, r;
    V operator()(const typename V::Scalar* x) const { return ((load<V>(x) - mean) - rest) * r; }
  };

  /// The moments of one sample for the channels [first, first + count), whole groups; one entry per channel, in this
  /// thread's scratch, so one object at a time.
  template <class S>
  struct Moments {
    /// In two passes, the second corrected by its own mean (Chan, Golub, LeVeque 1983).
    Moments(const GroupNorm& norm, const S* sample, Index first, Index channels)
        : per_group(norm.channels_per_group()),
          stride(norm.in.channels),
          size(norm.in.size()),
          count(channels),
          x(sample + first) {
      S* at = mts::detail::thread_scratch<S, 1>(5 * count);
      for (S** part : std::array<S**, 5>{&mean, &rest, &reciprocal, &sum, &sum_hat})
        *part = std::exchange(at, at + count);
      each_block(count, [&](auto block, Index c) {
        using V = Lanes<S, decltype(block)::value>;
        V total = V::Zero();
        for (Index p = c; p < size; p += stride) total += load<V>(x + p);
        store(mean + c, total);
      });
      to_group_mean(mean);
      each_block(count, [&](auto block, Index c) {
        using V = Lanes<S, decltype(block)::value>;
        const V centre = load<V>(mean + c);
        V total = V::Zero(), squares = V::Zero();
        for (Index p = c; p < size; p += stride) {
          const V deviation = load<V>(x + p) - centre;
          total += deviation;
          squares += deviation * deviation;
        }
        store(rest + c, total);
        store(reciprocal + c, squares);
      });
      to_group_mean(rest);
      to_group_mean(reciprocal);
      for (Index c = 0; c < count; ++c) {
        const S variance = std::max(reciprocal[c] - rest[c] * rest[c], S{0});
        reciprocal[c] = S{1} / std::sqrt(variance + static_cast<S>(norm.epsilon));
      }
    }
    template <class V>
    Normal<V> at(Index c) const {
      return {load<V>(mean + c), load<V>(rest + c), load<V>(reciprocal + c)};
    }
    /// Per channel, over the pixels: sum <- sum d, sum_hat <- sum d xhat. d as `sample`, at its first channel.
    void sums(const S* d) const {
      each_block(count, [&](auto block, Index c) {
        using V = Lanes<S, decltype(block)::value>;
        const auto normal = at<V>(c);
        V total = V::Zero(), total_hat = V::Zero();
        for (Index p = c; p < size; p += stride) {
          const V entry = load<V>(d + p);
          total += entry;
          total_hat += entry * normal(x + p);
        }
        store(sum + c, total);
        store(sum_hat + c, total_hat);
      });
    }
    /// Both sums become the means over their group.
    void to_group_means() const {
      to_group_mean(sum);
      to_group_mean(sum_hat);
    }

    Index per_group, stride, size, count;
    const S* x;
    S *mean, *rest, *reciprocal, *sum, *sum_hat;

   private:
    void to_group_mean(S* channel) const {
      const S n = static_cast<S>(per_group * (size / stride));
      for (S* group = channel; group < channel + count; group += per_group) {
        S total = 0;
        for (Index c = 0; c < per_group; ++c) total += group[c];
        std::fill(group, group + per_group, total / n);
      }
    }
  };
};

}  // namespace mts::autodiff
