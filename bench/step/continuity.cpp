#include "step/continuity.hpp"

#include "mts/optim/sgd.hpp"
#include "step/trainer.hpp"
#include "support/problem.hpp"

namespace bench {

using mts::SampleVector;

double Exact::left_out() const {
  double count = 0;
  for (const bool c : continuous) count += !c;
  return count;
}

double Exact::error(const SampleVector& found) const {
  mts::check_value(2 * left_out() < static_cast<double>(a.size()), "alignments", left_out(), " of ", a.size(),
                   " jump: too few are left to compare");
  double largest = 0;
  for (Index i = 0; i < found.size(); ++i)
    if (continuous[static_cast<std::size_t>(i)]) largest = std::max(largest, std::abs(found[i] - a[i]));
  return largest / a.cwiseAbs().maxCoeff();
}

Exact exact_alignments(const Case& c, const Images& train, const Parameters& direction) {
  constexpr double move = 5e-7;
  constexpr int moves = 8;
  const auto model = classifier<double>(c.net);
  const mts::nn::ClassificationBatch<double> batch{train.batch.inputs.cast<double>(), train.batch.labels};
  auto theta = model.initialize(mts::RandomStream(0, "theta")), v = theta.zeros_like();
  theta.values() = initial_theta(c.net).values().cast<double>();
  v.values() = direction.values().cast<double>();
  const auto at = [&](const mts::DenseParameters<double>& parameters) {
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

}  // namespace bench
