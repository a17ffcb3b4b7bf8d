#include "mts/nn/vae.hpp"

#include "mts/core/concepts.hpp"
#include "mts/optim/adam.hpp"
#include "support/derivatives.hpp"

using namespace mts;
using namespace mts::nn;
using namespace mts::testing;

static_assert(Model<Vae<float>> && Model<Vae<double>>);

namespace {

template <class S>
VaeBatch<S> batch(Index n, Index width, Index latent) {
  VaeBatch<S> b;
  b.inputs = ((random_matrix(n, width, RandomStream(1, "inputs")).array() + 1) / 2).matrix().cast<S>();
  b.noise = random_matrix(n, latent, RandomStream(2, "noise"), 2).cast<S>();
  return b;
}

void check_vae(const std::string& name, const VaeOptions& options, Index n) {
  const Vae<double> in_double(options);
  const Vae<float> in_float(options);
  auto theta = in_double.initialize(RandomStream(3, "vae"));
  theta.values() = snap(Vector(theta.values()));
  DenseParameters<float> single(std::vector<Segment>(theta.segments().begin(), theta.segments().end()));
  single.values() = theta.values().cast<float>();
  const auto a = batch<double>(n, options.inputs, options.latent);
  const auto b = batch<float>(n, options.inputs, options.latent);
  Options checks;
  if (options.activation == Activation::relu) checks.tolerance.unresolved_share = 0.02;  // kinks within reach
  const auto f = at(name, in_double, theta, a);
  check_derivatives(f, checks);
  const auto g = at(name + ", float", in_float, single, b);
  check_derivatives(g, checks);
  check_precision(g, f, checks);
}

}  // namespace

TEST_CASE("vae: derivatives") {
  check_vae("vae 6-5-2 relu", {.inputs = 6, .hidden = {5}, .latent = 2}, 9);
  check_vae("vae 4-2, no hidden layer", {.inputs = 4, .hidden = {}, .latent = 2}, 3);
  check_vae("vae 1-1-1, one sample", {.inputs = 1, .hidden = {1}, .latent = 1, .activation = Activation::tanh}, 1);
  for (Activation activation : {Activation::tanh, Activation::gelu, Activation::sigmoid})
    check_vae(mts::detail::text("vae 5-4-3-2, activation ", static_cast<int>(activation)),
              {.inputs = 5, .hidden = {4, 3}, .latent = 2, .divergence_weight = 0.25, .activation = activation}, 130);
}

TEST_CASE("vae: the loss is cross-entropy of the decoded sample + beta KL") {
  const VaeOptions options{.inputs = 3, .hidden = {4}, .latent = 2, .divergence_weight = 0.5};
  const Vae<double> model(options), plain({.inputs = 3, .hidden = {4}, .latent = 2, .divergence_weight = 0});
  const auto theta = model.initialize(RandomStream(3, "vae"));
  const auto b = batch<double>(5, 3, 2);
  const auto f = model.forward(theta, b);
  const SampleVector fit = plain.forward(theta, b).value();
  const auto mean = model.encode(theta, b.inputs);
  CHECK(mean == f.embeddings());
  for (Index i = 0; i < 5; ++i) {
    double cross_entropy = 0;
    for (Index j = 0; j < 3; ++j) {
      const double p = 1 / (1 + std::exp(-f.logits()(i, j))), t = b.inputs(i, j);
      cross_entropy -= t * std::log(p) + (1 - t) * std::log(1 - p);
    }
    CHECK(fit[i] == doctest::Approx(cross_entropy).epsilon(1e-12));
    CHECK(f.value()[i] > fit[i]);  // KL > 0
  }
  // With the encoder at 0 the code is N(0, 1) and the divergence nothing.
  auto still = theta.clone();
  still.values().head(theta.size() / 2).setZero();
  for (const auto& s : theta.segments())
    if (s.name.starts_with("mean") || s.name.starts_with("log_variance")) still.segment(s.name).setZero();
  CHECK((model.forward(still, b).value() - plain.forward(still, b).value()).cwiseAbs().maxCoeff() == 0);
}

TEST_CASE("vae: decode is the decoder of the training net; encode ignores noise") {
  const Vae<double> model({.inputs = 6, .hidden = {5, 4}, .latent = 3});
  const auto theta = model.initialize(RandomStream(3, "vae"));
  auto b = batch<double>(130, 6, 3);
  const RowMatrix<double> codes = model.encode(theta, b.inputs);
  CHECK(codes.rows() == 130);
  CHECK(codes.cols() == 3);
  b.noise.setZero();  // then the sample is the mean
  const auto f = model.forward(theta, b);
  const RowMatrix<double> decoded = model.decode(theta, codes);
  CHECK(decoded.rows() == 130);
  CHECK(decoded.cols() == 6);
  CHECK(decoded.minCoeff() > 0);
  CHECK(decoded.maxCoeff() < 1);
  const RowMatrix<double> expected = (1 + (-f.logits().array()).exp()).inverse();
  CHECK((decoded - expected).cwiseAbs().maxCoeff() < 1e-15);
}

