// The feature that remembers: the lab's runs with it are those put together by hand, and each has a record of its own.
#include "mts/features/alignment_history.hpp"

#include "lab/registry.hpp"
#include "lab/support.hpp"
#include "lab/trained.hpp"
#include "lab/training.hpp"
#include "mts/diagnostics/separation.hpp"
#include "mts/features/compose.hpp"
#include "mts/features/loss.hpp"
#include "mts/optim/adam.hpp"
#include "mts/selection/mlp_weight_net.hpp"
#include "mts/selection/step.hpp"

namespace {

using namespace mts::lab;
using mts::Index;
using mts::RandomStream;
using Parameters = mts::DenseParameters<float>;

constexpr Index batch = 16;
constexpr std::uint64_t seed = 3;

const mts::data::Problem& problem() {
  static const auto small = mts_test::small_problem();
  return small;
}
Settings settings() {
  Settings s;
  s.steps = 24;
  s.uniform_steps = 4;
  s.hidden = {8};
  s.weight_net_hidden = {6};
  s.meta_learning_rate = 0.02;
  s.features = {"loss", "alignment-history"};
  return s;
}
std::unique_ptr<Training> started(const Settings& s) {
  return method_named("weight-net").start({s, problem(), batch, seed});
}
Eigen::VectorXf by_lab(const Settings& s) {
  return mts_test::trained("weight-net", s, problem(), batch, seed)->theta().values();
}

/// The same run, told of the alignments of the batch that the weight net learns on, after each step that it learns in.
Eigen::VectorXf by_hand(const Settings& s) {
  const Task task(s, problem(), batch, seed);
  mts::features::AlignmentHistory history(90);
  const auto features = mts::features::compose(mts::features::Loss{}, mts::features::BatchZScore{history});
  const mts::MlpWeightNet<float> net(features.layout(), {.hidden = s.weight_net_hidden});
  const auto model = make_classifier(s, problem());
  mts::MtsStep step(
      model, initial_parameters(model, seed), make_optimizer(s), features, net,
      net.initialize(RandomStream(seed, "lab: initial weight net")),
      mts::AdamW<Parameters>({.learning_rate = s.meta_learning_rate, .weight_decay = s.meta_weight_decay}),
      {.update_every = s.update_every, .uniform_steps = s.uniform_steps});
  PoolBatches train(task), selector(task, "lab: selector batch order");
  ValidationBatches validation(problem().validation, 0, seed);
  for (Index k = 0; k < s.steps; ++k) {
    train.next();
    validation.next();
    const bool moves = k >= s.uniform_steps && (k - s.uniform_steps) % s.update_every == 0;
    if (s.mode == Mode::joint) {
      step(train.batch, train.samples, validation.batch, validation.samples);
      if (moves) history.observe(train.samples.ids, step.alignments());
    } else {
      selector.next();
      step(train.batch, train.samples, validation.batch, validation.samples, selector.batch, selector.samples);
      if (moves) history.observe(selector.samples.ids, step.alignments());
    }
  }
  return step.theta().values();
}

TEST_CASE("Alignment history: the lab's runs are those put together by hand, bit for bit, in both modes") {
  for (const Mode mode : {Mode::joint, Mode::crossed})
    for (const Index update_every : {1, 3}) {
      CAPTURE(update_every);
      Settings s = settings();
      s.mode = mode;
      s.update_every = update_every;
      CHECK(by_lab(s) == by_hand(s));
    }
}

TEST_CASE("Alignment history: alone it tells wrong labels from right ones") {
  double sum = 0;
  constexpr int seeds = 6;  // data drawn anew
  for (std::uint64_t k = 1; k <= seeds; ++k) {
    const auto drawn = mts_test::small_problem(k);
    Settings s = settings();
    s.steps = 200;
    s.uniform_steps = 20;
    s.meta_learning_rate = 3e-3;
    s.features = {"alignment-history"};
    const auto training = method_named("weight-net").start({s, drawn, batch, k});
    for (Index t = 0; t < s.steps; ++t) training->step();
    std::vector<bool> right;
    for (Index i = 0; i < 90; ++i) right.push_back(i < 60);
    sum += mts::diagnostics::separation(*training->pool_weights(), right).auc;
  }
  CHECK(sum / seeds > 0.75);  // by chance: .5; measured: .87
}

TEST_CASE("Alignment history: runs side by side do not hear of each other") {
  const Settings s = settings();
  const auto one = started(s), other = started(s);
  for (Index k = 0; k < s.steps; ++k) {
    one->step();
    other->step();
  }
  CHECK(one->theta().values() == other->theta().values());
  CHECK(one->theta().values() == by_lab(s));
}

}  // namespace
