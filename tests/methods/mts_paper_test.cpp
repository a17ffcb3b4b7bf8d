// MTS as in its paper: its equations on the paper's 22 inputs, crossed mode and central differences, what must be fitted before,
// and wrong labels weighed down.
#include "mts/methods/mts_paper.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "data/support.hpp"
#include "methods/support.hpp"

using namespace mts_test;
using namespace mts;

namespace {

auto method_for(const Planted& problem) {
  auto method = methods::mts_paper({.classes = Planted::classes});
  method.features.fit(problem.embeddings, problem.pool);
  method.features.fit(problem.dynamics());
  return method;
}
template <class Method, class E = CheapestAlignment>
auto start(const Planted& problem, Method method, double rate, double meta_rate, MtsOptions options = {},
           E estimator = {}) {
  return methods::make_step(std::move(method), problem.model, problem.theta, Sgd<Dense>({.learning_rate = rate}),
                            Sgd<Dense>({.learning_rate = meta_rate}), {problem.seed, "phi"}, std::move(options),
                            estimator);
}

}  // namespace

TEST_CASE("MTS paper: weights are a sigmoid of an MLP 22-100-100-1 of the paper's features") {
  const Planted problem(1);
  const auto method = method_for(problem);
  auto step = start(problem, method, 0.5, 2);
  CHECK(step.phi().size() == 3 * 4 + 2 * 1 + 22 * 100 + 100 + 100 * 100 + 100 + 100 + 1);
  auto features = features::paper_features({.classes = 3});
  features.fit(problem.embeddings, problem.pool);
  features.fit(problem.dynamics());
  const Said said{{100, 100},
                  &logistic,
                  [&](const Taken& t, const SampleVector&) {
                    const auto train = problem.model.forward(t.theta, t.train.batch);
                    const auto validation = problem.model.forward(t.theta, t.validation.batch);
                    FeatureBatch<double> f;
                    features.extract(
                        FeatureContext<decltype(train), decltype(validation)>{train, validation, t.train.samples,
                                                                              t.validation.samples},
                        f);
                    REQUIRE(f.continuous.cols() == 17);
                    return Matrix(f.continuous);
                  },
                  true,
                  true};
  for (std::uint64_t k = 0; k < 2; ++k)
    check_equations(problem.model, take_step(step, problem.train(k, 14), problem.some_validation(k, 11)), said, 0.5, 2);
}

TEST_CASE("MTS paper: crossed mode is a selector batch at the call, central differences an argument") {
  const Planted problem(2);
  const auto method = method_for(problem);
  auto exact = start(problem, method, 0.2, 0.5);
  auto differences = start(problem, method, 0.2, 0.5, {}, CentralDifference{1e-4});
  const auto t = problem.train(0), s = problem.train(1, 20);
  const auto& v = problem.validation;
  const auto one = exact(t.batch, t.samples, v.batch, v.samples, s.batch, s.samples);
  const auto two = differences(t.batch, t.samples, v.batch, v.samples, s.batch, s.samples);
  CHECK(std::string(one.mode) == "crossed");
  CHECK(std::string(one.alignment) == "cheapest");
  CHECK(std::string(two.alignment) == "central difference");
  REQUIRE(exact.alignments().size() == 20);
  CHECK(exact.alignments() != differences.alignments());
  CHECK((exact.alignments() - differences.alignments()).norm() < 1e-5 * exact.alignments().norm());
  CHECK(exact.weights().size() == 48);
  auto coarse = start(problem, method, 0.2, 0.5, {}, CentralDifference{1});
  coarse(t.batch, t.samples, v.batch, v.samples, s.batch, s.samples);
  CHECK((exact.alignments() - coarse.alignments()).norm() > 1e-3 * exact.alignments().norm());
}

TEST_CASE("MTS paper: what was not fitted is refused in words, each at its turn") {
  CHECK_REFUSED(ValueError, methods::mts_paper({.classes = 0}), "the number of classes must be at least 1, found 0");
  const Planted problem(3);
  auto method = methods::mts_paper({.classes = 3});
  const auto refused = [&](const std::string& words) {
    auto step = start(problem, method, 0.2, 0.5);
    CHECK_REFUSED(ValueError, take_step(step, problem.train(0), problem.validation), words);
  };
  refused("real_centre_cosine: not fitted: call fit on the pool");
  method.features.fit(problem.embeddings, problem.pool);
  refused("gradient_norm: not fitted");
}

TEST_CASE("MTS paper: wrong labels weigh less than right ones, whatever the seed") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Planted problem(seed);
    auto step = start(problem, method_for(problem), 0.2, 2, {.uniform_steps = 20});
    const Verdict v = train_on(problem, step);
    CAPTURE(seed);
    CAPTURE(v.wrong);
    CHECK(v.wrong < 0.5 * v.right);
  }
}
