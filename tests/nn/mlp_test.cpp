#include "mts/nn/mlp.hpp"

#include "mts/core/concepts.hpp"
#include "support/derivatives.hpp"

using namespace mts;
using namespace mts::nn;
using namespace mts::testing;

static_assert(Model<Classifier<float>> && Model<Classifier<double>>);
static_assert(ClassifierForward<ForwardOf<Classifier<float>>>);
static_assert(PushforwardLinearization<LinearizationOf<Classifier<float>>, DenseParameters<float>>);
static_assert(PerSampleDotLinearization<LinearizationOf<Classifier<float>>, DenseParameters<float>>);
static_assert(PerSampleNormLinearization<LinearizationOf<Classifier<float>>, DenseParameters<float>>);

namespace {

constexpr const char* names[] = {"relu", "tanh", "gelu", "sigmoid"};

template <class S>
ClassificationBatch<S> batch(Index n, Index width, int classes, double scale = 1) {
  ClassificationBatch<S> b;
  b.inputs = random_matrix(n, width, RandomStream(1, "inputs"), scale).cast<S>();
  for (Index i = 0; i < n; ++i) b.labels.push_back(static_cast<int>((i * 7) % classes));
  return b;
}

void check_mlp(const std::string& name, const std::vector<Index>& widths, const MlpOptions& options, Index n) {
  const auto in_double = mlp<double>(widths, options);
  const auto in_float = mlp<float>(widths, options);
  auto theta = in_double.initialize(RandomStream(2, "mlp"));
  // Off the initial scales and shifts of the layer norms.
  theta.values() = snap(Vector(theta.values() + random_vector(theta.size(), RandomStream(3, "off"), 0.25)));
  DenseParameters<float> single(std::vector<Segment>(theta.segments().begin(), theta.segments().end()));
  single.values() = theta.values().cast<float>();
  const int classes = static_cast<int>(widths.back());
  const auto a = batch<double>(n, widths[0], classes);
  const auto b = batch<float>(n, widths[0], classes);
  Options checks;
  if (options.activation == Activation::relu) checks.tolerance.unresolved_share = 0.02;  // kinks within reach
  // A layer norm multiplies round-off by 1/deviation, and rows with tied features have little.
  if (options.layer_norm) checks.tolerance.precision = 1e-4;
  const auto f = at(name, in_double, theta, a);
  check_derivatives(f, checks);
  const auto g = at(name + ", float", in_float, single, b);
  check_derivatives(g, checks);
  check_precision(g, f, checks);
}

}  // namespace

TEST_CASE("mlp: derivatives with every option") {
  for (Activation activation : {Activation::relu, Activation::tanh, Activation::gelu, Activation::sigmoid})
    for (bool layer_norm : {false, true})
      for (bool residual : {false, true})
        for (double smoothing : {0.0, 0.1})
          check_mlp(mts::detail::text("mlp 3-6-6-4 ", names[static_cast<int>(activation)], layer_norm ? " norm" : "",
                                      residual ? " residual" : "", " smoothing ", smoothing),
                    {3, 6, 6, 4}, {activation, layer_norm, residual, smoothing}, 7);
}

TEST_CASE("mlp: derivatives at other sizes") {
  check_mlp("mlp 1-1, one sample", {1, 1}, {}, 1);
  check_mlp("mlp 3-2, no hidden layer", {3, 2}, {}, 130);
  check_mlp("mlp 2-1-2, width 1", {2, 1, 2}, {.activation = Activation::tanh}, 5);
  check_mlp("mlp 5-5-5-5-3, all residual", {5, 5, 5, 5, 3}, {.activation = Activation::gelu, .residual = true}, 129);
  check_mlp("mlp 4-9-3, 300 samples", {4, 9, 3}, {.layer_norm = true, .label_smoothing = 0.2}, 300);
}