TEST_CASE("vae: training lowers the loss on a toy set, and reconstructs it") {
  const Vae<double> model({.inputs = 8, .hidden = {12}, .latent = 2, .activation = Activation::tanh});
  VaeBatch<double> b;
  b.inputs.resize(32, 8);
  for (Index i = 0; i < 32; ++i)
    for (Index j = 0; j < 8; ++j) b.inputs(i, j) = (i % 2 == 0) == (j < 4) ? 1 : 0;  // two patterns
  auto theta = model.initialize(RandomStream(3, "vae"));
  auto gradient = theta.zeros_like();
  Adam<DenseParameters<double>> adam({.learning_rate = 0.02});
  b.draw_noise(2, RandomStream(4, "noise", 0));
  const double before = model.forward(theta, b).value().mean();
  for (std::uint64_t step = 0; step < 400; ++step) {
    b.draw_noise(2, RandomStream(4, "noise", step));
    model.linearize(theta, b).pullback(SampleVector::Constant(32, 1.0 / 32), gradient);
    adam.step(theta, gradient);
  }
  // A code that tells two equally likely patterns apart costs log 2 at least; ignoring it costs 8 log 2.
  const double after = model.forward(theta, b).value().mean();
  CHECK(before > 8 * std::numbers::ln2 * 0.9);
  CHECK(after < 3);
  CHECK(after > std::numbers::ln2 * 0.9);
  CHECK((model.decode(theta, model.encode(theta, b.inputs)) - b.inputs).cwiseAbs().maxCoeff() < 0.3);
}

TEST_CASE("vae: noise is a function of stream and row") {
  VaeBatch<double> a, b;
  a.inputs = RowMatrix<double>::Zero(300, 1);
  b.inputs = RowMatrix<double>::Zero(70, 1);
  const RandomStream stream(1, "noise");
  with_threads(4, [&] { a.draw_noise(40, stream); });
  with_threads(1, [&] { b.draw_noise(40, stream); });
  CHECK(a.noise.topRows(70) == b.noise);
  b.draw_noise(40, RandomStream(2, "noise"));
  CHECK(a.noise.topRows(70) != b.noise);
  CHECK(a.noise.row(0) != a.noise.row(1));
  // Five standard errors of the mean and of the variance of 12000 standard normal numbers.
  CHECK(std::abs(a.noise.mean()) < 5 / std::sqrt(12000.0));
  CHECK(std::abs(a.noise.squaredNorm() / 12000 - 1) < 5 * std::sqrt(2.0 / 12000));
}

TEST_CASE("vae: refuses widths and batches that do not fit") {
  CHECK_THROWS_AS(Vae<float>({.inputs = 0}), ShapeError);
  CHECK_THROWS_AS(Vae<float>({.inputs = -1}), ShapeError);
  CHECK_THROWS_AS(Vae<float>({.inputs = 2, .hidden = {0}}), ShapeError);
  CHECK_THROWS_AS(Vae<float>({.inputs = 2, .hidden = {2}, .latent = 0}), ShapeError);
  const Vae<double> model({.inputs = 3, .hidden = {4}, .latent = 2});
  const auto theta = model.initialize(RandomStream(3, "vae"));
  auto b = batch<double>(5, 3, 1);
  CHECK(b.size() == 5);
  CHECK_THROWS_WITH_AS(model.forward(theta, b), "Network: dense input 1: expected 5 x 2, found 5 x 1", ShapeError);
  CHECK_THROWS_WITH_AS(model.decode(theta, RowMatrix<double>::Zero(2, 3)),
                       "Network: dense input 0: expected 2 x 2, found 2 x 3", ShapeError);
  CHECK_THROWS_WITH_AS(model.encode(theta, RowMatrix<double>::Zero(2, 2)),
                       "Network: dense input 0: expected 2 x 3, found 2 x 2", ShapeError);
  CHECK_THROWS_WITH_AS(
      model.decode(DenseParameters<double>(3), RowMatrix<double>::Zero(2, 2)),
      mts::detail::text("Vae::decode: number of parameters: expected ", theta.size(), ", found 3").c_str(), ShapeError);
}
