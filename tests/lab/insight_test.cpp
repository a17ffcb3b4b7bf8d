#include "lab/insight.hpp"

#include <sstream>

#include "lab/statistics.hpp"
#include "lab/support.hpp"
#include "lab/trained.hpp"
#include "mts/core/parallel.hpp"
#include "mts/selection/mlp_weight_net.hpp"

namespace {

using namespace mts::lab;
using mts::Index;
using mts::SampleVector;

TEST_CASE("Insight: columns by feature, without normaliser and number") {
  const auto columns = columns_by_feature(
      {{"batch_z(near_cosine_1)", "batch_z(near_cosine_2)", "data_z(centre)", "loss", "batch_z(near_cosine_3)"},
       {{"class", 3}}});
  REQUIRE(columns.size() == 4);
  CHECK(columns[0].feature == "near_cosine");
  CHECK(columns[0].continuous == std::vector<Index>{0, 1, 4});
  CHECK(columns[1].feature == "centre");
  CHECK(columns[2].feature == "loss");
  CHECK(columns[3].feature == "class");
  CHECK(columns[3].continuous.empty());
  CHECK(columns[3].categorical == std::vector<std::size_t>{0});
}

/// A linear weight net of two columns, of which it looks at the first, and a class, at which it does not; float.
struct Example {
  mts::FeatureLayout layout{{"used", "unused"}, {{"class", 2}}};
  mts::MlpWeightNet<float> net{layout, {.hidden = {}}};
  mts::DenseParameters<float> phi = net.initialize({1, "phi"});
  mts::FeatureBatch<float> f;
  SampleVector a{40};

