#include "mts/optim/adam.hpp"

#include <doctest/doctest.h>

#include "core/minimal_types.hpp"
#include "mts/optim/sgd.hpp"
#include "optim/optimizers.hpp"

using namespace mts;
using optimizers::Dense;
using optimizers::hostile_gradient;
using optimizers::hostile_parameters;
using optimizers::vector;

static_assert(InnerOptimizer<Adam<DenseParameters<float>>, DenseParameters<float>>);
static_assert(InnerOptimizer<AdamW<minimal::ElementwiseVector>, minimal::ElementwiseVector>);

namespace {

std::vector<AdamOptions> all_kinds() {
  return {
      {},
      {.learning_rate = 0.7, .epsilon = 1e-2},
      {.learning_rate = 0.7, .epsilon = 1e-2, .weight_decay = 0.1},
      {.learning_rate = 0.7, .beta1 = 0, .beta2 = 0.5, .epsilon = 1e-2, .weight_decay = 0.1},
      {.learning_rate = 0.7, .beta1 = 0.5, .beta2 = 0, .epsilon = 1e-2},
      {.learning_rate = 0.7, .epsilon = 1, .weight_decay = 0.1, .schedule = linear_warmup(4)},
      {.learning_rate = 0},
  };
}

std::string name(const AdamOptions& o) {
  return detail::text("eta ", o.learning_rate, ", beta ", o.beta1, " ", o.beta2, ", epsilon ", o.epsilon, ", lambda ",
                      o.weight_decay);
}

/// One entry, in the words of PyTorch's documentation of torch.optim.Adam and torch.optim.AdamW.
struct TorchAdam {
  double lr, beta1, beta2, eps, weight_decay;
  bool decoupled;
  double m = 0, v = 0;
  int t = 0;

  double step(double theta, double g) {
    ++t;
    if (decoupled) {
      theta -= lr * weight_decay * theta;
    } else {
      g += weight_decay * theta;
    }
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g * g;
    const double mhat = m / (1 - std::pow(beta1, t));
    const double vhat = v / (1 - std::pow(beta2, t));
    return theta - lr * mhat / (std::sqrt(vhat) + eps);
  }
};

}  // namespace

TEST_CASE_TEMPLATE("Adam by hand", Optimizer, Adam<Dense>, AdamW<Dense>) {
  // beta_1 = beta_2 = 1/2, epsilon = 1, gradients 1, 3:
  //   t = 1: m = v = 1/2, mhat = vhat = 1, step 1 / 2
  //   t = 2: m = 7/4, v = 19/4, mhat = 7/3, vhat = 19/3
  Optimizer adam({.learning_rate = 1, .beta1 = 0.5, .beta2 = 0.5, .epsilon = 1});
  Dense theta = vector({1.0});
  adam.step(theta, vector({1.0}));
  CHECK(theta.values()[0] == doctest::Approx(0.5).epsilon(1e-15));
  adam.step(theta, vector({3.0}));
  CHECK(theta.values()[0] == doctest::Approx(0.5 - 7.0 / 3 / (std::sqrt(19.0 / 3) + 1)).epsilon(1e-15));
}

TEST_CASE("the first step is eta sign(g) for |g| >> epsilon, whatever the size of g") {
  AdamW<Dense> adam({.learning_rate = 0.1});
  Dense theta(4), g = vector({1e-3, -1e150, 5.0, 0.0});
  adam.step(theta, g);
  CHECK(theta.values()[0] == doctest::Approx(-0.1).epsilon(2e-5));
  CHECK(theta.values()[1] == doctest::Approx(0.1).epsilon(1e-14));
  CHECK(theta.values()[2] == doctest::Approx(-0.1).epsilon(1e-8));
  CHECK(theta.values()[3] == 0);
}

