// A module of another framework as `Model`: the adapter keeps the contract, trains as our own net does with the same
// parameters, and carries BatchNorm, where samples mix, through the same step.
#include "libtorch/torch_model.hpp"

#include "libtorch/mlp_problem.hpp"
#include "mts/core/check_parameters.hpp"
#include "mts/nn/mlp.hpp"
#include "mts/optim/adam.hpp"
#include "mts/optim/sgd.hpp"

using namespace parity;
using torch_adapter::TorchModel;
using torch_adapter::TorchParameters;

namespace {

/// The user's module: two hidden layers, and what features are to see.
struct Mlp : torch::nn::Cloneable<Mlp> {
  Mlp() { reset(); }
  void reset() override {
    layer1 = register_module("layer1", torch::nn::Linear(inputs, hidden));
    layer2 = register_module("layer2", torch::nn::Linear(hidden, hidden));
    logits = register_module("logits", torch::nn::Linear(hidden, classes));
  }
  std::pair<Tensor, Tensor> logits_and_embedding(const Tensor& x) {
    const auto h = torch::relu(layer2(torch::relu(layer1(x))));
    return {logits(h), h};
  }
  torch::nn::Linear layer1{nullptr}, layer2{nullptr}, logits{nullptr};
};

/// One with batch normalisation.
struct Normalised : torch::nn::Cloneable<Normalised> {
  Normalised() { reset(); }
  void reset() override {
    layer = register_module("layer", torch::nn::Linear(inputs, hidden));
    norm = register_module("norm", torch::nn::BatchNorm1d(hidden));
    logits = register_module("logits", torch::nn::Linear(hidden, classes));
  }
  std::pair<Tensor, Tensor> logits_and_embedding(const Tensor& x) {
    const auto h = torch::tanh(norm(layer(x)));
    return {logits(h), h};
  }
  torch::nn::Linear layer{nullptr}, logits{nullptr};
  torch::nn::BatchNorm1d norm{nullptr};
};

/// The least that a module must have.
struct LogitsOnly : torch::nn::Cloneable<LogitsOnly> {
  LogitsOnly() { reset(); }
  void reset() override { logits = register_module("logits", torch::nn::Linear(inputs, classes)); }
  Tensor forward(const Tensor& x) { return logits(x); }
  torch::nn::Linear logits{nullptr};
};

template <class M>
constexpr bool fits = mts::Model<M> && mts::ElementwiseParameterVector<typename M::Parameters> &&
                      mts::PushforwardLinearization<mts::LinearizationOf<M>, typename M::Parameters>;
template <class M>
constexpr bool shows = mts::ClassifierForward<mts::LinearizationOf<M>> && mts::ClassifierForward<mts::ForwardOf<M>>;

static_assert(fits<TorchModel<float, Mlp>> && shows<TorchModel<float, Mlp>>);
static_assert(fits<TorchModel<double, Normalised>> && shows<TorchModel<double, Normalised>>);
static_assert(fits<TorchModel<double, LogitsOnly>> && !shows<TorchModel<double, LogitsOnly>>);
// torch knows no per-sample gradients of a batch; where samples mix there are none.
using NormalisedModel = TorchModel<double, Normalised>;
static_assert(!mts::PerSampleDotLinearization<mts::LinearizationOf<NormalisedModel>, TorchParameters<double>>);
static_assert(!mts::PerSampleNormLinearization<mts::LinearizationOf<NormalisedModel>, TorchParameters<double>>);

template <class Net, class S = double>
TorchModel<S, Net> torch_model() {
  return TorchModel<S, Net>(std::make_shared<Net>());
}

/// The numbers of `from` in a model's own parameter vector.
template <class S>
TorchParameters<S> carried(const DenseParameters<S>& from, TorchParameters<S> to) {
  REQUIRE(from.segments().size() == to.segments().size());
  for (std::size_t k = 0; k < to.tensors().size(); ++k) {
    REQUIRE(from.segments()[k].length == to.segments()[k].length);
    std::copy_n(from.data() + from.segments()[k].begin, from.segments()[k].length, to.data(k));
  }
  return to;
}

/// J v by central differences of the losses.
template <class M>
SampleVector differences(const M& model, const typename M::Parameters& theta, const torch_adapter::TorchBatch& batch,
                         const typename M::Parameters& v, double h) {
  auto moved = theta.clone();
  moved.axpy(h, v);
  const SampleVector ahead = model.forward(moved, batch).value();
  moved.axpy(-2 * h, v);
  return (ahead - model.forward(moved, batch).value()) / (2 * h);
}

/// Five steps on the adapter and on our own net, from the same parameters.
template <class S, class OnTensors, class OnEigen>
void check_same_training(OnTensors torch_inner, OnEigen own_inner) {
  const auto own = mts::nn::mlp<S>({inputs, hidden, hidden, classes});
  const auto theirs = torch_model<Mlp, S>();
  const auto theta = own.initialize({3, "theta"});
  const auto weight_net = reference_weight_net<S>();
  const auto phi = weight_net.initialize({3, "phi"});
  const mts::AdamW<DenseParameters<S>> meta({.learning_rate = 0.02, .epsilon = 1e-2});
  mts::MtsStep own_step(own, theta.clone(), own_inner, reference_features(), weight_net, phi.clone(), meta);
  mts::MtsStep torch_step(theirs, carried(theta, theirs.zeros()), torch_inner, reference_features(), weight_net,
                          phi.clone(), meta);
  const auto validation = validation_batch<S>();
  for (Index k = 0; k < steps; ++k) {
    CAPTURE(k);
    const auto train = train_batch<S>(k);
    own_step(train.batch, train.samples, validation.batch, validation.samples);
    torch_step(train.torch(), train.samples, validation.torch(), validation.samples);
    check_close("alignments", tolerance<S>, torch_step.alignments(), own_step.alignments());
    check_close("hypergradient", tolerance<S>, flat(torch_step.hypergradient()), flat(own_step.hypergradient()));
    check_close("phi", tolerance<S>, flat(torch_step.phi()), flat(own_step.phi()));
    check_close("theta", tolerance<S>, flat(torch_step.theta()), flat(own_step.theta()));
  }
}

}  // namespace

