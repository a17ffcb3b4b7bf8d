#include "mts/cuda/network.hpp"

#include <doctest/doctest.h>

#include "mts/autodiff/combine.hpp"
#include "mts/autodiff/elementwise.hpp"
#include "mts/autodiff/linear.hpp"
#include "mts/autodiff/losses.hpp"
#include "mts/core/concepts.hpp"
#include "mts/cuda/classifier.hpp"
#include "mts/cuda/mlp_weight_net.hpp"
#include "mts/nn/mlp.hpp"
#include "support/device_parity.hpp"
#include "support/emulated.hpp"
#include "support/primitives.hpp"

using namespace mts;
using namespace mts::testing;
using autodiff::Graph;
using autodiff::Linear;
using autodiff::Node;
using cuda::Emulation;

template <class S>
using OnDevice = cuda::Parameters<S, Emulation>;
using DeviceClassifier = cuda::Classifier<float, Emulation>;
using DeviceWeightNet = cuda::MlpWeightNet<float, Emulation>;
static_assert(DifferentiableMap<cuda::Network<float, Emulation>, cuda::NetworkInput<float, Emulation>>);
static_assert(ClassifierForward<cuda::NetworkForward<float, Emulation>>);
static_assert(PushforwardLinearization<cuda::NetworkLinearization<float, Emulation>, OnDevice<float>>);
static_assert(PerSampleDotLinearization<cuda::NetworkLinearization<float, Emulation>, OnDevice<float>>);
static_assert(PerSampleNormLinearization<cuda::NetworkLinearization<float, Emulation>, OnDevice<float>>);
static_assert(DifferentiableMap<DeviceClassifier, DeviceClassifier::Batch>);
static_assert(DifferentiableMap<DeviceWeightNet, DeviceWeightNet::Features>);

namespace {

constexpr const char* none = "";

/// Two features and a label -> loss, with a hidden layer of 5.
template <class S, class Activation = autodiff::Tanh>
autodiff::Network<S> classifier() {
  Graph<S> g;
  const auto x = g.input(2);
  const auto label = g.column(3, "label");
  const auto h = g.add(Activation{}, {g.add(Linear{5}, {x}, "hidden")});
  const auto z = g.add(Linear{3}, {h}, "logits");
  const auto loss = g.add(autodiff::SoftmaxCrossEntropy{label}, {z});
  return {std::move(g), {loss, z, h}};
}

/// Its batch of n samples, on the host and on a device.
template <class S>
struct Batch {
  Batch(const cuda::SharedQueue<Emulation>& queue, Index n, std::uint64_t seed = 1)
      : owned({random_matrix(n, 2, RandomStream(seed, "x"))}, {labels(n, 3)}, n), there(queue, owned.input()) {}
  OwnedInput<S> owned;
  DeviceInput<S, Emulation> there;
};

template <class F>
std::string words(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return none;
}
template <class A, class B>
double relative_error(const A& found, const B& expected) {
  const RowMatrix<double> a = found.template cast<double>(), b = expected.template cast<double>();
  return (a - b).norm() / b.norm();
}

}  // namespace

// ------------------------------------------------------------------------------------------------------- what it shows

TEST_CASE_TEMPLATE("cuda::Network: values, logits and embeddings are the host's, in both regimes of memory", S, float,
                   double) {
  const double tolerance = sizeof(S) == 4 ? 1e-6 : 1e-14;
  const auto queue = cuda::make_queue<Emulation>();
  const auto host = classifier<S>();
  const auto theta = host.initialize(RandomStream(1, "net"));
  const OnDevice<S> there(queue, theta);
  for (const Index n : {1, 255, 256, 257, 600}) {
    const Batch<S> b(queue, n);
    const auto expected = host.forward(theta, b.owned.input());
    for (const bool kept : {true, false}) {
      CAPTURE(n);
      CAPTURE(kept);
      const cuda::Network<S, Emulation> net(host, queue, {.workspace_budget = kept ? Index{1} << 30 : 0});
      const auto check = [&](const auto& f) {
        CHECK(f.samples() == n);
        CHECK(f.kept() == kept);
        CHECK(std::string(f.activations()) == (kept ? "kept" : "recomputed"));
        CHECK(relative_error(f.value(), expected.value()) <= tolerance);
        CHECK(relative_error(f.logits(), expected.logits()) <= tolerance);
        CHECK(relative_error(f.embeddings(), expected.embeddings()) <= tolerance);
        CHECK(f.device_logits().rows == n);
        CHECK(f.device_logits().cols == 3);
        CHECK(f.device_embeddings().cols == 5);
      };
      check(net.forward(there, b.there.input()));
      check(net.linearize(there, b.there.input()));
    }
  }
}

