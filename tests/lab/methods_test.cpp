#include <map>
#include <set>

#include "lab/cli.hpp"
#include "lab/registry.hpp"
#include "lab/support.hpp"
#include "lab/trained.hpp"
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

Outcome outcome(const std::string& method, const Settings& s, Index batch = 16, std::uint64_t seed = 3,
                const mts::data::Problem& problem = mts_test::small_problem()) {
  Outcome o;
  const auto training = mts_test::trained(method, s, problem, batch, seed, &o.last);
  o.theta.assign(training->theta().data(), training->theta().data() + training->theta().size());
  o.weights = training->pool_weights();
  return o;
}

TEST_CASE("Methods: uniform learns no weights, a weight net a positive one for every sample of the pool") {
  const Settings s = short_settings();
  CHECK(!outcome("uniform", s).weights);
  const auto o = outcome("weight-net", s);
  REQUIRE(o.weights);
  REQUIRE(o.weights->size() == 90);
  CHECK(o.weights->minCoeff() > 0);
  CHECK(o.weights->maxCoeff() < 1);
  CHECK(o.weights->maxCoeff() > o.weights->minCoeff());
  CHECK(o.last.phi_moved);
}

TEST_CASE("Methods: during the warm start a weight net is uniform, bit for bit") {
  Settings s = short_settings();
  s.steps = s.uniform_steps;
  CHECK(outcome("weight-net", s).theta == outcome("uniform", s).theta);
}

TEST_CASE("Methods: a run is a function of its settings, batch and seed, whatever the number of threads") {
  for (const auto* method : {"uniform", "weight-net"}) {
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
      {"clip", [](Settings& s) { s.clip = 0.1; }},
  };
  std::map<std::vector<float>, std::string> seen;
  seen[outcome("weight-net", short_settings()).theta] = "the defaults";
  for (const auto& tried : changes) {
    const auto& name = tried.first;
    Settings s = short_settings();
    tried.second(s);
    const auto o = outcome("weight-net", s);
    CAPTURE(name);
    CHECK(o.weights->allFinite());
    const auto placed = seen.emplace(o.theta, name);
    CAPTURE(placed.first->second);
    CHECK(placed.second);
  }
}

TEST_CASE("Methods: a published one is the weight net of its features, hidden layers and activation") {
  struct Published {
    std::string name;
    std::vector<std::string> features;
    std::vector<Index> hidden;
    WeightActivationKind activation = WeightActivationKind::sigmoid;
  };
  const std::vector<Published> published = {
      {"mw-net", {"loss"}, {100}},
      {"cmw-net", {"loss", "class"}, {100}},
      {"data-rater", {"generative-embedding", "class"}, {100, 100}, WeightActivationKind::softmax},
      {"mts-paper",
       {"nearest-validation-cosine", "validation-centre-cosine", "real-centre-cosine", "synthetic-centre-cosine",
        "nearest-real-cosine", "nearest-synthetic-cosine", "neighbour-agreement", "median-distance-rank",
        "gradient-norm", "error-norm", "forgetting", "class", "group"},
       {100, 100}}};
  for (const auto& method : published) {
    CAPTURE(method.name);
    Settings s = short_settings();
    const auto found = outcome(method.name, s);
    s.features = method.features;
    s.weight_net_hidden = method.hidden;
    s.activation = method.activation;
    const auto expected = outcome("weight-net", s);
    CHECK(found.theta == expected.theta);
    CHECK(found.weights == expected.weights);
  }
}

/// Settings under which convolutional nets of a size for tests learn the small images, a third of whose labels are wrong.
Settings image_settings(ModelKind model) {
  Settings s = short_settings();
  s.model = model;
  if (model != ModelKind::mlp) s.channels = {8};
  s.steps = 60;
  return s;
}
Outcome image_outcome(const std::string& method, const Settings& s, std::uint64_t seed = 3) {
  static const auto problem = mts_test::small_image_problem();
  return outcome(method, s, 16, seed, problem);
}

TEST_CASE("Methods: every model learns, by every method, the same whatever the number of threads") {
  const auto problem = mts_test::small_image_problem();
  std::set<std::size_t> sizes;
  for (const auto model : {ModelKind::mlp, ModelKind::cnn, ModelKind::resnet}) {
    const Settings s = image_settings(model);
    CAPTURE(text_of(model));
    for (const auto* method : {"uniform", "weight-net"}) {
      const auto training = method_named(method).start({s, problem, 16, 3});
      for (Index k = 0; k < s.steps; ++k) training->step();
      mts::nn::ClassificationBatch<float> test;
      mts::data::gather_all(problem.test, test);
      CHECK(mts::nn::accuracy(training->model(), training->theta(), test) > 0.6);  // by chance: 1/3
      Settings shorter = s;
      shorter.steps = 8;
      const auto one = [&] {
        const mts::ThreadLimit limit(1);
        return image_outcome(method, shorter);
      }();
      const mts::ThreadLimit limit(4);
      const auto four = image_outcome(method, shorter);
      CHECK(one.theta == four.theta);
      CHECK(one.weights == four.weights);
      sizes.insert(one.theta.size());
    }
  }
  CHECK(sizes.size() == 3);
}

