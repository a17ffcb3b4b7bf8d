// Whole training steps beside the same steps written in torch and differentiated by torch: hypergradient, phi and
// theta.
#include "libtorch/mlp_problem.hpp"
#include "mts/nn/mlp.hpp"
#include "mts/optim/adam.hpp"
#include "mts/optim/sgd.hpp"

using namespace parity;

namespace {

const mts::nn::MlpOptions mlp_options{.activation = mts::nn::Activation::tanh, .layer_norm = true, .residual = true};

/// The same net in torch, parameters in our order.
std::pair<Tensor, Tensor> torch_mlp(const Tensors& p, const Tensor& x) {
  const auto layer = [&](const Tensor& h, std::size_t k) { return torch::addmm(p[k + 1], h, p[k].t()); };
  const auto norm = [&](const Tensor& h, std::size_t k) {
    return torch::layer_norm(h, {hidden}, p[k], p[k + 1], 1e-5);
  };
  auto h = torch::tanh(norm(layer(x, 0), 2));
  h = h + torch::tanh(norm(layer(h, 4), 6));
  return {layer(h, 8), h};
}
const std::vector<std::vector<Index>> mlp_shapes{{hidden, inputs},  {hidden}, {hidden}, {hidden},
                                                 {hidden, hidden},  {hidden}, {hidden}, {hidden},
                                                 {classes, hidden}, {classes}};

enum class Kind { joint, crossed, central_difference };

/// phi's optimiser. In float an epsilon of the size of the gradients: below it Adam's step is the sign of an entry, and
/// an entry of which all but rounding cancels has none.
template <class S>
constexpr double meta_epsilon = std::same_as<S, double> ? 1e-8 : 1e-2;

/// Five steps of ours and of the reference's side by side.
/// \param rate  of the central-difference form: what the inner step multiplies a gradient with
template <class S, class Estimator = mts::CheapestAlignment, class Inner>
void check_steps(Kind kind, Inner inner,
                 const std::function<std::unique_ptr<InnerReference>(const Tensors&)>& reference_inner,
                 bool class_weights = false, double rate = 0) {
  const auto model = mts::nn::mlp<S>({inputs, hidden, hidden, classes}, mlp_options);
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

  const auto torch_theta = leaves(theta, mlp_shapes);
  ReferenceStep reference(torch_mlp, torch_theta, reference_inner(torch_theta), reference_phi(phi),
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
void check_sgd(Kind kind, const mts::SgdOptions& o, bool class_weights = false) {
  check_steps<S, Estimator>(
      kind, mts::Sgd<DenseParameters<S>>(o),
      [&](const Tensors& theta) {
        return std::make_unique<SgdReference>(theta, torch::optim::SGDOptions(o.learning_rate)
                                                         .momentum(o.momentum)
                                                         .dampening(o.dampening)
                                                         .nesterov(o.nesterov)
                                                         .weight_decay(o.weight_decay));
      },
      class_weights, o.learning_rate * (o.nesterov ? 1 + o.momentum : 1));
}

const mts::SgdOptions plain{.learning_rate = 0.3};
const mts::SgdOptions nesterov{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true, .weight_decay = 0.01};
const mts::SgdOptions dampened{.learning_rate = 0.2, .momentum = 0.8, .dampening = 0.4, .weight_decay = 0.01};

}  // namespace

TEST_SUITE("parity with LibTorch: the training step") {
  TEST_CASE_TEMPLATE("joint step, double backward", S, float, double) {
    SUBCASE("plain SGD") { check_sgd<S>(Kind::joint, plain); }
    SUBCASE("Nesterov momentum and weight decay") { check_sgd<S>(Kind::joint, nesterov); }
    SUBCASE("dampened momentum and class weights") { check_sgd<S>(Kind::joint, dampened, true); }
  }

  TEST_CASE("joint step, alignments by forward mode") { check_sgd<double, mts::Pushforward>(Kind::joint, nesterov); }

  TEST_CASE("joint step through AdamW as inner optimiser") {
    check_steps<double>(
        Kind::joint, mts::AdamW<DenseParameters<double>>({.learning_rate = 0.05, .epsilon = 1e-3, .weight_decay = 0.1}),
        [](const Tensors& theta) {
          return std::make_unique<AdamWReference>(theta, torch::optim::AdamWOptions(0.05).eps(1e-3).weight_decay(0.1));
        });
  }

  TEST_CASE_TEMPLATE("crossed step: alignments on a selector batch of its own", S, float, double) {
    SUBCASE("plain SGD") { check_sgd<S>(Kind::crossed, plain); }
    SUBCASE("Nesterov momentum, class weights") { check_sgd<S>(Kind::crossed, nesterov, true); }
  }

  // Losses apart by 1e-2 |v| are subtracted, so round-off counts a hundredfold: double only.
  TEST_CASE("the reference implementation's central differences") {
    SUBCASE("plain SGD") { check_sgd<double, mts::CentralDifference>(Kind::central_difference, plain); }
    SUBCASE("Nesterov") { check_sgd<double, mts::CentralDifference>(Kind::central_difference, nesterov); }
  }
}
