// A weight net of one's own: a straight line. The logit of a sample is z_i = b + <a, f_i>, f_i its features, so row i of the
// Jacobian is (1, f_i). What a weight net needs is what a model needs (mts/core/concepts.hpp, WeightNet): parameters to
// begin with, logits, and J^T u. Exit status 0 if right labels come to weigh more than wrong ones.
// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <mts/features/batch_z_score.hpp>
#include <mts/features/compose.hpp>
#include <mts/features/loss.hpp>
#include <mts/nn/mlp.hpp>
#include <mts/optim/sgd.hpp>
#include <mts/selection/step.hpp>

#include "made_up_pool.hpp"

/// phi = (b, a); continuous features only.
class StraightLine {
 public:
  using Scalar = double;
  using Parameters = mts::DenseParameters<double>;
  using Features = mts::FeatureBatch<double>;

  struct Linearization {
    const Features* f;
    mts::SampleVector z;
    const mts::SampleVector& value() const { return z; }
    void pullback(const mts::SampleVector& u, Parameters& out) const {
      out.values()[0] = u.sum();
      out.values().tail(f->continuous.cols()) = f->continuous.transpose() * u;
    }
  };

  explicit StraightLine(const mts::FeatureLayout& layout)
      : columns_(static_cast<mts::Index>(layout.continuous.size())) {}
  Parameters initialize(mts::RandomStream) const { return Parameters(1 + columns_); }
  Linearization forward(const Parameters& phi, const Features& f) const { return linearize(phi, f); }
  Linearization linearize(const Parameters& phi, const Features& f) const {
    mts::SampleVector z = f.continuous * phi.values().tail(columns_);
    z.array() += phi.values()[0];
    return {&f, std::move(z)};
  }

 private:
  mts::Index columns_;
};

int main() {
  using Theta = mts::DenseParameters<float>;
  const auto pool = made_up::training();
  const auto validation = made_up::validation();
  const auto model = mts::nn::mlp<float>({made_up::dimension, 32, made_up::classes});
  const auto features = mts::features::compose(mts::features::BatchZScore{mts::features::Loss{}});
  const StraightLine net(features.layout());
  mts::MtsStep step(model, model.initialize({1, "theta"}), mts::Sgd<Theta>({.learning_rate = 0.1}), features, net,
                    net.initialize({1, "phi"}), mts::Sgd<StraightLine::Parameters>({.learning_rate = 10}));
  made_up::Batch batch;
  mts::Samples samples;
  made_up::MeanWeights weights;
  for (int k = 0; k < 300; ++k) {
    made_up::gather(pool, made_up::batch_ids(pool, k), batch, samples);
    step(batch, samples, validation.data, {});
    if (k >= 200) weights.add(pool, samples, step.weights().p);
  }
  const auto& phi = step.phi().values();
  std::cout << "z = " << phi[0] << " + " << phi[1] << " times the loss's z-score\nmean weight: right labels "
            << weights.right() << ", wrong ones " << weights.wrong() << '\n';
  return phi[1] < 0 && weights.right() > 1.5 * weights.wrong() ? 0 : 1;
}
