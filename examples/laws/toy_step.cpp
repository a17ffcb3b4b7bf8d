// The library's own training step over the small problem of the laws.
// SPDX-License-Identifier: Apache-2.0
#include "laws/toy_step.hpp"

#include <mts/optim/adam.hpp>
#include <mts/optim/sgd.hpp>
#include <mts/selection/tabular_weight_net.hpp>
#include <utility>
#include <variant>

namespace laws::toy {

namespace {

/// What a tabular net asks for: places in the pool.
struct Places {
  static constexpr bool reads_validation() { return false; }
  mts::FeatureLayout layout() const { return {}; }
  template <class Context>
  void extract(const Context& context, mts::FeatureBatch<double>& f) const {
    f.resize(context.samples.size(), layout());
    f.ids = context.samples.ids;
  }
};

/// One of the library's optimisers, chosen at run time.
class AnyOptimizer {
 public:
  explicit AnyOptimizer(const Inner& o) {
    if (o.adam)
      chosen_ = mts::Adam<Dense>({.learning_rate = o.eta, .beta1 = o.beta1, .beta2 = o.beta2, .epsilon = o.epsilon});
    else
      chosen_ = mts::Sgd<Dense>({.learning_rate = o.eta, .momentum = o.mu, .dampening = o.tau, .nesterov = o.nesterov});
  }
  void step(Dense& theta, const Dense& gradient) {
    std::visit([&](auto& o) { o.step(theta, gradient); }, chosen_);
  }
  void virtual_step(const Dense& theta, const Dense& gradient, Dense& out) const {
    std::visit([&](const auto& o) { o.virtual_step(theta, gradient, out); }, chosen_);
  }
  void pull(const Dense& direction, const Dense& theta, const Dense& gradient, Dense& out) const {
    std::visit([&](const auto& o) { o.pull(direction, theta, gradient, out); }, chosen_);
  }

 private:
  std::variant<mts::Sgd<Dense>, mts::Adam<Dense>> chosen_;
};

/// The weight net's optimiser: stays where it is.
struct Still {
  void step(Dense&, const Dense&) {}
};

Dense dense(const SampleVector& x) {
  Dense d(x.size());
  d.values() = x;
  return d;
}

template <class A>
SampleVector logit_gradient(const Problem& problem, mts::MtsOptions options) {
  mts::Samples samples;
  for (Index i = 0; i < problem.size(); ++i) samples.ids.push_back(i);
  options.prior.by_sample = numbers(problem.prior);
  options.measure_gsnr = false;
  mts::MtsStep step(Logistic{}, dense(problem.theta_beginning), AnyOptimizer(problem.beginning), Places{},
                    mts::TabularWeightNet<double>(problem.size()), dense(problem.z), Still{}, options, A{});
  for (int k = 0; k <= problem.past; ++k) step(problem.train, samples, problem.validation, {});
  return step.logit_gradient();
}

}  // namespace

SampleVector library_logit_gradient(const Problem& problem, const mts::MtsOptions& options) {
  switch (problem.activation) {
    case Kind::softmax:
      return logit_gradient<mts::SoftmaxWeight>(problem, options);
    case Kind::sigmoid:
      return logit_gradient<mts::SigmoidWeight>(problem, options);
    case Kind::softplus:
      return logit_gradient<mts::SoftplusWeight>(problem, options);
    default:
      return logit_gradient<mts::ReluWeight>(problem, options);
  }
}

}  // namespace laws::toy
