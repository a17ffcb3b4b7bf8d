// Twenty steps of every optimiser beside torch::optim's, on the same gradients: parameters in Eigen, and parameters
// that are torch tensors, which our optimisers visit through the adapter.
#include "libtorch/parity.hpp"
#include "mts/core/check_parameters.hpp"
#include "mts/optim/adam.hpp"
#include "mts/optim/sgd.hpp"

using namespace parity;

namespace {

template <class S>
using TorchVector = torch_adapter::TorchParameters<S>;

const std::vector<std::vector<Index>> shapes{{3, 4}, {4}, {1}};

template <class S>
DenseParameters<S> dense_zeros() {
  return DenseParameters<S>({{"weight", 0, 12, true}, {"bias", 12, 4, true}, {"scale", 16, 1, true}});
}
template <class S>
TorchVector<S> torch_vector(const DenseParameters<S>& x) {
  TorchVector<S> y(std::make_shared<const std::vector<mts::Segment>>(x.segments().begin(), x.segments().end()), shapes);
  for (std::size_t k = 0; k < shapes.size(); ++k)
    std::copy_n(x.data() + x.segments()[k].begin, x.segments()[k].length, y.data(k));
  return y;
}

/// The gradient of step k: sizes from 1e-6 to 1e3, some entries 0 now and then, one always.
template <class S>
DenseParameters<S> gradient_of(int k) {
  auto g = dense_zeros<S>();
  RandomStream stream(1, "gradient", static_cast<std::uint64_t>(k));
  for (Index j = 0; j < g.size(); ++j)
    g.values()[j] = static_cast<S>(j == 3 || (j + k) % 5 == 0 ? 0 : std::pow(10, j % 10 - 6) * stream.normal());
  return g;
}

/// Twenty steps of `ours` with DenseParameters, `on_tensors` with TorchParameters, and theirs(parameters).
template <class S, class Ours, class OnTensors, class Theirs>
void check_twenty_steps(Ours ours, OnTensors on_tensors, Theirs&& make_theirs) {
  auto theta = normals_like(dense_zeros<S>(), {2, "theta"});
  auto tensors = torch_vector(theta);
  const auto parameters = leaves(theta, shapes);
  auto theirs = make_theirs(parameters);
  for (int k = 0; k < 20; ++k) {
    CAPTURE(k);
    const auto g = gradient_of<S>(k);
    const auto g_tensors = torch_vector(g);
    for (std::size_t j = 0; j < parameters.size(); ++j) parameters[j].mutable_grad() = g_tensors.tensors()[j];
    ours.step(theta, g);
    on_tensors.step(tensors, g_tensors);
    theirs.step();
    check_close("Eigen", tolerance<S>, flat(theta), flat(parameters));
    check_close("tensors", tolerance<S>, flat(tensors), flat(parameters));
  }
}

}  // namespace

TEST_SUITE("parity with LibTorch: optimisers") {
  TEST_CASE_TEMPLATE("SGD", S, float, double) {
    for (const double momentum : {0.0, 0.9})
      for (const double dampening : {0.0, 0.3})
        for (const bool nesterov : {false, true})
          for (const double decay : {0.0, 0.1}) {
            if (nesterov && (momentum == 0 || dampening != 0)) continue;  // torch refuses these
            CAPTURE(momentum);
            CAPTURE(dampening);
            CAPTURE(nesterov);
            CAPTURE(decay);
            const mts::SgdOptions options{.learning_rate = 0.07,
                                          .momentum = momentum,
                                          .dampening = dampening,
                                          .nesterov = nesterov,
                                          .weight_decay = decay};
            check_twenty_steps<S>(mts::Sgd<DenseParameters<S>>(options), mts::Sgd<TorchVector<S>>(options),
                                  [&](const Tensors& parameters) {
                                    return torch::optim::SGD(parameters, torch::optim::SGDOptions(0.07)
                                                                             .momentum(momentum)
                                                                             .dampening(dampening)
                                                                             .nesterov(nesterov)
                                                                             .weight_decay(decay));
                                  });
          }
  }

  TEST_CASE_TEMPLATE("Adam and AdamW", S, float, double) {
    for (const double decay : {0.0, 0.1})
      for (const double epsilon : {1e-8, 1e-2}) {
        CAPTURE(decay);
        CAPTURE(epsilon);
        const mts::AdamOptions options{
            .learning_rate = 0.03, .beta1 = 0.8, .beta2 = 0.95, .epsilon = epsilon, .weight_decay = decay};
        check_twenty_steps<S>(
            mts::Adam<DenseParameters<S>>(options), mts::Adam<TorchVector<S>>(options), [&](const Tensors& parameters) {
              return torch::optim::Adam(
                  parameters, torch::optim::AdamOptions(0.03).betas({0.8, 0.95}).eps(epsilon).weight_decay(decay));
            });
        check_twenty_steps<S>(
            mts::AdamW<DenseParameters<S>>(options), mts::AdamW<TorchVector<S>>(options),
            [&](const Tensors& parameters) {
              return torch::optim::AdamW(
                  parameters, torch::optim::AdamWOptions(0.03).betas({0.8, 0.95}).eps(epsilon).weight_decay(decay));
            });
      }
  }

  TEST_CASE("Adam's defaults are torch's") {
    const torch::optim::AdamOptions theirs;
    const mts::AdamOptions ours;
    CHECK(ours.learning_rate == theirs.lr());
    CHECK(ours.beta1 == std::get<0>(theirs.betas()));
    CHECK(ours.beta2 == std::get<1>(theirs.betas()));
    CHECK(ours.epsilon == theirs.eps());
    CHECK(ours.weight_decay == theirs.weight_decay());
  }

  TEST_CASE_TEMPLATE("a parameter vector of torch tensors keeps the contract", S, float, double) {
    static_assert(mts::ElementwiseParameterVector<TorchVector<S>>);
    static_assert(!std::copyable<TorchVector<S>>);
    mts::check_parameter_vector(torch_vector(normals_like(dense_zeros<S>(), {3, "theta"})));
    // What it guards against: a copied handle is the same tensor.
    const auto theta = torch_vector(normals_like(dense_zeros<S>(), {3, "theta"}));
    auto handle = theta.tensors()[0];
    auto clone = theta.clone();
    clone.scale(2);
    CHECK(torch::equal(handle, theta.tensors()[0]));
    handle.mul_(2);
    CHECK(torch::equal(handle, theta.tensors()[0]));
    CHECK(torch::equal(handle, clone.tensors()[0]));
  }
}
