// Meta-Weight-Net: its equations, the step put together by hand, and wrong labels weighed down.
#include "mts/methods/mw_net.hpp"

#include <doctest/doctest.h>

#include <type_traits>

#include "data/support.hpp"
#include "methods/support.hpp"

using namespace mts_test;
using namespace mts;

namespace {

auto make(const Planted& problem, Index uniform_steps = 0, double rate = 0.2, double meta_rate = 3e-3) {
  return methods::make_step(methods::mw_net(), problem.model, problem.theta, Sgd<Dense>({.learning_rate = rate}),
                            AdamW<Dense>({.learning_rate = meta_rate}), {problem.seed, "phi"},
                            {.uniform_steps = uniform_steps});
}

}  // namespace

TEST_CASE("MW-Net: weights are a sigmoid of an MLP of the loss, which moves along the virtual step's validation loss") {
  const Planted problem(1);
  auto step = methods::make_step(methods::mw_net(), problem.model, problem.theta, Sgd<Dense>({.learning_rate = 0.5}),
                                 Sgd<Dense>({.learning_rate = 2}), {1, "phi"});
  const Said said{{100}, &logistic, [](const Taken&, const SampleVector& losses) { return Matrix(losses); }};
  for (std::uint64_t k = 0; k < 3; ++k)
    check_equations(problem.model, take_step(step, problem.train(k, 14), problem.some_validation(k, 11)), said, 0.5, 2);
}

TEST_CASE("MW-Net: the step is the one put together by hand, bit for bit") {
  const Planted problem(2);
  auto step = make(problem, 2);
  auto features = features::compose(features::Loss{});
  MlpWeightNet<double> net(features.layout(), {.hidden = {100}});
  auto phi = net.initialize({problem.seed, "phi"});
  CHECK(phi.size() == 301);
  MtsStep by_hand(problem.model, problem.theta, Sgd<Dense>({.learning_rate = 0.2}), features, net, phi,
                  AdamW<Dense>({.learning_rate = 3e-3}), {.uniform_steps = 2});
  static_assert(std::is_same_v<decltype(step), decltype(by_hand)>);
  CHECK(step.phi().values() == phi.values());
  for (std::uint64_t k = 0; k < 6; ++k) {
    const auto t = problem.train(k);
    for (auto* s : {&step, &by_hand}) (*s)(t.batch, t.samples, problem.validation.batch, problem.validation.samples);
    CHECK(step.theta().values() == by_hand.theta().values());
    CHECK(step.phi().values() == by_hand.phi().values());
  }
  CHECK(step.phi().values() != phi.values());
}

TEST_CASE(
    "methods: the weight net has the scalar of what its optimiser moves, and the estimator is the last argument") {
  using Single = DenseParameters<float>;
  const auto model = nn::mlp<float>({6, 4, 3});
  const auto theta = model.initialize({1, "theta"});
  const auto step = methods::make_step(methods::mw_net(), model, theta, Sgd<Single>(), AdamW<Single>(), {1, "phi"});
  static_assert(std::is_same_v<std::decay_t<decltype(step.weight_net())>, MlpWeightNet<float>>);
  const auto mixed =
      methods::make_step(methods::mw_net(), model, theta, Sgd<Single>(), AdamW<Dense>(), {1, "phi"}, {}, Pushforward{});
  static_assert(
      std::is_same_v<std::decay_t<decltype(mixed)>,
                     MtsStep<nn::Classifier<float>, MlpWeightNet<double>, decltype(methods::mw_net().features),
                             Sgd<Single>, AdamW<Dense>, SigmoidWeight, Pushforward>>);
  CHECK(mixed.phi().size() == step.phi().size());
}

TEST_CASE("methods: a variant is the method changed; what cannot be is refused in words") {
  const Planted problem(3);
  const auto with = [&](std::vector<Index> hidden, MtsOptions options = {}) {
    auto method = methods::mw_net();
    method.weight_net.hidden = std::move(hidden);
    return methods::make_step(std::move(method), problem.model, problem.theta, Sgd<Dense>(), AdamW<Dense>(), {1, "phi"},
                              std::move(options))
        .phi()
        .size();
  };
  CHECK(with({7}) == 7 + 7 + 7 + 1);
  CHECK(with({}) == 2);
  CHECK_REFUSED(ShapeError, with({0}), "Linear: expected at least 1 output, found 0");
  CHECK_REFUSED(ValueError, with({100}, {.update_every = 0}), "update_every must be at least 1, found 0");
}

TEST_CASE("MW-Net: wrong labels weigh less than right ones, whatever the seed") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Planted problem(seed);
    auto step = make(problem, 20);
    const Verdict v = train_on(problem, step);
    CAPTURE(seed);
    CAPTURE(v.wrong);
    CHECK(v.wrong < 0.5 * v.right);
  }
}
