#pragma once
/// \file
/// Multi-layer perceptron builder.

#include "mts/autodiff/combine.hpp"
#include "mts/autodiff/elementwise.hpp"
#include "mts/autodiff/layer_norm.hpp"
#include "mts/autodiff/linear.hpp"
#include "mts/autodiff/losses.hpp"
#include "mts/nn/classifier.hpp"

namespace mts::nn {

enum class Activation { relu, tanh, gelu, sigmoid };

/// Applies an activation to a node.
template <class S>
autodiff::Node activate(autodiff::Graph<S>& g, Activation kind, autodiff::Node x) {
  switch (kind) {
    case Activation::tanh:
      return g.add(autodiff::Tanh{}, {x});
    case Activation::gelu:
      return g.add(autodiff::Gelu{}, {x});
    case Activation::sigmoid:
      return g.add(autodiff::Sigmoid{}, {x});
    case Activation::relu:
      break;
  }
  return g.add(autodiff::Relu{}, {x});
}

struct MlpOptions {
  Activation activation = Activation::relu;
  bool layer_norm = false;     ///< normalise before each activation
  bool residual = false;       ///< add the layer's input where widths agree
  double label_smoothing = 0;  ///< in [0, 1]
  autodiff::Initialization initialization = autodiff::Initialization::uniform_fan_in;
  bool biases_decay = true;  ///< whether weight decay applies to biases and layer norms (PyTorch's default: it does)
  Index workspace_budget = autodiff::NetworkOptions{}.workspace_budget;  ///< bytes; see `NetworkOptions`
};

/// A classifier with linear layers of the given widths, input first, classes last: {784, 256, 256, 10}. The embedding is the
/// last hidden layer after its activation (the input itself where there is none).
/// \throws ShapeError if fewer than two widths are given or one is below 1
template <class S>
Classifier<S> mlp(const std::vector<Index>& widths, const MlpOptions& options = {}) {
  if (widths.size() < 2)
    throw ShapeError(mts::detail::text("mlp: expected at least two widths (inputs, classes), found ", widths.size()));
  for (Index w : widths)
    if (w < 1) throw ShapeError(mts::detail::text("mlp: expected widths of at least 1, found ", w));
  autodiff::Graph<S> g;
  const auto linear = [&](Index outputs) {
    return autodiff::Linear{
        .outputs = outputs, .initialization = options.initialization, .bias_decays = options.biases_decay};
  };
  autodiff::Node h = g.input(widths.front());
  const auto label = g.column(static_cast<int>(widths.back()), "label");
  for (std::size_t layer = 1; layer + 1 < widths.size(); ++layer) {
    const auto before = h;
    h = g.add(linear(widths[layer]), {h}, mts::detail::text("layer", layer));
    if (options.layer_norm)
      h = g.add(autodiff::LayerNorm{.decays = options.biases_decay}, {h}, mts::detail::text("norm", layer));
    h = activate(g, options.activation, h);
    if (options.residual && g.width(before) == g.width(h)) h = g.add(autodiff::Add{}, {before, h});
  }
  const auto logits = g.add(linear(widths.back()), {h}, "logits");
  const auto loss = g.add(autodiff::SoftmaxCrossEntropy{label, options.label_smoothing}, {logits});
  return Classifier<S>(autodiff::Network<S>(std::move(g), {loss, logits, h}, {options.workspace_budget}));
}

}  // namespace mts::nn
