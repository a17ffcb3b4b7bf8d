#include "mts/nn/cnn.hpp"

#include "nn/image_nets.hpp"

using namespace mts;
using namespace mts::nn;
using namespace mts::testing;

namespace {

constexpr const char* names[] = {"relu", "tanh", "gelu", "sigmoid"};

void check_cnn(const std::string& name, const ImageShape& in, const CnnOptions& options, Index n) {
  Options checks;
  checks.tolerance.unresolved_share = 0.02;                   // kinks within reach
  if (options.groups > 0) checks.tolerance.precision = 1e-4;  // a norm multiplies round-off by 1/deviation
  check_image_net(name, "cnn", cnn<double>(in, options), cnn<float>(in, options), in, options.classes, n, checks);
}

double activated(Activation kind, double x) {
  switch (kind) {
    case Activation::tanh:
      return std::tanh(x);
    case Activation::gelu:
      return x / 2 * std::erfc(-x / std::sqrt(2.0));
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::relu:
      break;
  }
  return std::max(x, 0.0);
}

/// The net by the plain loops of each layer's definition, activation before pooling always.
struct ByLoops {
  RowMatrix<double> embeddings, logits;

  ByLoops(const CnnOptions& o, ImageShape image, const DenseParameters<double>& theta, RowMatrix<double> h) {
    Index at = 0;
    const auto next = [&](Index n) { return theta.values().segment(std::exchange(at, at + n), n); };
    const auto activate_all = [&] { h = h.unaryExpr([&](double x) { return activated(o.activation, x); }).eval(); };
    for (Index channels : o.channels) {
      const Window same{.kernel = o.kernel, .padding = {o.kernel.height / 2, o.kernel.width / 2}};
      const Vector w = next(o.kernel.height * o.kernel.width * image.channels * channels);
      h = (h * conv_jacobian(image, channels, same, 1, w).transpose()).eval();
      image.channels = channels;
      if (o.groups > 0) {
        h = normalised(image, o.groups, 1e-5, h);
        const Vector scale = next(channels);
        for (Index k = 0; k < h.cols(); ++k) h.col(k) *= scale[k % channels];
      }
      const Vector shift = next(channels);
      for (Index k = 0; k < h.cols(); ++k) h.col(k).array() += shift[k % channels];
      activate_all();
      const Window pool{.kernel = {o.pool, o.pool}, .stride = {o.pool, o.pool}};
      RowMatrix<double> pooled(h.rows(), slid(image, pool, channels).size());
      for (Index i = 0; i < h.rows(); ++i)
        pooled.row(i) = (max_jacobian(image, pool, h.row(i).transpose()) * h.row(i).transpose()).transpose();
      h = pooled;
      image = slid(image, pool, channels);
    }
    const auto linear = [&](Index outputs) {
      const Vector w = next(outputs * h.cols()), b = next(outputs);
      RowMatrix<double> y = b.transpose().replicate(h.rows(), 1);
      for (Index k = 0; k < outputs; ++k)
        for (Index j = 0; j < h.cols(); ++j) y.col(k) += w[k * h.cols() + j] * h.col(j);
      return y;
    };
    for (Index width : o.hidden) {
      h = linear(width);
      activate_all();
    }
    embeddings = h;
    logits = linear(o.classes);
    REQUIRE(at == theta.size());
  }
};

}  // namespace

TEST_CASE("cnn: the layers it says, by plain loops") {
  for (Activation activation : {Activation::relu, Activation::tanh, Activation::gelu, Activation::sigmoid})
    for (Index groups : {0, 2}) {
      const CnnOptions o{
          .classes = 3, .channels = {4, 6}, .hidden = {5, 4}, .activation = activation, .groups = groups};
      const ImageShape in{9, 6, 2};
      const auto model = cnn<double>(in, o);
      auto theta = model.initialize(RandomStream(4, "theta"));
      theta.values() += random_vector(theta.size(), RandomStream(5, "off"), 0.3);
      const auto b = labelled_images<double>(5, in, 3);
      const auto f = model.forward(theta, b);
      const ByLoops expected(o, in, theta, b.inputs);
      check_rows("embeddings", f.embeddings(), expected.embeddings, 1e-13);
      check_rows("logits", f.logits(), expected.logits, 1e-13);
    }
  const CnnOptions rectangular{.classes = 2, .channels = {3}, .kernel = {1, 5}, .pool = 3, .hidden = {}};
  const ImageShape in{4, 7, 1};
  const auto model = cnn<double>(in, rectangular);
  const auto theta = model.initialize(RandomStream(4, "theta"));
  const auto b = labelled_images<double>(2, in, 2);
  const auto f = model.forward(theta, b);
  const ByLoops expected(rectangular, in, theta, b.inputs);
  check_rows("embeddings", f.embeddings(), expected.embeddings, 1e-13);
  check_rows("logits", f.logits(), expected.logits, 1e-13);
}

TEST_CASE("cnn: derivatives with every option") {
  for (Activation activation : {Activation::relu, Activation::tanh, Activation::gelu, Activation::sigmoid})
    for (Index groups : {0, 2})
      check_cnn(mts::detail::text("cnn ", names[static_cast<int>(activation)], ", ", groups, " groups"), {5, 4, 1},
                {.classes = 3,
                 .channels = {2, 4},
                 .hidden = {5},
                 .activation = activation,
                 .groups = groups,
                 .label_smoothing = groups > 0 ? 0.1 : 0.0},
                3);
}

