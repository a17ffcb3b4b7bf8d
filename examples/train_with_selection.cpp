// The library in one function: a network trained on a pool with wrong labels in it, and a weight net that learns from
// sixty clean samples what each of the others is worth. Exit status 0 if that beats training on everything alike.
// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <mts/features/class_label.hpp>
#include <mts/features/compose.hpp>
#include <mts/features/loss.hpp>
#include <mts/nn/mlp.hpp>
#include <mts/optim/adam.hpp>
#include <mts/optim/sgd.hpp>
#include <mts/selection/mlp_weight_net.hpp>
#include <mts/selection/step.hpp>

#include "made_up_pool.hpp"

using Batch = mts::nn::ClassificationBatch<float>;  // {inputs N x d, labels}
using Parameters = mts::DenseParameters<float>;

void tell(const mts::StepReport& report) {
  if (report.step % 100 == 99)
    std::cout << "step " << report.step + 1 << ": loss " << report.train_loss << ", B_eff " << report.b_eff << '\n';
}

double train(const made_up::Pool& pool, const Batch& validation, const Batch& test, mts::MtsOptions options) {
  auto model = mts::nn::mlp<float>({8, 64, 3});
  auto features = mts::features::compose(mts::features::Loss{}, mts::features::ClassLabel{3});
  mts::MlpWeightNet<float> net(features.layout());
  mts::MtsStep step(model, model.initialize(mts::RandomStream(1, "theta")),
                    mts::Sgd<Parameters>({.learning_rate = 0.1, .momentum = 0.9}), features, net,
                    net.initialize(mts::RandomStream(1, "phi")), mts::AdamW<Parameters>({.learning_rate = 3e-3}),
                    options);
  Batch batch;
  mts::Samples samples;  // ids, labels, groups: what the features in use ask for; the rest may be empty
  for (int k = 0; k < 600; ++k) {
    made_up::gather(pool, made_up::batch_ids(pool, k), batch, samples);  // a new batch each time
    mts::StepReport report = step(batch, samples, validation, {});
    tell(report);  // report.train_loss, report.b_eff, report.gsnr, ...; step.weights().p are the batch's weights
  }
  return mts::nn::accuracy(step.model(), step.theta(), test);
}

int main() {
  const auto pool = made_up::training();
  const Batch validation = made_up::validation().data, test = made_up::test().data;
  std::cout << "everything alike\n";
  const double uniform = train(pool, validation, test, {.uniform_steps = 600});
  std::cout << "with selection\n";
  const double selected = train(pool, validation, test, {.uniform_steps = 20});
  std::cout << "test accuracy: " << uniform << " and " << selected << '\n';
  return selected > uniform ? 0 : 1;
}
