#include "mts/autodiff/primitive.hpp"

#include "mts/autodiff/combine.hpp"
#include "mts/autodiff/elementwise.hpp"
#include "mts/autodiff/embedding.hpp"
#include "mts/autodiff/gaussian.hpp"
#include "mts/autodiff/layer_norm.hpp"
#include "mts/autodiff/linear.hpp"
#include "mts/autodiff/losses.hpp"
#include "support/primitives.hpp"

using namespace mts;
using namespace mts::autodiff;
using namespace mts::testing;

namespace {

/// A user's own primitive: swish with a learned slope per feature, y = x s(w x) with s the logistic function.
struct LearnedSwish {
  Index width(Widths in) const { return in[0]; }
  std::vector<Segment> segments(Widths in) const { return {{"slope", 0, in[0], true}}; }
  void initialize(auto* w, Widths in, RandomStream&) const { std::fill(w, w + in[0], 1); }
  Index tasks(Widths) const { return 1; }

  template <class S>
  void forward(const Tile<S>& t, View<S> out) const {
    each(t, [&](Index i, Index j, S x, S s, S) { out.row(i)[j] = x * s; });
  }
  template <class S>
  void pullback(const Tile<S>& t, ConstView<S> delta, std::span<const DeltaSink<S>> sinks) const {
    sinks[0].take_each([&](Index i, Index j) { return delta.row(i)[j] * slope(t, i, j); });
  }
  template <class S>
  void pushforward(const Tile<S>& t, std::span<const ConstView<S>> v, const S* dw, View<S> out) const {
    each(t, [&](Index i, Index j, S, S, S by_w) {
      out.row(i)[j] = (v[0] ? slope(t, i, j) * v[0].row(i)[j] : S{0}) + (dw ? by_w * dw[j] : S{0});
    });
  }
  template <class S>
  void parameter_pullback(const Tile<S>& t, ConstView<S> d, const S* u, Index, S* gradient) const {
    each(t, [&](Index i, Index j, S, S, S by_w) { gradient[j] += u[i] * d.row(i)[j] * by_w; });
  }
  template <class S>
  void per_sample_dot(const Tile<S>& t, ConstView<S> d, const S* v, double* out) const {
    each(t, [&](Index i, Index j, S, S, S by_w) { out[i] += static_cast<double>(d.row(i)[j] * by_w * v[j]); });
  }
  template <class S>
  void per_sample_squared_norm(const Tile<S>& t, ConstView<S> d, double* out) const {
    each(t, [&](Index i, Index j, S, S, S by_w) { out[i] += std::pow(static_cast<double>(d.row(i)[j] * by_w), 2); });
  }

 private:
  template <class S>
  static S logistic(const Tile<S>& t, Index i, Index j) {
    return SigmoidFunction::value(t.parameters[j] * t.in[0].row(i)[j]);
  }
  template <class S>
  static S slope(const Tile<S>& t, Index i, Index j) {
    const S s = logistic(t, i, j);
    return s + t.parameters[j] * t.in[0].row(i)[j] * s * (1 - s);
  }
  template <class S>
  static void each(const Tile<S>& t, const auto& f) {  // f(i, j, x, s(w x), dy/dw)
    for (Index i = 0; i < t.rows; ++i)
      for (Index j = 0; j < t.in[0].cols; ++j) {
        const S x = t.in[0].row(i)[j], s = logistic(t, i, j);
        f(i, j, x, s, x * x * s * (1 - s));
      }
  }
};

}  // namespace

// ------------------------------------------------------------------------------------------------------------ concepts

