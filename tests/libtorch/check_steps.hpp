// Whole training steps beside the same steps written in torch and differentiated by torch, for any classifier.
#pragma once

#include "libtorch/mlp_problem.hpp"
#include "mts/optim/adam.hpp"
#include "mts/optim/sgd.hpp"

namespace parity {

enum class Kind { joint, crossed, central_difference };

/// phi's optimiser. In float an epsilon of the size of the gradients: below it Adam's step is the sign of an entry, and
/// an entry of which all but rounding cancels has none.
template <class S>
constexpr double meta_epsilon = std::same_as<S, double> ? 1e-8 : 1e-2;

/// A classifier of `inputs` numbers in both frameworks.
template <class S>
struct Problem {
  mts::nn::Classifier<S> model;
  TorchNet net;
  std::vector<std::vector<Index>> shapes;  ///< of the parameters that `net` takes, one a segment
};

/// Five steps of ours and of the reference's side by side.
/// \param rate  of the central-difference form: what the inner step multiplies a gradient with
template <class S, class Estimator = mts::CheapestAlignment, class Inner>
void check_steps(const Problem<S>& problem, Kind kind, Inner inner,
                 const std::function<std::unique_ptr<InnerReference>(const Tensors&)>& reference_inner,
                 bool class_weights = false, double rate = 0) {
  const auto& model = problem.model;
  const auto features = reference_features();
  const auto weight_net = reference_weight_net<S>();
  const auto theta = model.initialize({2, "theta"});
  const auto phi = weight_net.initialize({2, "phi"});
  const mts::AdamW<DenseParameters<S>> meta({.learning_rate = 0.02, .epsilon = meta_epsilon<S>, .weight_decay = 0.05});
  mts::MtsOptions options;
  Tensor prior;
  if (class_weights) {
    options.prior.by_class = {1.0, 0.25, 0.6};
    prior = torch::tensor({1.0, 0.25, 0.6}, torch::kDouble).to(scalar_type<S>);
  }
  constexpr double excursion = 1e-2;
  Estimator estimator;
  if constexpr (requires { estimator.step; }) estimator.step = excursion;
  mts::MtsStep step(model, theta.clone(), inner, features, weight_net, phi.clone(), meta, options, mts::SigmoidWeight{},
                    estimator);

  const auto torch_theta = leaves(theta, problem.shapes);
  ReferenceStep reference(problem.net, torch_theta, reference_inner(torch_theta), reference_phi(phi),
                          torch::optim::AdamWOptions(0.02).eps(meta_epsilon<S>).weight_decay(0.05), prior);

  const auto validation = validation_batch<S>();
  for (Index k = 0; k < steps; ++k) {
    CAPTURE(k);
    const auto train = train_batch<S>(k), selector = train_batch<S>(100 + k);
    Tensors hypergradient;
    if (kind == Kind::joint) hypergradient = reference.joint(train.reference, validation.reference);
    if (kind == Kind::crossed)
      hypergradient = reference.crossed(train.reference, validation.reference, selector.reference);
    if (kind == Kind::central_difference)
      hypergradient = reference.central_difference(train.reference, validation.reference, excursion, rate);
    reference.step(hypergradient, train.reference, validation.reference);
    if (kind == Kind::crossed)
      step(train.batch, train.samples, validation.batch, validation.samples, selector.batch, selector.samples);
    else
      step(train.batch, train.samples, validation.batch, validation.samples);
    check_close("hypergradient", tolerance<S>, flat(step.hypergradient()), flat(hypergradient));
    check_close("phi", tolerance<S>, flat(step.phi()), flat(reference.phi()));
    check_close("theta", tolerance<S>, flat(step.theta()), flat(reference.theta()));
  }
  CHECK(flat(step.theta()) != flat(theta));
}

template <class S, class Estimator = mts::CheapestAlignment>
void check_sgd(const Problem<S>& problem, Kind kind, const mts::SgdOptions& o, bool class_weights = false) {
  check_steps<S, Estimator>(
      problem, kind, mts::Sgd<DenseParameters<S>>(o),
      [&](const Tensors& theta) {
        return std::make_unique<SgdReference>(theta, torch::optim::SGDOptions(o.learning_rate)
                                                         .momentum(o.momentum)
                                                         .dampening(o.dampening)
                                                         .nesterov(o.nesterov)
                                                         .weight_decay(o.weight_decay));
      },
      class_weights, o.learning_rate * (o.nesterov ? 1 + o.momentum : 1));
}

}  // namespace parity
