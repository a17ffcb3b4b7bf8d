#pragma once
/// \file
/// Builder of small residual nets (He, Zhang, Ren, Sun 2016) with group norm (Wu and He 2018) for images of 28 x 28 or
/// 32 x 32.

#include "mts/autodiff/conv2d.hpp"
#include "mts/autodiff/global_average_pool.hpp"
#include "mts/autodiff/group_norm.hpp"
#include "mts/nn/mlp.hpp"

namespace mts::nn {

struct ResNetOptions {
  Index classes = 10;
  std::vector<Index> channels = {16, 32, 64};  ///< of each stage
  Index blocks = 1;  ///< residual blocks per stage; He et al.'s ResNet-20, -32, -44 have 3, 5, 7
  Index groups = 8;  ///< of each group norm; must divide every stage's channels
  Activation activation = Activation::relu;
  /// The last norm's scale of each block begins at 0, so that a block begins as its shortcut (Goyal et al. 2017).
  bool begin_as_shortcuts = false;
  double label_smoothing = 0;  ///< in [0, 1]
  autodiff::Initialization initialization = autodiff::Initialization::he_normal;
  bool biases_decay = true;  ///< whether weight decay applies to the norms and the last layer's bias (PyTorch: it does)
  Index workspace_budget = autodiff::NetworkOptions{}.workspace_budget;  ///< bytes; see `NetworkOptions`
};

/// A classifier of images (rows, channels last):
///   stem    3x3 convolution to the first stage's channels, norm, activation;
///   block   y = activation(F(x) + shortcut(x)), F = 3x3 convolution, norm, activation, 3x3 convolution, norm. The
///           first block of every stage but the first has stride 2, and then, or where the number of channels changes,
///           the shortcut is a 1x1 convolution of that stride with a norm; else it is x itself;
///   head    mean over the pixels, linear layer.
/// A residual block needs no primitive of its own: `Add` joins the branches, and the tape adds what flows back.
/// Convolutions have no bias: each is followed by a norm, whose shift takes its place. The embedding is the mean over
/// the pixels, one entry per channel of the last stage.
///
/// Parameters, in order: stem.weight, stem_norm.scale, stem_norm.shift; then per block, named stage1_block1 and so on,
/// .conv1., .norm1., .conv2., .norm2. and where there is one .shortcut. and .shortcut_norm.; logits.weight,
/// logits.bias.
/// \throws ShapeError if there is no stage or a number of classes, channels or blocks is below 1; ValueError for an
///   empty image or groups that don't divide the channels
template <class S>
Classifier<S> resnet(const autodiff::ImageShape& in, const ResNetOptions& options = {}) {
  using namespace autodiff;
  using mts::detail::text;
  const auto& o = options;
  const auto check_count = [](const char* what, Index found) {
    if (found < 1) throw ShapeError(text("resnet: expected ", what, " of at least 1, found ", found));
  };
  check_value(in.height >= 1 && in.width >= 1 && in.channels >= 1, "resnet",
              "expected an image of at least 1 x 1 x 1, found ", in_words(in));
  check_count("a number of stages", static_cast<Index>(o.channels.size()));
  check_count("a number of classes", o.classes);
  check_count("a number of blocks", o.blocks);
  for (Index c : o.channels) check_count("numbers of channels", c);

  /// A node and the shape of the image that it is.
  struct Image {
    Node node;
    ImageShape shape;
  };
  Graph<S> g;
  const auto convolve = [&](const Image& x, Index channels, Index kernel, Index stride, const std::string& name) {
    const Conv2d convolution{.in = x.shape,
                             .channels = channels,
                             .window = {.kernel = {kernel, kernel},
                                        .stride = {stride, stride},
                                        .padding = {(kernel - 1) / 2, (kernel - 1) / 2}},
                             .bias = false,
                             .initialization = o.initialization};
    return Image{g.add(convolution, {x.node}, name), convolution.out()};
  };
  const auto normalise = [&](const Image& x, const std::string& name, double scale = 1) {
    const GroupNorm norm{.in = x.shape, .groups = o.groups, .decays = o.biases_decay, .initial_scale = scale};
    return Image{g.add(norm, {x.node}, name), x.shape};
  };
  const auto activated = [&](const Image& x) { return Image{activate(g, o.activation, x.node), x.shape}; };
  const auto block = [&](const Image& x, Index channels, Index stride, const std::string& name) {
    Image f = activated(normalise(convolve(x, channels, 3, stride, name + ".conv1"), name + ".norm1"));
    f = normalise(convolve(f, channels, 3, 1, name + ".conv2"), name + ".norm2", o.begin_as_shortcuts ? 0 : 1);
    const Image shortcut =
        x.shape == f.shape && stride == 1
            ? x
            : normalise(convolve(x, channels, 1, stride, name + ".shortcut"), name + ".shortcut_norm");
    return activated({g.add(Add{}, {f.node, shortcut.node}), f.shape});
  };

  Image h{g.input(in.size()), in};
  const auto label = g.column(static_cast<int>(o.classes), "label");
  h = activated(normalise(convolve(h, o.channels.front(), 3, 1, "stem"), "stem_norm"));
  for (std::size_t stage = 0; stage < o.channels.size(); ++stage)
    for (Index b = 0; b < o.blocks; ++b)
      h = block(h, o.channels[stage], stage > 0 && b == 0 ? 2 : 1, text("stage", stage + 1, "_block", b + 1));
  const auto pooled = g.add(GlobalAveragePool{h.shape}, {h.node});
  const auto logits =
      g.add(Linear{.outputs = o.classes, .initialization = o.initialization, .bias_decays = o.biases_decay}, {pooled},
            "logits");
  const auto loss = g.add(SoftmaxCrossEntropy{label, o.label_smoothing}, {logits});
  return Classifier<S>(Network<S>(std::move(g), {loss, logits, pooled}, {options.workspace_budget}));
}

}  // namespace mts::nn
