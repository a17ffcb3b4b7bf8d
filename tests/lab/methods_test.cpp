#include <map>

#include "lab/cli.hpp"
#include "lab/registry.hpp"
#include "lab/support.hpp"
#include "lab/training.hpp"
#include "mts/core/parallel.hpp"

namespace {

using namespace mts::lab;
using mts::Index;
using mts::SampleVector;

/// What a short run ends with.
struct Outcome {
  std::vector<float> theta;
  std::optional<SampleVector> weights;
  mts::StepReport last;
};

Settings short_settings() {
  Settings s;
  s.steps = 30;
  s.uniform_steps = 5;
  s.hidden = {8};
  s.weight_net_hidden = {6};
  s.meta_learning_rate = 0.02;
  return s;
}

Outcome outcome(const std::string& method, const Settings& s, Index batch = 16, std::uint64_t seed = 3) {
  const auto problem = mts_test::small_problem();
  const auto training = method_named(method).start({s, problem, batch, seed});
  Outcome o;
  for (Index k = 0; k < s.steps; ++k) o.last = training->step();
  o.theta.assign(training->theta().data(), training->theta().data() + training->theta().size());
  o.weights = training->pool_weights();
  return o;
}

TEST_CASE("Methods: uniform learns no weights, mts a positive one for every sample of the pool") {
  const Settings s = short_settings();
  CHECK(!outcome("uniform", s).weights);
  const auto o = outcome("mts", s);
  REQUIRE(o.weights);
  REQUIRE(o.weights->size() == 90);
  CHECK(o.weights->minCoeff() > 0);
  CHECK(o.weights->maxCoeff() < 1);
  CHECK(o.weights->maxCoeff() > o.weights->minCoeff());
  CHECK(o.last.phi_moved);
}

TEST_CASE("Methods: during the warm start mts is uniform, bit for bit") {
  Settings s = short_settings();
  s.steps = s.uniform_steps;
  CHECK(outcome("mts", s).theta == outcome("uniform", s).theta);
}

TEST_CASE("Methods: a run is a function of its settings, batch and seed, whatever the number of threads") {
  for (const auto* method : {"uniform", "mts"}) {
    const auto one = [&] {
      const mts::ThreadLimit limit(1);
      return outcome(method, short_settings());
    }();
    const auto four = [&] {
      const mts::ThreadLimit limit(4);
      return outcome(method, short_settings());
    }();
    CHECK(one.theta == four.theta);
    CHECK(one.weights == four.weights);
    CHECK(one.theta != outcome(method, short_settings(), 16, 4).theta);
    CHECK(one.theta != outcome(method, short_settings(), 20, 3).theta);
  }
}

TEST_CASE("Methods: every option of the selection does something") {
  std::map<std::string, void (*)(Settings&)> changes = {
      {"meta-lr", [](Settings& s) { s.meta_learning_rate = 0.005; }},
      {"meta-weight-decay", [](Settings& s) { s.meta_weight_decay = 0.5; }},
      {"validation-batch", [](Settings& s) { s.validation_batch = 6; }},
      {"uniform-steps", [](Settings& s) { s.uniform_steps = 0; }},
      {"update-every", [](Settings& s) { s.update_every = 3; }},
      {"features",
       [](Settings& s) {
         s.features = {"loss", "group"};
       }},
      {"tabular", [](Settings& s) { s.weight_net = WeightNetKind::tabular; }},
      {"group net", [](Settings& s) { s.weight_net = WeightNetKind::group; }},
      {"weight-net-hidden",
       [](Settings& s) {
         s.weight_net_hidden = {5, 5};
       }},
      {"softmax", [](Settings& s) { s.activation = WeightActivationKind::softmax; }},
      {"softplus", [](Settings& s) { s.activation = WeightActivationKind::softplus; }},
      {"crossed", [](Settings& s) { s.mode = Mode::crossed; }},
      {"crossed, disjoint", [](Settings& s) { s.mode = Mode::crossed, s.disjoint = true; }},
      {"b-eff-floor", [](Settings& s) { s.b_eff_floor = 1; }},
      {"b-eff-floor-strength", [](Settings& s) { s.b_eff_floor = 1, s.b_eff_floor_strength = 50; }},
      {"tempering", [](Settings& s) { s.tempering = 0.9999; }},
      {"lr", [](Settings& s) { s.learning_rate = 0.02; }},
      {"schedule", [](Settings& s) { s.schedule = ScheduleKind::constant; }},
      {"momentum", [](Settings& s) { s.momentum = 0.5; }},
      {"weight-decay", [](Settings& s) { s.weight_decay = 0.1; }},
  };
  std::map<std::vector<float>, std::string> seen;
  seen[outcome("mts", short_settings()).theta] = "the defaults";
  for (const auto& tried : changes) {
    const auto& name = tried.first;
    Settings s = short_settings();
    tried.second(s);
    const auto o = outcome("mts", s);
    CAPTURE(name);
    CHECK(o.weights->allFinite());
    const auto placed = seen.emplace(o.theta, name);
    CAPTURE(placed.first->second);
    CHECK(placed.second);
  }
}

TEST_CASE("Methods: ReLU weights can be 0") {
  Settings s = short_settings();
  s.weight_net = WeightNetKind::tabular;
  s.activation = WeightActivationKind::relu;
  // All logits of a tabular net begin at 0, where ReLU weights vanish: a named error, not a silent NaN.
  CHECK_REFUSED(mts::NumericalError, outcome("mts", s), "S = 0");
  s.weight_net = WeightNetKind::mlp;
  s.meta_learning_rate = 0.002;
  const auto o = outcome("mts", s);
  CHECK(o.weights->minCoeff() >= 0);
}

TEST_CASE("Methods: crossed mode takes a selector batch of its own and says so") {
  Settings s = short_settings();
  s.mode = Mode::crossed;
  CHECK(std::string(outcome("mts", s).last.mode) == "crossed");
  CHECK(std::string(outcome("mts", short_settings()).last.mode) == "joint");
}

TEST_CASE("Methods: with weights by group, samples of a group weigh the same") {
  Settings s = short_settings();
  s.weight_net = WeightNetKind::group;
  const auto w = *outcome("mts", s).weights;
  for (Index i = 0; i < 90; ++i) CHECK(w[i] == w[i < 30 ? 0 : 30]);
  CHECK(w[0] != w[30]);
}

TEST_CASE("Methods: batches as large as the pool work") {
  CHECK(outcome("mts", short_settings(), 90).weights->allFinite());
}

}  // namespace
