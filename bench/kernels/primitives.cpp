// The rules of primitives one by one, per-sample rules of a whole net against a loop over its samples, and optimisers.
#include "mts/autodiff/elementwise.hpp"

#include "kernels/kernels.hpp"
#include "kernels/one_primitive.hpp"
#include "mts/autodiff/losses.hpp"
#include "mts/autodiff/max_pool2d.hpp"
#include "mts/nn/mlp.hpp"
#include "mts/optim/adam.hpp"
#include "mts/optim/sgd.hpp"

namespace bench {

namespace {

using namespace mts::autodiff;
constexpr Index samples = 1024;

/// Forward and pullback of a primitive that only moves memory: it reads its input and writes its output; the pullback
/// reads input and delta and writes a delta.
template <class P>
void register_light(const char* name, const P& p, Index n, Index width, Index out) {
  const double in_bytes = 4.0 * static_cast<double>(n * width), out_bytes = 4.0 * static_cast<double>(n * out);
  kernel(mts::detail::text("primitive/", name, "/forward/", n, "x", width), [=](auto& state, const auto&) {
    OnePrimitive<P> one(p, n, width);
    measure(state, {0, in_bytes + out_bytes}, [&] { one.forward(); });
  });
  kernel(mts::detail::text("primitive/", name, "/pullback/", n, "x", width), [=](auto& state, const auto&) {
    OnePrimitive<P> one(p, n, width);
    measure(state, {0, 2 * in_bytes + out_bytes}, [&] { one.pullback(); });
  });
}

/// Every rule of a linear layer, bias and scaling included.
void register_linear(Index inputs, Index outputs) {
  const double r = static_cast<double>(samples), i = static_cast<double>(inputs), o = static_cast<double>(outputs);
  const Work product{2 * r * i * o, 4 * (r * i + i * o + r * o)}, norms{0, 4 * (r * i + r * o)};
  const auto rule = [=](const char* name, const Work& work, void (OnePrimitive<Linear>::*f)()) {
    kernel(mts::detail::text("primitive/linear/", name, "/", samples, "x", inputs, "x", outputs),
           [=](benchmark::State& state, const std::string&) {
             OnePrimitive<Linear> one(Linear{.outputs = outputs}, samples, inputs);
             measure(state, work, [&] { (one.*f)(); });
           });
  };
  rule("forward", product, &OnePrimitive<Linear>::forward);
  rule("pullback", product, &OnePrimitive<Linear>::pullback);
  rule("parameter pullback", product, &OnePrimitive<Linear>::parameter_pullback);
  rule("per-sample dot", product, &OnePrimitive<Linear>::per_sample_dot);
  rule("per-sample squared norm", norms, &OnePrimitive<Linear>::per_sample_squared_norm);
}

/// <g_i, v> and |g_i|^2 of MLP 784-256-256-10 by the rules, and by linearising and pulling back every sample alone.
class PerSample {
 public:
  PerSample() : model_(mts::nn::mlp<float>({784, 256, 256, 10})), theta_(model_.initialize({0, "theta"})) {
    batch_.inputs = random_matrix(samples, 784, "x").cwiseAbs();
    for (Index i = 0; i < samples; ++i) batch_.labels.push_back(static_cast<int>(i) % 10);
    direction_ = model_.initialize({0, "direction"});
  }
  template <class F>
  void loop(F&& f, mts::SampleVector& out) const {
    out.resize(samples);
    auto gradient = theta_.zeros_like();
    mts::nn::ClassificationBatch<float> one;
    const mts::SampleVector unit = mts::SampleVector::Ones(1);
    for (Index i = 0; i < samples; ++i) {
      one.inputs = batch_.inputs.row(i);
      one.labels.assign(1, batch_.labels[static_cast<std::size_t>(i)]);
      const auto lin = model_.linearize(theta_, one);
      lin.pullback(unit, gradient);
      out[i] = f(gradient);
    }
  }
  auto linearize() const { return model_.linearize(theta_, batch_); }
  const mts::DenseParameters<float>& direction() const { return direction_; }
  /// Flops of the rules beyond the linearisation: none worth counting for the norms, one forward for the dot.
  static double forward_flops() { return 2.0 * samples * (784 * 256 + 256 * 256 + 256 * 10); }
  static double kept_bytes() { return 4.0 * samples * (784 + 2 * (256 + 256) + 2 * 10); }

