// Every primitive with a counterpart in torch, and the nets built of them: losses, weighted gradients, pushforward,
// per-sample dots and squared norms against torch's autograd. A primitive stands between two linear layers, so that the
// gradient of the first one is its pullback and that of the second its value.
#include "libtorch/check_parity.hpp"
#include "mts/autodiff/embedding.hpp"
#include "mts/nn/vae.hpp"

using namespace parity;
namespace ad = mts::autodiff;
namespace F = torch::nn::functional;

namespace {

/// x -> Linear(6) -> middle -> Linear(4) -> cross-entropy.
/// \param middle  adds the primitive to our graph
/// \param torch_middle  the same in torch; takes the middle's own parameters from `p`, on from the third
template <class S>
void check_middle(const std::function<ad::Node(ad::Graph<S>&, ad::Node)>& middle,
                  const std::function<Tensor(const Tensor&, const Tensors& p)>& torch_middle, double smoothing = 0) {
  constexpr Index inputs = 5, hidden = 6, classes = 4;
  ad::Graph<S> g;
  const auto x = g.input(inputs);
  const auto label = g.column(classes, "label");
  const auto y = middle(g, g.add(ad::Linear{hidden}, {x}, "first"));
  const Index width = g.width(y);
  const auto logits = g.add(ad::Linear{classes}, {y}, "second");
  const auto loss = g.add(ad::SoftmaxCrossEntropy{label, smoothing}, {logits});
  const ad::Network<S> net(std::move(g), {.value = loss});
  auto theta = net.initialize({5, "theta"});
  theta.segment("first.bias")[2] = 0;  // with row 5 of the inputs: exactly at the kink

  const auto rows = hostile_inputs<S>(samples, inputs);
  const auto labels = some_labels(samples, classes);
  ad::NetworkInput<S> in(samples);
  in.add(rows).add(labels);
  const auto tx = to_tensor<S>(rows), ty = to_tensor(labels);
  check_parity<S>(net.linearize(theta, in), theta, [&](const Tensors& p, Index first, Index count) {
    const std::size_t last = p.size() - 2;
    const auto h = torch::addmm(p[1], tx.narrow(0, first, count), p[0].view({hidden, inputs}).t());
    const auto z = torch::addmm(p[last + 1], torch_middle(h, p), p[last].view({classes, width}).t());
    return cross_entropy(z, ty.narrow(0, first, count), smoothing);
  });
}

/// The same with one elementwise primitive or another parameter-free one.
template <class S, class P>
void check_function(P primitive, Tensor (*theirs)(const Tensor&), double smoothing = 0) {
  check_middle<S>([&](ad::Graph<S>& g, ad::Node h) { return g.add(primitive, {h}); },
                  [&](const Tensor& h, const Tensors&) { return theirs(h); }, smoothing);
}

}  // namespace

