// A planted problem: a pool a third of whose labels are wrong, generative embeddings, clean validation samples. What a step of a
// weight-net method formed, and a check of it against the method's equations in plain loops.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "mts/core/random.hpp"
#include "mts/core/types.hpp"
#include "mts/features/training_dynamics.hpp"
#include "mts/nn/mlp.hpp"
#include "mts/optim/adam.hpp"
#include "mts/optim/sgd.hpp"

namespace mts_test {

using mts::Index;
using mts::Samples;
using mts::SampleVector;
using Dense = mts::DenseParameters<double>;
using Matrix = mts::RowMatrix<double>;
using Model = mts::nn::Classifier<double>;
using Batch = mts::nn::ClassificationBatch<double>;

struct Drawn {
  Batch batch;
  Samples samples;
};

/// Three classes in six dimensions, with the true classes at points of their own; the embedding is what is seen of a sample,
/// turned and cut to four. Every third label of the pool is the next class's.
struct Planted {
  static constexpr int classes = 3;
  static constexpr Index pool_size = 240, embedding_width = 4;

  explicit Planted(std::uint64_t seed);

  std::uint64_t seed;
  Matrix inputs, embeddings;
  Samples pool;  ///< labels as they are given, groups; nothing of the ids
  Drawn validation;
  Model model = mts::nn::mlp<double>({6, 12, classes}, {.activation = mts::nn::Activation::tanh});
  Dense theta;  ///< where it begins

  static bool wrong(Index id) { return id % 3 == 2; }
  Drawn take(std::vector<Index> ids) const;
  /// Another one for every k.
  Drawn train(std::uint64_t k, Index n = 48) const;
  Drawn some_validation(std::uint64_t k, Index n) const;
  /// A run without selection.
  mts::features::TrainingDynamics dynamics() const;
};

/// One step of a method.
struct Taken {
  Drawn train, validation;
  Dense theta, phi;          ///< before
  Dense new_theta, new_phi;  ///< after
  Dense hypergradient;
  SampleVector p, new_p;  ///< at phi, at new_phi
};
template <class Step>
Taken take_step(Step& step, Drawn train, Drawn validation) {
  Taken t{std::move(train), std::move(validation), step.theta(), step.phi(), {}, {}, {}, {}, {}};
  step(t.train.batch, t.train.samples, t.validation.batch, t.validation.samples);
  t.new_theta = step.theta();
  t.new_phi = step.phi();
  t.hypergradient = step.hypergradient();
  t.p = step.selector_weights().p;
  t.new_p = step.weights().p;
  return t;
}

/// What is said of a method.
struct Said {
  std::vector<Index> hidden;
  std::function<double(double)> psi;
  /// Its continuous inputs: the losses of a step's training samples, one row a sample.
  std::function<Matrix(const Taken&, const SampleVector& losses)> inputs;
  bool sees_class = false, sees_group = false;  ///< embedded as 4 and 1 numbers
};

/// Checks p = psi(z)/sum psi(z) with the MLP in plain loops; the hypergradient against differences of L_val(theta - eta sum p_i
/// g_i); phi - eta_meta times it; theta - eta sum p_i g_i with the new weights. Both optimisers are SGD at these rates.
void check_equations(const Model& model, const Taken& taken, const Said& said, double eta, double meta_eta);

inline double logistic(double z) { return 1 / (1 + std::exp(-z)); }

/// Mean of N p_i over the last steps, of right samples and of wrong ones.
struct Verdict {
  double right = 0, wrong = 0;
};
/// Trains on a planted problem.
template <class Step>
Verdict train_on(const Planted& problem, Step& step, int steps = 300, int last = 100) {
  Verdict sums, counts;
  for (int k = 0; k < steps; ++k) {
    const auto t = problem.train(static_cast<std::uint64_t>(k));
    step(t.batch, t.samples, problem.validation.batch, problem.validation.samples);
    if (k < steps - last) continue;
    for (Index i = 0; i < t.batch.size(); ++i) {
      const bool wrong = Planted::wrong(t.samples.ids[static_cast<std::size_t>(i)]);
      (wrong ? sums.wrong : sums.right) += static_cast<double>(t.batch.size()) * step.weights().p[i];
      (wrong ? counts.wrong : counts.right) += 1;
    }
  }
  return {sums.right / counts.right, sums.wrong / counts.wrong};
}

}  // namespace mts_test
