#pragma once
/// \file
/// Group normalisation on a device: a warp for every sample and group.

#include <cmath>

#include "mts/autodiff/group_norm.hpp"
#include "mts/cuda/rounding.hpp"
#include "mts/cuda/rules.hpp"
#include "mts/cuda/rules/per_sample_gradients.hpp"

namespace mts::cuda {

namespace kernels {

/// The groups that all of its rules read. Group number k of an evaluation is group k mod groups of sample k / groups.
struct ImageGroups {
  Index pixels, channels, groups;

  MTS_HOST_DEVICE Index of_group() const { return channels / groups; }
  MTS_HOST_DEVICE Index size() const { return pixels * of_group(); }
  MTS_HOST_DEVICE Index sample(Index k) const { return static_cast<unsigned>(k) / static_cast<unsigned>(groups); }
  MTS_HOST_DEVICE Index first_channel(Index k) const { return (k - sample(k) * groups) * of_group(); }
  /// Where a group's first entry lies.
  MTS_HOST_DEVICE Index begin(Index k) const { return sample(k) * pixels * channels + first_channel(k); }
};
/// xhat = ((x - mean) - rest) r of one group: `mean` is rounded, `rest` the mean of x - mean, and the variance corrected by it, so
/// that images far from 0 keep their digits.
template <class S>
struct GroupMoments {
  const S* x;
  unsigned channels, of_group;
  Index size;
  S mean, rest, r;

  MTS_HOST_DEVICE GroupMoments(const Lanes& lanes, const ImageGroups& g, const S* image, Index k, S epsilon)
      : x(image + g.begin(k)),
        channels(static_cast<unsigned>(g.channels)),
        of_group(static_cast<unsigned>(g.of_group())),
        size(g.size()) {
    using std::sqrt;
    const S n = static_cast<S>(size);
    mean = lanes.sum<S>(size, [&](Index j) { return x[at(j)]; }) / n;
    rest = lanes.sum<S>(size, [&](Index j) { return x[at(j)] - mean; }) / n;
    const S squares = lanes.sum<S>(size, [&](Index j) { return (x[at(j)] - mean) * (x[at(j)] - mean); }) / n;
    const S variance = squares - rest * rest;
    r = S{1} / sqrt((variance > S{0} ? variance : S{0}) + epsilon);
  }
  /// The group's entry j lies so far from its first one; and its channel within the group.
  MTS_HOST_DEVICE Index at(Index j) const {
    const auto k = static_cast<unsigned>(j), pixel = k / of_group;
    return Index{pixel} * channels + (k - pixel * of_group);
  }
  MTS_HOST_DEVICE Index channel(Index j) const { return static_cast<unsigned>(j) % of_group; }
  MTS_HOST_DEVICE S hat(Index offset) const { return ((x[offset] - mean) - rest) * r; }
};
/// What the kernels of one evaluation share.
template <class S>
struct NormalisedGroups {
  ImageGroups groups;
  const S* x;
  S epsilon;
  MTS_HOST_DEVICE GroupMoments<S> moments(const Lanes& lanes, Index k) const {
    return GroupMoments<S>(lanes, groups, x, k, epsilon);
  }
};
template <class S>
struct GroupNormForward {
  NormalisedGroups<S> in;
  const S* w;
  S* y;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index k) const {
    const auto m = in.moments(lanes, k);
    const S *scale = w + in.groups.first_channel(k), *shift = scale + in.groups.channels;
    S* to = y + in.groups.begin(k);
    lanes.each(m.size, [&](Index j) {
      const Index c = m.channel(j), e = m.at(j);
      to[e] = scale[c] * m.hat(e) + shift[c];
    });
  }
};
/// dl/dx = r (d - mean d - xhat mean(d xhat)), d = g delta, means over the group.
template <class S>
struct GroupNormPullback {
  NormalisedGroups<S> in;
  const S *w, *delta;
  S* to;
  bool accumulate;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index k) const {
    const auto m = in.moments(lanes, k);
    const S *scale = w + in.groups.first_channel(k), *from = delta + in.groups.begin(k);
    S* sink = to + in.groups.begin(k);
    // Rounded by itself: fused into each use, what should cancel would not, and r can be large.
    const auto d = [&](Index j) { return rounded_product(scale[m.channel(j)], from[m.at(j)]); };
    const S n = static_cast<S>(m.size);
    const S mean_d = lanes.sum<S>(m.size, d) / n;
    const S mean_dx = lanes.sum<S>(m.size, [&](Index j) { return d(j) * m.hat(m.at(j)); }) / n;
    lanes.each(m.size, [&](Index j) {
      const Index e = m.at(j);
      take(sink[e], accumulate, m.r * (d(j) - mean_d - m.hat(e) * mean_dx));
    });
  }
};
/// The tangent of the images and the direction in g, b; one that is null is zero.
template <class S>
struct GroupNormPushforward {
  NormalisedGroups<S> in;
  const S *w, *tangent, *w_tangent;
  S* out;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index k) const {
    const auto m = in.moments(lanes, k);
    const Index first = in.groups.first_channel(k), begin = in.groups.begin(k);
    const S* v = tangent ? tangent + begin : nullptr;
    const S n = static_cast<S>(m.size);
    const S mean_v = v ? lanes.sum<S>(m.size, [&](Index j) { return v[m.at(j)]; }) / n : S{0};
    const S mean_vx = v ? lanes.sum<S>(m.size, [&](Index j) { return v[m.at(j)] * m.hat(m.at(j)); }) / n : S{0};
    lanes.each(m.size, [&](Index j) {
      const Index c = first + m.channel(j), e = m.at(j);
      S y = v ? w[c] * m.r * (v[e] - mean_v - m.hat(e) * mean_vx) : S{0};
      if (w_tangent) y += w_tangent[c] * m.hat(e) + w_tangent[in.groups.channels + c];
      out[begin + e] = y;
    });
  }
};
/// The gradients of a sample in g, sum_p delta xhat, and in b, sum_p delta, of the channels of one group.
template <class S>
struct GroupNormGradients {
  NormalisedGroups<S> in;
  const S* delta;
  S* to;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index k) const {
    const auto m = in.moments(lanes, k);
    const ImageGroups& g = in.groups;
    const S* d = delta + g.begin(k);
    S* row = to + 2 * g.sample(k) * g.channels + g.first_channel(k);
    for (Index c = 0; c < g.of_group(); ++c) {
      const S by_scale = lanes.sum<S>(g.pixels, [&](Index p) {
        const Index e = p * g.channels + c;
        return d[e] * m.hat(e);
      });
      const S by_shift = lanes.sum<S>(g.pixels, [&](Index p) { return d[p * g.channels + c]; });
      lanes.once([&] {
        row[c] = by_scale;
        row[g.channels + c] = by_shift;
      });
    }
  }
};

}  // namespace kernels

