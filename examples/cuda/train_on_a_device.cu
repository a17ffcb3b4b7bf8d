// Training with selection on a GPU: the pool, the features and the weight net of train_with_selection.cpp; the networks,
// their parameters, the batches and their features lie in the device's memory. Exit status 0 if that beats training on
// everything alike, 77 if there is no device.
// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <mts/cuda/classifier.hpp>
#include <mts/cuda/device.hpp>
#include <mts/cuda/features/on_device.hpp>
#include <mts/cuda/mlp_weight_net.hpp>
#include <mts/features/class_label.hpp>
#include <mts/features/compose.hpp>
#include <mts/features/loss.hpp>
#include <mts/nn/mlp.hpp>
#include <mts/optim/adam.hpp>
#include <mts/optim/sgd.hpp>
#include <mts/selection/step.hpp>

#include "../made_up_pool.hpp"

namespace cuda = mts::cuda;
using Executor = cuda::Device;
using Parameters = cuda::Parameters<float, Executor>;
using Batch = cuda::ClassificationBatch<float, Executor>;

double train(const cuda::SharedQueue<Executor>& queue, const made_up::Pool& pool, mts::MtsOptions options) {
  const auto host = mts::nn::mlp<float>({8, 64, 3});  // the same network as on the CPU
  cuda::Classifier model(host, queue);
  auto features = mts::features::compose(mts::features::Loss{}, mts::features::ClassLabel{3});
  cuda::MlpWeightNet<float, Executor> net(features.layout(), queue);
  mts::MtsStep step(model, model.initialize(mts::RandomStream(1, "theta")),
                    mts::Sgd<Parameters>({.learning_rate = 0.1, .momentum = 0.9}), cuda::on_device(features, queue),
                    net, net.initialize(mts::RandomStream(1, "phi")), mts::AdamW<Parameters>({.learning_rate = 3e-3}),
                    options);
  const Batch validation(queue, made_up::validation().data);
  Batch batch(queue);
  made_up::Batch gathered;
  mts::Samples samples;
  for (int k = 0; k < 600; ++k) {
    made_up::gather(pool, made_up::batch_ids(pool, k), gathered, samples);
    batch.assign(gathered);  // to the device
    const mts::StepReport report = step(batch, samples, validation, {});
    if (k % 100 == 99)
      std::cout << "step " << k + 1 << ": loss " << report.train_loss << ", B_eff " << report.b_eff << '\n';
  }
  return mts::nn::accuracy(host, step.theta().to_host(), made_up::test().data);
}

int main() {
  try {
    const auto queue = cuda::make_queue<Executor>();
    const auto pool = made_up::training();
    std::cout << "everything alike\n";
    const double uniform = train(queue, pool, {.uniform_steps = 600});
    std::cout << "with selection\n";
    const double selected = train(queue, pool, {.uniform_steps = 20});
    std::cout << "test accuracy: " << uniform << " and " << selected << '\n';
    return selected > uniform ? 0 : 1;
  } catch (const cuda::NoDevice& error) {
    std::cerr << error.what() << '\n';
    return 77;
  }
}
