// Right before fast: alignments in float against double, at the same parameters and along the same direction, that of a
// first step, with each estimator.
#include "mts/core/parallel.hpp"
#include "step/continuity.hpp"
#include "step/step.hpp"
#include "step/trainer.hpp"
#include "support/rounds.hpp"

namespace bench {

namespace {

void measure_errors(benchmark::State& state, const Case& c) {
  const Images train(c.samples, "train"), validation(validation_samples, "validation");
  const double begin = thread_seconds();
  mts::SampleVector p;
  const auto alignments = [&](Estimator e) {
    const auto trainer = make_trainer(c, train, validation, e);
    trainer->select();
    p = trainer->weights_before();
    return trainer->alignments();
  };
  const auto dot = alignments(Estimator::per_sample_dot);
  const Exact exact = exact_alignments(c, train, first_direction(c, train, validation, p));
  state.counters["left_out"] = exact.left_out();
  const auto check = [&](const char* name, const mts::SampleVector& found, double tolerance) {
    const double error = exact.error(found);
    state.counters[name] = error;
    if (!(error <= tolerance))
      throw mts::NumericalError(mts::detail::text("alignments of ", c.name(), ", ", name, ": expected at most ",
                                                  tolerance, " of the largest, found ", error));
  };
  check("per_sample_dot", dot, 1e-4);
  check("pushforward", alignments(Estimator::pushforward), 1e-4);
  check("central_difference", alignments(Estimator::central_difference), 2e-1);
  state.SetIterationTime(thread_seconds() - begin);
}

}  // namespace

void register_errors() {
  for (const auto& c : cases()) measurement("error/" + c.name(), [c](auto& state) { measure_errors(state, c); });
}

}  // namespace bench