TEST_CASE("cuda::Network: initial parameters are the host's, number for number") {
  const auto queue = cuda::make_queue<Emulation>();
  const auto host = classifier<float>();
  const cuda::Network<float, Emulation> net(host, queue);
  CHECK(net.initialize(RandomStream(5, "net")).to_host().values() == host.initialize(RandomStream(5, "net")).values());
  CHECK(net.parameter_count() == host.parameter_count());
}

TEST_CASE("cuda::Network: one without a value runs forward and refuses to be linearised") {
  Graph<double> g;
  const auto y = g.add(Linear{2}, {g.input(1)});
  const auto queue = cuda::make_queue<Emulation>();
  const cuda::Network<double, Emulation> net(autodiff::Network<double>(std::move(g), {.logits = y}), queue);
  const auto theta = net.initialize(RandomStream(1, "net"));
  const OwnedInput<double> in({random_matrix(3, 1, RandomStream(2, "x"))}, {}, 3);
  const DeviceInput<double, Emulation> there(queue, in.input());
  const auto f = net.forward(theta, there.input());
  CHECK(f.value().size() == 0);
  CHECK(f.logits().rows() == 3);
  CHECK(words([&] { f.embeddings(); }) == "cuda::Network: this network shows no embeddings");
  CHECK_THROWS_WITH_AS(net.linearize(theta, there.input()),
                       "cuda::Network::linearize: this network has no value, only `forward`", ValueError);
}

// -------------------------------------------------------------------------------------------------------------- errors

TEST_CASE("cuda::Network: refuses batches that do not fit, in words") {
  const auto queue = cuda::make_queue<Emulation>();
  const cuda::Network<double, Emulation> net(classifier<double>(), queue);
  const auto theta = net.initialize(RandomStream(1, "net"));
  const OnDevice<double> seven(queue, DenseParameters<double>(7));
  const cuda::Buffer<double, Emulation> x(queue, std::vector<double>(20, 1.0));
  const cuda::Column<Emulation> y(queue, std::vector<int>{0, 1, 2, 0}), five(queue, std::vector<int>(5, 0)),
      empty(queue, std::vector<int>{});
  const auto both = [&](const OnDevice<double>& parameters, cuda::NetworkInput<double, Emulation> in) {
    const std::string a = words([&] { net.forward(parameters, in); }),
                      b = words([&] { net.linearize(parameters, in); });
    CHECK(a == b);
    return a;
  };
  const auto rows = [&](Index n, Index cols) { return cuda::ConstMatrix<double>{x.data(), n, cols}; };
  CHECK(both(theta, {4, {rows(4, 2)}, {&y}}) == none);
  CHECK(both(theta, {4, {rows(4, 3)}, {&y}}) == "cuda::Network: dense input 0: expected 4 x 2, found 4 x 3");
  CHECK(both(theta, {4, {rows(5, 2)}, {&y}}) == "cuda::Network: dense input 0: expected 4 x 2, found 5 x 2");
  CHECK(both(theta, {4, {rows(4, 2)}, {&five}}) == "cuda::Network: label: expected 4, found 5");
  CHECK(both(theta, {0, {rows(0, 2)}, {&empty}}) == "cuda::Network: empty batch: expected at least 1 sample, found 0");
  CHECK(both(seven, {4, {rows(4, 2)}, {&y}}) ==
        mts::detail::text("cuda::Network: number of parameters: expected ", theta.size(), ", found 7"));
  CHECK(both(theta, {4, {}, {&y}}) == "cuda::Network: number of dense inputs: expected 1, found 0");
  CHECK(both(theta, {4, {rows(4, 2)}, {}}) == "cuda::Network: number of integer columns: expected 1, found 0");
  CHECK(both(theta, {4, {rows(4, 2)}, {&y, &y}}) == "cuda::Network: number of integer columns: expected 1, found 2");
  CHECK_THROWS_AS(net.forward(theta, {4, {rows(4, 3)}, {&y}}), ShapeError);
}