  Example() {
    f.resize(40, layout);
    mts::RandomStream s(1, "features");
    for (Index i = 0; i < 40; ++i) {
      f.continuous(i, 0) = static_cast<float>(s.normal());
      f.continuous(i, 1) = static_cast<float>(s.normal());
      f.categorical[0][static_cast<std::size_t>(i)] = static_cast<int>(i % 2);
      a[i] = static_cast<double>(f.continuous(i, 0));
    }
    // Only the weight of column 0 is not 0: found by asking which entry moves the logits as that column does.
    for (Index k = 0; k < phi.size(); ++k) phi.data()[k] = 0;
    for (Index k = 0; k < phi.size(); ++k) {
      phi.data()[k] = 1;
      if ((net.forward(phi, f).value() - f.continuous.col(0).cast<double>()).norm() < 1e-5) return;
      phi.data()[k] = 0;
    }
    FAIL("no such parameter");
  }
};

TEST_CASE("Insight: a feature that the weight net looks at moves weight and gains, one that it does not moves none") {
  const Example e;
  InsightSums sums(e.layout);
  for (std::uint64_t k = 0; k < 5; ++k)
    sums.add(e.net, e.phi, mts::SigmoidWeight{}, 0, e.f, e.a, e.a, mts::RandomStream(2, "permuted", k));
  const auto insight = sums.result(1);
  REQUIRE(insight.features.size() == 3);
  CHECK(insight.features[0].feature == "used");
  CHECK(insight.features[0].moved > 0.1);
  CHECK(insight.features[0].moved < 0.5);
  CHECK(insight.features[0].gain.value > 3 * insight.features[0].gain.error);
  CHECK(insight.features[0].gain.error > 0);
  for (const std::size_t k : {1u, 2u}) {
    CHECK(insight.features[k].moved == 0);
    CHECK(insight.features[k].gain.value == 0);
  }
  // by hand: sum p a - mean a
  const SampleVector w = (1 / (1 + (-e.a.array()).exp())).matrix();
  CHECK(insight.gain.value == doctest::Approx(w.dot(e.a) / w.sum() - e.a.mean()).epsilon(1e-4));
  // Permuted weights are independent of a, so that their gain is about that of uniform ones.
  CHECK(std::abs(insight.features[0].gain.value - insight.gain.value) < 4 * insight.features[0].gain.error);
  REQUIRE(insight.noise);
  CHECK(insight.noise->validation == 0);  // both halves of the validation samples say the same
  CHECK(insight.noise->training > 0);
  CHECK(insight.noise->signal > 0);
}

TEST_CASE("Insight: errors are those of the mean over the batches") {
  const Example e;
  InsightSums all(e.layout);
  std::vector<double> gains;
  for (std::uint64_t k = 0; k < 4; ++k) {
    InsightSums one(e.layout);
    for (InsightSums* sums : {&all, &one})
      sums->add(e.net, e.phi, mts::SigmoidWeight{}, 0, e.f, e.a, e.a, mts::RandomStream(2, "permuted", k));
    gains.push_back(one.result(1).features[0].gain.value);
  }
  const Mean mean = mean_of(gains);
  const Estimate gain = all.result(1).features[0].gain;
  CHECK(gain.value == doctest::Approx(mean.mean));
  CHECK(gain.error == doctest::Approx(mean.deviation / 2));  // of four
}

/// sigmoid(z) normalised, in double.
SampleVector normalised_sigmoid(const SampleVector& z) {
  const SampleVector w = (1 / (1 + (-z.array()).exp())).matrix();
  return w / w.sum();
}

TEST_CASE(
    "Insight: weight that moves and gain are what a permutation by hand gives, by both halves of the validation "
    "samples") {
  const Example e;
  SampleVector b = e.a;
  for (Index i = 0; i < 40; ++i) b[i] += 0.1 * static_cast<double>(i);
  InsightSums sums(e.layout);
  sums.add(e.net, e.phi, mts::SigmoidWeight{}, 0, e.f, e.a, b, mts::RandomStream(2, "permuted"));
  const auto insight = sums.result(1);
  const auto places = mts::RandomStream(2, "permuted").permutation(40);  // the first feature's
  SampleVector permuted(40);
  for (Index i = 0; i < 40; ++i) permuted[i] = e.a[places[static_cast<std::size_t>(i)]];  // a is the feature
  const SampleVector d = normalised_sigmoid(e.a) - normalised_sigmoid(permuted), both = (e.a + b) / 2;
  CHECK(insight.features[0].moved == doctest::Approx(d.cwiseAbs().sum() / 2).epsilon(1e-5));
  CHECK(insight.features[0].gain.value == doctest::Approx(d.dot(both)).epsilon(1e-5));
  CHECK(insight.gain.value == doctest::Approx(normalised_sigmoid(e.a).dot(both) - both.mean()).epsilon(1e-5));
}

TEST_CASE("Insight: the noise of validation samples is that of their mean, and no part of the signal") {
  const Example e;
  // What validation samples say beside a is the same for all samples of a batch: xi 3 a, xi of variance 1/8 in a half, 1/16 in both.
  constexpr int draws = 4000;
  mts::RandomStream s(3, "validation");
  const auto half = [&] { return SampleVector((1 + 3 * s.normal() / std::sqrt(8.0)) * e.a); };
  InsightSums sums(e.layout);
  for (int k = 0; k < draws; ++k)
    sums.add(e.net, e.phi, mts::SigmoidWeight{}, 0, e.f, half(), half(),
             mts::RandomStream(2, "permuted", static_cast<std::uint64_t>(k)));
  const auto noise = *sums.result(1).noise;

  // Exactly, since G is linear in the alignments: tr Var G = 9/16 |G(a)|^2; the signal is that of a alone.
  const auto z = e.net.linearize(e.phi, e.f);
  mts::BatchWeights weights;
  mts::normalize(mts::SigmoidWeight{}, z.value(), SampleVector(), 0, weights);
  SampleVector dz;
  const auto gradient = [&] {
    auto g = e.phi.zeros_like();
    z.pullback(dz, g);
    return g;
  };
  mts::pullback_to_logits(weights, e.a, dz);
  const auto whole = gradient();
  mts::half_batch_logit_gradient(weights, e.a, 0, dz);
  const auto first = gradient();
  mts::half_batch_logit_gradient(weights, e.a, 1, dz);
  const auto second = gradient();
  const auto close = [](double x, double exact) { return std::abs(x / exact - 1) < 0.1; };
  CHECK(close(noise.validation, 9.0 / 16 * whole.dot(whole)));
  CHECK(close(noise.signal, first.dot(second)));
  auto difference = first;
  difference.axpy(-1.0, second);
  // That of the training samples is by the mean alignments, whose square is 1 + 9/16 on the average.
  CHECK(close(noise.training, (1 + 9.0 / 16) * difference.dot(difference) / 4));

  InsightSums once(e.layout);
  once.add(e.net, e.phi, mts::SigmoidWeight{}, 0, e.f, half(), half(), {2, "permuted"});
  CHECK(once.result(3).noise->validation == doctest::Approx(3 * once.result(1).noise->validation));
}

TEST_CASE("Insight: with one validation sample there is no noise to tell apart, with one batch no error") {
  const Example e;
  InsightSums sums(e.layout);
  sums.add(e.net, e.phi, mts::SigmoidWeight{}, 0, e.f, e.a, SampleVector(), {2, "permuted"});
  const auto insight = sums.result(1);
  CHECK(!insight.noise);
  CHECK(std::isnan(insight.gain.error));
  CHECK(insight.gain.value > 0);
}

TEST_CASE("Insight: runs are averaged, with the error of their mean") {
  Insight one, other;
  one.features = {{"f", 0.2, {1, 3}}};
  other.features = {{"f", 0.4, {3, 4}}};
  one.gain = {1, 3};
  other.gain = {2, 4};
  one.noise = NoiseSplit{1, 2, 3};
  other.noise = NoiseSplit{3, 4, 5};
  const Insight runs[] = {one, other};
  auto mean = average(runs);
  REQUIRE(mean.features.size() == 1);
  CHECK(mean.features[0].moved == doctest::Approx(0.3));
  CHECK(mean.features[0].gain.value == doctest::Approx(2));
  CHECK(mean.features[0].gain.error == doctest::Approx(2.5));
  CHECK(mean.gain.value == doctest::Approx(1.5));
  REQUIRE(mean.noise);
  CHECK(mean.noise->signal == 2);
  CHECK(mean.noise->training == 3);
  CHECK(mean.noise->validation == 4);
  CHECK(mean.noise->validation_share() == doctest::Approx(4.0 / 7));
  other.features[0].feature = "g";
  other.noise.reset();
  const Insight unlike[] = {one, other};
  CHECK(average(unlike).features.empty());
  CHECK(!average(unlike).noise);
  CHECK(average({}).features.empty());
}

// ------------------------------------------------------------------------------------------------------ of methods

Settings small_settings() {
  Settings s;
  s.steps = 30;
  s.uniform_steps = 4;
  s.hidden = {8};
  s.folds = 2;
  s.features = {"loss", "nearest-validation-cosine", "class"};
  return s;
}

TEST_CASE("Insight: a weight net's features by name, the same for any number of threads; looking changes nothing") {
  const auto problem = mts_test::small_problem();
  std::vector<Insight> looks;
  for (const int threads : {1, 4}) {
    const mts::ThreadLimit limit(threads);
    const auto training = mts_test::trained("weight-net", small_settings(), problem, 16, 3);
    const auto before = *training->pool_weights();
    looks.push_back(training->insight());
    CHECK(*training->pool_weights() == before);
  }
  const Insight& look = looks[0];
  REQUIRE(look.features.size() == 3);
  CHECK(look.features[0].feature == "loss");
  CHECK(look.features[1].feature == "nearest_validation_cosine");
  CHECK(look.features[2].feature == "class");
  REQUIRE(look.noise);
  CHECK(look.noise->training > 0);
  CHECK(look.noise->validation > 0);
  for (const auto& f : look.features) {
    CHECK(f.moved > 0);
    CHECK(f.moved < 1);
    CHECK(std::isfinite(f.gain.error));  // six batches
  }
  for (std::size_t k = 0; k < 3; ++k) {
    CHECK(looks[1].features[k].moved == look.features[k].moved);
    CHECK(looks[1].features[k].gain.value == look.features[k].gain.value);
  }
  CHECK(looks[1].noise->signal == look.noise->signal);
  CHECK(looks[1].noise->validation == look.noise->validation);
}

TEST_CASE("Insight: a step that sees a third of the validation samples has three times their noise") {
  const auto problem = mts_test::small_problem();
  Settings s = small_settings();
  s.meta_learning_rate = 0;  // the same classifier and weight net, whatever the validation batch
  s.features = {"loss", "class"};
  const auto all = mts_test::trained("weight-net", s, problem, 16, 3)->insight();
  s.validation_batch = 4;
  const auto third = mts_test::trained("weight-net", s, problem, 16, 3)->insight();
  CHECK(third.noise->validation == doctest::Approx(3 * all.noise->validation));
  CHECK(third.noise->training == doctest::Approx(all.noise->training));
}

TEST_CASE("Insight: mts rests on its evidence and positions; without a part, that is not looked at") {
  const auto problem = mts_test::small_problem();
  Settings s = small_settings();
  const auto names = [&] {
    std::string all;
    for (const auto& f : mts_test::trained("mts", s, problem, 16, 3)->insight().features) {
      all += f.feature + " ";
      CHECK(f.moved > 0);
      CHECK(f.moved < 1);
      CHECK(!f.gain.known());
    }
    return all;
  };
  CHECK(names() == "out_of_fold_prediction nearest_real_cosine real_margin ");
  s.without = Part::position;
  CHECK(names() == "out_of_fold_prediction ");
  s.without = Part::evidence;
  CHECK(names() == "nearest_real_cosine real_margin ");
  CHECK(mts_test::trained("uniform", s, problem, 16, 3)->insight().features.empty());
}

TEST_CASE("Insight: the same of a training that was kept and goes on") {
  const auto problem = mts_test::small_problem();
  const Settings s = small_settings();
  for (const std::string method : {"weight-net", "mts"}) {
    CAPTURE(method);
    const auto training = mts_test::trained(method, s, problem, 16, 3);
    std::stringstream kept;
    training->save(kept);
    const auto resumed = method_named(method).start({s, problem, 16, 3});
    resumed->load(kept);
    const auto before = training->insight(), after = resumed->insight();
    REQUIRE(before.features.size() == 3);
    REQUIRE(after.features.size() == 3);
    for (std::size_t k = 0; k < 3; ++k) CHECK(after.features[k].moved == before.features[k].moved);
    CHECK(resumed->pool_features().values == training->pool_features().values);
  }
}

}  // namespace