TEST_CASE("Methods: the network is the one that the settings name") {
  const auto problem = mts_test::small_image_problem();
  const auto parameters = [&](Settings s) { return make_classifier(s, problem).initialize({0, "any"}).size(); };
  Settings s;
  s.hidden = {10};
  CHECK(parameters(s) == 64 * 10 + 10 + 10 * 3 + 3);
  s.model = ModelKind::cnn;
  s.channels = {4, 6};
  // 3x3 convolutions, each halving the image: 8 x 8 to 2 x 2 of 6 channels
  CHECK(parameters(s) == (9 * 4 + 4) + (9 * 4 * 6 + 6) + (2 * 2 * 6 * 10 + 10) + (10 * 3 + 3));
  s.model = ModelKind::resnet;
  s.channels = {6};
  // stem, and one block of two convolutions, each with the two vectors of a norm; no hidden layer
  CHECK(parameters(s) == (9 * 6 + 12) + 2 * (9 * 6 * 6 + 12) + (6 * 3 + 3));
  s.channels.clear();
  CHECK(channels_of(s) == std::vector<Index>{16, 32, 64});
  s.model = ModelKind::cnn;
  CHECK(channels_of(s) == std::vector<Index>{16, 32});
}

TEST_CASE("Methods: augmentation changes training batches alike for all methods, and nothing else") {
  Settings plain = image_settings(ModelKind::mlp);
  plain.steps = 10;
  std::map<std::vector<float>, std::string> seen;
  for (const auto& choice : Choices<AugmentationKind>::all()) {
    Settings s = plain;
    s.augmentation = choice.value;
    const auto placed = seen.emplace(image_outcome("uniform", s).theta, choice.name);
    CAPTURE(choice.name);
    CAPTURE(placed.first->second);
    CHECK(placed.second);
    s.steps = s.uniform_steps;
    CHECK(image_outcome("weight-net", s).theta == image_outcome("uniform", s).theta);
  }
  Settings s = plain;
  s.augmentation = AugmentationKind::shift;
  s.augmentation_pixels = 0;
  CHECK(image_outcome("uniform", s).theta == image_outcome("uniform", plain).theta);
  s.augmentation_pixels = 1;
  CHECK(image_outcome("uniform", s).theta != image_outcome("uniform", plain).theta);

  // the batch of step k: the pool's rows, each with its draw of that step
  const auto problem = mts_test::small_image_problem();
  s.augmentation = AugmentationKind::shift_flip;
  PoolBatches augmented({s, problem, 16, 9}), not_augmented({plain, problem, 16, 9}),
      again({s, problem, 16, 9}, "lab: batch order");
  const auto augmentation = make_augmentation(s, problem, 9);
  REQUIRE(augmentation);
  for (std::uint64_t k = 0; k < 8; ++k) {
    augmented.next();
    not_augmented.next();
    again.next();
    CHECK(augmented.samples.ids == not_augmented.samples.ids);
    CHECK(augmented.batch.labels == not_augmented.batch.labels);
    CHECK(augmented.batch.inputs != not_augmented.batch.inputs);
    CHECK(augmented.batch.inputs == again.batch.inputs);
    augmentation->in_place(not_augmented.batch, not_augmented.samples.ids, k);
    CHECK(augmented.batch.inputs == not_augmented.batch.inputs);
  }
}

TEST_CASE("Methods: convolutions and augmentation of inputs that are no images are refused in words") {
  Settings s = short_settings();
  s.model = ModelKind::cnn;
  CHECK_REFUSED(mts::ValueError, outcome("uniform", s), "small", "--model cnn needs images");
  s.model = ModelKind::resnet;
  CHECK_REFUSED(mts::ValueError, outcome("weight-net", s), "small", "--model resnet needs images");
  s.model = ModelKind::mlp;
  s.augmentation = AugmentationKind::shift_flip;
  CHECK_REFUSED(mts::ValueError, outcome("uniform", s), "small", "--augment shift-flip needs images");
  s = image_settings(ModelKind::cnn);
  s.channels = {4, 4, 4, 4};
  CHECK_REFUSED(mts::ShapeError, image_outcome("uniform", s), "8 x 8 x 1", "pooled to nothing");
  s = image_settings(ModelKind::mlp);
  s.augmentation = AugmentationKind::crop;
  s.augmentation_pixels = 8;
  CHECK_REFUSED(mts::ValueError, image_outcome("uniform", s), "reflecting padding", "8 x 8 x 1");
}

TEST_CASE("Methods: ReLU weights can be 0") {
  Settings s = short_settings();
  s.weight_net = WeightNetKind::tabular;
  s.activation = WeightActivationKind::relu;
  // All logits of a tabular net begin at 0, where ReLU weights vanish: a named error, not a silent NaN.
  CHECK_REFUSED(mts::NumericalError, outcome("weight-net", s), "S = 0");
  s.weight_net = WeightNetKind::mlp;
  s.meta_learning_rate = 0.002;
  const auto o = outcome("weight-net", s);
  CHECK(o.weights->minCoeff() >= 0);
}

TEST_CASE("Methods: crossed mode takes a selector batch of its own and says so") {
  Settings s = short_settings();
  s.mode = Mode::crossed;
  CHECK(std::string(outcome("weight-net", s).last.mode) == "crossed");
  CHECK(std::string(outcome("weight-net", short_settings()).last.mode) == "joint");
}

TEST_CASE("Methods: with weights by group, samples of a group weigh the same") {
  Settings s = short_settings();
  s.weight_net = WeightNetKind::group;
  const auto w = *outcome("weight-net", s).weights;
  for (Index i = 0; i < 90; ++i) CHECK(w[i] == w[i < 30 ? 0 : 30]);
  CHECK(w[0] != w[30]);
}

TEST_CASE("Methods: batches as large as the pool work") {
  CHECK(outcome("weight-net", short_settings(), 90).weights->allFinite());
}

}  // namespace
