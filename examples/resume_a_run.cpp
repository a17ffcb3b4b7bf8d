// Resume a run: training that is stopped, at any moment and by anything, and goes on with the same bits.
//
// `mts::data::Checkpoint` is a file and the one before it. `load` reads what was saved into a step and a sampler that were made
// as they were for the run that was stopped, and says whether there was something; `save` writes what they have become: theta,
// phi, both optimisers, what features remember, where the sampler stands. What was *told* to them (options, data, fitted
// model sizes) is not saved but compared, and a checkpoint of another run is refused by name.
//
// Here a run of 60 steps is stopped twice, as if by a power cut: once between two steps, once with its newest file cut in half.
// Exit status 0 if it ends with the very bits of a run that was left alone.
// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <iostream>
#include <mts/data/checkpoint.hpp>
#include <mts/data/sampler.hpp>
#include <mts/features/alignment_history.hpp>
#include <mts/features/compose.hpp>
#include <mts/features/loss.hpp>
#include <mts/nn/mlp.hpp>
#include <mts/optim/adam.hpp>
#include <mts/optim/sgd.hpp>
#include <mts/selection/mlp_weight_net.hpp>
#include <mts/selection/step.hpp>

using mts::Index;
using Batch = mts::nn::ClassificationBatch<float>;
using Parameters = mts::DenseParameters<float>;

/// Clouds in eight dimensions; a third of the labels are wrong.
Batch clouds(Index n, double wrong, mts::RandomStream stream) {
  Batch batch{mts::RowMatrix<float>(n, 8), {}};
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < 8; ++j) batch.inputs(i, j) = static_cast<float>(stream.normal() + (j == i % 4 ? 2 : 0));
    batch.labels.push_back(static_cast<int>(stream.chance(wrong) ? (i + 1) % 4 : i % 4));
  }
  return batch;
}

struct Outcome {
  Index begun_at;
  Parameters theta, phi;
};

/// 60 steps, or those until `stop`, from the checkpoint if there is one.
Outcome train(const std::filesystem::path& path, Index stop = 60) {
  const Batch pool = clouds(400, 0.3, {1, "pool"}), validation = clouds(40, 0, {1, "validation"});
  const auto model = mts::nn::mlp<float>({8, 16, 4});
  mts::features::AlignmentHistory history(400);
  const auto features = mts::features::compose(mts::features::Loss{}, mts::features::BatchZScore{history});
  const mts::MlpWeightNet<float> net(features.layout(), {.hidden = {16}});
  mts::MtsStep step(model, model.initialize({1, "theta"}),
                    mts::Sgd<Parameters>({.learning_rate = 0.1, .momentum = 0.9}), features, net,
                    net.initialize({1, "phi"}), mts::AdamW<Parameters>({.learning_rate = 0.01}));
  mts::data::EpochSampler sampler(400, {.batch = 32, .seed = 1});

  mts::data::Checkpoint checkpoint(path, "clouds, mlp 8-16-4, seed 1");
  const auto resumed = checkpoint.load(step, sampler);
  if (!resumed.refused.empty()) std::cout << resumed.refused << '\n';
  const Index begun_at = step.steps();

  std::vector<Index> ids;
  Batch batch;
  while (step.steps() < stop) {
    sampler.next(ids);
    batch.inputs = pool.inputs(ids, Eigen::all);
    batch.labels.clear();
    for (const Index i : ids) batch.labels.push_back(pool.labels[static_cast<std::size_t>(i)]);
    mts::Samples samples{ids, batch.labels, {}};
    step(batch, samples, validation, {});
    history.observe(samples.ids, step.alignments());
    if (step.steps() % 10 == 0) checkpoint.save(step, sampler);
  }
  return {begun_at, step.theta(), step.phi()};
}

int main() {
  const auto folder = std::filesystem::temp_directory_path() / mts::detail::text("mts-resume-", ::getpid());
  const auto alone = train(folder / "alone.checkpoint");

  const auto path = folder / "run.checkpoint";
  train(path, 37);
  const auto second = train(path, 45);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  const auto last = train(path);

  std::cout << "Stopped after step 37, gone on from " << second.begun_at
            << "; stopped after step 45 with the newest file damaged, "
            << "gone on from " << last.begun_at << ".\n";
  const bool same = last.theta.values() == alone.theta.values() && last.phi.values() == alone.phi.values();
  std::cout << (same ? "The bits are those of a run that was left alone.\n" : "The bits differ.\n");
  std::filesystem::remove_all(folder);
  return same && second.begun_at == 30 && last.begun_at == 30 ? 0 : 1;
}
