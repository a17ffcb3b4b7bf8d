// Bring your own model: softmax regression written by hand, and MTS learning which of its training labels to trust.
//
// What MTS asks of a model is the concept `Model` of mts/core/concepts.hpp: three types, and three functions that begin
// the parameters, give per-sample losses l, and linearise them. A linearisation multiplies by its Jacobian J from the
// left (`pullback`: J^T u) and, if it can, from the right (`per_sample_dot`: J v). Here l_i = -log p_i[label], p_i =
// softmax(x_i^T W), and row i of J is the matrix x_i delta_i^T, delta_i = p_i - onehot(label).
//
// The data are three clouds in space; two fifths of the training samples of cloud 0 carry the label 1. The weight net
// sees a sample's loss and nothing else. Exit status 0 if it tells clean from corrupted samples and the selection pays.
// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <mts/features/compose.hpp>
#include <mts/features/loss.hpp>
#include <mts/optim/adam.hpp>
#include <mts/optim/sgd.hpp>
#include <mts/selection/mlp_weight_net.hpp>
#include <mts/selection/step.hpp>
#include <mts/selection/uniform_step.hpp>

using Eigen::MatrixXd, Eigen::VectorXd;

struct SoftmaxRegression {
  using Scalar = double;
  using Parameters = mts::DenseParameters<double>;  // W: 3 coordinates x 3 classes
  struct Batch {
    MatrixXd x, labels;  // N x 3 each, labels one-hot
  };
  struct Linearization {
    const MatrixXd* x;
    MatrixXd delta;
    VectorXd losses;
    const VectorXd& value() const { return losses; }
    void pullback(const VectorXd& u, Parameters& out) const {
      out.values() = (x->transpose() * u.asDiagonal() * delta).reshaped();
    }
    void per_sample_dot(const Parameters& v, VectorXd& out) const {
      out = (*x * v.values().reshaped(3, 3)).cwiseProduct(delta).rowwise().sum();
    }
  };
  Parameters initialize(mts::RandomStream) const { return Parameters(9); }
  Linearization forward(const Parameters& w, const Batch& batch) const { return linearize(w, batch); }
  Linearization linearize(const Parameters& w, const Batch& batch) const {
    const MatrixXd e = (batch.x * w.values().reshaped(3, 3)).array().exp();
    const MatrixXd p = e.array().colwise() / e.rowwise().sum().array();
    return {&batch.x, p - batch.labels, -p.cwiseProduct(batch.labels).rowwise().sum().array().log()};
  }
};

SoftmaxRegression::Batch clouds(mts::Index n, double corrupted, mts::RandomStream stream) {
  MatrixXd x = MatrixXd::NullaryExpr(n, 3, [&] { return stream.normal(); }), labels = MatrixXd::Zero(n, 3);
  for (mts::Index i = 0; i < n; ++i) {
    x(i, i % 3) += 2;
    labels(i, i % 3 == 0 && stream.chance(corrupted) ? 1 : i % 3) = 1;
  }
  return {x, labels};
}

int main() {
  const auto train = clouds(600, 0.4, {1, "train"}), truth = clouds(600, 0, {1, "train"});
  const auto validation = clouds(60, 0, {1, "validation"}), test = clouds(6000, 0, {1, "test"});
  const SoftmaxRegression model;
  const mts::Sgd<SoftmaxRegression::Parameters> sgd({.learning_rate = 0.5});
  const mts::AdamW<SoftmaxRegression::Parameters> adam({.learning_rate = 0.01});
  const auto features = mts::features::compose(mts::features::Loss{});
  const mts::MlpWeightNet<double> net(features.layout(), {.hidden = {20}});
  mts::MtsStep select(model, model.initialize({1, "W"}), sgd, features, net, net.initialize({1, "net"}), adam);
  mts::UniformStep plain(model, model.initialize({1, "W"}), sgd);
  for (int step = 0; step < 500; ++step) select(train, {}, validation, {}), plain(train, {});

  const auto mean_weight = [&](const VectorXd& who) { return 600 * select.weights().p.dot(who) / who.sum(); };
  const auto accuracy = [&](const auto& w) {
    const MatrixXd z = test.x * w.values().reshaped(3, 3);
    return (z.cwiseProduct(test.labels).rowwise().sum().array() == z.rowwise().maxCoeff().array()).count() / 6000.0;
  };
  const VectorXd clean = train.labels.cwiseProduct(truth.labels).rowwise().sum();
  const double good = mean_weight(clean), bad = mean_weight(VectorXd::Ones(600) - clean);
  const double selected = accuracy(select.theta()), uniform = accuracy(plain.theta());
  std::cout << "mean weight: clean samples " << good << ", corrupted samples " << bad << "\ntest accuracy: MTS "
            << selected << ", uniform weights " << uniform << '\n';
  return good > 2 * bad && selected > uniform ? 0 : 1;
}