TEST_SUITE("parity with LibTorch: primitives") {
  TEST_CASE_TEMPLATE("activations", S, float, double) {
    SUBCASE("relu") {
      check_function<S>(ad::Relu{}, [](const Tensor& x) { return torch::relu(x); });
    }
    SUBCASE("tanh") {
      check_function<S>(ad::Tanh{}, [](const Tensor& x) { return torch::tanh(x); });
    }
    SUBCASE("sigmoid") {
      check_function<S>(ad::Sigmoid{}, [](const Tensor& x) { return torch::sigmoid(x); });
    }
    SUBCASE("gelu") {
      check_function<S>(ad::Gelu{}, [](const Tensor& x) { return torch::gelu(x); });
    }
  }

  TEST_CASE_TEMPLATE("cross-entropy with label smoothing", S, float, double) {
    for (const double smoothing : {0.0, 0.1, 1.0}) {
      CAPTURE(smoothing);
      check_function<S>(
          ad::Tanh{}, [](const Tensor& x) { return torch::tanh(x); }, smoothing);
    }
  }

  TEST_CASE_TEMPLATE("layer normalisation", S, float, double) {
    check_middle<S>(
        [](ad::Graph<S>& g, ad::Node h) { return g.add(ad::LayerNorm{}, {g.add(ad::Tanh{}, {h})}, "norm"); },
        [](const Tensor& h, const Tensors& p) {
          return F::layer_norm(torch::tanh(h), F::LayerNormFuncOptions({6}).weight(p[2]).bias(p[3]));
        });
  }

  TEST_CASE_TEMPLATE("residual and weighted sums, side by side", S, float, double) {
    check_middle<S>(
        [](ad::Graph<S>& g, ad::Node h) {
          const auto branch = g.add(ad::Linear{6}, {g.add(ad::Tanh{}, {h})}, "branch");
          const auto sum = g.add(ad::Add{}, {h, branch});
          return g.add(ad::Concatenate{}, {sum, g.add(ad::Add{{0.5, -2.0}}, {sum, h})});
        },
        [](const Tensor& h, const Tensors& p) {
          const auto sum = h + torch::addmm(p[3], torch::tanh(h), p[2].view({6, 6}).t());
          return torch::cat({sum, 0.5 * sum - 2.0 * h}, 1);
        });
  }

  TEST_CASE_TEMPLATE("embedding", S, float, double) {
    ad::Graph<S> g;
    const auto x = g.input(3);
    const auto kind = g.column(5, "kind");
    const auto label = g.column(4, "label");
    const auto e = g.add(ad::Embedding{kind, 2}, {}, "embedding");
    const auto h = g.add(ad::Tanh{}, {g.add(ad::Linear{4}, {g.add(ad::Concatenate{}, {x, e})})});
    const auto loss = g.add(ad::SoftmaxCrossEntropy{label}, {h});
    const ad::Network<S> net(std::move(g), {.value = loss});
    const auto theta = net.initialize({6, "theta"});
    const auto rows = hostile_inputs<S>(samples, 3);
    const auto kinds = some_labels(samples, 5), labels = some_labels(samples, 4);
    ad::NetworkInput<S> in(samples);
    in.add(rows).add(kinds).add(labels);
    check_parity<S>(net.linearize(theta, in), theta, [&](const Tensors& p, Index first, Index count) {
      const auto looked_up = torch::embedding(p[0].view({5, 2}), to_tensor(kinds).narrow(0, first, count));
      const auto all = torch::cat({to_tensor<S>(rows).narrow(0, first, count), looked_up}, 1);
      return cross_entropy(torch::tanh(torch::addmm(p[2], all, p[1].view({4, 5}).t())),
                           to_tensor(labels).narrow(0, first, count));
    });
  }

  TEST_CASE_TEMPLATE("Bernoulli cross-entropy and squared error, both arguments live", S, float, double) {
    ad::Graph<S> g;
    const auto x = g.input(4);
    const auto logits = g.add(ad::Linear{3}, {x}, "logits");
    const auto target = g.add(ad::Sigmoid{}, {g.add(ad::Linear{3}, {x}, "target")});
    const auto fit = g.add(ad::BernoulliCrossEntropy{}, {logits, target});
    const auto distance = g.add(ad::SquaredError{}, {logits, target});
    const auto loss = g.add(ad::Add{{1.0, 0.3}}, {fit, distance});
    const ad::Network<S> net(std::move(g), {.value = loss});
    const auto theta = net.initialize({7, "theta"});
    const auto rows = hostile_inputs<S>(samples, 4);
    ad::NetworkInput<S> in(samples);
    in.add(rows);
    check_parity<S>(net.linearize(theta, in), theta, [&](const Tensors& p, Index first, Index count) {
      const auto tx = to_tensor<S>(rows).narrow(0, first, count);
      const auto z = torch::addmm(p[1], tx, p[0].view({3, 4}).t());
      const auto t = torch::sigmoid(torch::addmm(p[3], tx, p[2].view({3, 4}).t()));
      const auto bce = F::binary_cross_entropy_with_logits(
          z, t, F::BinaryCrossEntropyWithLogitsFuncOptions().reduction(torch::kNone));
      return bce.sum(1) + 0.3 * 0.5 * (z - t).square().sum(1);
    });
  }

  TEST_CASE_TEMPLATE("variational autoencoder", S, float, double) {
    constexpr Index inputs = 6, hidden = 5, latent = 2;
    const mts::nn::Vae<S> vae({.inputs = inputs, .hidden = {hidden}, .latent = latent, .divergence_weight = 0.7});
    const auto theta = vae.initialize({8, "theta"});
    typename mts::nn::Vae<S>::Batch batch{(hostile_inputs<S>(samples, inputs).array().tanh() + 1) / 2, {}};
    batch.draw_noise(latent, {8, "noise"});
    check_parity<S>(vae.linearize(theta, batch), theta, [&](const Tensors& p, Index first, Index count) {
      const auto layer = [&](const Tensor& h, std::size_t k) {
        return torch::addmm(p[k + 1], h, p[k].view({p[k + 1].numel(), h.size(1)}).t());
      };
      const auto x = to_tensor<S>(batch.inputs).narrow(0, first, count);
      const auto h = torch::relu(layer(x, 0));
      const auto mean = layer(h, 2), log_variance = layer(h, 4);
      const auto z = mean + torch::exp(log_variance / 2) * to_tensor<S>(batch.noise).narrow(0, first, count);
      const auto logits = layer(torch::relu(layer(z, 6)), 8);
      const auto fit = F::binary_cross_entropy_with_logits(
          logits, x, F::BinaryCrossEntropyWithLogitsFuncOptions().reduction(torch::kNone));
      const auto divergence = (mean.square() + torch::exp(log_variance) - log_variance - 1).sum(1) / 2;
      return fit.sum(1) + 0.7 * divergence;
    });
  }

  TEST_CASE_TEMPLATE("mlp with layer norm, residuals and label smoothing", S, float, double) {
    const auto model = mts::nn::mlp<S>(
        {5, 7, 7, 3},
        {.activation = mts::nn::Activation::gelu, .layer_norm = true, .residual = true, .label_smoothing = 0.2});
    const auto theta = model.initialize({9, "theta"});
    const mts::nn::ClassificationBatch<S> batch{hostile_inputs<S>(samples, 5), some_labels(samples, 3)};
    check_parity<S>(model.linearize(theta, batch), theta, [&](const Tensors& p, Index first, Index count) {
      const auto layer = [&](const Tensor& h, std::size_t k) {
        return torch::addmm(p[k + 1], h, p[k].view({p[k + 1].numel(), h.size(1)}).t());
      };
      const auto norm = [&](const Tensor& h, std::size_t k) {
        return F::layer_norm(h, F::LayerNormFuncOptions({7}).weight(p[k]).bias(p[k + 1]));
      };
      auto h = torch::gelu(norm(layer(to_tensor<S>(batch.inputs).narrow(0, first, count), 0), 2));
      h = h + torch::gelu(norm(layer(h, 4), 6));
      return cross_entropy(layer(h, 8), to_tensor(batch.labels).narrow(0, first, count), 0.2);
    });
  }
}
