// Bring a model as C functions: a framework written in C trains with mts, which learns which of its labels to trust.
//
// tiny_net.c is the framework, and knows nothing of mts. tiny_callbacks.c, sixty lines of C, says the framework's functions
// in the form of mts/adapters/callbacks.h. This program makes a model of them and proceeds as with any other.
//
// The data are three clouds in space; two fifths of the training samples of cloud 0 carry the label 1. The weight net sees
// a sample's loss and nothing else. Exit status 0 if it tells clean from corrupted samples and selection pays.
// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <mts/adapters/callback_model.hpp>
#include <mts/features/compose.hpp>
#include <mts/features/loss.hpp>
#include <mts/optim/adam.hpp>
#include <mts/optim/sgd.hpp>
#include <mts/selection/mlp_weight_net.hpp>
#include <mts/selection/step.hpp>
#include <mts/selection/uniform_step.hpp>
#include <vector>

#include "tiny_callbacks.h"

using Parameters = mts::DenseParameters<double>;
using Model = mts::CallbackModel<double, mts::CallbackOffers{.logits = true, .embeddings = true, .pushforward = true}>;

/// Samples as the framework wants them.
struct Clouds {
  std::vector<double> x;
  std::vector<int> labels, truth;
  tiny_batch view{};
  mts::CallbackBatch batch{};
};
void draw(Clouds& c, int n, double corrupted, mts::RandomStream stream) {
  for (int i = 0; i < n; ++i) {
    const int cloud = i % 3;
    for (int k = 0; k < 3; ++k) c.x.push_back(stream.normal() + (k == cloud ? 2 : 0));
    c.truth.push_back(cloud);
    c.labels.push_back(cloud == 0 && stream.chance(corrupted) ? 1 : cloud);
  }
  c.view = {c.x.data(), c.labels.data()};
  c.batch = {&c.view, n};
}

int main() {
  Clouds train, validation, test;
  draw(train, 600, 0.4, {1, "train"});
  draw(validation, 60, 0, {1, "validation"});
  draw(test, 6000, 0, {1, "test"});

  tiny_net net{2, {3, 16, 3}};
  const Model model(tiny_callbacks_of(&net));
  const mts::Sgd<Parameters> sgd({.learning_rate = 0.3, .momentum = 0.9});
  const mts::AdamW<Parameters> adam({.learning_rate = 0.01});
  const auto features = mts::features::compose(mts::features::Loss{});
  const mts::MlpWeightNet<double> weight_net(features.layout(), {.hidden = {20}});
  mts::MtsStep select(model, model.initialize({1, "theta"}), sgd, features, weight_net,
                      weight_net.initialize({1, "phi"}), adam);
  mts::UniformStep plain(model, model.initialize({1, "theta"}), sgd);
  for (int step = 0; step < 300; ++step) {
    select(train.batch, {}, validation.batch, {});
    plain(train.batch, {});
  }

  double weight[2] = {}, count[2] = {};
  for (std::size_t i = 0; i < train.labels.size(); ++i) {
    const bool clean = train.labels[i] == train.truth[i];
    weight[clean] += 600 * select.weights().p[static_cast<mts::Index>(i)];
    ++count[clean];
  }
  const double good = weight[1] / count[1], bad = weight[0] / count[0];
  const auto accuracy = [&](const Parameters& theta) {
    const auto result = model.forward(theta, test.batch);
    double correct = 0;
    for (mts::Index i = 0; i < test.batch.samples; ++i) {
      int guess = 0;
      result.logits().row(i).maxCoeff(&guess);
      correct += guess == test.truth[static_cast<std::size_t>(i)];
    }
    return correct / static_cast<double>(test.batch.samples);
  };
  const double selected = accuracy(select.theta()), uniform = accuracy(plain.theta());
  std::cout << "mean weight: clean samples " << good << ", corrupted samples " << bad << "\ntest accuracy: MTS "
            << selected << ", uniform weights " << uniform << '\n';
  return good > 2 * bad && selected > uniform ? 0 : 1;
}
