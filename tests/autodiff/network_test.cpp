#include "mts/autodiff/network.hpp"

#include <thread>

#include "mts/autodiff/combine.hpp"
#include "mts/autodiff/elementwise.hpp"
#include "mts/autodiff/layer_norm.hpp"
#include "mts/autodiff/linear.hpp"
#include "mts/autodiff/losses.hpp"
#include "mts/core/concepts.hpp"
#include "support/primitives.hpp"

using namespace mts;
using namespace mts::autodiff;
using namespace mts::testing;

static_assert(DifferentiableMap<Network<float>, NetworkInput<float>>);
static_assert(ClassifierForward<NetworkForward<float>>);
static_assert(PushforwardLinearization<NetworkLinearization<float>, DenseParameters<float>>);
static_assert(PerSampleDotLinearization<NetworkLinearization<float>, DenseParameters<float>>);
static_assert(PerSampleNormLinearization<NetworkLinearization<float>, DenseParameters<float>>);
static_assert(!std::copyable<NetworkForward<float>> && std::movable<NetworkForward<float>>);

namespace {

constexpr const char* none = "";

/// Two features and a label -> loss, with a hidden layer of 5.
Network<double> classifier() {
  Graph<double> g;
  const auto x = g.input(2);
  const auto label = g.column(3, "label");
  const auto h = g.add(Tanh{}, {g.add(Linear{5}, {x}, "hidden")});
  const auto z = g.add(Linear{3}, {h}, "logits");
  const auto loss = g.add(SoftmaxCrossEntropy{label}, {z});
  return {std::move(g), {loss, z, h}};
}

/// Its batch of n samples.
struct Batch {
  explicit Batch(Index n, std::uint64_t seed = 1)
      : owned({random_matrix(n, 2, RandomStream(seed, "x"))}, {labels(n, 3)}, n) {}
  const NetworkInput<double>& input() const { return owned.input(); }
  OwnedInput<double> owned;
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

}  // namespace

TEST_CASE("Network: derivatives of a classifier, tiles and all") {
  const auto net = classifier();
  const auto theta = net.initialize(RandomStream(1, "net"));
  for (Index n : awkward_samples) {
    const Batch b(n);
    check_derivatives(at(mts::detail::text("classifier, N = ", n), net, theta, b.input()));
  }
}

TEST_CASE("Network: nets that are hardly any") {
  const OwnedInput<double> one({random_matrix(130, 1, RandomStream(2, "x"))}, {}, 130);
  SUBCASE("the value is an input: no parameters, J is 130 x 0") {
    Graph<double> g;
    const auto x = g.input(1);
    const Network<double> net(std::move(g), {.value = x});
    const auto theta = net.initialize(RandomStream(1, "net"));
    CHECK(theta.size() == 0);
    CHECK(net.forward(theta, one.input()).value() == one.input().dense[0].matrix());
    check_derivatives(at("input", net, theta, one.input()));
  }
  SUBCASE("a function of an input, parameters beside it only: J is 0") {
    Graph<double> g;
    const auto x = g.input(1);
    const auto y = g.add(Tanh{}, {x});
    g.add(Linear{3}, {y});
    const Network<double> net(std::move(g), {.value = y});
    const auto theta = net.initialize(RandomStream(1, "net"));
    CHECK(theta.size() == 6);
    check_derivatives(at("no parameter matters", net, theta, one.input()));
    SampleVector out;
    net.linearize(theta, one.input()).per_sample_squared_norm(out);
    CHECK(out == SampleVector::Zero(130));
  }
  SUBCASE("a linear function: J is its input") {
    Graph<double> g;
    const auto y = g.add(Linear{.outputs = 1, .bias = false}, {g.input(1)});
    const Network<double> net(std::move(g), {.value = y});
    const auto theta = net.initialize(RandomStream(1, "net"));
    const auto lin = net.linearize(theta, one.input());
    SampleVector column;
    auto v = theta.zeros_like();
    v.values()[0] = 1;
    lin.pushforward(v, column);
    CHECK(column == one.input().dense[0].matrix());
  }
  SUBCASE("the value in the middle of the graph") {
    Graph<double> g;
    const auto y = g.add(Linear{1}, {g.input(1)});
    const auto later = g.add(Linear{2}, {g.add(Tanh{}, {y})});
    const Network<double> net(std::move(g), {.value = y, .logits = later});
    check_derivatives(at("value in the middle", net, net.initialize(RandomStream(1, "net")), one.input()));
  }
}

TEST_CASE("Network: the largest that fits the tape") {
  Graph<double> g;
  auto x = g.input(1);
  x = g.add(Linear{2}, {x});
  while (g.steps().size() < 510) x = g.add(Add{{1.0, 0.0078125}}, {x, g.steps().size() % 9 == 0 ? Node{1} : x});
  const auto many = g.add(Add{}, std::vector<Node>(16, x));
  const auto y = g.add(Linear{1}, {many});
  const Network<double> net(std::move(g), {.value = y});
  CHECK(net.graph().steps().size() == 512);
  const OwnedInput<double> in({random_matrix(129, 1, RandomStream(2, "x"))}, {}, 129);
  check_derivatives(at("512 nodes", net, net.initialize(RandomStream(1, "net")), in.input()));
}

// ------------------------------------------------------------------------------------------------------ what it shows

TEST_CASE("Network: shows logits, embeddings and any node, and says what it does not show") {
  const auto net = classifier();
  const auto theta = net.initialize(RandomStream(1, "net"));
  const Batch b(130);
  const auto f = net.forward(theta, b.input());
  CHECK(f.samples() == 130);
  CHECK(f.value().size() == 130);
  CHECK(f.logits().rows() == 130);
  CHECK(f.logits().cols() == 3);
  CHECK(f.embeddings().cols() == 5);
  CHECK(f.node({0}) == b.input().dense[0].matrix());
  // W x + b and tanh of it, by hand.
  const auto& w = theta.values();
  for (Index i : {0, 127, 128, 129})
    for (Index k = 0; k < 5; ++k) {
      const double hidden = w[2 * k] * f.node({0})(i, 0) + w[2 * k + 1] * f.node({0})(i, 1) + w[10 + k];
      CHECK(f.embeddings()(i, k) == doctest::Approx(std::tanh(hidden)).epsilon(1e-14));
    }
  CHECK(
      words([&] { f.node({1}); }) ==
      "Network: the values of node 1 are not kept: node 2 works in their place; make it an output, or look at node 2");
  CHECK(words([&] { f.node({99}); }) == "Network: this network shows no node");
  Graph<double> g;
  const Network<double> bare(std::move(g), {});
  const NetworkInput<double> nothing(3);
  const auto shown = bare.forward(bare.initialize(RandomStream(1, "net")), nothing);
  CHECK(words([&] { shown.logits(); }) == "Network: this network shows no logits");
  CHECK(words([&] { shown.embeddings(); }) == "Network: this network shows no embeddings");
}

TEST_CASE("Network: one without a value runs forward and refuses to be linearised") {
  Graph<double> g;
  const auto y = g.add(Linear{2}, {g.input(1)});
  const Network<double> net(std::move(g), {.logits = y});
  const auto theta = net.initialize(RandomStream(1, "net"));
  const OwnedInput<double> in({random_matrix(3, 1, RandomStream(2, "x"))}, {}, 3);
  const auto f = net.forward(theta, in.input());
  CHECK(f.value().size() == 0);
  CHECK(f.logits().rows() == 3);
  CHECK_THROWS_WITH_AS(net.linearize(theta, in.input()),
                       "Network::linearize: this network has no value, only `forward`", ValueError);
}

TEST_CASE("Network: a sample's numbers do not depend on its company") {
  const auto net = classifier();
  const auto theta = net.initialize(RandomStream(1, "net"));
  const Batch b(300);
  const auto all = net.linearize(theta, b.input());
  SampleVector norms, one;
  all.per_sample_squared_norm(norms);
  for (Index i : {0, 1, 127, 128, 200, 299}) {
    const auto& rows = b.input().dense[0];
    NetworkInput<double> alone(1);
    alone.add(ConstView<double>{rows.row(i), 1, 2, 2}).add(std::span<const int>(b.input().columns[0] + i, 1));
    const auto lin = net.linearize(theta, alone);
    lin.per_sample_squared_norm(one);
    CHECK(lin.value()[0] == doctest::Approx(all.value()[i]).epsilon(1e-14));
    CHECK(one[0] == doctest::Approx(norms[i]).epsilon(1e-14));
  }
}

TEST_CASE("Network: the same bits wherever the batch lies in memory") {
  const auto net = classifier();
  const auto theta = net.initialize(RandomStream(1, "net"));
  const Batch b(133);
  const auto rows = b.input().dense[0].matrix();
  auto expected = theta.zeros_like(), found = theta.zeros_like();
  const auto u = random_vector(133, RandomStream(3, "u"));
  net.linearize(theta, b.input()).pullback(u, expected);
  for (Index offset = 0; offset < 8; ++offset) {
    std::vector<double> memory(133 * 7 + 8);
    NetworkInput<double> moved(133);
    for (Index i = 0; i < 133; ++i)
      for (Index j = 0; j < 2; ++j) memory[static_cast<std::size_t>(offset + i * 7 + j)] = rows(i, j);
    moved.add(ConstView<double>{memory.data() + offset, 133, 2, 7})
        .add(std::span<const int>(b.input().columns[0], 133));
    const auto lin = net.linearize(theta, moved);
    lin.pullback(u, found);
    CAPTURE(offset);
    CHECK(found.values() == expected.values());
  }
}

// ------------------------------------------------------------------------------------------------------------- lifetime

TEST_CASE("Network: linearisations live side by side, move, and give their memory back") {
  const auto net = classifier();
  const auto theta = net.initialize(RandomStream(1, "net"));
  const Batch a(40, 1), b(130, 2);
  auto first = net.linearize(theta, a.input());
  const SampleVector value_a = first.value();
  auto second = net.linearize(theta, b.input());
  const SampleVector value_b = second.value();
  CHECK(first.value() == value_a);
  auto moved = std::move(first);
  CHECK(moved.value() == value_a);
  auto g_before = theta.zeros_like(), g_after = theta.zeros_like();
  second.pullback(SampleVector::Ones(130), g_before);
  moved = std::move(second);  // frees what belongs to a
  CHECK(moved.value() == value_b);
  CHECK(moved.samples() == 130);
  moved.pullback(SampleVector::Ones(130), g_after);
  CHECK(g_before.values() == g_after.values());
  for (int k = 0; k < 3; ++k) {
    CHECK(net.linearize(theta, a.input()).value() == value_a);
    CHECK(net.forward(theta, b.input()).value() == value_b);
  }
  CHECK(moved.value() == value_b);
}

TEST_CASE("Network: copies share their memory and give the same bits; a copy outlives its original") {
  std::optional<Network<double>> original(classifier());
  const auto theta = original->initialize(RandomStream(1, "net"));
  const Batch b(10);
  const SampleVector value = original->forward(theta, b.input()).value();
  const Network<double> copy = *original;
  original.reset();
  CHECK(copy.forward(theta, b.input()).value() == value);
}

TEST_CASE("Network: an evaluation that threw leaves nothing behind") {
  const auto net = classifier();
  auto theta = net.initialize(RandomStream(1, "net"));
  const Batch b(130);
  const SampleVector value = net.forward(theta, b.input()).value();
  auto bad = theta.clone();
  bad.values().setConstant(std::numeric_limits<double>::quiet_NaN());
  for (int k = 0; k < 3; ++k) {
    CHECK_THROWS_AS(net.forward(bad, b.input()), NumericalError);
    CHECK_THROWS_AS(net.linearize(bad, b.input()), NumericalError);
  }
  CHECK(net.forward(theta, b.input()).value() == value);
}

TEST_CASE("Network: is used by several threads at once") {
  const auto net = classifier();
  const auto theta = net.initialize(RandomStream(1, "net"));
  const std::vector<Index> sizes{1, 40, 130, 300, 257, 64};
  std::vector<std::unique_ptr<Batch>> batches;
  std::vector<Vector> expected, found(sizes.size());
  const auto gradient = [&](std::size_t k) {
    const auto lin = net.linearize(theta, batches[k]->input());
    SampleVector pushed;
    lin.pushforward(theta, pushed);
    auto out = theta.zeros_like();
    lin.pullback(pushed, out);
    return Vector(out.values());
  };
  for (std::size_t k = 0; k < sizes.size(); ++k) {
    batches.push_back(std::make_unique<Batch>(sizes[k], k));
    expected.push_back(gradient(k));
  }
  SUBCASE("threads of one's own") {
    std::vector<std::thread> threads;
    threads.reserve(sizes.size());
    for (std::size_t k = 0; k < sizes.size(); ++k)
      threads.emplace_back([&, k] {
        for (int again = 0; again < 20; ++again) found[k] = gradient(k);
      });
    for (auto& t : threads) t.join();
  }
  SUBCASE("inside a parallel loop of the library") {
    with_threads(4, [&] {
      parallel_tasks(static_cast<Index>(sizes.size()),
                     [&](Index k) { found[static_cast<std::size_t>(k)] = gradient(static_cast<std::size_t>(k)); });
    });
  }
  for (std::size_t k = 0; k < sizes.size(); ++k) CHECK(found[k] == expected[k]);
}

// ------------------------------------------------------------------------------------------------------------- beginning

TEST_CASE("Network: initial parameters are a function of the stream alone") {
  const auto net = classifier();
  const auto theta = net.initialize(RandomStream(1, "net"));
  RandomStream drawn_from(1, "net");
  drawn_from();
  CHECK(net.initialize(drawn_from).values() == theta.values());
  CHECK(classifier().initialize(RandomStream(1, "net")).values() == theta.values());
  CHECK(net.initialize(RandomStream(2, "net")).values() != theta.values());
  CHECK(net.initialize(RandomStream(1, "other")).values() != theta.values());
  // Layers of one shape begin differently.
  Graph<double> g;
  const auto x = g.input(3);
  g.add(Linear{3}, {x}, "a");
  const auto b = g.add(Linear{3}, {x}, "b");
  auto twins = Network<double>(std::move(g), {.logits = b}).initialize(RandomStream(1, "net"));
  CHECK(twins.segment("a.weight") != twins.segment("b.weight"));
}

// ---------------------------------------------------------------------------------------------------------------- errors

TEST_CASE("Network: refuses batches that do not fit, in words") {
  const auto net = classifier();
  const auto theta = net.initialize(RandomStream(1, "net"));
  const RowMatrix<double> x = RowMatrix<double>::Ones(4, 2), wide = RowMatrix<double>::Ones(4, 3),
                          tall = RowMatrix<double>::Ones(5, 2);
  const std::vector<int> y{0, 1, 2, 0};
  const auto input = [&](Index n, const RowMatrix<double>& rows) {
    NetworkInput<double> in(n);
    in.add(rows).add(std::span<const int>(y.data(), static_cast<std::size_t>(std::min<Index>(n, 4))));
    return in;
  };
  const auto both = [&](const auto& parameters, const auto& in) {
    const std::string a = words([&] { net.forward(parameters, in); }),
                      b = words([&] { net.linearize(parameters, in); });
    CHECK(a == b);
    return a;
  };
  CHECK(both(theta, input(4, x)) == none);
  CHECK(both(theta, input(4, wide)) == "Network: dense input 0: expected 4 x 2, found 4 x 3");
  CHECK(both(theta, input(4, tall)) == "Network: dense input 0: expected 4 x 2, found 5 x 2");
  CHECK(both(theta, input(0, x.topRows(0))) == "Network: empty batch: expected at least 1 sample, found 0");
  CHECK(both(DenseParameters<double>(7), input(4, x)) ==
        mts::detail::text("Network: number of parameters: expected ", theta.size(), ", found 7"));
  NetworkInput<double> in(4);
  CHECK(both(theta, in) == "Network: number of dense inputs: expected 1, found 0");
  in.add(x);
  CHECK(both(theta, in) == "Network: number of integer columns: expected 1, found 0");
  in.add(y).add(y);
  CHECK(both(theta, in) == "Network: number of integer columns: expected 1, found 2");
  CHECK(both(theta, input(4, x).add(x)) == "Network: number of dense inputs: expected 1, found 2");
  CHECK_THROWS_AS(net.forward(theta, input(4, wide)), ShapeError);
  CHECK_THROWS_AS(net.forward(theta, input(0, x.topRows(0))), ShapeError);
}

TEST_CASE("Network: refuses integers out of range, naming column and sample") {
  const auto net = classifier();
  const auto theta = net.initialize(RandomStream(1, "net"));
  const RowMatrix<double> x = RowMatrix<double>::Ones(4, 2);
  for (const auto& [y, message] : std::vector<std::pair<std::vector<int>, std::string>>{
           {{0, 1, 2, 3}, "Network: label of sample 3: expected 0 to 2, found 3"},
           {{0, -1, 2, 3}, "Network: label of sample 1: expected 0 to 2, found -1"}}) {
    NetworkInput<double> in(4);
    in.add(x).add(y);
    CHECK_THROWS_WITH_AS(net.forward(theta, in), message.c_str(), ValueError);
    CHECK_THROWS_WITH_AS(net.linearize(theta, in), message.c_str(), ValueError);
  }
}

TEST_CASE("Network: a value that is not finite is an error that names its sample") {
  const auto net = classifier();
  auto theta = net.initialize(RandomStream(1, "net"));
  RowMatrix<double> x = RowMatrix<double>::Ones(300, 2);
  const auto y = labels(300, 3).values;
  NetworkInput<double> in(300);
  in.add(x).add(y);
  CHECK(words([&] { net.forward(theta, in); }) == none);
  x(201, 1) = std::numeric_limits<double>::quiet_NaN();
  const char* message = "Network: value per sample: expected finite numbers, found nan at index 201 of 300";
  CHECK_THROWS_WITH_AS(net.forward(theta, in), message, NumericalError);
  CHECK_THROWS_WITH_AS(net.linearize(theta, in), message, NumericalError);
  x(201, 1) = 1;
  theta.values()[theta.size() - 1] = std::numeric_limits<double>::infinity();  // a logit's bias
  CHECK_THROWS_AS(net.forward(theta, in), NumericalError);
  CHECK_THROWS_AS(net.linearize(theta, in), NumericalError);
}

TEST_CASE("NetworkInput: refuses more than it holds, and columns of another length") {
  const RowMatrix<float> x = RowMatrix<float>::Ones(3, 1);
  const std::vector<int> y{0, 0, 0}, shorter{0, 0};
  NetworkInput<float> in(3);
  for (int k = 0; k < 4; ++k) in.add(x);
  CHECK(words([&] { in.add(x); }) == "NetworkInput: at most 4 dense inputs");
  for (int k = 0; k < 8; ++k) in.add(y);
  CHECK(words([&] { in.add(y); }) == "NetworkInput: at most 8 columns");
  CHECK(words([&] { NetworkInput<float>(3).add(shorter); }) ==
        "NetworkInput: length of an integer column: expected 3, found 2");
}

TEST_CASE("Network: refuses graphs that it cannot run, in words") {
  const auto build = [](auto&& f) {
    return words([&] {
      Graph<double> g;
      const NetworkOutputs outputs = f(g);
      Network<double>(std::move(g), outputs);
    });
  };
  CHECK(build([](auto& g) { return NetworkOutputs{.value = g.input(2)}; }) ==
        "Network: width of the value: expected 1, found 2");
  CHECK(build([](auto&) { return NetworkOutputs{.value = {3}}; }) ==
        "Graph::width: expected one of the 0 nodes of this graph, found node 3");
  CHECK(build([](auto&) { return NetworkOutputs{.logits = {3}}; }) ==
        "Graph::width: expected one of the 0 nodes of this graph, found node 3");
  CHECK(build([](auto& g) { return NetworkOutputs{.value = g.input(1), .embeddings = {1}}; }) ==
        "Graph::width: expected one of the 1 nodes of this graph, found node 1");
  CHECK(build([](auto& g) {
          Node x = g.input(1);
          for (int k = 0; k < 512; ++k) x = g.add(Tanh{}, {x});
          return NetworkOutputs{.value = x};
        }) == "Network: expected at most 512 nodes, found 513");
  CHECK(build([](auto& g) {
          const Node x = g.input(1);
          return NetworkOutputs{.value = g.add(Add{}, std::vector<Node>(17, x))};
        }) == "Network: expected at most 16 inputs a node, found 17");
  CHECK(build([](auto& g) {
          for (int k = 0; k < 5; ++k) g.input(1);
          for (int k = 0; k < 9; ++k) g.column(2, "c");
          return NetworkOutputs{};
        }) == "Network: expected at most 4 dense inputs and 8 columns, found 5 and 9");
}

TEST_CASE("NetworkLinearization: refuses vectors of another length") {
  const auto net = classifier();
  const auto theta = net.initialize(RandomStream(1, "net"));
  const Batch b(4);
  const auto lin = net.linearize(theta, b.input());
  auto out = theta.zeros_like();
  DenseParameters<double> wrong(3);
  SampleVector s;
  const std::string found = mts::detail::text("number of parameters: expected ", theta.size(), ", found 3");
  CHECK(words([&] { lin.pullback(SampleVector::Ones(5), out); }) ==
        "Network::pullback: length of u: expected 4, found 5");
  CHECK(words([&] { lin.pullback(SampleVector::Ones(4), wrong); }) == "Network::pullback: " + found);
  CHECK(words([&] { lin.pushforward(wrong, s); }) == "Network::pushforward: " + found);
  CHECK(words([&] { lin.per_sample_dot(wrong, s); }) == "Network::per_sample_dot: " + found);
}
