// A published method on a pool of one's own: a first run without selection tells how training on each sample went, the
// method's features are made of that and of embeddings, and its step does the rest. Exit status 0 if right labels come to
// weigh more than wrong ones.
// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <mts/methods/mts_paper.hpp>
#include <mts/nn/mlp.hpp>
#include <mts/optim/adam.hpp>
#include <mts/optim/sgd.hpp>
#include <mts/selection/uniform_step.hpp>

#include "made_up_pool.hpp"

using Parameters = mts::DenseParameters<float>;

int main() {
  const auto training = made_up::training();
  const auto validation = made_up::validation();
  const auto& embeddings = training.data.inputs;  // one row for each sample of the pool; here the points themselves
  const auto& pool = training.samples;
  const auto model = mts::nn::mlp<float>({made_up::dimension, 32, made_up::classes});
  const auto theta = model.initialize(mts::RandomStream(1, "theta"));
  const auto gather = [&](std::span<const mts::Index> ids, made_up::Batch& batch, mts::Samples& samples) {
    made_up::gather(training, ids, batch, samples);
  };
  made_up::Batch batch;
  mts::Samples samples;

  mts::UniformStep plain(model, theta.clone(), mts::Sgd<Parameters>({.learning_rate = 0.1}));
  mts::features::TrainingDynamics dynamics(pool.size());
  for (int k = 0; k < 200; ++k) {
    gather(made_up::batch_ids(training, k), batch, samples);
    dynamics.observe(samples.ids, model.forward(plain.theta(), batch).logits(), samples.labels);
    plain(batch, samples);  // theta moves after it was observed
  }
  dynamics.score_pool(model, plain.theta(), 256, gather);  // at any time, of any seed: scores are averaged

  auto method = mts::methods::mts_paper({.classes = 3});  // or mw_net(), cmw_net({...}), data_rater({...})
  method.features.fit(embeddings, pool);                  // where features are offline
  method.features.fit(dynamics);
  auto step = mts::methods::make_step(method, model, theta, mts::Sgd<Parameters>({.learning_rate = 0.1}),
                                      mts::AdamW<Parameters>({.learning_rate = 1e-3}), mts::RandomStream(1, "phi"));

  made_up::MeanWeights weights;
  for (int k = 0; k < 400; ++k) {
    gather(made_up::batch_ids(training, k), batch, samples);
    step(batch, samples, validation.data, validation.samples);
    if (k >= 300) weights.add(training, samples, step.weights().p);
  }
  std::cout << "mean weight: right labels " << weights.right() << ", wrong ones " << weights.wrong() << '\n';
  return weights.right() > 1.5 * weights.wrong() ? 0 : 1;
}
