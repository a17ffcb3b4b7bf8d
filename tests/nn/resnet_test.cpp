#include "mts/nn/resnet.hpp"

#include "nn/image_nets.hpp"

using namespace mts;
using namespace mts::nn;
using namespace mts::testing;

namespace {

void check_resnet(const std::string& name, const ImageShape& in, const ResNetOptions& options, Index n) {
  Options checks;
  checks.tolerance.unresolved_share = 0.02;  // kinks within reach
  checks.tolerance.precision = 1e-4;         // norms multiply round-off by 1/deviation
  check_image_net(name, "resnet", resnet<double>(in, options), resnet<float>(in, options), in, options.classes, n,
                  checks);
}

/// The net by the plain loops of each layer's definition (ReLU).
struct ByLoops {
  RowMatrix<double> embeddings, logits;

  ByLoops(const ResNetOptions& o, ImageShape image, const DenseParameters<double>& theta, RowMatrix<double> h) {
    Index at = 0;
    const auto next = [&](Index n) { return Vector(theta.values().segment(std::exchange(at, at + n), n)); };
    const auto convolved = [&](const RowMatrix<double>& x, ImageShape& shape, Index channels, Index kernel,
                               Index stride) {
      const Window w{.kernel = {kernel, kernel}, .stride = {stride, stride}, .padding = {kernel / 2, kernel / 2}};
      const Jacobian j = conv_jacobian(shape, channels, w, 1, next(kernel * kernel * shape.channels * channels));
      shape = slid(shape, w, channels);
      RowMatrix<double> y = normalised(shape, o.groups, 1e-5, x * j.transpose());
      const Vector scale = next(channels), shift = next(channels);
      for (Index k = 0; k < y.cols(); ++k)
        y.col(k) = (scale[k % channels] * y.col(k).array() + shift[k % channels]).matrix();
      return y;
    };
    h = convolved(h, image, o.channels[0], 3, 1).cwiseMax(0);
    for (std::size_t stage = 0; stage < o.channels.size(); ++stage)
      for (Index b = 0; b < o.blocks; ++b) {
        const Index stride = stage > 0 && b == 0 ? 2 : 1;
        ImageShape inner = image, outer = image;
        RowMatrix<double> f = convolved(h, inner, o.channels[stage], 3, stride).cwiseMax(0);
        f = convolved(f, inner, o.channels[stage], 3, 1);
        if (stride == 2 || image.channels != o.channels[stage]) h = convolved(h, outer, o.channels[stage], 1, stride);
        h = (h + f).cwiseMax(0);
        image = inner;
      }
    embeddings = RowMatrix<double>::Zero(h.rows(), image.channels);
    for (Index k = 0; k < h.cols(); ++k)
      embeddings.col(k % image.channels) += h.col(k) / static_cast<double>(image.height * image.width);
    logits = RowMatrix<double>(h.rows(), o.classes);
    const Vector w = next(o.classes * image.channels), bias = next(o.classes);
    for (Index k = 0; k < o.classes; ++k)
      logits.col(k) = embeddings * w.segment(k * image.channels, image.channels) + Vector::Constant(h.rows(), bias[k]);
    REQUIRE(at == theta.size());
  }
};

}  // namespace

TEST_CASE("resnet: the layers it says, by plain loops") {
  for (const auto& o : {ResNetOptions{.classes = 3, .channels = {4, 6}, .groups = 2},
                        ResNetOptions{.classes = 2, .channels = {2, 2, 4}, .blocks = 2, .groups = 1}}) {
    const ImageShape in{7, 6, 2};
    const auto model = resnet<double>(in, o);
    auto theta = model.initialize(RandomStream(4, "theta"));
    theta.values() += random_vector(theta.size(), RandomStream(5, "off"), 0.3);
    const auto b = labelled_images<double>(4, in, o.classes);
    const auto f = model.forward(theta, b);
    const ByLoops expected(o, in, theta, b.inputs);
    check_rows("embeddings", f.embeddings(), expected.embeddings, 1e-12);
    check_rows("logits", f.logits(), expected.logits, 1e-12);
  }
}

TEST_CASE("resnet: derivatives") {
  check_resnet("resnet", {4, 5, 1}, {.classes = 3, .channels = {2, 4}, .groups = 2}, 3);
  check_resnet("resnet, tanh, smoothing", {3, 3, 3},
               {.classes = 2, .channels = {2, 2}, .groups = 1, .activation = Activation::tanh, .label_smoothing = 0.1},
               2);
  check_resnet("resnet of two blocks, groups = channels", {4, 4, 1},
               {.classes = 2, .channels = {2}, .blocks = 2, .groups = 2}, 2);
  check_resnet("resnet, gelu, 129 samples", {3, 2, 1},
               {.classes = 2, .channels = {2, 2}, .groups = 1, .activation = Activation::gelu}, 129);
  check_resnet("resnet of one pixel", {1, 1, 2},
               {.classes = 2, .channels = {4, 4}, .groups = 1, .activation = Activation::sigmoid}, 1);
}