template <class S, class E>
class GroupNormRules : public Rules<S, E> {
 public:
  /// \param at_once  groups of samples in one launch, a warp each
  GroupNormRules(const autodiff::GroupNorm& p, autodiff::Widths, Index at_once = Index{1} << 25)
      : groups_{p.in.pixels(), p.in.channels, p.groups},
        epsilon_(static_cast<S>(p.epsilon)),
        samples_at_once_(at_once / p.groups) {}

  void forward(const At<S, E>& at, Matrix<S> out) const override {
    for_each_group(at, [&](const auto& in, Index begin) {
      return kernels::GroupNormForward<S>{in, at.parameters, out.data + begin};
    });
  }
  void pullback(const At<S, E>& at, ConstMatrix<S> delta, std::span<const Sink<S>> sinks) const override {
    if (const auto& s = sinks[0])
      for_each_group(at, [&](const auto& in, Index begin) {
        return kernels::GroupNormPullback<S>{in, at.parameters, delta.data + begin, s.to.data + begin, s.accumulate};
      });
  }
  void pushforward(const At<S, E>& at, std::span<const ConstMatrix<S>> tangents, const S* w_tangent,
                   Matrix<S> out) const override {
    const S* v = tangents[0].data;
    for_each_group(at, [&](const auto& in, Index begin) {
      return kernels::GroupNormPushforward<S>{in, at.parameters, v ? v + begin : nullptr, w_tangent, out.data + begin};
    });
  }
  void parameter_pullback(const At<S, E>& at, ConstMatrix<S> delta, const S* u, S* gradient) const override {
    add_weighted_rows<S>(at, u, gradients(at, delta).shown, gradient);
  }
  void per_sample_dot(const At<S, E>& at, ConstMatrix<S> delta, const S* v, double* out) const override {
    add_row_dots<S>(at, gradients(at, delta).shown, v, out);
  }
  void per_sample_squared_norm(const At<S, E>& at, ConstMatrix<S> delta, double* out) const override {
    add_row_squared_norms<S>(at, gradients(at, delta).shown, out);
  }

 private:
  struct Gradients {
    Buffer<S, E> memory;
    ConstMatrix<S> shown;
  };
  /// Launches the operation make(groups, number of the first sample's first entry) for the groups of all samples.
  template <class Make>
  void for_each_group(const At<S, E>& at, Make&& make) const {
    for_each_chunk(at.rows, samples_at_once_, [&](Index first, Index n) {
      const Index begin = first * groups_.pixels * groups_.channels;
      at.queue->rows(n * groups_.groups,
                     make(kernels::NormalisedGroups<S>{groups_, at.in[0].data + begin, epsilon_}, begin));
    });
  }
  Gradients gradients(const At<S, E>& at, ConstMatrix<S> delta) const {
    const Index row = 2 * groups_.channels;
    Gradients g{at.scratch(at.rows * row), {}};
    g.shown = {g.memory.data(), at.rows, row};
    for_each_group(at, [&](const auto& in, Index begin) {
      return kernels::GroupNormGradients<S>{in, delta.data + begin, g.memory.data() + 2 * begin / groups_.pixels};
    });
    return g;
  }

  kernels::ImageGroups groups_;
  S epsilon_;
  Index samples_at_once_;
};

}  // namespace mts::cuda
