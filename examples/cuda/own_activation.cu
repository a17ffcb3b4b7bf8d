// A primitive of one's own on the CPU and on a GPU: an activation that the library does not have, softsign(x) = x/(1 + |x|), in a
// classifier. Exit status 0 if losses and gradients agree, 77 if there is no device.
// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <mts/cuda/classifier.hpp>
#include <mts/cuda/device.hpp>
#include <mts/nn/mlp.hpp>

#include "../made_up_pool.hpp"

namespace cuda = mts::cuda;
using Executor = cuda::Device;

// One function for both sides. It becomes part of a kernel, so it has a name at namespace scope.
struct SoftsignFunction {
  static constexpr const char* name = "Softsign";
  template <class S>
  MTS_HOST_DEVICE static S value(S x) {
    return x / (x < S{0} ? S{1} - x : S{1} + x);
  }
  template <class S>
  MTS_HOST_DEVICE static S derivative(S x, S) {
    const S scale = x < S{0} ? S{1} - x : S{1} + x;
    return S{1} / (scale * scale);
  }
};
using Softsign = mts::autodiff::Elementwise<SoftsignFunction>;

mts::nn::Classifier<float> classifier() {
  namespace ad = mts::autodiff;
  ad::Graph<float> g;
  const auto x = g.input(made_up::dimension);
  const auto label = g.column(made_up::classes, "label");
  const auto h = g.add(Softsign{}, {g.add(ad::Linear{.outputs = 64}, {x}, "hidden")});
  const auto logits = g.add(ad::Linear{.outputs = made_up::classes}, {h}, "logits");
  const auto loss = g.add(ad::SoftmaxCrossEntropy{label}, {logits});
  return mts::nn::Classifier<float>(ad::Network<float>(std::move(g), {loss, logits, h}));
}

double largest_difference(const auto& a, const auto& b) {
  return static_cast<double>((a - b).cwiseAbs().maxCoeff() / b.cwiseAbs().maxCoeff());
}

int main() {
  try {
    const auto queue = cuda::make_queue<Executor>();
    const auto batch = made_up::validation().data;
    const auto host = classifier();
    auto translation = cuda::Translation<float, Executor>();
    translation.add<Softsign, cuda::ElementwiseRules<SoftsignFunction, float, Executor>>();
    const cuda::Classifier<float, Executor> model(host, queue, {}, translation);

    const auto theta = host.initialize({1, "theta"});
    const cuda::Parameters<float, Executor> device_theta(queue, theta);
    const cuda::ClassificationBatch<float, Executor> device_batch(queue, batch);
    const auto here = host.linearize(theta, batch);
    const auto there = model.linearize(device_theta, device_batch);
    const mts::SampleVector u = mts::SampleVector::Ones(batch.size());
    auto gradient = theta.zeros_like();
    auto device_gradient = device_theta.zeros_like();
    here.pullback(u, gradient);
    there.pullback(u, device_gradient);

    const double losses = largest_difference(there.value(), here.value());
    const double gradients = largest_difference(device_gradient.to_host().values(), gradient.values());
    std::cout << "largest differences, of the largest: losses " << losses << ", gradients " << gradients << '\n';
    return losses < 1e-5 && gradients < 1e-5 ? 0 : 1;
  } catch (const cuda::NoDevice& error) {
    std::cerr << error.what() << '\n';
    return 77;
  }
}
