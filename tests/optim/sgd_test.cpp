#include "mts/optim/sgd.hpp"

#include <doctest/doctest.h>

#include "core/minimal_types.hpp"
#include "optim/optimizers.hpp"

using namespace mts;
using optimizers::Dense;
using optimizers::hostile_gradient;
using optimizers::hostile_parameters;
using optimizers::vector;

static_assert(InnerOptimizer<Sgd<DenseParameters<float>>, DenseParameters<float>>);
static_assert(InnerOptimizer<Sgd<minimal::Vector>, minimal::Vector>);

namespace {

std::vector<SgdOptions> all_kinds() {
  return {
      {.learning_rate = 0.7},
      {.learning_rate = 0.7, .weight_decay = 0.1},
      {.learning_rate = 0.7, .dampening = 0.4},  // no momentum: no effect
      {.learning_rate = 0.7, .momentum = 0.9},
      {.learning_rate = 0.7, .momentum = 0.9, .weight_decay = 0.1},
      {.learning_rate = 0.7, .momentum = 0.9, .dampening = 0.4},
      {.learning_rate = 0.7, .momentum = 0.9, .dampening = 0.4, .weight_decay = 0.1},
      {.learning_rate = 0.7, .momentum = 0.9, .dampening = 1},
      {.learning_rate = 0.7, .momentum = 0.9, .nesterov = true},
      {.learning_rate = 0.7, .momentum = 0.9, .nesterov = true, .weight_decay = 0.1},
      {.learning_rate = 0.7, .momentum = 0.9, .dampening = 0.4, .nesterov = true},
      {.learning_rate = 0.7, .momentum = 0.9, .dampening = 0.4, .nesterov = true, .weight_decay = 0.1},
      {.learning_rate = 0.7, .momentum = 0.9, .nesterov = true, .schedule = linear_warmup(4)},
      {.learning_rate = 0},
  };
}

std::string name(const SgdOptions& o) {
  return detail::text("eta ", o.learning_rate, ", mu ", o.momentum, ", tau ", o.dampening, ", Nesterov ", o.nesterov,
                      ", lambda ", o.weight_decay);
}

/// One entry, in the words of PyTorch's documentation of torch.optim.SGD.
struct TorchSgd {
  double lr, momentum, dampening, weight_decay;
  bool nesterov;
  double buffer = 0;
  bool first = true;

  double step(double theta, double g) {
    g += weight_decay * theta;
    if (momentum != 0) {
      buffer = first ? g : momentum * buffer + (1 - dampening) * g;
      first = false;
      g = nesterov ? g + momentum * buffer : buffer;
    }
    return theta - lr * g;
  }
};

}  // namespace

TEST_CASE("SGD by hand: theta = 1, gradients 1, 2, -1") {
  const auto trajectory = [](SgdOptions o) {
    Sgd<Dense> sgd(o);
    Dense theta = vector({1.0});
    std::vector<double> path;
    for (const double g : {1.0, 2.0, -1.0}) {
      sgd.step(theta, vector({g}));
      path.push_back(theta.values()[0]);
    }
    return path;
  };
  const auto check = [](const std::vector<double>& found, const std::vector<double>& expected) {
    for (std::size_t k = 0; k < expected.size(); ++k) {
      CAPTURE(k);
      CHECK(found[k] == doctest::Approx(expected[k]).epsilon(1e-15));
    }
  };
  // theta - 0.5 g
  check(trajectory({.learning_rate = 0.5}), {0.5, -0.5, 0});
  // m = 1, 2.5, 0.25
  check(trajectory({.learning_rate = 0.5, .momentum = 0.5}), {0.5, -0.75, -0.875});
  // m = 1 (no dampening at the first step), 0.5 + 0.75 . 2 = 2, 1 - 0.75 = 0.25
  check(trajectory({.learning_rate = 0.5, .momentum = 0.5, .dampening = 0.25}), {0.5, -0.5, -0.625});
  // d + m / 2 = 1.5, 3.25, -0.875
  check(trajectory({.learning_rate = 0.5, .momentum = 0.5, .nesterov = true}), {0.25, -1.375, -0.9375});
  // d = 2, 2, -1
  check(trajectory({.learning_rate = 0.5, .weight_decay = 1}), {0, -1, 0});
}

