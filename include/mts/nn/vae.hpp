#pragma once
/// \file
/// Variational autoencoder (Kingma and Welling 2014) for inputs in [0, 1].

#include "mts/autodiff/gaussian.hpp"
#include "mts/nn/mlp.hpp"

namespace mts::nn {

/// N inputs in [0, 1] with the standard normal numbers of their latent samples.
template <class S>
struct VaeBatch {
  RowMatrix<S> inputs;  ///< N x d
  RowMatrix<S> noise;   ///< N x latent

  Index size() const { return inputs.rows(); }
  /// Draws the noise of row i from `stream.substream("noise", i)`.
  void draw_noise(Index latent, const RandomStream& stream) {
    noise.resize(inputs.rows(), latent);
    parallel_tiles(noise.rows(), 64, [&](Index, Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        RandomStream own = stream.substream("noise", static_cast<std::uint64_t>(i));
        for (Index j = 0; j < latent; ++j) noise(i, j) = static_cast<S>(own.normal());
      }
    });
  }
};

struct VaeOptions {
  Index inputs = 784;
  std::vector<Index> hidden = {256};  ///< widths between input and code; the decoder mirrors them
  Index latent = 32;
  double divergence_weight = 1;  ///< beta: loss = cross-entropy + beta KL
  Activation activation = Activation::relu;
};

/// A VAE as `Model`: loss_i = Bernoulli cross-entropy of x_i under its decoded sample + beta KL(code | N(0, 1)).
/// Parameters: encoder first, decoder after it. Thread-safe.
template <class S>
class Vae {
 public:
  using Scalar = S;
  using Parameters = DenseParameters<S>;
  using Batch = VaeBatch<S>;

  /// \throws ShapeError for widths below 1
  explicit Vae(VaeOptions options)
      : options_(std::move(options)), training_(build_training()), decoder_(build_decoder()) {}

  const VaeOptions& options() const { return options_; }
  Parameters initialize(RandomStream stream) const { return training_.initialize(stream); }
  autodiff::NetworkForward<S> forward(const Parameters& theta, const Batch& batch) const {
    return training_.forward(theta, input(batch));
  }
  autodiff::NetworkLinearization<S> linearize(const Parameters& theta, const Batch& batch) const {
    return training_.linearize(theta, input(batch));
  }
  /// The means of the codes of N inputs: N x latent.
  RowMatrix<S> encode(const Parameters& theta, const RowMatrix<S>& inputs) const {
    Batch batch{inputs, RowMatrix<S>::Zero(inputs.rows(), options_.latent)};
    return forward(theta, batch).node(mean_);
  }
  /// The decoded means of N codes, in (0, 1): N x inputs.
  RowMatrix<S> decode(const Parameters& theta, const RowMatrix<S>& codes) const {
    check_size("Vae::decode", "number of parameters", training_.parameter_count(), theta.size());
    Parameters decoder(decoder_.graph().segments());
    decoder.values() = theta.values().tail(decoder.size());
    autodiff::NetworkInput<S> in(codes.rows());
    in.add(codes);
    return decoder_.forward(decoder, in).logits();
  }

 private:
  autodiff::Node hidden(autodiff::Graph<S>& g, autodiff::Node h, Index width, const std::string& name) const {
    return activate(g, options_.activation, g.add(autodiff::Linear{.outputs = width}, {h}, name));
  }
  autodiff::Node decoded_logits(autodiff::Graph<S>& g, autodiff::Node h) const {
    for (std::size_t k = options_.hidden.size(); k-- > 0;)
      h = hidden(g, h, options_.hidden[k], mts::detail::text("decoder", k + 1));
    return g.add(autodiff::Linear{.outputs = options_.inputs}, {h}, "pixels");
  }
  autodiff::Network<S> build_training() {
    autodiff::Graph<S> g;
    const auto x = g.input(options_.inputs);
    const auto noise = g.input(options_.latent);
    auto h = x;
    for (std::size_t k = 0; k < options_.hidden.size(); ++k)
      h = hidden(g, h, options_.hidden[k], mts::detail::text("encoder", k + 1));
    mean_ = g.add(autodiff::Linear{.outputs = options_.latent}, {h}, "mean");
    const auto variance = g.add(autodiff::Linear{.outputs = options_.latent}, {h}, "log_variance");
    const auto z = g.add(autodiff::GaussianReparametrisation{}, {mean_, variance, noise});
    const auto logits = decoded_logits(g, z);
    const auto fit = g.add(autodiff::BernoulliCrossEntropy{}, {logits, x});
    const auto divergence = g.add(autodiff::GaussianDivergence{}, {mean_, variance});
    const auto loss = g.add(autodiff::Add{{1.0, options_.divergence_weight}}, {fit, divergence});
    return autodiff::Network<S>(std::move(g), {loss, logits, mean_});
  }
  autodiff::Network<S> build_decoder() const {
    autodiff::Graph<S> g;
    const auto z = g.input(options_.latent);
    const auto pixels = g.add(autodiff::Sigmoid{}, {decoded_logits(g, z)});
    return autodiff::Network<S>(std::move(g), {.logits = pixels});
  }
  static autodiff::NetworkInput<S> input(const Batch& batch) {
    autodiff::NetworkInput<S> in(batch.inputs.rows());
    in.add(batch.inputs).add(batch.noise);
    return in;
  }

  VaeOptions options_;
  autodiff::Node mean_;
  autodiff::Network<S> training_;
  autodiff::Network<S> decoder_;
};

}  // namespace mts::nn
