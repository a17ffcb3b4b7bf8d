// CMW-Net: its equations, what its weight net is made of, and wrong labels weighed down.
#include "mts/methods/cmw_net.hpp"

#include <doctest/doctest.h>

#include <type_traits>

#include "data/support.hpp"
#include "methods/support.hpp"

using namespace mts_test;
using namespace mts;

TEST_CASE("CMW-Net: weights are a sigmoid of an MLP of loss and embedded class") {
  const Planted problem(1);
  auto step = methods::make_step(methods::cmw_net({.classes = 3}), problem.model, problem.theta,
                                 Sgd<Dense>({.learning_rate = 0.5}), Sgd<Dense>({.learning_rate = 2}), {1, "phi"});
  CHECK(step.phi().size() == 3 * 4 + 5 * 100 + 100 + 100 + 1);
  const Said said{{100}, &logistic, [](const Taken&, const SampleVector& losses) { return Matrix(losses); }, true};
  for (std::uint64_t k = 0; k < 3; ++k)
    check_equations(problem.model, take_step(step, problem.train(k, 14), problem.some_validation(k, 11)), said, 0.5, 2);
}

TEST_CASE("CMW-Net: no classes, or one that is not among them, is refused in words") {
  CHECK_REFUSED(ValueError, methods::cmw_net({}), "class: the number of classes must be at least 1, found 0");
  const Planted problem(2);
  auto step = methods::make_step(methods::cmw_net({.classes = 2}), problem.model, problem.theta, Sgd<Dense>(),
                                 Sgd<Dense>(), {1, "phi"});
  CHECK_REFUSED(ValueError, take_step(step, problem.train(0), problem.validation), "class", "found 2");
  auto t = problem.train(0);
  t.samples.labels.clear();
  CHECK_REFUSED(ShapeError, take_step(step, t, problem.validation), "samples.labels");
}

TEST_CASE("CMW-Net: wrong labels weigh less than right ones, whatever the seed") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Planted problem(seed);
    auto step = methods::make_step(methods::cmw_net({.classes = 3}), problem.model, problem.theta,
                                   Sgd<Dense>({.learning_rate = 0.2}), Sgd<Dense>({.learning_rate = 2}), {seed, "phi"},
                                   {.uniform_steps = 20});
    const Verdict v = train_on(problem, step);
    CAPTURE(seed);
    CAPTURE(v.wrong);
    CHECK(v.wrong < 0.5 * v.right);
  }
}
