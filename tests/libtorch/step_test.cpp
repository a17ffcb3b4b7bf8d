// Whole training steps beside the same steps written in torch and differentiated by torch: hypergradient, phi and
// theta.
#include "libtorch/check_steps.hpp"
#include "mts/nn/mlp.hpp"

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

template <class S>
Problem<S> mlp() {
  return {mts::nn::mlp<S>({inputs, hidden, hidden, classes}, mlp_options), torch_mlp, mlp_shapes};
}

const mts::SgdOptions plain{.learning_rate = 0.3};
const mts::SgdOptions nesterov{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true, .weight_decay = 0.01};
const mts::SgdOptions dampened{.learning_rate = 0.2, .momentum = 0.8, .dampening = 0.4, .weight_decay = 0.01};

}  // namespace

TEST_SUITE("parity with LibTorch: the training step") {
  TEST_CASE_TEMPLATE("joint step, double backward", S, float, double) {
    SUBCASE("plain SGD") { check_sgd<S>(mlp<S>(), Kind::joint, plain); }
    SUBCASE("Nesterov momentum and weight decay") { check_sgd<S>(mlp<S>(), Kind::joint, nesterov); }
    SUBCASE("dampened momentum and class weights") { check_sgd<S>(mlp<S>(), Kind::joint, dampened, true); }
  }

  TEST_CASE("joint step, alignments by forward mode") {
    check_sgd<double, mts::Pushforward>(mlp<double>(), Kind::joint, nesterov);
  }

  TEST_CASE("joint step through AdamW as inner optimiser") {
    check_steps<double>(
        mlp<double>(), Kind::joint,
        mts::AdamW<DenseParameters<double>>({.learning_rate = 0.05, .epsilon = 1e-3, .weight_decay = 0.1}),
        [](const Tensors& theta) {
          return std::make_unique<AdamWReference>(theta, torch::optim::AdamWOptions(0.05).eps(1e-3).weight_decay(0.1));
        });
  }

  TEST_CASE_TEMPLATE("crossed step: alignments on a selector batch of its own", S, float, double) {
    SUBCASE("plain SGD") { check_sgd<S>(mlp<S>(), Kind::crossed, plain); }
    SUBCASE("Nesterov momentum, class weights") { check_sgd<S>(mlp<S>(), Kind::crossed, nesterov, true); }
  }

  // Losses apart by 1e-2 |v| are subtracted, so round-off counts a hundredfold: double only.
  TEST_CASE("the reference implementation's central differences") {
    SUBCASE("plain SGD") { check_sgd<double, mts::CentralDifference>(mlp<double>(), Kind::central_difference, plain); }
    SUBCASE("Nesterov") {
      check_sgd<double, mts::CentralDifference>(mlp<double>(), Kind::central_difference, nesterov);
    }
  }
}
