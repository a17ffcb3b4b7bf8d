// Steps on a device, by its emulation: what they learn is what the host's learn, but for rounding; they go on with the same bits from where
// they were saved; what can't be done is refused in words; what made a run is kept with it.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "data/support.hpp"
#include "lab/cli.hpp"
#include "lab/config.hpp"
#include "lab/device.hpp"
#include "lab/emulated.hpp"
#include "lab/features.hpp"
#include "lab/registry.hpp"
#include "lab/support.hpp"
#include "lab/trained.hpp"
#include "lab/training.hpp"
#include "mts/nn/mlp.hpp"
#include "support/state.hpp"

namespace {

using namespace mts::lab;
using mts::Index;
using mts::SampleVector;

constexpr Index batch = 16;
constexpr std::uint64_t seed = 3;

Settings short_settings(const std::string& device = host_device) {
  mts_test::offer_emulation();
  Settings s;
  s.device = device;
  s.steps = 20;
  s.uniform_steps = 3;
  s.hidden = {9, 7};
  s.folds = 2;
  s.members = 2;
  s.validation_batch = 5;  // of 12: the last rows of its memory change their meaning
  s.weight_net_hidden = {6};
  s.meta_learning_rate = 0.02;
  s.features = {"alignment-history", "nearest-validation-cosine", "loss-quantile", "real-centre-cosine", "class"};
  return s;
}
const mts::data::Problem& problem() {
  static const auto p = mts_test::small_problem();
  return p;
}

/// The largest difference of two vectors, relative to the largest entry of the second.
template <class A, class B>
double difference(const A& found, const B& expected) {
  REQUIRE(found.size() == expected.size());
  const Eigen::VectorXd a = found.template cast<double>(), b = expected.template cast<double>();
  return (a - b).cwiseAbs().maxCoeff() / b.cwiseAbs().maxCoeff();
}

/// float rounds by 6e-8. Measured over the runs below: theta within 6e-7 of how far it has moved, a few roundings; a wrong step is off by
/// something of order 1.
constexpr double rounding = 1e-5;
/// Of what a weight net makes of the pool. AdamW divides a gradient by its size: where that is all rounding, an entry of the net moves by
/// up to the meta rate, 0.02, in one direction or the other. Measured: within 2e-5 in one build, 4e-4 (one method) in another; a net that
/// learned from anything else differs in every entry and step.
constexpr double learned = 2e-3;

void check_agrees(const std::string& method, Settings s) {
  CAPTURE(method);
  mts::StepReport expected_report, report;
  const auto expected = mts_test::trained(method, s, problem(), batch, seed, &expected_report);
  s.device = "emulation";
  const auto found = mts_test::trained(method, s, problem(), batch, seed, &report);
  // what the steps have moved theta by, not where it began
  const auto begun = initial_parameters(found->model(), seed);
  const double moved =
      difference(found->theta().values() - begun.values(), expected->theta().values() - begun.values());
  CHECK(moved < rounding);
  CHECK(report.step == expected_report.step);
  CHECK(report.train_loss == doctest::Approx(expected_report.train_loss).epsilon(rounding));
  CHECK(report.b_eff == doctest::Approx(expected_report.b_eff).epsilon(rounding));
  const auto weights = found->pool_weights(), expected_weights = expected->pool_weights();
  REQUIRE(weights.has_value() == expected_weights.has_value());
  if (weights) CHECK(difference(*weights, *expected_weights) < learned);
  CHECK(found->accuracy(problem().test) == expected->accuracy(problem().test));
}

TEST_CASE("Device: every method trains the same classifier on its emulation as on the host, but for rounding") {
  for (const auto& method : methods()) check_agrees(method.name, short_settings());
}

TEST_CASE(
    "Device: so it does in crossed mode, by central differences, with weights that vanish, with clipped gradients") {
  Settings s = short_settings();
  s.mode = Mode::crossed;
  s.disjoint = true;
  s.update_every = 2;
  check_agrees("weight-net", s);
  s.alignment = AlignmentKind::central_difference;
  check_agrees("weight-net", s);
  s = short_settings();
  s.activation = WeightActivationKind::relu;
  s.validation_rows = 0.2;
  check_agrees("weight-net", s);
  s = short_settings();
  s.clip = 0.5;
  s.schedule = ScheduleKind::constant;
  for (const char* method : {"uniform", "l2rw", "weight-net"}) check_agrees(method, s);
}

TEST_CASE(
    "Device: folds, held-out models, runs without selection and members train on it too; the host makes no step "
    "there") {
  using mts_test::steps_made;
  using Made = mts_test::StepsMade;
  const auto made = [](const std::string& method, const std::string& device) {
    const Settings s = short_settings(device);
    static_cast<void>(steps_made());
    mts_test::trained(method, s, problem(), batch, seed);
    return steps_made();
  };
  CHECK(made("uniform", "emulation") == Made{1, 0, 0});
  CHECK(made("el2n", "emulation") == Made{2, 0, 0});  // a run without selection first
  CHECK(made("l2rw", "emulation") == Made{0, 1, 0});
  CHECK(made("rho-loss", "emulation") == Made{1, 1, 0});  // a held-out model first
  CHECK(made("weight-net", "emulation") == Made{0, 0, 1});
  CHECK(made("mts", "emulation") == Made{1 + 2, 2, 0});  // two folds by rho-loss
  CHECK(made("l2rw-ensemble", "emulation") == Made{0, 2, 0});
  for (const char* method : {"uniform", "l2rw", "weight-net", "mts"}) CHECK(made(method, host_device) == Made{});
}

TEST_CASE("Device: the last look and the features of the pool are the host's, but for rounding") {
  const auto look = [&](const std::string& device) {
    return mts_test::trained("weight-net", short_settings(device), problem(), batch, seed);
  };
  const auto expected = look(host_device), found = look("emulation");
  const auto a = found->insight(), b = expected->insight();
  REQUIRE(a.features.size() == b.features.size());
  REQUIRE(a.features.size() >= 5);
  for (std::size_t k = 0; k < a.features.size(); ++k) {
    CHECK(a.features[k].feature == b.features[k].feature);
    CHECK(a.features[k].moved == doctest::Approx(b.features[k].moved).epsilon(learned));
  }
  const auto features = found->pool_features(), expected_features = expected->pool_features();
  CHECK(features.names == expected_features.names);
  CHECK(difference(features.values.reshaped(), expected_features.values.reshaped()) < rounding);
}

TEST_CASE("Device: a run goes on from where it was saved with the same bits") {
  for (const std::string method : {"uniform", "glister", "weight-net", "mts"}) {
    CAPTURE(method);
    const Settings s = short_settings("emulation");
    const auto start = [&] { return method_named(method).start({s, problem(), batch, seed}); };
    const auto go = [](Training& training, Index k) {
      if (k < training.preparations())
        training.prepare();
      else
        training.step();
    };
    const auto alone = start();
    const Index length = alone->preparations() + s.steps, stop = alone->preparations() + 7;
    for (Index k = 0; k < stop; ++k) go(*alone, k);
    const std::string state = mts_test::saved(*alone);
    const auto resumed = start();
    // theta and phi are looked at on the way: what was brought to the host then is not what they are afterwards
    static_cast<void>(alone->pool_weights());
    const Eigen::VectorXf begun = resumed->theta().values();
    mts_test::load(*resumed, state);
    CHECK(resumed->theta().values() != begun);
    CHECK(resumed->theta().values() == alone->theta().values());
    CHECK(mts_test::saved(*resumed) == state);
    for (Index k = stop; k < length; ++k) {
      go(*alone, k);
      go(*resumed, k);
      CHECK(resumed->theta().values() == alone->theta().values());
    }
    CHECK(mts_test::saved(*resumed) == mts_test::saved(*alone));
    CHECK(resumed->pool_weights() == alone->pool_weights());
    CHECK_THROWS_AS(mts_test::load(*start(), state.substr(0, state.size() / 2)), mts::DataError);
  }
}

TEST_CASE("Device: features see a forward where it lies, and look at what they ask for alone") {
  const auto model = mts::nn::mlp<float>({10, 5, 3});
  const auto theta = initial_parameters(model, seed);
  mts::nn::ClassificationBatch<float> all;
  mts::data::gather_all(problem().validation, all);
  const auto forward = model.forward(theta, all);
  const Shown shown(forward);
  CHECK(&shown.value() == &forward.value());
  CHECK(shown.logits().data() == forward.logits().data());
  CHECK(shown.embeddings().data() == forward.embeddings().data());
  CHECK(shown.embeddings() == forward.embeddings());
  // embeddings that nobody keeps are no error before somebody asks
  const auto bare = mts::nn::Classifier<float>(
      mts::autodiff::Network<float>(model.network().graph(), {.value = model.network().compiled().outputs.value}));
  const auto hidden = bare.forward(theta, all);
  const Shown blind(hidden);
  CHECK(blind.value().size() == all.size());
  CHECK_THROWS_AS(blind.embeddings(), mts::ValueError);
}

mts::lab::Settings parsed(std::vector<std::string> words) {
  words.insert(words.begin(), {"run", "--out", "o"});
  return parse(words).settings;
}

TEST_CASE("Device: one that is unknown, that this build can't reach, and what it can't do are refused in words") {
  mts_test::offer_emulation();
  CHECK(parsed({}).device == host_device);
  CHECK(parsed({"--device", "emulation"}).device == "emulation");
  CHECK_REFUSED(UsageError, parsed({"--device", "cuda"}), "built without CUDA", "MTS_CUDA=ON", "--device cpu");
  CHECK_REFUSED(UsageError, parsed({"--device", "cdua"}), "unknown device 'cdua'", "did you mean 'cuda'?", "cpu");
  for (const char* net : {"tabular", "group"}) {
    CAPTURE(net);
    CHECK_REFUSED(UsageError, parsed({"--device", "emulation", "--weight-net", net}), "--device emulation",
                  "--method weight-net", std::string("--weight-net ") + net, "--weight-net mlp", "--device cpu");
    CHECK(parsed({"--device", "emulation", "--weight-net", net, "--method", "mts"}).device == "emulation");
    // where no command line has asked before
    Settings s = short_settings("emulation");
    s.weight_net = choice_named<WeightNetKind>("weight net", net);
    CHECK_REFUSED(UsageError, method_named("weight-net").start({s, problem(), batch, seed}), "--device emulation",
                  "--device cpu");
  }
  Settings s = short_settings("abacus");
  for (const char* method : {"uniform", "l2rw", "weight-net", "mts"})
    CHECK_REFUSED(UsageError, method_named(method).start({s, problem(), batch, seed}), "unknown device 'abacus'");
}

TEST_CASE("Device: a run keeps which one made it; another one's checkpoint is not gone on from") {
  mts_test::offer_emulation_as("gpu", "model A (device 0)");
  Settings host, gpu;
  gpu.device = "gpu";
  const auto file = nlohmann::json::parse(settings_text(gpu));
  CHECK(file["options"]["device"] == "gpu");
  CHECK(file["versions"]["device"] == "model A (device 0)");
  CHECK(!nlohmann::json::parse(settings_text(host))["versions"].contains("device"));
  const std::string begun = settings_line(gpu);
  CHECK(differences_of(begun, gpu).empty());
  CHECK(differences_of(begun, host) == std::vector<std::string>{R"(device: "gpu" there, "cpu" here)"});
  CHECK(differences_of(settings_line(host), gpu).size() == 2);
  mts_test::offer_emulation_as("gpu", "model B (device 0)");
  CHECK(differences_of(begun, gpu) ==
        std::vector<std::string>{R"x(device: "model A (device 0)" there, "model B (device 0)" here)x"});
}

}  // namespace