TEST_CASE("SGD follows PyTorch's update rule, entry by entry") {
  for (const auto& options : all_kinds()) {
    CAPTURE(name(options));
    Sgd<Dense> sgd(options);
    Dense theta = hostile_parameters();
    std::vector<TorchSgd> torch(5, {0, options.momentum, options.dampening, options.weight_decay, options.nesterov});
    std::vector<double> expected(theta.data(), theta.data() + theta.size());
    for (Index k = 0; k < 20; ++k) {
      const Dense g = hostile_gradient(k);
      CHECK(sgd.learning_rate() == options.learning_rate * options.schedule(k));
      for (std::size_t j = 0; j < 5; ++j) {
        torch[j].lr = options.learning_rate * options.schedule(k);
        expected[j] = torch[j].step(expected[j], g.values()[static_cast<Index>(j)]);
      }
      sgd.step(theta, g);
      for (std::size_t j = 0; j < 5; ++j) {
        CAPTURE(k);
        CAPTURE(j);
        CHECK(theta.values()[static_cast<Index>(j)] == doctest::Approx(expected[j]).epsilon(1e-12));
      }
    }
    CHECK(sgd.steps() == 20);
  }
}

TEST_CASE("a vector that is only handled whole takes the same path") {
  for (const auto& options : all_kinds()) {
    CAPTURE(name(options));
    Sgd<Dense> dense(options);
    Sgd<minimal::Vector> whole(options);
    Dense theta = hostile_parameters();
    minimal::Vector x({theta.data(), theta.data() + theta.size()});
    for (Index k = 0; k < 5; ++k) {
      CAPTURE(k);
      const Dense g = hostile_gradient(k);
      const minimal::Vector y({g.data(), g.data() + g.size()});
      auto out = x.zeros_like(), by = x.zeros_like(), pulled = x.zeros_like();
      Dense dense_pulled = theta.zeros_like();
      whole.virtual_step(x, y, out);
      whole.step_of(x, y, by);
      whole.pull(y, x, y, pulled);
      dense.pull(g, theta, g, dense_pulled);
      by.scale(-1);
      by.axpy(1, x);
      whole.step(x, y);
      dense.step(theta, g);
      CHECK(out.entries() == x.entries());
      for (std::size_t j = 0; j < 5; ++j) {
        const auto i = static_cast<Index>(j);
        CAPTURE(j);
        CHECK(x.entries()[j] == doctest::Approx(theta.values()[i]).epsilon(1e-12));
        CHECK(by.entries()[j] == doctest::Approx(theta.values()[i]).epsilon(1e-12));
        CHECK(pulled.entries()[j] == dense_pulled.values()[i]);
      }
    }
  }
}

TEST_CASE("pull is eta kappa: the table of kappa") {
  const double eta = 0.7, mu = 0.9, tau = 0.4;
  const auto factor = [](const Sgd<Dense>& sgd) {
    Dense out = vector({0.0});
    sgd.pull(vector({1.0}), vector({5.0}), vector({3.0}), out);
    return out.values()[0];
  };
  const auto check = [&](SgdOptions o, double first, double later) {
    CAPTURE(name(o));
    o.learning_rate = eta;
    Sgd<Dense> sgd(o);
    Dense theta = vector({1.0});
    CHECK(factor(sgd) == doctest::Approx(eta * first).epsilon(1e-15));
    for (int k = 0; k < 3; ++k) {
      sgd.step(theta, vector({1.0}));
      CHECK(factor(sgd) == doctest::Approx(eta * later).epsilon(1e-15));
    }
  };
  check({}, 1, 1);
  check({.weight_decay = 0.1}, 1, 1);
  check({.dampening = tau}, 1, 1);
  check({.momentum = mu}, 1, 1);
  check({.momentum = mu, .dampening = tau}, 1, 1 - tau);
  check({.momentum = mu, .nesterov = true}, 1 + mu, 1 + mu);
  check({.momentum = mu, .dampening = tau, .nesterov = true}, 1 + mu, 1 + mu * (1 - tau));

  Sgd<Dense> scheduled({.learning_rate = eta, .schedule = linear_warmup(2)});
  CHECK(factor(scheduled) == eta / 2);
}

