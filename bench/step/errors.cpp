// Right before fast: alignments a_i = <g_i, v> in float against double, at the same parameters and along the same direction v,
// that of a first step; and the estimators against one another.
//
// A ReLU or a max pooling whose inputs are level within round-off goes one way in float and the other in double, and that
// sample's gradient jumps with it. Such samples are found in double alone, by moving the parameters a little, and left out;
// their number is told.
#include <vector>

#include "mts/core/parallel.hpp"
#include "mts/optim/sgd.hpp"
#include "step/step.hpp"
#include "step/trainer.hpp"
#include "support/rounds.hpp"

namespace bench {

namespace {

using mts::SampleVector;
using Parameters64 = mts::DenseParameters<double>;

/// v = pull(Gamma) of a first step whose virtual step was made by p.
Parameters first_direction(const Case& c, const Images& train, const Images& validation, const SampleVector& p) {
  const auto model = classifier<float>(c.net);
  const auto theta = initial_theta(c.net);
  auto gradient = theta.zeros_like(), shifted = theta.zeros_like(), gamma = theta.zeros_like(),
       direction = theta.zeros_like();
  const mts::Sgd<Parameters> sgd({.learning_rate = learning_rate, .momentum = momentum});
  model.linearize(theta, train.batch).pullback(p, gradient);
  sgd.virtual_step(theta, gradient, shifted);
  const Index m = validation.batch.size();
  model.linearize(shifted, validation.batch).pullback(SampleVector::Constant(m, 1 / static_cast<double>(m)), gamma);
  sgd.pull(gamma, theta, gradient, direction);
  return direction;
}

/// In double, where a is continuous within `move` of the parameters.
struct Exact {
  SampleVector a;
  std::vector<bool> continuous;
};
Exact exact_alignments(const Case& c, const Images& train, const Parameters& direction) {
  constexpr double move = 5e-7;
  constexpr int moves = 8;
  const auto model = classifier<double>(c.net);
  const mts::nn::ClassificationBatch<double> batch{train.batch.inputs.cast<double>(), train.batch.labels};
  auto theta = model.initialize(mts::RandomStream(0, "theta")), v = theta.zeros_like();
  theta.values() = initial_theta(c.net).values().cast<double>();
  v.values() = direction.values().cast<double>();
  const auto at = [&](const Parameters64& parameters) {
    SampleVector a;
    model.linearize(parameters, batch).per_sample_dot(v, a);
    return a;
  };
  Exact exact{at(theta), std::vector<bool>(static_cast<std::size_t>(c.samples), true)};
  mts::RandomStream stream(0, "moves");
  for (int k = 0; k < moves; ++k) {
    auto moved = theta.clone();
    for (Index j = 0; j < moved.size(); ++j) moved.data()[j] *= 1 + move * stream.uniform(-1, 1);
    const SampleVector jump = (at(moved) - exact.a).cwiseAbs() / exact.a.cwiseAbs().maxCoeff();
    for (Index i = 0; i < jump.size(); ++i)
      if (jump[i] > 5e-6) exact.continuous[static_cast<std::size_t>(i)] = false;
  }
  return exact;
}

/// Largest difference over largest number.
double error(const SampleVector& found, const Exact& exact) {
  double largest = 0;
  for (Index i = 0; i < found.size(); ++i)
    if (exact.continuous[static_cast<std::size_t>(i)]) largest = std::max(largest, std::abs(found[i] - exact.a[i]));
  return largest / exact.a.cwiseAbs().maxCoeff();
}

void measure_errors(benchmark::State& state, const Case& c) {
  const Images train(c.samples, "train"), validation(validation_samples, "validation");
  const double begin = thread_seconds();
  SampleVector p;
  const auto alignments = [&](Estimator e) {
    const auto trainer = make_trainer(c, train, validation, e);
    trainer->select();
    p = trainer->weights_before();
    return trainer->alignments();
  };
  const auto dot = alignments(Estimator::per_sample_dot);
  const Exact exact = exact_alignments(c, train, first_direction(c, train, validation, p));
  double left_out = 0;
  for (const bool continuous : exact.continuous) left_out += !continuous;
  state.counters["left_out"] = left_out;
  mts::check_value(2 * left_out < static_cast<double>(c.samples), c.name(), left_out,
                   " samples of jumping alignments: too few are left");
  const auto check = [&](const char* name, const SampleVector& found, double tolerance) {
    const double e = error(found, exact);
    state.counters[name] = e;
    if (!(e <= tolerance))
      throw mts::NumericalError(mts::detail::text("alignments of ", c.name(), ", ", name, ": expected at most ",
                                                  tolerance, " of the largest, found ", e));
  };
  check("per_sample_dot", dot, 1e-4);
  check("pushforward", alignments(Estimator::pushforward), 1e-4);
  check("central_difference", alignments(Estimator::central_difference), 1e-1);
  state.SetIterationTime(thread_seconds() - begin);
}

}  // namespace

void register_errors() {
  for (const auto& c : cases()) measurement("error/" + c.name(), [c](auto& state) { measure_errors(state, c); });
}

}  // namespace bench