TEST_CASE("cuda::Network: refuses integers out of range, naming column and sample, and goes on after that") {
  const auto queue = cuda::make_queue<Emulation>();
  const cuda::Network<double, Emulation> net(classifier<double>(), queue);
  const auto theta = net.initialize(RandomStream(1, "net"));
  const cuda::Buffer<double, Emulation> x(queue, std::vector<double>(8, 1.0));
  cuda::Column<Emulation> y(queue, std::vector<int>{0, 1, 2, 3});
  const cuda::NetworkInput<double, Emulation> in{4, {{x.data(), 4, 2}}, {&y}};
  CHECK_THROWS_WITH_AS(net.forward(theta, in), "cuda::Network: label of sample 3: expected 0 to 2, found 3",
                       ValueError);
  y.assign(queue, std::vector<int>{0, -1, 2, 1});
  CHECK_THROWS_WITH_AS(net.linearize(theta, in), "cuda::Network: label of sample 1: expected 0 to 2, found -1",
                       ValueError);
  y.assign(queue, std::vector<int>{0, 1, 2, 1});
  CHECK_NOTHROW(net.linearize(theta, in));
}

TEST_CASE("cuda::Network: a value that is not finite is an error that names its sample, launched or replayed") {
  const auto queue = cuda::make_queue<Emulation>();
  const auto host = classifier<double>();
  RowMatrix<double> rows = RowMatrix<double>::Ones(300, 2);
  rows(201, 1) = std::numeric_limits<double>::quiet_NaN();
  const OwnedInput<double> owned({rows}, {labels(300, 3)}, 300);
  const DeviceInput<double, Emulation> in(queue, owned.input());
  for (const Index budget : {Index{1} << 30, Index{0}}) {
    const cuda::Network<double, Emulation> net(host, queue, {.workspace_budget = budget});
    const auto theta = net.initialize(RandomStream(1, "net"));
    for (int round = 0; round < 4; ++round) {
      const char* message = "cuda::Network: value per sample: expected finite numbers, found nan at index 201 of 300";
      CHECK_THROWS_WITH_AS(net.forward(theta, in.input()), message, NumericalError);
      CHECK_THROWS_WITH_AS(net.linearize(theta, in.input()), message, NumericalError);
    }
  }
}

TEST_CASE("cuda::NetworkLinearization: refuses vectors of another length") {
  const auto queue = cuda::make_queue<Emulation>();
  const cuda::Network<double, Emulation> net(classifier<double>(), queue);
  const auto theta = net.initialize(RandomStream(1, "net"));
  const Batch<double> b(queue, 4);
  const auto lin = net.linearize(theta, b.there.input());
  auto out = theta.zeros_like();
  OnDevice<double> wrong(queue, DenseParameters<double>(3));
  SampleVector s;
  const std::string found = mts::detail::text("number of parameters: expected ", theta.size(), ", found 3");
  CHECK(words([&] { lin.pullback(SampleVector::Ones(5), out); }) ==
        "cuda::Network::pullback: length of u: expected 4, found 5");
  CHECK(words([&] { lin.pullback(SampleVector::Ones(4), wrong); }) == "cuda::Network::pullback: " + found);
  CHECK(words([&] { lin.pushforward(wrong, s); }) == "cuda::Network::pushforward: " + found);
  CHECK(words([&] { lin.per_sample_dot(wrong, s); }) == "cuda::Network::per_sample_dot: " + found);
}

TEST_CASE("cuda::Network: refuses a negative budget") {
  const auto queue = cuda::make_queue<Emulation>();
  CHECK(words([&] { cuda::Network<float, Emulation>(classifier<float>(), queue, {.workspace_budget = -1}); }) ==
        "cuda::Network: the workspace budget must not be negative, found -1");
}

// -------------------------------------------------------------------------------------------------------------- replay

