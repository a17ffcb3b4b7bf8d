#pragma once
/// \file
/// Reparametrised sampling of a Gaussian on a device: z = mu + exp(v/2) noise.

#include <cmath>

#include "mts/autodiff/gaussian.hpp"
#include "mts/cuda/rules.hpp"

namespace mts::cuda {

namespace kernels {

template <class S>
MTS_HOST_DEVICE S deviation(S v) {
  using std::exp;
  return exp(v / S{2});
}
template <class S>
struct Reparametrise {
  const S *mu, *v, *noise;
  S* z;
  MTS_HOST_DEVICE void operator()(Index k) const { z[k] = mu[k] + deviation(v[k]) * noise[k]; }
};
template <class S>
struct ReparametriseByMean {
  const S* delta;
  S* to;
  bool accumulate;
  MTS_HOST_DEVICE void operator()(Index k) const { take(to[k], accumulate, delta[k]); }
};
template <class S>
struct ReparametriseByVariance {
  const S *v, *noise, *delta;
  S* to;
  bool accumulate;
  MTS_HOST_DEVICE void operator()(Index k) const {
    take(to[k], accumulate, delta[k] * deviation(v[k]) * noise[k] / S{2});
  }
};
template <class S>
struct ReparametriseByNoise {
  const S *v, *delta;
  S* to;
  bool accumulate;
  MTS_HOST_DEVICE void operator()(Index k) const { take(to[k], accumulate, delta[k] * deviation(v[k])); }
};
/// Tangents that are null are zero.
template <class S>
struct ReparametrisePushforward {
  const S *v, *noise, *d_mu, *d_v, *d_noise;
  S* out;
  MTS_HOST_DEVICE void operator()(Index k) const {
    S y = 0;
    if (d_mu) y += d_mu[k];
    if (d_v) y += deviation(v[k]) * noise[k] / S{2} * d_v[k];
    if (d_noise) y += deviation(v[k]) * d_noise[k];
    out[k] = y;
  }
};

}  // namespace kernels

template <class S, class E>
class GaussianReparametrisationRules final : public Rules<S, E> {
 public:
  GaussianReparametrisationRules(const autodiff::GaussianReparametrisation&, autodiff::Widths) {}

  void forward(const At<S, E>& at, Matrix<S> out) const override {
    at.queue->each(out.size(), kernels::Reparametrise<S>{at.in[0].data, at.in[1].data, at.in[2].data, out.data});
  }
  void pullback(const At<S, E>& at, ConstMatrix<S> delta, std::span<const Sink<S>> sinks) const override {
    const S *v = at.in[1].data, *noise = at.in[2].data;
    const Index n = delta.size();
    if (const auto& s = sinks[0])
      at.queue->each(n, kernels::ReparametriseByMean<S>{delta.data, s.to.data, s.accumulate});
    if (const auto& s = sinks[1])
      at.queue->each(n, kernels::ReparametriseByVariance<S>{v, noise, delta.data, s.to.data, s.accumulate});
    if (const auto& s = sinks[2])
      at.queue->each(n, kernels::ReparametriseByNoise<S>{v, delta.data, s.to.data, s.accumulate});
  }
  void pushforward(const At<S, E>& at, std::span<const ConstMatrix<S>> tangents, const S*,
                   Matrix<S> out) const override {
    at.queue->each(out.size(), kernels::ReparametrisePushforward<S>{at.in[1].data, at.in[2].data, tangents[0].data,
                                                                    tangents[1].data, tangents[2].data, out.data});
  }
};

}  // namespace mts::cuda