TEST_CASE_TEMPLATE("Adam and AdamW follow PyTorch's update rules, entry by entry", Optimizer, Adam<Dense>,
                   AdamW<Dense>) {
  for (const auto& options : all_kinds()) {
    CAPTURE(name(options));
    Optimizer adam(options);
    Dense theta = hostile_parameters();
    const auto& o = options;
    std::vector<TorchAdam> torch(
        5, {0, o.beta1, o.beta2, o.epsilon, o.weight_decay, std::same_as<Optimizer, AdamW<Dense>>});
    std::vector<double> expected(theta.data(), theta.data() + theta.size());
    for (Index k = 0; k < 20; ++k) {
      const Dense g = hostile_gradient(k);
      CHECK(adam.learning_rate() == o.learning_rate * o.schedule(k));
      for (std::size_t j = 0; j < 5; ++j) {
        torch[j].lr = o.learning_rate * o.schedule(k);
        expected[j] = torch[j].step(expected[j], g.values()[static_cast<Index>(j)]);
      }
      adam.step(theta, g);
      for (std::size_t j = 0; j < 5; ++j) {
        CAPTURE(k);
        CAPTURE(j);
        CHECK(theta.values()[static_cast<Index>(j)] == doctest::Approx(expected[j]).epsilon(1e-12));
      }
    }
    CHECK(adam.steps() == 20);
  }
}

TEST_CASE_TEMPLATE("pull is the transposed derivative of the step", Optimizer, Adam<Dense>, AdamW<Dense>) {
  double worst = 0;
  for (const auto& options : all_kinds()) {
    if (options.epsilon < 1e-3) continue;  // at the first step differences see nothing but rounding: closed form below
    CAPTURE(name(options));
    Optimizer adam(options);
    Dense theta = hostile_parameters();
    const Dense u = vector({1.0, -0.3, 2.0, 1e3, -1e-3});
    for (Index k = 0; k < 5; ++k) {
      CAPTURE(k);
      const Dense g = hostile_gradient(k);
      Dense pulled = theta.zeros_like();
      adam.pull(u, theta, g, pulled);
      const auto step_of = [&](const Dense& gradient, Dense& out) { adam.step_of(theta, gradient, out); };
      // Entry 2 never has a gradient: there the step is g / (c |g| + epsilon), and differences err by h / epsilon.
      const Dense differences = optimizers::pull_by_differences(step_of, u, g, 1e-5, 1e-9);
      for (Index j = 0; j < theta.size(); ++j) {
        CAPTURE(j);
        // The scale of an entry's derivative is u eta / (|g| + epsilon): two such terms cancel.
        const double scale =
            std::abs(u.values()[j]) * adam.learning_rate() / (std::abs(g.values()[j]) + options.epsilon);
        const double error = std::abs(differences.values()[j] - pulled.values()[j]);
        if (scale > 0) worst = std::max(worst, error / scale);
        CHECK(error <= 1e-6 * scale);
      }
      adam.step(theta, g);
    }
  }
  MESSAGE("worst error ", worst, " of u eta / (|g| + epsilon), budget 1e-6");
}

TEST_CASE_TEMPLATE("pull at the first step is eta epsilon / (|d| + epsilon)^2", Optimizer, Adam<Dense>, AdamW<Dense>) {
  const double epsilon = 1e-8;
  for (const double lambda : {0.0, 0.25}) {
    Optimizer adam({.learning_rate = 0.5, .epsilon = epsilon, .weight_decay = lambda});
    const bool decoupled = std::same_as<Optimizer, AdamW<Dense>>;
    const Dense theta = vector({0.0, 4.0, -4.0, 0.0, 0.0});
    const Dense g = vector({0.0, 0.5, -1e-3, 1e-9, -1e-160});  // the last one's square underflows
    const Dense ones = vector({1.0, 1.0, 1.0, 1.0, 1.0});
    Dense out = theta.zeros_like();
    adam.pull(ones, theta, g, out);
    for (Index j = 0; j < g.size(); ++j) {
      CAPTURE(j);
      const double d = std::abs(g.values()[j] + (decoupled ? 0 : lambda * theta.values()[j]));
      const double expected = 0.5 * epsilon / ((d + epsilon) * (d + epsilon));
      // The bracket cancels to epsilon / (|d| + epsilon), so that is what its rounding is relative to.
      CHECK(out.values()[j] == doctest::Approx(expected).epsilon(1e-14 * (d + epsilon) / epsilon));
    }
  }
}