TEST_CASE("cuda::Network: a replay reads theta and batch as they are now, and never those of another") {
  const auto queue = cuda::make_queue<Emulation>();
  const auto host = classifier<double>();
  const cuda::Network<double, Emulation> net(host, queue);
  const Batch<double> first(queue, 40, 1), second(queue, 40, 2);
  auto a = host.initialize(RandomStream(1, "a")), b = host.initialize(RandomStream(2, "b"));
  OnDevice<double> a_there(queue, a), b_there(queue, b);
  const SampleVector u = random_vector(40, RandomStream(3, "u"));
  auto gradient = a.zeros_like();
  auto gradient_there = a_there.zeros_like(), other_gradient_there = a_there.zeros_like();
  const auto check = [&](const auto& theta, const auto& there, const Batch<double>& batch, auto& out) {
    const auto expected = host.linearize(theta, batch.owned.input());
    const auto found = net.linearize(there, batch.there.input());
    CHECK(relative_error(found.value(), expected.value()) <= 1e-14);
    CHECK(relative_error(net.forward(there, batch.there.input()).value(), expected.value()) <= 1e-14);
    expected.pullback(u, gradient);
    found.pullback(u, out);
    CHECK(relative_error(out.to_host().values(), gradient.values()) <= 1e-13);
    SampleVector dots, dots_there;
    expected.per_sample_dot(gradient, dots);
    found.per_sample_dot(out, dots_there);
    CHECK(relative_error(dots_there, dots) <= 1e-12);
  };
  for (int round = 0; round < 5; ++round) {
    CAPTURE(round);
    check(a, a_there, first, gradient_there);
    check(b, b_there, first, gradient_there);
    check(a, a_there, second, other_gradient_there);
    a.scale(1.1);
    a_there.scale(1.1);
  }
  CHECK(queue->replays() > 20);
}

TEST_CASE("cuda::Network: one that comes to lie where another lay does not replay what that one did") {
  const auto queue = cuda::make_queue<Emulation>();
  const Batch<double> batch(queue, 40);
  const auto tanh = classifier<double, autodiff::Tanh>();
  const auto relu = classifier<double, autodiff::Relu>();
  const auto theta = tanh.initialize(RandomStream(1, "net"));
  const OnDevice<double> there(queue, theta);
  for (int life = 0; life < 20; ++life) {
    CAPTURE(life);
    const auto& host = life % 2 ? relu : tanh;
    const cuda::Network<double, Emulation> net(host, queue);
    const auto expected = host.forward(theta, batch.owned.input());
    for (int round = 0; round < 3; ++round)
      CHECK(relative_error(net.forward(there, batch.there.input()).value(), expected.value()) <= 1e-14);
  }
}

TEST_CASE("cuda::Network: linearisations live side by side, move, and give their memory back") {
  const auto queue = cuda::make_queue<Emulation>();
  const cuda::Network<float, Emulation> net(classifier<float>(), queue);
  const auto theta = net.initialize(RandomStream(1, "net"));
  const Batch<float> small(queue, 3), large(queue, 200);
  auto out = theta.zeros_like();
  std::size_t bytes = 0;
  RowMatrix<float> before;
  for (int round = 0; round < 6; ++round) {
    auto a = net.linearize(theta, small.there.input());
    const auto b = net.linearize(theta, large.there.input());
    const auto c = net.linearize(theta, small.there.input());
    const auto moved = std::move(a);
    CHECK(moved.value() == c.value());
    CHECK(moved.logits() == c.logits());
    CHECK(relative_error(b.logits().topRows(3), c.logits()) <= 1e-6);  // the same rows; sums in another order
    moved.pullback(SampleVector::Ones(3), out);
    const RowMatrix<float> gradient = out.to_host().values();
    if (round > 0) CHECK(gradient == before);
    before = gradient;
    if (round == 3) bytes = queue->bytes();
  }
  CHECK(queue->bytes() == bytes);
  CHECK(queue->replays() > 0);
}

// -------------------------------------------------------------------------------------------- a primitive of one's own