TEST_CASE("cnn: derivatives at other sizes") {
  check_cnn("cnn of one pixel", {1, 1, 1}, {.classes = 2, .channels = {1}, .pool = 1, .hidden = {}}, 1);
  check_cnn("cnn without pooling, kernel 1 x 3", {2, 3, 3},
            {.classes = 2, .channels = {3}, .kernel = {1, 3}, .pool = 1, .hidden = {2}}, 2);
  check_cnn("cnn, kernel larger than the image", {2, 2, 1},
            {.classes = 2, .channels = {2, 2}, .kernel = {5, 5}, .pool = 1, .hidden = {}}, 129);
  check_cnn("cnn, pool 3 with a remainder", {5, 4, 2},
            {.classes = 3, .channels = {2}, .pool = 3, .activation = Activation::gelu}, 4);
  check_cnn("cnn, groups = channels", {4, 4, 1}, {.classes = 2, .channels = {3, 3}, .hidden = {3}, .groups = 3}, 3);
  check_cnn("cnn without convolutions", {2, 2, 1}, {.classes = 2, .channels = {}, .hidden = {3}}, 3);
}

TEST_CASE("cnn: its segments, as they say") {
  const auto found = [](const CnnOptions& o) {
    std::vector<std::string> list;
    const auto model = cnn<float>({28, 28, 1}, o);
    for (const auto& s : model.network().graph().segments())
      list.push_back(mts::detail::text(s.name, " ", s.length, s.decays ? " decays" : ""));
    return list;
  };
  CHECK(found({}) == std::vector<std::string>{"conv1.weight 144 decays", "conv1.bias 16 decays",
                                              "conv2.weight 4608 decays", "conv2.bias 32 decays",
                                              "layer1.weight 200704 decays", "layer1.bias 128 decays",
                                              "logits.weight 1280 decays", "logits.bias 10 decays"});
  CHECK(found({.channels = {4}, .hidden = {}, .groups = 2, .biases_decay = false}) ==
        std::vector<std::string>{"conv1.weight 36 decays", "norm1.scale 4", "norm1.shift 4",
                                 "logits.weight 7840 decays", "logits.bias 10"});
}

TEST_CASE("cnn: the initialisation asked for") {
  const auto begin = [](autodiff::Initialization kind) {
    return cnn<double>({4, 4, 2}, {.channels = {50}, .hidden = {3}, .initialization = kind})
        .initialize(RandomStream(1, "x"));
  };
  CHECK(begin(autodiff::Initialization::zeros).values().isZero());
  auto he = begin(autodiff::Initialization::he_normal);
  CHECK(he.segment("conv1.bias").isZero());
  CHECK(he.segment("conv1.weight").squaredNorm() / 900 == doctest::Approx(2.0 / 18).epsilon(0.15));
  auto usual = begin(autodiff::Initialization::uniform_fan_in);
  CHECK(usual.segment("conv1.weight").cwiseAbs().maxCoeff() <= 1 / std::sqrt(18.0));
  CHECK(usual.segment("layer1.weight").cwiseAbs().maxCoeff() <= 1 / std::sqrt(200.0));
}

TEST_CASE("cnn: refuses what it cannot build") {
  const ImageShape in{28, 28, 1};
  CHECK_THROWS_WITH_AS((cnn<float>(in, {.classes = 0})), "cnn: expected a number of classes of at least 1, found 0",
                       ShapeError);
  CHECK_THROWS_WITH_AS((cnn<float>(in, {.channels = {16, 0}})),
                       "cnn: expected numbers of channels of at least 1, found 0", ShapeError);
  CHECK_THROWS_WITH_AS((cnn<float>(in, {.hidden = {-1}})), "cnn: expected hidden widths of at least 1, found -1",
                       ShapeError);
  CHECK_THROWS_WITH_AS((cnn<float>(in, {.kernel = {3, 4}})),
                       "cnn: expected an odd kernel, which keeps the image's size, found 3 x 4", ValueError);
  CHECK_THROWS_WITH_AS((cnn<float>(in, {.kernel = {-1, 3}})),
                       "cnn: expected an odd kernel, which keeps the image's size, found -1 x 3", ValueError);
  CHECK_THROWS_WITH_AS((cnn<float>(in, {.pool = 0})), "cnn: expected a pool of at least 1, found 0", ValueError);
  CHECK_THROWS_WITH_AS((cnn<float>(in, {.groups = -1})), "cnn: expected at least 0 groups, found -1", ValueError);
  CHECK_THROWS_WITH_AS((cnn<float>(in, {.channels = {16, 12}, .groups = 8})),
                       "GroupNorm: expected a number of groups that divides the 12 channels, found 8", ValueError);
  CHECK_THROWS_WITH_AS((cnn<float>(in, {.channels = {1, 1, 1, 1, 1}})),
                       "cnn: an image of 28 x 28 x 1 is pooled to nothing: convolution 5 of 5: expected at least 2 x 2 "
                       "pixels, found 1 x 1",
                       ShapeError);
  CHECK_THROWS_WITH_AS((cnn<float>({0, 28, 1})), "cnn: expected an image of at least 1 x 1 x 1, found 0 x 28 x 1",
                       ValueError);
  CHECK_THROWS_WITH_AS((cnn<float>(in, {.label_smoothing = -1})),
                       "SoftmaxCrossEntropy: expected a label smoothing in [0, 1], found -1", ValueError);
}
