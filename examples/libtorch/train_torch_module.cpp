// Bring a LibTorch module: a net with batch normalisation, its parameters torch tensors, trained by mts, which learns on
// the way which of its training labels to trust.
//
// torch_model.hpp turns the module into what mts asks of a model; the rest is as for any other. Batch normalisation mixes
// the samples of a batch, so there is no gradient of one sample; the alignments come from an exact pushforward, which the
// adapter forms by differentiating its pullback.
//
// The data are three clouds in space; two fifths of the training samples of cloud 0 carry the label 1. The weight net sees
// a sample's loss and label. Exit status 0 if it tells clean from corrupted samples and selection pays.
// SPDX-License-Identifier: Apache-2.0
#include "torch_model.hpp"

#include <iostream>
#include <mts/features/class_label.hpp>
#include <mts/features/compose.hpp>
#include <mts/features/loss.hpp>
#include <mts/optim/adam.hpp>
#include <mts/optim/sgd.hpp>
#include <mts/selection/mlp_weight_net.hpp>
#include <mts/selection/step.hpp>
#include <mts/selection/uniform_step.hpp>

struct Net : torch::nn::Cloneable<Net> {
  Net() { reset(); }
  void reset() override {
    layer = register_module("layer", torch::nn::Linear(3, 16));
    norm = register_module("norm", torch::nn::BatchNorm1d(16));
    logits = register_module("logits", torch::nn::Linear(16, 3));
  }
  torch::Tensor forward(const torch::Tensor& x) { return logits(torch::relu(norm(layer(x)))); }
  torch::nn::Linear layer{nullptr}, logits{nullptr};
  torch::nn::BatchNorm1d norm{nullptr};
};
using Model = torch_adapter::TorchModel<float, Net>;
using Parameters = torch_adapter::TorchParameters<float>;

struct Clouds {
  torch_adapter::TorchBatch batch;
  mts::Samples samples;  // the labels once more, for features
  std::vector<bool> clean;
};
Clouds clouds(mts::Index n, double corrupted, mts::RandomStream stream) {
  Clouds c;
  mts::RowMatrix<float> x(n, 3);
  for (mts::Index i = 0; i < n; ++i) {
    for (float& k : x.row(i)) k = static_cast<float>(stream.normal());
    const int cloud = static_cast<int>(i % 3);
    x(i, cloud) += 2;
    c.clean.push_back(!(cloud == 0 && stream.chance(corrupted)));
    c.samples.labels.push_back(c.clean.back() ? cloud : 1);
  }
  c.batch = {torch_adapter::to_tensor(x), torch_adapter::to_tensor(c.samples.labels)};
  return c;
}

int main() {
  torch::set_num_threads(1);
  const auto train = clouds(600, 0.4, {1, "train"}), validation = clouds(60, 0, {1, "validation"}),
             test = clouds(6000, 0, {1, "test"});
  const Model model(std::make_shared<Net>());
  const mts::Sgd<Parameters> sgd({.learning_rate = 0.3, .momentum = 0.9});
  const auto features = mts::features::compose(mts::features::Loss{}, mts::features::ClassLabel{3});
  const mts::MlpWeightNet<float> net(features.layout(), {.hidden = {20}});
  const mts::AdamW<mts::DenseParameters<float>> adam({.learning_rate = 0.01});
  mts::MtsStep select(model, model.initialize({1, "theta"}), sgd, features, net, net.initialize({1, "phi"}), adam);
  mts::UniformStep plain(model, model.initialize({1, "theta"}), sgd);
  for (int step = 0; step < 200; ++step) {
    select(train.batch, train.samples, validation.batch, validation.samples);
    plain(train.batch, train.samples);
  }

  double weight[2] = {}, count[2] = {};
  for (std::size_t i = 0; i < train.clean.size(); ++i) {
    weight[train.clean[i]] += 600 * select.weights().p[static_cast<mts::Index>(i)];
    ++count[train.clean[i]];
  }
  const double good = weight[1] / count[1], bad = weight[0] / count[0];
  const auto accuracy = [&](const Parameters& theta) {
    const auto result = model.forward(theta, test.batch);
    const auto logits = result.logits();  // a view into result
    double correct = 0;
    for (mts::Index i = 0; i < logits.rows(); ++i) {
      int guess = 0;
      logits.row(i).maxCoeff(&guess);
      correct += guess == test.samples.labels[static_cast<std::size_t>(i)];
    }
    return correct / static_cast<double>(logits.rows());
  };
  const double selected = accuracy(select.theta()), uniform = accuracy(plain.theta());
  std::cout << "mean weight: clean samples " << good << ", corrupted samples " << bad << "\ntest accuracy: MTS "
            << selected << ", uniform weights " << uniform << '\n';
  return good > 2 * bad && selected > uniform ? 0 : 1;
}