namespace {

/// y = w x, feature by feature.
struct LearnedScale {
  Index width(autodiff::Widths in) const { return in[0]; }
  std::vector<Segment> segments(autodiff::Widths in) const { return {{"scale", 0, in[0], true}}; }
  void initialize(auto* w, autodiff::Widths in, RandomStream&) const { std::fill(w, w + in[0], 1); }
  Index tasks(autodiff::Widths) const { return 1; }

  template <class S>
  void forward(const autodiff::Tile<S>& t, autodiff::View<S> out) const {
    each(t, [&](Index i, Index j, S x) { out.row(i)[j] = t.parameters[j] * x; });
  }
  template <class S>
  void pullback(const autodiff::Tile<S>& t, autodiff::ConstView<S> delta,
                std::span<const autodiff::DeltaSink<S>> sinks) const {
    sinks[0].take_each([&](Index i, Index j) { return delta.row(i)[j] * t.parameters[j]; });
  }
  template <class S>
  void pushforward(const autodiff::Tile<S>& t, std::span<const autodiff::ConstView<S>> v, const S* dw,
                   autodiff::View<S> out) const {
    each(t, [&](Index i, Index j, S x) {
      out.row(i)[j] = (v[0] ? t.parameters[j] * v[0].row(i)[j] : S{0}) + (dw ? dw[j] * x : S{0});
    });
  }
  template <class S>
  void parameter_pullback(const autodiff::Tile<S>& t, autodiff::ConstView<S> d, const S* u, Index, S* gradient) const {
    each(t, [&](Index i, Index j, S x) { gradient[j] += u[i] * d.row(i)[j] * x; });
  }
  template <class S>
  void per_sample_dot(const autodiff::Tile<S>& t, autodiff::ConstView<S> d, const S* v, double* out) const {
    each(t, [&](Index i, Index j, S x) { out[i] += static_cast<double>(d.row(i)[j] * x * v[j]); });
  }
  template <class S>
  void per_sample_squared_norm(const autodiff::Tile<S>& t, autodiff::ConstView<S> d, double* out) const {
    each(t, [&](Index i, Index j, S x) { out[i] += std::pow(static_cast<double>(d.row(i)[j] * x), 2); });
  }

 private:
  template <class S>
  static void each(const autodiff::Tile<S>& t, const auto& f) {
    for (Index i = 0; i < t.rows; ++i)
      for (Index j = 0; j < t.in[0].cols; ++j) f(i, j, t.in[0].row(i)[j]);
  }
};

/// to_ij <- or += w_j x_ij.
template <class S>
struct ScaleColumns {
  const S *w, *x;
  S* to;
  Index cols;
  bool accumulate;
  MTS_HOST_DEVICE void operator()(Index i, Index j) const {
    cuda::take(to[i * cols + j], accumulate, w[j] * x[i * cols + j]);
  }
};
/// gradient_j += sum_i u_i d_ij x_ij, in order.
template <class S>
struct ScaleGradient {
  const S *u, *d, *x;
  S* gradient;
  Index rows, cols;
  MTS_HOST_DEVICE void operator()(Index j) const {
    for (Index i = 0; i < rows; ++i) gradient[j] += u[i] * d[i * cols + j] * x[i * cols + j];
  }
};
/// out_i += sum_j d_ij x_ij v_j.
template <class S>
struct ScaleDot {
  const S *d, *x, *v;
  Index cols;
  double* out;
  MTS_HOST_DEVICE void operator()(const cuda::Lanes& lanes, Index i) const {
    const S sum = lanes.sum<S>(cols, [&](Index j) { return d[i * cols + j] * x[i * cols + j] * v[j]; });
    lanes.once([&] { out[i] += static_cast<double>(sum); });
  }
};
/// out_i += sum_j (d_ij x_ij)^2.
template <class S>
struct ScaleSquaredNorm {
  const S *d, *x;
  Index cols;
  double* out;
  MTS_HOST_DEVICE void operator()(const cuda::Lanes& lanes, Index i) const {
    const double sum = lanes.sum<double>(cols, [&](Index j) {
      const auto g = static_cast<double>(d[i * cols + j] * x[i * cols + j]);
      return g * g;
    });
    lanes.once([&] { out[i] += sum; });
  }
};

template <class S, class E>
struct LearnedScaleRules final : cuda::Rules<S, E> {
  using At = cuda::At<S, E>;
  LearnedScaleRules(const LearnedScale&, autodiff::Widths in) : cols(in[0]) {}