TEST_CASE_TEMPLATE("pull stays finite over a huge spread of gradients", Optimizer, Adam<DenseParameters<float>>,
                   AdamW<DenseParameters<float>>) {
  using Float = DenseParameters<float>;
  Optimizer adam({.weight_decay = 0.1});
  const Float g = vector<float>({0.0f, 1e-38f, 1e-23f, -1e-19f, 1e-8f, 1.0f, -1e10f, 1e18f, -1e25f});
  Float theta = g.zeros_like(), ones = g.zeros_like(), out = g.zeros_like();
  ones.values().setOnes();
  for (int k = 0; k < 3; ++k) {
    adam.pull(ones, theta, g, out);
    CHECK_NOTHROW(check_finite("test", "pull", out.values()));
    adam.step(theta, g);
    CHECK_NOTHROW(check_finite("test", "theta", theta.values()));
  }
}

TEST_CASE_TEMPLATE("virtual_step has step's bits and changes nothing", S, double, float) {
  using P = DenseParameters<S>;
  for (const auto& options : all_kinds()) {
    CAPTURE(name(options));
    P theta(1003), g(1003);  // vector registers and their remainder
    RandomStream stream(1, "adam test");
    for (Index k = 0; k < theta.size(); ++k) {
      theta.values()[k] = static_cast<S>(stream.normal());
      g.values()[k] = static_cast<S>(stream.normal());
    }
    optimizers::check_virtual_step(Adam<P>(options), theta, g, 3);
    optimizers::check_virtual_step(AdamW<P>(options), theta, g, 3);
  }
}

TEST_CASE("segments that do not decay are spared") {
  Dense theta(std::vector<Segment>{{"weight", 0, 1, true}, {"bias", 1, 1, false}});
  const auto moved = [&]<class O>(O adam) {
    theta.values() << 2, 2;
    adam.step(theta, theta.zeros_like());
    return std::vector<double>{theta.values()[0], theta.values()[1]};
  };
  // AdamW: 2 (1 - 0.5 . 0.5). Adam: d = 1 with epsilon = 1 steps by 0.5 / 2.
  const AdamOptions o{.learning_rate = 0.5, .epsilon = 1, .weight_decay = 0.5};
  CHECK(moved(AdamW<Dense>(o)) == std::vector<double>{1.5, 2});
  CHECK(moved(Adam<Dense>(o))[0] == doctest::Approx(1.75).epsilon(1e-15));
  CHECK(moved(Adam<Dense>(o))[1] == 2);
}

TEST_CASE_TEMPLATE("a sparse step moves the active entries and their moments only", Optimizer, Adam<Dense>,
                   AdamW<Dense>) {
  const AdamOptions o{.learning_rate = 0.5, .beta1 = 0.5, .beta2 = 0.75, .epsilon = 0.1, .weight_decay = 0.1};
  const bool decoupled = std::same_as<Optimizer, AdamW<Dense>>;
  Optimizer adam(o);
  Dense theta = vector({2.0, 2.0, 2.0});
  std::vector<TorchAdam> torch(3, {o.learning_rate, o.beta1, o.beta2, o.epsilon, o.weight_decay, decoupled});
  std::vector<double> expected(3, 2.0);
  const std::vector<std::vector<Index>> active = {{2, 0, 2}, {1, 0}, {}, {0, 1, 2}};
  for (std::size_t k = 0; k < active.size(); ++k) {
    const double g = 1 + static_cast<double>(k);
    adam.step(theta, vector({g, -g, 2 * g}), active[k]);
    for (const std::size_t j : {0u, 1u, 2u}) {
      if (std::find(active[k].begin(), active[k].end(), static_cast<Index>(j)) != active[k].end()) {
        torch[j].t = static_cast<int>(k);  // the count of steps is common to all entries
        expected[j] = torch[j].step(expected[j], j == 0 ? g : j == 1 ? -g : 2 * g);
      }
      CAPTURE(k);
      CAPTURE(j);
      CHECK(theta.values()[static_cast<Index>(j)] == doctest::Approx(expected[j]).epsilon(1e-14));
    }
    CHECK(adam.steps() == static_cast<Index>(k) + 1);
  }
  CHECK_THROWS_AS(adam.step(theta, theta, std::vector<Index>{3}), ShapeError);
}