TEST_SUITE("LibTorch modules as models") {
  TEST_CASE_TEMPLATE("parameters keep the contract of a parameter vector", S, float, double) {
    const auto model = torch_model<Mlp, S>();
    mts::check_parameter_vector(model.initialize({4, "theta"}));
    const auto theta = model.initialize({4, "theta"}), same = model.initialize({4, "theta"}),
               other = model.initialize({5, "theta"});
    CHECK(flat(theta) == flat(same));
    CHECK(flat(theta) != flat(other));
    CHECK(theta.segments()[2].name == "layer2.weight");
    // Neither a step nor an initialisation moves the module that was given.
    const auto before = flat(model.parameters());
    auto lin = model.linearize(theta, train_batch<S>(0).torch());
    CHECK(flat(model.parameters()) == before);
  }

  TEST_CASE("which parameters decay is the user's to say, by name") {
    const TorchModel<double, Mlp> model(std::make_shared<Mlp>(),
                                        [](const std::string& name) { return !name.ends_with("bias"); });
    const auto theta = model.initialize({4, "theta"});
    for (const auto& s : theta.segments()) CHECK(s.decays == (s.name.find("bias") == std::string::npos));
  }

  TEST_CASE_TEMPLATE("linearisation equals that of our own net", S, float, double) {
    const auto own = mts::nn::mlp<S>({inputs, hidden, hidden, classes});
    const auto model = torch_model<Mlp, S>();
    const auto theta = own.initialize({3, "theta"});
    const auto torch_theta = carried(theta, model.zeros());
    const auto train = train_batch<S>(0);
    const auto lin = own.linearize(theta, train.batch);
    const auto torch_lin = model.linearize(torch_theta, train.torch());
    constexpr double allowed = tolerance<S>;
    check_close("losses", allowed, torch_lin.value(), lin.value());
    check_close("losses", allowed, model.forward(torch_theta, train.torch()).value(), lin.value());
    const auto flat_rows = [](const auto& rows) -> SampleVector {
      return RowMatrix<double>(rows.template cast<double>()).reshaped<Eigen::RowMajor>();
    };
    check_close("logits", allowed, flat_rows(torch_lin.logits()), flat_rows(lin.logits()));
    check_close("embeddings", allowed, flat_rows(torch_lin.embeddings()), flat_rows(lin.embeddings()));
    auto g = theta.zeros_like();
    auto torch_g = model.zeros();
    const auto u = normals(train_samples, {5, "u"});
    lin.pullback(u, g);
    torch_lin.pullback(u, torch_g);
    check_close("pullback", allowed, flat(torch_g), flat(g));
    const auto v = normals_like(theta, {5, "v"});
    SampleVector jv, torch_jv;
    lin.pushforward(v, jv);
    torch_lin.pushforward(carried(v, model.zeros()), torch_jv);
    check_close("pushforward", allowed, torch_jv, jv);
  }

  TEST_CASE("a linearisation does not change when the model is linearised elsewhere, or theta moves") {
    const auto model = torch_model<Mlp>();
    auto theta = model.initialize({4, "theta"});
    const auto elsewhere = model.initialize({5, "theta"});
    const auto train = train_batch<double>(0).torch();
    const auto u = normals(train_samples, {5, "u"});
    auto before = theta.zeros_like(), after = theta.zeros_like();
    const auto lin = model.linearize(theta, train);
    lin.pullback(u, before);
    const auto other = model.linearize(elsewhere, train);
    theta.scale(3);
    lin.pullback(u, after);
    CHECK(flat(after) == flat(before));
    CHECK_THROWS_AS(lin.pullback(normals(3, {5, "u"}), after), mts::ShapeError);
  }

  TEST_CASE("a module that is not there, and labels that are too few, are refused") {
    using Model = TorchModel<double, Mlp>;
    CHECK_THROWS_AS(Model(nullptr), mts::ValueError);
    const auto model = torch_model<Mlp>();
    auto train = train_batch<double>(0).torch();
    train.labels = train.labels.narrow(0, 0, train_samples - 1);
    CHECK_THROWS_AS(model.forward(model.zeros(), train), mts::ShapeError);
    CHECK_THROWS_AS(model.linearize(model.zeros(), train), mts::ShapeError);
  }

  TEST_CASE_TEMPLATE("a step on torch tensors is the step on our own net", S, float, double) {
    const mts::SgdOptions nesterov{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true, .weight_decay = 0.01};
    check_same_training<S>(mts::Sgd<TorchParameters<S>>(nesterov), mts::Sgd<DenseParameters<S>>(nesterov));
  }

  TEST_CASE("the same through AdamW as inner optimiser") {
    const mts::AdamOptions adam{.learning_rate = 0.02, .epsilon = 1e-2, .weight_decay = 0.1};
    check_same_training<double>(mts::AdamW<TorchParameters<double>>(adam), mts::AdamW<DenseParameters<double>>(adam));
  }

  TEST_CASE("a module that shows no embedding trains too, by features that ask for none") {
    const auto model = torch_model<LogitsOnly>();
    const auto features = mts::features::compose(mts::features::Loss{});
    const mts::MlpWeightNet<double> weight_net(features.layout());
    mts::MtsStep step(model, model.initialize({4, "theta"}), mts::Sgd<TorchParameters<double>>({.learning_rate = 0.3}),
                      features, weight_net, weight_net.initialize({4, "phi"}),
                      mts::AdamW<DenseParameters<double>>({.learning_rate = 0.01}));
    const auto train = train_batch<double>(0), validation = validation_batch<double>();
    const double first = step(train.torch(), {}, validation.torch(), {}).validation_loss;
    double last = first;
    for (int k = 0; k < 9; ++k) last = step(train.torch(), {}, validation.torch(), {}).validation_loss;
    CHECK(last < 0.9 * first);
  }
}