  void forward(const At& at, cuda::Matrix<S> out) const override { scale(at, at.parameters, at.in[0], out, false); }
  void pullback(const At& at, cuda::ConstMatrix<S> delta, std::span<const cuda::Sink<S>> sinks) const override {
    if (sinks[0]) scale(at, at.parameters, delta, sinks[0].to, sinks[0].accumulate);
  }
  void pushforward(const At& at, std::span<const cuda::ConstMatrix<S>> tangents, const S* w_tangent,
                   cuda::Matrix<S> out) const override {
    if (tangents[0])
      scale(at, at.parameters, tangents[0], out, false);
    else
      at.queue->clear(out.data, out.size());
    if (w_tangent) scale(at, w_tangent, at.in[0], out, true);
  }
  void parameter_pullback(const At& at, cuda::ConstMatrix<S> delta, const S* u, S* gradient) const override {
    at.queue->each(cols, ScaleGradient<S>{u, delta.data, at.in[0].data, gradient, at.rows, cols});
  }
  void per_sample_dot(const At& at, cuda::ConstMatrix<S> delta, const S* v, double* out) const override {
    at.queue->rows(at.rows, ScaleDot<S>{delta.data, at.in[0].data, v, cols, out});
  }
  void per_sample_squared_norm(const At& at, cuda::ConstMatrix<S> delta, double* out) const override {
    at.queue->rows(at.rows, ScaleSquaredNorm<S>{delta.data, at.in[0].data, cols, out});
  }
  void scale(const At& at, const S* w, cuda::ConstMatrix<S> x, cuda::Matrix<S> to, bool accumulate) const {
    at.queue->grid(at.rows, cols, ScaleColumns<S>{w, x.data, to.data, cols, accumulate});
  }
  Index cols;
};

/// x -> linear -> scale -> added to itself -> scale -> squared error against x's own first columns.
template <class S>
autodiff::Network<S> with_scales() {
  Graph<S> g;
  const auto x = g.input(3);
  const auto h = g.add(LearnedScale{}, {g.add(Linear{3}, {x}, "linear")}, "scale");
  const auto twice = g.add(LearnedScale{}, {g.add(autodiff::Add{{1, 0.5}}, {h, h})}, "scale again");
  const auto loss = g.add(autodiff::SquaredError{}, {twice, x});
  return {std::move(g), {.value = loss, .embeddings = h}};
}

}  // namespace

TEST_CASE_TEMPLATE("cuda::Network: a primitive of one's own runs with the rules that are added for it", S, float,
                   double) {
  const auto queue = cuda::make_queue<Emulation>();
  auto translation = cuda::Translation<S, Emulation>();
  translation.template add<LearnedScale, LearnedScaleRules<S, Emulation>>();
  const auto host = with_scales<S>();
  auto theta = host.initialize(RandomStream(1, "net"));
  theta.values() += random_vector(theta.size(), RandomStream(2, "off the start"), 0.25).template cast<S>();
  for (const Index n : {1, 33, 300}) {
    const OwnedInput<S> in({random_matrix(n, 3, RandomStream(3, "x"))}, {}, n);
    const Report r =
        parity_report("scales", queue, host, theta, in.input(), sizeof(S) == 4 ? 1e-5 : 1e-13, 0, translation);
    CAPTURE(r.words());
    CHECK(r.passed());
  }
}

TEST_CASE("cuda::Network: without them it refuses, and says what to do") {
  const auto queue = cuda::make_queue<Emulation>();
  const std::string message = words([&] { cuda::Network<float, Emulation>(with_scales<float>(), queue); });
  CHECK(message.find("cuda: a primitive has no rules on a device; add them to the translation "
                     "(mts/cuda/translation.hpp) or use the CPU.") == 0);
  CHECK(message.find("LearnedScale") != std::string::npos);
  CHECK_THROWS_AS((cuda::Network<float, Emulation>(with_scales<float>(), queue)), ValueError);
}