namespace {

/// The least that is a primitive: y = x.
struct Identity {
  Index width(Widths in) const { return in[0]; }
  void forward(const Tile<float>& t, View<float> out) const { out.matrix() = t.in[0].matrix(); }
  void pullback(const Tile<float>&, ConstView<float> d, std::span<const DeltaSink<float>> s) const {
    s[0].take(d.matrix());
  }
  void pushforward(const Tile<float>&, std::span<const ConstView<float>> v, const float*, View<float> out) const {
    out.matrix() = v[0].matrix();
  }
};
/// Each lacks one thing.
struct WithoutPushforward {
  Index width(Widths) const;
  void forward(const Tile<float>&, View<float>) const;
  void pullback(const Tile<float>&, ConstView<float>, std::span<const DeltaSink<float>>) const;
};
struct WithoutWidth : Identity {
  Index width(Widths) const = delete;
};
struct Uncopyable : Identity {
  Uncopyable(const Uncopyable&) = delete;
};
struct OfDouble {
  Index width(Widths) const;
  void forward(const Tile<double>&, View<double>) const;
  void pullback(const Tile<double>&, ConstView<double>, std::span<const DeltaSink<double>>) const;
  void pushforward(const Tile<double>&, std::span<const ConstView<double>>, const double*, View<double>) const;
};
struct WithoutNorm : LearnedSwish {
  template <class S>
  void per_sample_squared_norm(const Tile<S>&, ConstView<S>, double*) const = delete;
};

static_assert(Primitive<Identity, float> && !Primitive<Identity, double> && !ParametricPrimitive<Identity, float>);
static_assert(Primitive<OfDouble, double> && !Primitive<OfDouble, float>);
static_assert(!Primitive<WithoutPushforward, float> && !Primitive<WithoutWidth, float> &&
              !Primitive<Uncopyable, float>);
static_assert(ParametricPrimitive<LearnedSwish, float> && ParametricPrimitive<LearnedSwish, double>);
static_assert(Primitive<WithoutNorm, float> && !ParametricPrimitive<WithoutNorm, float>);

template <class... P>
constexpr bool primitives = (... && (Primitive<P, float> && Primitive<P, double>));
template <class... P>
constexpr bool parametric = (... && (ParametricPrimitive<P, float> && ParametricPrimitive<P, double>));
static_assert(primitives<Relu, Tanh, Gelu, Sigmoid, Add, Concatenate, SoftmaxCrossEntropy, SquaredError,
                         BernoulliCrossEntropy, GaussianReparametrisation, GaussianDivergence>);
static_assert(parametric<Linear, LayerNorm, Embedding>);
static_assert(!ParametricPrimitive<Relu, float> && !ParametricPrimitive<Add, float> &&
              !ParametricPrimitive<SquaredError, float>);

}  // namespace

namespace {

/// The pushforward of a primitive none of whose inputs nor parameters has a tangent.
template <class P>
RowMatrix<double> pushforward_of_nothing(const P& primitive, std::size_t inputs, Index width, Index out_width) {
  const RowMatrix<double> x = random_matrix(3, width, RandomStream(1, "x"));
  const std::vector<ConstView<double>> in(inputs, ConstView<double>{x.data(), 3, width, width});
  const std::vector<ConstView<double>> absent(inputs);
  const std::vector<double> parameters(100, 0.5);
  const std::vector<int> labels{0, 1, 0};
  const int* columns[] = {labels.data()};
  RowMatrix<double> y(3, out_width), out = RowMatrix<double>::Constant(3, out_width, 9);
  std::vector<double> packed;
  if constexpr (requires(Widths w) { primitive.template packed_size<double>(w, Packing::forward); }) {
    const std::vector<Index> widths(inputs, width);
    packed.resize(static_cast<std::size_t>(primitive.template packed_size<double>(widths, Packing::forward)));
    primitive.pack(parameters.data(), Widths(widths), Packing::forward, packed.data());
  }
  Tile<double> tile{3, in, {}, parameters.data(), columns, packed.data()};
  primitive.forward(tile, View<double>{y.data(), 3, out_width, out_width});
  tile.out = {y.data(), 3, out_width, out_width};
  primitive.pushforward(tile, std::span<const ConstView<double>>(absent), static_cast<const double*>(nullptr),
                        View<double>{out.data(), 3, out_width, out_width});
  return out;
}

}  // namespace

TEST_CASE("primitives: where no tangent comes in, 0 goes out") {
  CHECK(pushforward_of_nothing(Linear{4}, 1, 2, 4).isZero(0));
  CHECK(pushforward_of_nothing(Relu{}, 1, 2, 2).isZero(0));
  CHECK(pushforward_of_nothing(Add{}, 3, 2, 2).isZero(0));
  CHECK(pushforward_of_nothing(Add{{2, 3}}, 2, 2, 2).isZero(0));
  CHECK(pushforward_of_nothing(Concatenate{}, 2, 2, 4).isZero(0));
  CHECK(pushforward_of_nothing(LayerNorm{}, 1, 2, 2).isZero(0));
  CHECK(pushforward_of_nothing(Embedding{{0, 2}, 3}, 0, 2, 3).isZero(0));
  CHECK(pushforward_of_nothing(SoftmaxCrossEntropy{{0, 2}}, 1, 2, 1).isZero(0));
  CHECK(pushforward_of_nothing(SquaredError{}, 2, 2, 1).isZero(0));
  CHECK(pushforward_of_nothing(BernoulliCrossEntropy{}, 2, 2, 1).isZero(0));
  CHECK(pushforward_of_nothing(GaussianReparametrisation{}, 3, 2, 2).isZero(0));
  CHECK(pushforward_of_nothing(GaussianDivergence{}, 2, 2, 1).isZero(0));
}