TEST_CASE("any elementwise and sparse vector will do") {
  AdamW<minimal::SparseVector> adam({.learning_rate = 0.1, .weight_decay = 0.5});
  AdamW<Dense> reference({.learning_rate = 0.1, .weight_decay = 0.5});
  minimal::SparseVector x({1, 2, 3}), out({0, 0, 0});
  Dense theta = vector({1.0, 2.0, 3.0});
  adam.step(x, minimal::SparseVector({1, -1, 2}));
  reference.step(theta, vector({1.0, -1.0, 2.0}));
  adam.step(x, minimal::SparseVector({1, -1, 2}), std::vector<Index>{1});
  reference.step(theta, vector({1.0, -1.0, 2.0}), std::vector<Index>{1});
  adam.virtual_step(x, x, out);
  for (Index j = 0; j < 3; ++j)
    CHECK(x.entries()[static_cast<std::size_t>(j)] == doctest::Approx(theta.values()[j]).epsilon(1e-15));
}

TEST_CASE_TEMPLATE("Adam's state survives a round trip, bit for bit", Optimizer, Adam<Dense>, AdamW<Dense>) {
  for (const auto& options : all_kinds()) {
    CAPTURE(name(options));
    optimizers::check_round_trip(Optimizer(options), 3);
  }
  optimizers::check_round_trip(Optimizer(), 0);
}

TEST_CASE("Adam refuses the state of another optimiser or size") {
  optimizers::check_refuses_state(Adam<Dense>(), Sgd<Dense>({.learning_rate = 0.1, .momentum = 0.9}), 2);
  optimizers::check_refuses_state(Sgd<Dense>({.learning_rate = 0.1, .momentum = 0.9}), AdamW<Dense>(), 2);
  AdamW<Dense> writer, reader;
  Dense theta = hostile_parameters();
  writer.step(theta, hostile_gradient(0));
  std::stringstream stream;
  writer.save(stream);
  CHECK_THROWS_AS(reader.load(stream, Dense(3)), DataError);
  CHECK(reader.steps() == 0);
}

TEST_CASE("a step with a gradient of another size is refused before anything has changed") {
  AdamW<Dense> adam;
  Dense theta = vector({1.0, 2.0});
  CHECK_THROWS_WITH_AS(adam.step(theta, Dense(3)), "AdamW::step: gradient: expected 2, found 3", ShapeError);
  CHECK(theta.values() == vector({1.0, 2.0}).values());
  CHECK(adam.steps() == 0);
}

TEST_CASE("Adam refuses options outside their domain, in words") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto refuses = [](AdamOptions o, const char* words) {
    CHECK_THROWS_WITH_AS(AdamW<Dense>{o}, words, ValueError);
  };
  refuses({.learning_rate = -1}, "AdamW: the learning rate must be finite and not negative, found -1");
  refuses({.beta1 = 1}, "AdamW: beta1 must be in [0, 1), found 1");
  refuses({.beta1 = -0.1}, "AdamW: beta1 must be in [0, 1), found -0.1");
  refuses({.beta2 = 1.5}, "AdamW: beta2 must be in [0, 1), found 1.5");
  refuses({.beta2 = nan}, "AdamW: beta2 must be in [0, 1), found nan");
  refuses({.epsilon = 0}, "AdamW: epsilon must be finite and positive, found 0");
  refuses({.weight_decay = -1}, "AdamW: the weight decay must be finite and not negative, found -1");
  CHECK_THROWS_WITH_AS(Adam<Dense>({.learning_rate = nan}),
                       "Adam: the learning rate must be finite and not negative, found nan", ValueError);
}
