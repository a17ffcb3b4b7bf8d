// Training without selection: p = c/sum c, one optimiser step along J^T p, the report's numbers, and errors.
#include "mts/selection/uniform_step.hpp"

#include <doctest/doctest.h>

#include "data/support.hpp"
#include "selection/toy.hpp"
#include "support/state.hpp"

using namespace mts;
using toy::Dense;
using toy::Toy;
using toy::Vector;

namespace {

auto make(const Toy& problem, PriorWeights prior = {}) {
  return UniformStep(problem.model, problem.theta.clone(), Sgd<Dense>(problem.spec.inner.sgd), std::move(prior));
}

}  // namespace

TEST_CASE("theta follows a plain optimiser along the mean gradient; the report tells its numbers") {
  toy::Spec spec;
  spec.inner = toy::sgd({.learning_rate = 0.5, .momentum = 0.9, .nesterov = true, .weight_decay = 0.01});
  for (const bool with_priors : {false, true}) {
    if (with_priors) spec.options.prior.by_class = {0.5, 1, 3};
    const Toy problem(spec);
    auto step = make(problem, spec.options.prior);
    toy::Plain plain(problem);
    for (std::uint64_t k = 0; k < 4; ++k) {
      const auto train = problem.train(k);
      const auto seen = plain.see(train, problem.validation(k));
      const Vector p = seen.prior / seen.prior.sum(), gradient = seen.gradients.transpose() * p;
      const StepReport r = step(train.batch, train.samples);
      CHECK(toy::relative_error(step.weights().p, p) <= 1e-14);
      plain.inner.step(plain.theta, gradient);
      CHECK(toy::relative_error(step.theta().values(), plain.theta) <= 1e-12);
      plain.theta = step.theta().values();
      CHECK(r.step == static_cast<Index>(k));
      CHECK(step.steps() == static_cast<Index>(k) + 1);
      CHECK(std::string(r.mode) == "uniform");
      CHECK(!r.phi_moved);
      CHECK(r.mean_w == 1);
      CHECK(r.b_eff == doctest::Approx(1 / p.squaredNorm()).epsilon(1e-13));
      CHECK(r.max_p == doctest::Approx(p.maxCoeff()).epsilon(1e-13));
      CHECK(r.train_loss == doctest::Approx(p.dot(seen.losses)).epsilon(1e-13));
      CHECK(r.gradient_norm == doctest::Approx(gradient.norm()).epsilon(1e-13));
      CHECK(std::isnan(r.validation_loss));
      CHECK(std::isnan(r.hypergradient_norm));
      CHECK(r.warning.empty());
      CHECK(r.seconds.seconds("real step") > 0);
    }
  }
}

TEST_CASE("a number that is not finite names the step, the quantity and the index; theta and its optimiser stay") {
  toy::Spec spec;
  spec.inner = toy::sgd({.learning_rate = 0.5, .momentum = 0.9});
  const Toy problem(spec);
  auto step = make(problem), untouched = make(problem);
  const auto go = [&](auto& s, std::uint64_t k) {
    const auto train = problem.train(k);
    s(train.batch, train.samples);
  };
  go(step, 0);
  go(untouched, 0);
  auto train = problem.train(1);
  train.batch.inputs(3, 1) = std::nan("");
  CHECK_REFUSED(NumericalError, step(train.batch, train.samples), "step 1", "training batch", "value", "nan",
                "index 3 of 12");
  CHECK(step.steps() == 1);
  CHECK(step.theta().values() == untouched.theta().values());
  go(step, 2);
  go(untouched, 2);
  CHECK(step.theta().values() == untouched.theta().values());

  auto barren = make(problem, {.by_class = {0, 0, 0}});
  CHECK_REFUSED(NumericalError, go(barren, 0), "step 0", "S = 0", "all 12 weights");
  CHECK(barren.theta().values() == problem.theta.values());
  auto negative = make(problem, {.by_class = {1, -1, 1}});
  CHECK_REFUSED(ValueError, go(negative, 0), "prior weight of sample", "-1");
  auto empty = train;
  empty.batch.inputs.resize(0, 4);
  empty.batch.labels.clear();
  CHECK_REFUSED(ShapeError, step(empty.batch, {}), "empty batch");
}

TEST_CASE("a uniform step that was saved and loaded goes on as one left alone; the state of another theta is refused") {
  toy::Spec spec;
  spec.inner = toy::sgd({.learning_rate = 0.5, .momentum = 0.9, .weight_decay = 0.01, .schedule = cosine(8)});
  const Toy problem(spec);
  const auto go = [&](auto& step, int k) {
    const auto train = problem.train(static_cast<std::uint64_t>(k));
    const StepReport r = step(train.batch, train.samples);
    return std::pair(r.step, r.train_loss);
  };
  for (const int before : {0, 1, 4}) mts_test::check_resumes([&] { return make(problem); }, go, before, 4);
  spec.classes = 4;
  const Toy other(spec);
  auto step = make(problem);
  mts_test::check_refuses(step, mts_test::saved(make(other)));
}