TEST_CASE("primitives: the least primitive runs in a network") {
  Graph<float> g;
  const auto y = g.add(Identity{}, {g.input(2)});
  const Network<float> net(std::move(g), {.logits = y});
  const auto in = random_matrix(3, 2, RandomStream(1, "x"));
  const OwnedInput<float> owned({in}, {}, 3);
  CHECK(net.forward(net.initialize(RandomStream(1, "none")), owned.input()).logits() == in.cast<float>());
}

// ------------------------------------------------------------------------------------------------ a user's own primitive

TEST_CASE("primitives: a user's own one passes all checks") {
  for (Index n : awkward_samples) {
    auto c = make_case("LearnedSwish", {from_values(n, 3, {0, 1, -1, 0.5, 0.5, 1e-3, 20, -20})});
    c.wirings = n <= 129;
    Options options;
    options.on_device = false;           // a primitive that the library does not know
    options.tolerance.precision = 1e-4;  // 1 - s cancels where s is almost 1
    check_primitive(LearnedSwish{}, c, options);
  }
}

namespace {

/// x -> linear -> swish -> two branches (one normalised, one twice in one sum) -> concatenated with an embedding -> softmax.
template <class S>
Network<S> branching() {
  Graph<S> g;
  const auto x = g.input(3);
  const auto label = g.column(4, "label"), group = g.column(2, "group");
  const auto h = g.add(LearnedSwish{}, {g.add(Linear{5}, {x}, "trunk")}, "swish");
  const auto left = g.add(LayerNorm{}, {g.add(Gelu{}, {h})}, "left");
  const auto right = g.add(LearnedSwish{}, {g.add(Add{{1, 0.5, -2}}, {h, h, left})}, "right");
  const auto all = g.add(Concatenate{}, {left, right, g.add(Embedding{group, 2}, {}, "group"), x});
  const auto logits = g.add(Linear{4}, {all}, "logits");
  const auto loss = g.add(SoftmaxCrossEntropy{label, 0.1}, {logits});
  return Network<S>(std::move(g), {loss, logits, right});
}

}  // namespace

TEST_CASE("primitives: a user's own one needs nothing special in a branching network") {
  const auto in_double = branching<double>();
  const auto in_float = branching<float>();
  auto theta = in_double.initialize(RandomStream(3, "branching"));
  theta.values() = snap(Vector(theta.values() + random_vector(theta.size(), RandomStream(4, "off the start"), 0.25)));
  DenseParameters<float> single(std::vector<Segment>(in_float.graph().segments()));
  single.values() = theta.values().cast<float>();
  for (Index n : {1, 130}) {
    const std::vector<RowMatrix<double>> rows{random_matrix(n, 3, RandomStream(5, "x"), 2)};
    const OwnedInput<double> a(rows, {labels(n, 4), labels(n, 2)}, n);
    const OwnedInput<float> b(rows, {labels(n, 4), labels(n, 2)}, n);
    const auto f = at("branching", in_double, theta, a.input());
    check_derivatives(f);
    check_derivatives(at("branching, float", in_float, single, b.input()));
    check_precision(at("branching, float", in_float, single, b.input()), f);
  }
}

// --------------------------------------------------------------------------------------------- the harness finds faults

