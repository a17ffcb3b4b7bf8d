// What does selection cost on top of a training step of my own model, and where does the time go?
//
// The model is written by hand, as in bring_your_own_model.cpp: a tanh layer and a softmax layer. Put yours in its
// place: all that follows asks only for the concept `Model`. Two steps take turns, one without selection and one with
// it, so that whatever else the machine is doing slows both alike. Each report tells the seconds of its phases; what
// counts is the median of the ratios. Exit status 0 if the phases account for the time of the step.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <iomanip>
#include <iostream>
#include <mts/features/batch_z_score.hpp>
#include <mts/features/compose.hpp>
#include <mts/features/loss.hpp>
#include <mts/features/nearest_validation_cosine.hpp>
#include <mts/optim/adam.hpp>
#include <mts/optim/sgd.hpp>
#include <mts/selection/mlp_weight_net.hpp>
#include <mts/selection/step.hpp>
#include <mts/selection/uniform_step.hpp>
#include <vector>

using Matrix = mts::RowMatrix<float>;
using Vector = Eigen::VectorXd;

/// l_i = -log softmax(tanh(x_i A) B)[label_i].
struct MyModel {
  static constexpr mts::Index inputs = 256, hidden = 256, classes = 10;
  using Scalar = float;
  using Parameters = mts::DenseParameters<float>;  // A, then B
  struct Batch {
    Matrix x, labels;  // N x inputs; N x classes, one-hot
  };
  static auto a_of(const Parameters& w) { return Eigen::Map<const Matrix>(w.data(), inputs, hidden); }
  static auto b_of(const Parameters& w) {
    return Eigen::Map<const Matrix>(w.data() + inputs * hidden, hidden, classes);
  }

  struct Linearization {
    const Matrix* x;
    Matrix h, z, delta_b, delta_a;  // activations, logits, derivatives of each loss in z and in x A
    Vector losses;
    const Vector& value() const { return losses; }
    const Matrix& logits() const { return z; }
    const Matrix& embeddings() const { return h; }
    void pullback(const Vector& u, Parameters& out) const {
      const Eigen::VectorXf weight = u.cast<float>();
      Eigen::Map<Matrix>(out.data(), inputs, hidden).noalias() = x->transpose() * (weight.asDiagonal() * delta_a);
      Eigen::Map<Matrix>(out.data() + inputs * hidden, hidden, classes).noalias() =
          h.transpose() * (weight.asDiagonal() * delta_b);
    }
    void per_sample_dot(const Parameters& v, Vector& out) const {
      const Matrix a = *x * a_of(v), b = h * b_of(v);
      out = (a.cwiseProduct(delta_a).rowwise().sum() + b.cwiseProduct(delta_b).rowwise().sum()).cast<double>();
    }
  };
  Parameters initialize(mts::RandomStream stream) const {
    Parameters w(inputs * hidden + hidden * classes);
    for (float& k : w.values()) k = static_cast<float>(stream.normal() / 16);
    return w;
  }
  Linearization forward(const Parameters& w, const Batch& batch) const {
    Linearization l{&batch.x, {}, {}, {}, {}, {}};
    l.h = (batch.x * a_of(w)).array().tanh();
    l.z = l.h * b_of(w);
    const Matrix e = (l.z.colwise() - l.z.rowwise().maxCoeff()).array().exp();
    l.delta_b = e.array().colwise() / e.rowwise().sum().array();
    l.losses = -l.delta_b.cwiseProduct(batch.labels).rowwise().sum().array().log().cast<double>();
    l.delta_b -= batch.labels;
    return l;
  }
  Linearization linearize(const Parameters& w, const Batch& batch) const {
    Linearization l = forward(w, batch);
    l.delta_a = (l.delta_b * b_of(w).transpose()).array() * (1 - l.h.array().square());
    return l;
  }
};

MyModel::Batch draw(mts::Index n, mts::RandomStream stream) {
  const Matrix x = Matrix::NullaryExpr(n, MyModel::inputs, [&] { return static_cast<float>(stream.normal()); });
  Matrix labels = Matrix::Zero(n, MyModel::classes);
  for (mts::Index i = 0; i < n; ++i) labels(i, i % MyModel::classes) = 1;
  return {x, labels};
}

double median(std::vector<double> x) {
  std::nth_element(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(x.size() / 2), x.end());
  return x[x.size() / 2];
}

int main() {
  const mts::ThreadLimit one(1);  // leave it out to time all cores
  const auto train = draw(1024, {1, "train"}), validation = draw(256, {1, "validation"});
  using namespace mts::features;
  const auto features = compose(Loss{}, BatchZScore{NearestValidationCosine{3}});
  const mts::MlpWeightNet<float> net(features.layout());
  const mts::Sgd<MyModel::Parameters> sgd({.learning_rate = 0.01, .momentum = 0.9});
  const mts::AdamW<MyModel::Parameters> adam({.learning_rate = 1e-4});
  const MyModel model;
  mts::UniformStep plain(model, model.initialize({1, "w"}), sgd);
  mts::MtsStep select(model, model.initialize({1, "w"}), sgd, features, net, net.initialize({1, "net"}), adam);

  plain(train, {}), select(train, {}, validation, {});  // the first step of each allocates
  mts::diagnostics::PhaseTimes phases;
  std::vector<double> plain_seconds, ratios;
  double total = 0;
  const auto seconds = [](auto step) {
    const auto begin = std::chrono::steady_clock::now();
    step();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  constexpr int rounds = 30;
  for (int round = 0; round < rounds; ++round) {
    plain_seconds.push_back(seconds([&] { plain(train, {}); }));
    const double with_selection = seconds([&] { phases += select(train, {}, validation, {}).seconds; });
    ratios.push_back(with_selection / plain_seconds.back());
    total += with_selection;
  }

  const double unit = median(plain_seconds);
  std::cout << std::fixed << std::setprecision(2) << "phase                      ms   plain steps\n";
  const auto line = [&](std::string_view name, double s) {
    std::cout << std::left << std::setw(20) << name << std::right << std::setw(9) << 1e3 * s << std::setw(14)
              << s / unit << '\n';
  };
  for (const auto& phase : phases.phases()) line(phase.name, phase.seconds / rounds);
  line("all phases", phases.total() / rounds);
  line("a plain step", unit);
  std::cout << "overhead: a step with selection takes " << median(ratios) << " plain steps (median of " << rounds
            << " rounds)\n";
  return phases.total() > 0.9 * total && phases.total() <= total ? 0 : 1;
}