TEST_SUITE("BatchNorm: samples mix") {
  TEST_CASE("the pushforward is the derivative given the whole batch") {
    const auto model = torch_model<Normalised>();
    const auto theta = model.initialize({6, "theta"});
    const auto train = train_batch<double>(0).torch();
    const auto lin = model.linearize(theta, train);
    auto v = theta.zeros_like();
    for (std::size_t k = 0; k < v.tensors().size(); ++k) {
      RandomStream stream(6, "v", k);
      for (Index i = 0; i < v.tensors()[k].numel(); ++i) v.data(k)[i] = stream.normal();
    }
    SampleVector jv;
    lin.pushforward(v, jv);
    CHECK((jv - differences(model, theta, train, v, 1e-4)).norm() <= 1e-6 * jv.norm());
    // The error of central differences falls as h^2.
    const double coarse = (jv - differences(model, theta, train, v, 2e-2)).norm(),
                 fine = (jv - differences(model, theta, train, v, 1e-2)).norm();
    CHECK(coarse / fine > 3.5);
    CHECK(coarse / fine < 4.5);

    const auto u = normals(train_samples, {6, "u"});
    auto g = theta.zeros_like();
    lin.pullback(u, g);
    CHECK(std::abs(g.dot(v) - u.dot(jv)) <= 1e-12 * std::abs(u.dot(jv)));
  }

  TEST_CASE("batch statistics in training mode; running statistics stay; running ones in evaluation mode") {
    const auto model = torch_model<Normalised>();
    const auto theta = model.initialize({6, "theta"});
    const auto train = train_batch<double>(0).torch();
    const torch_adapter::TorchBatch half{train.inputs.narrow(0, 0, 12), train.labels.narrow(0, 0, 12)};
    const auto whole = model.linearize(theta, train).value(), part = model.linearize(theta, half).value();
    CHECK((whole.head(12) - part).norm() > 1e-3 * part.norm());
    CHECK(model.forward(theta, train).value() == whole);
    const auto& norm = model.net().norm;
    CHECK(norm->running_mean.abs().max().item<double>() == 0);
    CHECK(torch::equal(norm->running_var, torch::ones_like(norm->running_var)));

    model.net().eval();
    check_close("losses in evaluation mode", 1e-14, model.linearize(theta, train).value().head(12),
                model.linearize(theta, half).value());
    model.net().train();
  }

  TEST_CASE("the step through BatchNorm is torch's double backward") {
    const auto model = torch_model<Normalised>();
    const auto theta = model.initialize({6, "theta"});
    const auto weight_net = reference_weight_net<double>();
    const auto phi = weight_net.initialize({6, "phi"});
    mts::MtsStep step(model, theta.clone(),
                      mts::Sgd<TorchParameters<double>>({.learning_rate = 0.1, .momentum = 0.9, .nesterov = true}),
                      reference_features(), weight_net, phi.clone(),
                      mts::AdamW<DenseParameters<double>>({.learning_rate = 0.02, .weight_decay = 0.05}));

    Tensors torch_theta;
    for (const auto& t : theta.tensors()) torch_theta.push_back(t.clone().requires_grad_());
    const TorchNet net = [](const Tensors& p, const Tensor& x) {
      const auto h =
          torch::tanh(torch::batch_norm(torch::addmm(p[1], x, p[0].t()), p[2], p[3], {}, {}, true, 0.1, 1e-5, false));
      return std::pair{torch::addmm(p[5], h, p[4].t()), h};
    };
    ReferenceStep reference(
        net, torch_theta,
        std::make_unique<SgdReference>(torch_theta, torch::optim::SGDOptions(0.1).momentum(0.9).nesterov(true)),
        reference_phi(phi), torch::optim::AdamWOptions(0.02).weight_decay(0.05));

    const auto validation = validation_batch<double>();
    for (Index k = 0; k < steps; ++k) {
      CAPTURE(k);
      const auto train = train_batch<double>(k);
      const auto hypergradient = reference.joint(train.reference, validation.reference);
      reference.step(hypergradient, train.reference, validation.reference);
      step(train.torch(), train.samples, validation.torch(), validation.samples);
      check_close("hypergradient", 1e-10, flat(step.hypergradient()), flat(hypergradient));
      check_close("phi", 1e-10, flat(step.phi()), flat(reference.phi()));
      check_close("theta", 1e-10, flat(step.theta()), flat(reference.theta()));
    }
  }

  TEST_CASE("ten steps, and the loss falls at each") {
    const auto model = torch_model<Normalised>();
    const auto weight_net = reference_weight_net<double>();
    mts::MtsStep step(model, model.initialize({6, "theta"}), mts::Sgd<TorchParameters<double>>({.learning_rate = 0.2}),
                      reference_features(), weight_net, weight_net.initialize({6, "phi"}),
                      mts::AdamW<DenseParameters<double>>({.learning_rate = 0.01}));
    const auto train = train_batch<double>(0), validation = validation_batch<double>();
    double last = std::numeric_limits<double>::infinity();
    for (int k = 0; k < 10; ++k) {
      CAPTURE(k);
      const auto report = step(train.torch(), train.samples, validation.torch(), validation.samples);
      CHECK(report.validation_loss < last);
      last = report.validation_loss;
    }
  }
}
