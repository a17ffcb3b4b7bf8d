#pragma once
/// \file
/// Builder of plain convolutional nets.

#include "mts/autodiff/conv2d.hpp"
#include "mts/autodiff/group_norm.hpp"
#include "mts/autodiff/max_pool2d.hpp"
#include "mts/nn/mlp.hpp"

namespace mts::nn {

struct CnnOptions {
  Index classes = 10;
  std::vector<Index> channels = {16, 32};  ///< of each convolution
  autodiff::Extent kernel{3, 3};           ///< odd, padded by (k-1)/2, so that a convolution keeps the image's size
  Index pool = 2;                          ///< max pooling by so much after every convolution; 1 for none
  std::vector<Index> hidden = {128};       ///< widths of the linear layers before the logits
  Activation activation = Activation::relu;
  Index groups = 0;            ///< group norm of so many groups after every convolution; 0 for none
  double label_smoothing = 0;  ///< in [0, 1]
  autodiff::Initialization initialization = autodiff::Initialization::uniform_fan_in;
  bool biases_decay = true;  ///< whether weight decay applies to biases and norms (PyTorch's default: it does)
  Index workspace_budget = autodiff::NetworkOptions{}.workspace_budget;  ///< bytes; see `NetworkOptions`
};

/// A classifier of images (rows, channels last): for each entry of `channels` a convolution, group norm if asked for,
/// max pooling and the activation; then linear layers, each but the last with the activation. The embedding is the last
/// hidden layer after its activation (the last image where there is no hidden layer).
///
/// Pooling comes before the activation where that is monotone (all but GELU): f(max x) = max f(x), so the function is
/// the same and only a pool^2-th of the activations are left to compute. A convolution in front of a norm has no bias:
/// the norm's shift takes its place.
///
/// Parameters: conv1.weight, conv1.bias or norm1.scale, norm1.shift, conv2..., layer1.weight, layer1.bias, ...,
/// logits.weight, logits.bias. The first linear layer reads the image as it lies, channels last.
/// \throws ShapeError if a number of classes, channels or a width is below 1 or an image is too small to pool;
///   ValueError for an even kernel, a pool below 1 or groups that don't divide the channels
template <class S>
Classifier<S> cnn(const autodiff::ImageShape& in, const CnnOptions& options = {}) {
  using namespace autodiff;
  const auto& o = options;
  const auto check_count = [](const char* what, Index found) {
    if (found < 1) throw ShapeError(mts::detail::text("cnn: expected ", what, " of at least 1, found ", found));
  };
  check_value(in.height >= 1 && in.width >= 1 && in.channels >= 1, "cnn",
              "expected an image of at least 1 x 1 x 1, found ", in_words(in));
  check_count("a number of classes", o.classes);
  for (Index c : o.channels) check_count("numbers of channels", c);
  for (Index w : o.hidden) check_count("hidden widths", w);
  // -1 % 2 is -1: a negative kernel is refused here too.
  check_value(o.kernel.height % 2 == 1 && o.kernel.width % 2 == 1, "cnn",
              "expected an odd kernel, which keeps the image's size, found ", o.kernel.height, " x ", o.kernel.width);
  check_value(o.pool >= 1, "cnn", "expected a pool of at least 1, found ", o.pool);
  check_value(o.groups >= 0, "cnn", "expected at least 0 groups, found ", o.groups);

  const bool monotone = o.activation != Activation::gelu;
  Graph<S> g;
  Node h = g.input(in.size());
  const auto label = g.column(static_cast<int>(o.classes), "label");
  ImageShape image = in;
  for (std::size_t k = 0; k < o.channels.size(); ++k) {
    const Conv2d convolution{
        .in = image,
        .channels = o.channels[k],
        .window = {.kernel = o.kernel, .padding = {(o.kernel.height - 1) / 2, (o.kernel.width - 1) / 2}},
        .bias = o.groups == 0,
        .initialization = o.initialization,
        .bias_decays = o.biases_decay};
    h = g.add(convolution, {h}, mts::detail::text("conv", k + 1));
    image = convolution.out();
    if (o.groups > 0)
      h = g.add(GroupNorm{.in = image, .groups = o.groups, .decays = o.biases_decay}, {h},
                mts::detail::text("norm", k + 1));
    if (!monotone) h = activate(g, o.activation, h);
    if (o.pool > 1) {
      if (image.height < o.pool || image.width < o.pool)
        throw ShapeError(mts::detail::text("cnn: an image of ", in_words(in), " is pooled to nothing: convolution ",
                                           k + 1, " of ", o.channels.size(), ": expected at least ", o.pool, " x ",
                                           o.pool, " pixels, found ", image.height, " x ", image.width));
      const MaxPool2d pooling{image, {.kernel = {o.pool, o.pool}, .stride = {o.pool, o.pool}}};
      h = g.add(pooling, {h});
      image = pooling.out();
    }
    if (monotone) h = activate(g, o.activation, h);
  }
  const auto linear = [&](Index outputs) {
    return Linear{.outputs = outputs, .initialization = o.initialization, .bias_decays = o.biases_decay};
  };
  for (std::size_t k = 0; k < o.hidden.size(); ++k)
    h = activate(g, o.activation, g.add(linear(o.hidden[k]), {h}, mts::detail::text("layer", k + 1)));
  const auto logits = g.add(linear(o.classes), {h}, "logits");
  const auto loss = g.add(SoftmaxCrossEntropy{label, o.label_smoothing}, {logits});
  return Classifier<S>(Network<S>(std::move(g), {loss, logits, h}, {o.workspace_budget}));
}

}  // namespace mts::nn