TEST_CASE("pull is the transposed derivative of virtual_step") {
  double worst = 0;
  for (const auto& options : all_kinds()) {
    CAPTURE(name(options));
    Sgd<Dense> sgd(options);
    Dense theta = hostile_parameters();
    const Dense u = vector({1.0, -0.3, 2.0, 1e3, -1e-3});
    for (Index k = 0; k < 4; ++k) {
      CAPTURE(k);
      const Dense g = hostile_gradient(k);
      Dense pulled = theta.zeros_like();
      sgd.pull(u, theta, g, pulled);
      const auto moved_by = [&](const Dense& gradient, Dense& out) {
        sgd.virtual_step(theta, gradient, out);
        out.scale(-1);
      };
      // The step is affine: any h will do, and a large one keeps the digits.
      const Dense differences = optimizers::pull_by_differences(moved_by, u, g, 1, 1);
      for (Index j = 0; j < g.size(); ++j) {
        CAPTURE(j);
        const double error = std::abs(differences.values()[j] - pulled.values()[j]);
        if (error > 0) worst = std::max(worst, error / std::abs(pulled.values()[j]));
        CHECK(error <= 1e-10 * std::abs(pulled.values()[j]));
      }
      sgd.step(theta, g);
    }
  }
  MESSAGE("worst relative error ", worst, ", budget 1e-10");
}

TEST_CASE("virtual_step has step's bits and changes nothing") {
  for (const auto& options : all_kinds()) {
    CAPTURE(name(options));
    optimizers::check_virtual_step(Sgd<Dense>(options), hostile_parameters(), hostile_gradient(1), 3);
    using Float = DenseParameters<float>;
    Float theta(1003), g(1003);  // vector registers and their remainder
    RandomStream stream(1, "sgd test");
    for (Index k = 0; k < theta.size(); ++k) {
      theta.values()[k] = static_cast<float>(stream.normal());
      g.values()[k] = static_cast<float>(stream.normal());
    }
    optimizers::check_virtual_step(Sgd<Float>(options), theta, g, 3);
  }
}

TEST_CASE("segments that do not decay are spared; a plain vector decays whole") {
  Dense theta(std::vector<Segment>{{"weight", 0, 2, true}, {"bias", 2, 1, false}});
  theta.values() << 1, 2, 4;
  Dense g = theta.zeros_like(), out = theta.zeros_like();
  Sgd<Dense> sgd({.learning_rate = 0.5, .weight_decay = 0.5});
  sgd.step_of(theta, g, out);
  CHECK(out.values() == vector({0.25, 0.5, 0.0}).values());
  sgd.step(theta, g);
  CHECK(theta.values() == vector({0.75, 1.5, 4.0}).values());

  minimal::Vector x({1, 2, 4});
  Sgd<minimal::Vector>({.learning_rate = 0.5, .weight_decay = 0.5}).step(x, minimal::Vector({0, 0, 0}));
  CHECK(x.entries() == std::vector<double>{0.75, 1.5, 3});
}

TEST_CASE("a sparse step moves the active entries of theta and m only") {
  Sgd<Dense> sgd({.learning_rate = 1, .momentum = 0.5, .weight_decay = 0.5});
  Dense theta = vector({2.0, 2.0, 2.0});
  const Dense g = vector({1.0, 1.0, 1.0});
  sgd.step(theta, g, std::vector<Index>{2, 0, 2});  // d = 2; an entry given twice moves once
  CHECK(theta.values() == vector({0.0, 2.0, 0.0}).values());
  CHECK(sgd.steps() == 1);
  sgd.step(theta, g, std::vector<Index>{1, 0});  // entry 0: d = 1, m = 2; entry 1: d = 2, m = 2
  CHECK(theta.values() == vector({-2.0, 0.0, 0.0}).values());
  sgd.step(theta, g, std::vector<Index>{});
  CHECK(theta.values() == vector({-2.0, 0.0, 0.0}).values());
  CHECK(sgd.steps() == 3);
  // All entries at once: m = 2, 2, 2 and d = 0, 1, 1.
  sgd.step(theta, g);
  CHECK(theta.values() == vector({-3.0, -2.0, -2.0}).values());
  CHECK_THROWS_AS(sgd.step(theta, g, std::vector<Index>{3}), ShapeError);

  // With every entry active it is the dense step.
  for (const auto& options : all_kinds()) {
    Sgd<Dense> dense(options), sparse(options);
    Dense a = hostile_parameters(), b = hostile_parameters();
    for (Index k = 0; k < 3; ++k) {
      dense.step(a, hostile_gradient(k));
      sparse.step(b, hostile_gradient(k), std::vector<Index>{0, 1, 2, 3, 4});
    }
    CHECK((a.values() - b.values()).norm() <= 1e-15 * a.values().norm());
  }
}