 private:
  mts::nn::Classifier<float> model_;
  mts::DenseParameters<float> theta_, direction_{{}};
  mts::nn::ClassificationBatch<float> batch_;
};

void register_per_sample() {
  const auto norm = [](const auto& g) { return g.dot(g); };
  kernel("per-sample/squared norm/mlp/1024/rule", [=](benchmark::State& state, const std::string& what) {
    const PerSample problem;
    const auto lin = problem.linearize();
    mts::SampleVector out;
    lin.per_sample_squared_norm(out);
    verify(what, [&] {
      mts::SampleVector expected;
      problem.loop(norm, expected);
      return (out - expected).cwiseAbs().maxCoeff() / expected.cwiseAbs().maxCoeff();
    });
    measure(state, {0, PerSample::kept_bytes()}, [&] { lin.per_sample_squared_norm(out); });
  });
  kernel("per-sample/squared norm/mlp/1024/loop over samples", [=](benchmark::State& state, const std::string&) {
    const PerSample problem;
    mts::SampleVector out;
    measure(state, {3.25 * PerSample::forward_flops(), PerSample::kept_bytes()}, [&] { problem.loop(norm, out); });
  });
  kernel("per-sample/dot/mlp/1024/rule", [=](benchmark::State& state, const std::string& what) {
    const PerSample problem;
    const auto lin = problem.linearize();
    mts::SampleVector out;
    lin.per_sample_dot(problem.direction(), out);
    verify(what, [&] {
      mts::SampleVector expected;
      problem.loop([&](const auto& g) { return g.dot(problem.direction()); }, expected);
      return (out - expected).cwiseAbs().maxCoeff() / expected.cwiseAbs().maxCoeff();
    });
    measure(state, {PerSample::forward_flops(), PerSample::kept_bytes()},
            [&] { lin.per_sample_dot(problem.direction(), out); });
  });
  kernel("per-sample/dot/mlp/1024/loop over samples", [=](benchmark::State& state, const std::string&) {
    const PerSample problem;
    mts::SampleVector out;
    measure(state, {3.25 * PerSample::forward_flops(), PerSample::kept_bytes()},
            [&] { problem.loop([&](const auto& g) { return g.dot(problem.direction()); }, out); });
  });
}

/// Optimisers on the parameters of the MLP. AdamW reads theta, gradient and two moments and writes all but the
/// gradient; SGD with momentum reads three and writes two.
template <class O>
void register_optimizer(const char* name, const O& optimizer, double vectors) {
  kernel(mts::detail::text("optimizer/", name, "/269322"), [=](benchmark::State& state, const std::string&) {
    const auto model = mts::nn::mlp<float>({784, 256, 256, 10});
    auto theta = model.initialize({0, "theta"});
    const auto gradient = model.initialize({0, "gradient"});
    auto own = optimizer;
    measure(state, {0, 4 * vectors * static_cast<double>(theta.size())}, [&] { own.step(theta, gradient); });
  });
}

}  // namespace

void register_primitives() {
  register_light("relu", Relu{}, 1024, 256, 256);
  register_light("softmax cross-entropy", SoftmaxCrossEntropy{{0, 10}}, 1024, 10, 1);
  register_light("max pooling 28x28x16", MaxPool2d{{28, 28, 16}}, 256, 28 * 28 * 16, 14 * 14 * 16);
  register_linear(784, 256);
  register_linear(256, 256);
  register_linear(256, 10);
  register_per_sample();
  using Parameters = mts::DenseParameters<float>;
  register_optimizer("AdamW", mts::AdamW<Parameters>({.learning_rate = 1e-4}), 7);
  register_optimizer("SGD with momentum", mts::Sgd<Parameters>({.learning_rate = 1e-3, .momentum = 0.9}), 5);
}

}  // namespace bench
