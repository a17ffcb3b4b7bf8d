// The MTS step saved and loaded: theta, phi, both optimisers, tables and records of the features, and what is refused.
#include <doctest/doctest.h>

#include "data/support.hpp"
#include "mts/features/alignment_history.hpp"
#include "mts/features/compose.hpp"
#include "mts/features/dataset_z_score.hpp"
#include "mts/features/generative_embedding.hpp"
#include "mts/features/loss.hpp"
#include "mts/selection/mlp_weight_net.hpp"
#include "mts/selection/step.hpp"
#include "mts/selection/tabular_weight_net.hpp"
#include "selection/toy.hpp"
#include "support/state.hpp"

using namespace mts;
using toy::Dense;
using toy::Toy;

namespace {

/// A step and the record that its features share with the caller, as a user's loop has them.
template <class Step>
struct Loop {
  Step step;
  features::AlignmentHistory history;
  const Toy* toy;
  bool crossed;

  std::vector<double> go(int number) {
    const auto k = static_cast<std::uint64_t>(number);
    const auto train = toy->train(k), validation = toy->validation(k), selector = toy->selector(k);
    const StepReport r = crossed ? step(train.batch, train.samples, validation.batch, validation.samples,
                                        selector.batch, selector.samples)
                                 : step(train.batch, train.samples, validation.batch, validation.samples);
    if (r.phi_moved) history.observe((crossed ? selector : train).samples.ids, step.alignments());
    return {static_cast<double>(r.step), r.train_loss, r.validation_loss, r.b_eff, r.hypergradient_norm};
  }
  void save(std::ostream& out) const { step.save(out); }
  void load(std::istream& in) { step.load(in); }
};

template <class Net, class Inner, class Meta>
auto make(const Toy& toy, features::AlignmentHistory history, Net net, Inner inner, Meta meta, MtsOptions options = {},
          bool crossed = false) {
  auto chosen = features::compose(features::Loss{}, features::BatchZScore{history},
                                  features::DatasetZScore{features::GenerativeEmbedding{4}});
  chosen.fit(toy.pool->inputs, Samples{{}, toy.pool->labels, toy.pool->groups});
  auto phi = net.initialize({1, "phi"});
  MtsStep step(toy.model, toy.theta.clone(), std::move(inner), std::move(chosen), std::move(net), std::move(phi),
               std::move(meta), options);
  return Loop<decltype(step)>{std::move(step), std::move(history), &toy, crossed};
}

FeatureLayout layout() {
  return features::compose(features::Loss{}, features::BatchZScore{features::AlignmentHistory(40)},
                           features::DatasetZScore{features::GenerativeEmbedding{4}})
      .layout();
}

/// NaN, where a step forms no such number, is equal to itself.
struct Report {
  std::vector<double> numbers;
  friend bool operator==(const Report& a, const Report& b) {
    for (std::size_t k = 0; k < a.numbers.size(); ++k)
      if (!(a.numbers[k] == b.numbers[k] || (std::isnan(a.numbers[k]) && std::isnan(b.numbers[k])))) return false;
    return true;
  }
  friend std::ostream& operator<<(std::ostream& out, const Report& r) {
    for (const double x : r.numbers) out << x << ' ';
    return out;
  }
};
template <class Make>
void check(Make&& make_loop, int before) {
  mts_test::check_resumes(
      make_loop, [](auto& loop, int k) { return Report{loop.go(k)}; }, before, 4);
}

const SgdOptions momentum{.learning_rate = 0.5, .momentum = 0.9, .weight_decay = 0.01, .schedule = cosine(9)};
const AdamOptions adam{.learning_rate = 0.05, .weight_decay = 0.1, .schedule = cosine(9)};

}  // namespace

TEST_CASE("an MTS step that was saved and loaded goes on as one left alone: MLP weight net, in both modes") {
  const Toy toy{toy::Spec{}};
  const MlpWeightNet<double> net(layout(), {.hidden = {5}});
  for (const bool crossed : {false, true})
    for (const int before : {0, 1, 2, 5}) {
      CAPTURE(crossed);
      CAPTURE(before);
      const auto make_loop = [&] {
        return make(toy, features::AlignmentHistory(40), net, Sgd<Dense>(momentum), AdamW<Dense>(adam),
                    {.update_every = 2, .uniform_steps = 1}, crossed);
      };
      check(make_loop, before);
    }
}

TEST_CASE("an MTS step that was saved and loaded goes on as one left alone: tabular net, sparse steps, Adam within") {
  const Toy toy{toy::Spec{}};
  for (const int before : {1, 4}) {
    check(
        [&] {
          return make(toy, features::AlignmentHistory(40), TabularWeightNet<double>(40), Adam<Dense>(adam),
                      AdamW<Dense>(adam));
        },
        before);
    check(
        [&] {
          return make(toy, features::AlignmentHistory(40), TabularWeightNet<double>(40), Sgd<Dense>(momentum),
                      Sgd<Dense>(momentum));
        },
        before);
  }
}

TEST_CASE("the state of another net, optimiser or pool is refused, and nothing changes, the shared record included") {
  const Toy toy{toy::Spec{}};
  const auto with = [&](Index hidden, auto meta, Index pool) {
    auto loop = make(toy, features::AlignmentHistory(pool), MlpWeightNet<double>(layout(), {.hidden = {hidden}}),
                     Sgd<Dense>(momentum), meta);
    loop.go(0);
    return loop;
  };
  auto loop = with(5, AdamW<Dense>(adam), 40);
  mts_test::check_refuses(loop, mts_test::saved(with(6, AdamW<Dense>(adam), 40)));
  mts_test::check_refuses(loop, mts_test::saved(with(5, Sgd<Dense>(momentum), 40)));
  mts_test::check_refuses(loop, mts_test::saved(with(5, AdamW<Dense>(adam), 41)));
}