namespace {

/// The same with one fault planted in it.
enum class Fault {
  none,
  pullback_scale,
  pullback_forgets_others,
  pullback_of_one_tile,
  pushforward_input,
  pushforward_parameter,
  pushforward_ignores_absence,
  gradient_scale,
  gradient_ignores_weights,
  dot_sign,
  norm_scale,
  keeps_state,
  small_error
};

struct Faulty : LearnedSwish {
  explicit Faulty(Fault f) : fault(f) {}
  template <class S>
  void forward(const Tile<S>& t, View<S> out) const {
    LearnedSwish::forward(t, out);
    if (fault == Fault::keeps_state) out.matrix()(0, 0) += static_cast<S>(1e-6 * static_cast<double>(++*calls));
  }
  template <class S>
  void pullback(const Tile<S>& t, ConstView<S> delta, std::span<const DeltaSink<S>> sinks) const {
    if (fault == Fault::pullback_forgets_others && sinks[0].accumulate) return;
    LearnedSwish::pullback(t, delta, sinks);
    if (!sinks[0]) return;
    if (fault == Fault::pullback_scale) sinks[0].view.matrix() *= S{2};
    if (fault == Fault::small_error) sinks[0].view.matrix() *= static_cast<S>(1 + 1e-6);
    if (fault == Fault::pullback_of_one_tile && t.rows < 128) sinks[0].view.matrix()(t.rows - 1, 0) = 0;
  }
  template <class S>
  void pushforward(const Tile<S>& t, std::span<const ConstView<S>> v, const S* dw, View<S> out) const {
    LearnedSwish::pushforward(t, v, dw, out);
    if (fault == Fault::pushforward_input && v[0]) out.matrix() += v[0].matrix();
    if (fault == Fault::pushforward_parameter && dw) out.matrix()(0, 0) += dw[0];
    if (fault == Fault::pushforward_ignores_absence && !v[0]) out.matrix().array() += S{1};
  }
  template <class S>
  void parameter_pullback(const Tile<S>& t, ConstView<S> d, const S* u, Index task, S* gradient) const {
    const std::vector<S> ones(static_cast<std::size_t>(t.rows), S{1});
    LearnedSwish::parameter_pullback(t, d, fault == Fault::gradient_ignores_weights ? ones.data() : u, task, gradient);
    if (fault == Fault::gradient_scale) gradient[t.in[0].cols - 1] *= static_cast<S>(1.001);
  }
  template <class S>
  void per_sample_dot(const Tile<S>& t, ConstView<S> d, const S* v, double* out) const {
    std::vector<double> own(static_cast<std::size_t>(t.rows), 0.0);
    LearnedSwish::per_sample_dot(t, d, v, own.data());
    for (Index i = 0; i < t.rows; ++i) out[i] += (fault == Fault::dot_sign ? -1 : 1) * own[static_cast<std::size_t>(i)];
  }
  template <class S>
  void per_sample_squared_norm(const Tile<S>& t, ConstView<S> d, double* out) const {
    LearnedSwish::per_sample_squared_norm(t, d, out);
    if (fault == Fault::norm_scale) out[0] *= 1.001;
  }
  Fault fault;
  std::shared_ptr<long> calls = std::make_shared<long>(0);
};

/// The quantities that fail in some wiring, or "" for none.
std::string found_by(Fault fault, Index samples = 5) {
  const auto c = make_case("planted", {from_values(samples, 3, {0.25, 1, -1, 0.5, 0.5, 2, -2})});
  std::string found;
  for (const Report& r : primitive_reports(Faulty(fault), c, {.on_device = false}))
    if (!r.passed()) found += r.words() + "\n";
  return found;
}
bool finds(Fault fault, const std::string& quantity, Index samples = 5) {
  const std::string found = found_by(fault, samples);
  INFO(found);
  const bool hit = found.find("\n  " + quantity) != std::string::npos;
  CHECK(hit);
  return hit;
}

}  // namespace

TEST_CASE("harness: passes what is right and finds each planted fault by its quantity") {
  CHECK(found_by(Fault::none) == "");
  finds(Fault::pullback_scale, "pullback against differences");
  finds(Fault::pullback_scale, "adjoint");
  finds(Fault::pullback_forgets_others, "pullback against differences");
  finds(Fault::pullback_of_one_tile, "pullback against differences", 130);
  finds(Fault::pushforward_input, "pushforward against differences");
  finds(Fault::pushforward_parameter, "pushforward against differences");
  finds(Fault::pushforward_parameter, "pushforward along v against differences");
  finds(Fault::pushforward_ignores_absence, "pushforward against differences");
  finds(Fault::pushforward_ignores_absence, "linearity of pushforward: v = 0");
  finds(Fault::gradient_scale, "pullback against differences");
  finds(Fault::gradient_ignores_weights, "pullback of u against differences");
  finds(Fault::gradient_ignores_weights, "linearity of pullback: u = 0");
  finds(Fault::dot_sign, "per_sample_dot against pushforward");
  finds(Fault::norm_scale, "per_sample_squared_norm");
  finds(Fault::keeps_state, "value, forward against linearize");
  finds(Fault::keeps_state, "same bits");
  finds(Fault::small_error, "pullback against differences");
}

TEST_CASE("harness: names quantity, place, error and budget") {
  const auto c = make_case("planted", {from_values(2, 2, {0.25, 1, -1, 0.5})});
  const auto reports = primitive_reports(Faulty(Fault::norm_scale), c, {.on_device = false});
  const std::string words = reports[0].words();
  INFO(words);
  CHECK(words.starts_with("planted, N = 2, plain: "));
  CHECK(words.find("per_sample_squared_norm at sample 0 (found ") != std::string::npos);
  CHECK(words.find("error ") != std::string::npos);
  CHECK(words.find("budget ") != std::string::npos);
  CHECK(reports[0].failed("per_sample_squared_norm"));
  CHECK_FALSE(reports[0].failed("pullback against differences"));
  CHECK(reports[0].margins().find("pullback against differences | error ") != std::string::npos);
}

TEST_CASE("harness: a kink within reach of the step is resolved by smaller ones, one at the point is reported") {
  // 1e-5 off the kink: the larger steps cross it.
  check_primitive(Relu{}, make_case("ReLU beside its kink", {from_values(4, 1, {1e-3, -1e-3, 2, -2})}));
  const auto reports = primitive_reports(Relu{}, make_case("ReLU at its kink", {RowMatrix<double>::Zero(1, 1)}));
  CHECK_FALSE(reports[0].passed());
}