TEST_CASE("mlp: a widths list makes the layers it says") {
  const auto model = mlp<float>({3, 6, 6, 4}, {.layer_norm = true, .residual = true, .biases_decay = false});
  std::vector<std::string> found;
  for (const auto& s : model.network().graph().segments())
    found.push_back(mts::detail::text(s.name, " ", s.length, s.decays ? " decays" : ""));
  CHECK(found == std::vector<std::string>{"layer1.weight 18 decays", "layer1.bias 6", "norm1.scale 6", "norm1.shift 6",
                                          "layer2.weight 36 decays", "layer2.bias 6", "norm2.scale 6", "norm2.shift 6",
                                          "logits.weight 24 decays", "logits.bias 4"});
  const auto decaying = mlp<float>({3, 6, 4}, {.layer_norm = true});
  for (const auto& s : decaying.network().graph().segments()) CHECK(s.decays);
}

TEST_CASE("mlp: by hand, layer by layer") {
  const auto model = mlp<double>({2, 2, 2}, {.activation = Activation::relu, .residual = true});
  DenseParameters<double> theta(std::vector<Segment>(model.network().graph().segments()));
  theta.values() << 1, 2, 3, 4, 0.5, -10, 1, 0, 1, 1, 0, 0.25;
  ClassificationBatch<double> b;
  b.inputs.resize(1, 2);
  b.inputs << 1, -1;
  b.labels = {1};
  // W x + b = (-0.5, -11), ReLU 0, + x = (1, -1); logits (1, 0.25).
  const auto f = model.forward(theta, b);
  CHECK(f.embeddings()(0, 0) == 1);
  CHECK(f.embeddings()(0, 1) == -1);
  CHECK(f.logits()(0, 0) == 1);
  CHECK(f.logits()(0, 1) == 0.25);
  CHECK(f.value()[0] == doctest::Approx(std::log1p(std::exp(0.75))).epsilon(1e-14));
}

TEST_CASE("mlp: without a hidden layer the embedding is the input") {
  const auto model = mlp<double>({3, 2});
  const auto b = batch<double>(4, 3, 2);
  CHECK(model.forward(model.initialize(RandomStream(1, "x")), b).embeddings() == b.inputs);
}

TEST_CASE("mlp: the initialisation asked for") {
  const auto begin = [](autodiff::Initialization kind) {
    return mlp<double>({4, 50, 3}, {.initialization = kind}).initialize(RandomStream(1, "x"));
  };
  auto zeros = begin(autodiff::Initialization::zeros);
  CHECK(zeros.values().isZero());
  auto he = begin(autodiff::Initialization::he_normal);
  CHECK(he.segment("layer1.bias").isZero());
  CHECK_FALSE(he.segment("layer1.weight").isZero());
  auto usual = begin(autodiff::Initialization::uniform_fan_in);
  CHECK(usual.segment("layer1.weight").cwiseAbs().maxCoeff() <= 0.5);
  CHECK(usual.segment("logits.weight").cwiseAbs().maxCoeff() <= 1 / std::sqrt(50.0));
}

TEST_CASE("mlp: refuses what it cannot build") {
  CHECK_THROWS_WITH_AS(mlp<float>({}), "mlp: expected at least two widths (inputs, classes), found 0", ShapeError);
  CHECK_THROWS_WITH_AS(mlp<float>({3}), "mlp: expected at least two widths (inputs, classes), found 1", ShapeError);
  CHECK_THROWS_WITH_AS(mlp<float>({3, 0, 2}), "mlp: expected widths of at least 1, found 0", ShapeError);
  CHECK_THROWS_WITH_AS(mlp<float>({3, 2, -2}), "mlp: expected widths of at least 1, found -2", ShapeError);
  CHECK_THROWS_WITH_AS((mlp<float>({3, 2}, {.label_smoothing = -1})),
                       "SoftmaxCrossEntropy: expected a label smoothing in [0, 1], found -1", ValueError);
}
