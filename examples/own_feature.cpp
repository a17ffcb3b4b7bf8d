// A feature of one's own: how far the network prefers a sample's label to the strongest other class, its logit less the
// largest of theirs. What an extractor needs is three members (mts/core/concepts.hpp, FeatureExtractor). Here it stands
// beside three that come with the library. Exit status 0 if right labels come to weigh more than wrong ones.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iostream>
#include <limits>
#include <mts/features/class_label.hpp>
#include <mts/features/compose.hpp>
#include <mts/features/dataset_z_score.hpp>
#include <mts/features/nearest_validation_cosine.hpp>
#include <mts/features/real_centre_cosine.hpp>
#include <mts/nn/mlp.hpp>
#include <mts/optim/adam.hpp>
#include <mts/optim/sgd.hpp>
#include <mts/selection/mlp_weight_net.hpp>
#include <mts/selection/step.hpp>

#include "made_up_pool.hpp"

/// Column "logit_margin". Asks for a classifier, which shows logits, and for labels.
struct LogitMargin {
  mts::FeatureLayout layout() const { return {{"logit_margin"}, {}}; }
  static constexpr bool reads_validation() { return false; }
  template <class Context>
  void extract(const Context& context, mts::Rows<double> rows, std::span<std::vector<int>>) const {
    const auto logits = context.train.logits();
    for (mts::Index i = 0; i < rows.rows(); ++i) {
      const int own = context.samples.labels[static_cast<std::size_t>(i)];
      double other = -std::numeric_limits<double>::infinity();
      for (int c = 0; c < logits.cols(); ++c)
        if (c != own) other = std::max(other, static_cast<double>(logits(i, c)));
      rows(i, 0) = static_cast<double>(logits(i, own)) - other;
    }
  }
};

int main() {
  using Parameters = mts::DenseParameters<float>;
  using namespace mts::features;
  const auto training = made_up::training();
  const auto validation = made_up::validation();
  const auto& embeddings = training.data.inputs;  // one row for each sample of the pool; here the points themselves
  const auto& pool = training.samples;

  auto features =
      compose(BatchZScore{NearestValidationCosine{3}}, DatasetZScore{RealCentreCosine{}}, LogitMargin{}, ClassLabel{3});
  features.fit(embeddings, pool);                   // those that are offline: pool size x E, labels and groups
  mts::MlpWeightNet<float> net(features.layout());  // widths are derived, never typed

  const auto model = mts::nn::mlp<float>({made_up::dimension, 32, made_up::classes});
  mts::MtsStep step(model, model.initialize({1, "theta"}), mts::Sgd<Parameters>({.learning_rate = 0.1}), features, net,
                    net.initialize({1, "phi"}), mts::AdamW<Parameters>({.learning_rate = 3e-3}), {.uniform_steps = 50});
  made_up::Batch batch;
  mts::Samples samples;
  made_up::MeanWeights weights;
  for (int k = 0; k < 400; ++k) {
    made_up::gather(training, made_up::batch_ids(training, k), batch, samples);
    step(batch, samples, validation.data, validation.samples);
    if (k >= 300) weights.add(training, samples, step.weights().p);
  }
  std::cout << features.describe();
  std::cout << "mean weight: right labels " << weights.right() << ", wrong ones " << weights.wrong() << '\n';
  return weights.right() > 1.5 * weights.wrong() ? 0 : 1;
}
