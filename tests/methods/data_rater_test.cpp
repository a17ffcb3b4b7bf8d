// DataRater: its equations, what must be fitted before, and wrong labels weighed down.
#include "mts/methods/data_rater.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "data/support.hpp"
#include "methods/support.hpp"

using namespace mts_test;
using namespace mts;

namespace {

auto method_for(const Planted& problem) {
  auto method = methods::data_rater({.width = Planted::embedding_width, .classes = Planted::classes});
  method.features.fit(problem.embeddings, problem.pool);
  return method;
}
template <class Method>
auto start(const Planted& problem, Method method, double rate, double meta_rate, Index uniform_steps = 0) {
  return methods::make_step(std::move(method), problem.model, problem.theta, Sgd<Dense>({.learning_rate = rate}),
                            Sgd<Dense>({.learning_rate = meta_rate}), {problem.seed, "phi"},
                            {.uniform_steps = uniform_steps});
}

}  // namespace

TEST_CASE("DataRater: weights are the softmax over the batch of an MLP of embedding and class") {
  const Planted problem(1);
  auto step = start(problem, method_for(problem), 0.5, 1);
  CHECK(step.phi().size() == 3 * 4 + 8 * 100 + 100 + 100 * 100 + 100 + 100 + 1);
  // one mean and one deviation for the whole table
  const Matrix& e = problem.embeddings;
  double mean = 0, squares = 0;
  for (Index k = 0; k < e.size(); ++k) mean += e.data()[k] / static_cast<double>(e.size());
  for (Index k = 0; k < e.size(); ++k) squares += (e.data()[k] - mean) * (e.data()[k] - mean);
  const double deviation = std::sqrt(squares / static_cast<double>(e.size() - 1));
  const Said said{{100, 100},
                  [](double z) { return std::exp(z); },
                  [&](const Taken& t, const SampleVector&) {
                    Matrix x(t.train.batch.size(), e.cols());
                    for (Index i = 0; i < x.rows(); ++i)
                      for (Index d = 0; d < x.cols(); ++d)
                        x(i, d) = (e(t.train.samples.ids[static_cast<std::size_t>(i)], d) - mean) / deviation;
                    return x;
                  },
                  true};
  for (std::uint64_t k = 0; k < 3; ++k)
    check_equations(problem.model, take_step(step, problem.train(k, 14), problem.some_validation(k, 11)), said, 0.5, 1);
}

TEST_CASE("DataRater: what was not fitted, or on something else, is refused in words") {
  CHECK_REFUSED(ValueError, methods::data_rater({.classes = 3}), "embedding: the width must be at least 1, found 0");
  CHECK_REFUSED(ValueError, methods::data_rater({.width = 4}), "the number of classes must be at least 1, found 0");
  const Planted problem(2);
  const auto unfitted = methods::data_rater({.width = 4, .classes = 3});
  auto step = start(problem, unfitted, 0.5, 1, 1);
  take_step(step, problem.train(0), problem.validation);  // the warm start looks at no feature
  CHECK_REFUSED(ValueError, take_step(step, problem.train(1), problem.validation),
                "embedding: not fitted: call fit on the pool");
  CHECK(step.steps() == 1);
  auto wide = methods::data_rater({.width = 5, .classes = 3});
  CHECK_REFUSED(ShapeError, wide.features.fit(problem.embeddings, problem.pool),
                "embedding: width of the embeddings: expected 5, found 4");
  auto other = start(problem, method_for(problem), 0.5, 1);
  auto t = problem.train(0);
  t.samples.ids[1] = 240;
  CHECK_REFUSED(ValueError, take_step(other, t, problem.validation), "id of sample 1: expected 0 to 239", "found 240");
}

TEST_CASE("DataRater: wrong labels weigh less than right ones, whatever the seed") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Planted problem(seed);
    auto step = start(problem, method_for(problem), 0.2, 2, 20);
    const Verdict v = train_on(problem, step);
    CAPTURE(seed);
    CAPTURE(v.wrong);
    CHECK(v.wrong < 0.5 * v.right);
  }
}