TEST_CASE("resnet: its segments, as they say") {
  const auto found = [](const ResNetOptions& o) {
    std::vector<std::string> list;
    const auto model = resnet<float>({32, 32, 3}, o);
    for (const auto& s : model.network().graph().segments())
      list.push_back(mts::detail::text(s.name, " ", s.length, s.decays ? "" : " spared"));
    return list;
  };
  CHECK(found({.channels = {8, 16}, .biases_decay = false}) ==
        std::vector<std::string>{"stem.weight 216",
                                 "stem_norm.scale 8 spared",
                                 "stem_norm.shift 8 spared",
                                 "stage1_block1.conv1.weight 576",
                                 "stage1_block1.norm1.scale 8 spared",
                                 "stage1_block1.norm1.shift 8 spared",
                                 "stage1_block1.conv2.weight 576",
                                 "stage1_block1.norm2.scale 8 spared",
                                 "stage1_block1.norm2.shift 8 spared",
                                 "stage2_block1.conv1.weight 1152",
                                 "stage2_block1.norm1.scale 16 spared",
                                 "stage2_block1.norm1.shift 16 spared",
                                 "stage2_block1.conv2.weight 2304",
                                 "stage2_block1.norm2.scale 16 spared",
                                 "stage2_block1.norm2.shift 16 spared",
                                 "stage2_block1.shortcut.weight 128",
                                 "stage2_block1.shortcut_norm.scale 16 spared",
                                 "stage2_block1.shortcut_norm.shift 16 spared",
                                 "logits.weight 160",
                                 "logits.bias 10 spared"});
  // He et al.'s ResNet-20 has 0.27 million parameters (269 722 without projections).
  CHECK(resnet<float>({32, 32, 3}, {.blocks = 3}).network().parameter_count() ==
        269722 + 16 * 32 + 32 * 64 + 2 * (32 + 64));
}

TEST_CASE("resnet: a block may begin as its shortcut") {
  const ImageShape in{4, 4, 1};
  const ResNetOptions o{.classes = 2, .channels = {4}, .blocks = 3, .groups = 2, .begin_as_shortcuts = true};
  const auto model = resnet<double>(in, o);
  const auto b = labelled_images<double>(3, in, 2);
  auto shallow = o;
  shallow.blocks = 1;
  const auto one = resnet<double>(in, shallow);
  // Three blocks that do nothing are one that does nothing.
  auto theta = model.initialize(RandomStream(6, "x")), theta_one = one.initialize(RandomStream(6, "x"));
  CHECK(theta.segment("stage1_block2.norm2.scale").isZero());
  CHECK(theta.segment("stage1_block2.norm1.scale").isOnes());
  for (const auto& s : theta_one.segments()) theta_one.segment(s.name) = theta.segment(s.name);
  CHECK(model.forward(theta, b).logits() == one.forward(theta_one, b).logits());
  const auto usual = resnet<double>(in, {.classes = 2, .channels = {4}, .groups = 2});
  CHECK(usual.initialize(RandomStream(6, "x")).segment("stage1_block1.norm2.scale").isOnes());
}

TEST_CASE("resnet: refuses what it cannot build") {
  const ImageShape in{32, 32, 3};
  CHECK_THROWS_WITH_AS((resnet<float>(in, {.channels = {}})),
                       "resnet: expected a number of stages of at least 1, found 0", ShapeError);
  CHECK_THROWS_WITH_AS((resnet<float>(in, {.classes = 0})),
                       "resnet: expected a number of classes of at least 1, found 0", ShapeError);
  CHECK_THROWS_WITH_AS((resnet<float>(in, {.blocks = 0})), "resnet: expected a number of blocks of at least 1, found 0",
                       ShapeError);
  CHECK_THROWS_WITH_AS((resnet<float>(in, {.channels = {16, 0}})),
                       "resnet: expected numbers of channels of at least 1, found 0", ShapeError);
  CHECK_THROWS_WITH_AS((resnet<float>(in, {.channels = {16, 20}})),
                       "GroupNorm: expected a number of groups that divides the 20 channels, found 8", ValueError);
  CHECK_THROWS_WITH_AS((resnet<float>({32, 0, 3})), "resnet: expected an image of at least 1 x 1 x 1, found 32 x 0 x 3",
                       ValueError);
}