TEST_CASE("SGD's state survives a round trip, bit for bit") {
  for (const auto& options : all_kinds()) {
    CAPTURE(name(options));
    optimizers::check_round_trip(Sgd<Dense>(options), 3);
  }
  optimizers::check_round_trip(Sgd<Dense>({.momentum = 0.9}), 0);
}

TEST_CASE("SGD refuses a state that does not fit") {
  const Sgd<Dense> plain({.learning_rate = 0.1}), heavy({.learning_rate = 0.1, .momentum = 0.9});
  optimizers::check_refuses_state(plain, heavy, 2);
  optimizers::check_refuses_state(heavy, plain, 2);
  Sgd<Dense> reader = heavy;
  std::istringstream other("some other file, long enough for a header");
  CHECK_THROWS_WITH_AS(reader.load(other, hostile_parameters()),
                       "Sgd::load: expected a state of the kind 'mts-sgd1', found 'some oth'", DataError);
  Sgd<Dense> writer = heavy;
  Dense theta = hostile_parameters();
  writer.step(theta, hostile_gradient(0));
  std::stringstream stream;
  writer.save(stream);
  CHECK_THROWS_AS(reader.load(stream, Dense(3)), DataError);
  std::ostream closed(nullptr);
  CHECK_THROWS_WITH_AS(writer.save(closed), "Sgd::save: the stream does not take the state", DataError);
}

TEST_CASE("a step with a gradient of another size is refused before anything has changed") {
  Sgd<Dense> sgd({.learning_rate = 1, .momentum = 0.9, .weight_decay = 0.5});
  Dense theta = vector({1.0, 2.0});
  CHECK_THROWS_WITH_AS(sgd.step(theta, Dense(3)), "Sgd::step: gradient: expected 2, found 3", ShapeError);
  CHECK(theta.values() == vector({1.0, 2.0}).values());
  CHECK(sgd.steps() == 0);

  Sgd<minimal::Vector> whole({.learning_rate = 1, .weight_decay = 0.5});
  minimal::Vector x({1, 2});
  CHECK_THROWS_AS(whole.step(x, minimal::Vector({1, 2, 3})), ShapeError);
  CHECK(x.entries() == std::vector<double>{1, 2});
}

TEST_CASE("SGD refuses options outside their domain, in words") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto refuses = [](SgdOptions o, const char* words) { CHECK_THROWS_WITH_AS(Sgd<Dense>{o}, words, ValueError); };
  refuses({.learning_rate = -1}, "Sgd: the learning rate must be finite and not negative, found -1");
  refuses({.learning_rate = nan}, "Sgd: the learning rate must be finite and not negative, found nan");
  refuses({.momentum = -0.5}, "Sgd: the momentum must be finite and not negative, found -0.5");
  refuses({.momentum = 0.9, .dampening = 1.5}, "Sgd: the dampening must be in [0, 1], found 1.5");
  refuses({.momentum = 0.9, .dampening = nan}, "Sgd: the dampening must be in [0, 1], found nan");
  refuses({.nesterov = true}, "Sgd: Nesterov needs a momentum above 0, found 0");
  refuses({.weight_decay = -1}, "Sgd: the weight decay must be finite and not negative, found -1");
  Sgd<Dense> broken({.schedule = [](Index) { return -1.0; }});
  CHECK_THROWS_AS(broken.learning_rate(), ValueError);
}

namespace {

/// Counts how often vectors are made.
class Counted : public minimal::Vector {
 public:
  using minimal::Vector::Vector;
  static inline int made = 0;
  Counted clone() const { return ++made, Counted(x_); }
  Counted zeros_like() const { return ++made, Counted(std::vector<double>(x_.size())); }
};

}  // namespace

TEST_CASE("SGD makes vectors at the first step only, and only those it needs") {
  const auto made = [](SgdOptions o) {
    Counted::made = 0;
    Sgd<Counted> sgd(o);
    Counted theta({1, 2}), g({3, 4}), out({0, 0});
    sgd.step(theta, g);
    const int first = Counted::made;
    sgd.virtual_step(theta, g, out);
    sgd.step_of(theta, g, out);
    sgd.pull(g, theta, g, out);
    sgd.step(theta, g);
    sgd.step(theta, g);
    CHECK(Counted::made == first);
    return first;
  };
  CHECK(made({}) == 0);
  CHECK(made({.weight_decay = 0.1}) == 0);
  CHECK(made({.momentum = 0.9}) == 1);
  CHECK(made({.momentum = 0.9, .weight_decay = 0.1}) == 2);
}
