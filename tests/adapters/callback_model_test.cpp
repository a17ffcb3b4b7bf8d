// A model of C callbacks: one written in C keeps the contract and trains as the built-in net does; made-up ones show what
// is refused, and that what an evaluation keeps is given back once.
#include "mts/adapters/callback_model.hpp"

#include <doctest/doctest.h>

#include <set>

#include "mts/core/check_parameters.hpp"
#include "mts/features/class_label.hpp"
#include "mts/features/compose.hpp"
#include "mts/features/loss.hpp"
#include "mts/features/validation_centre_cosine.hpp"
#include "mts/nn/mlp.hpp"
#include "mts/optim/adam.hpp"
#include "mts/optim/sgd.hpp"
#include "mts/selection/mlp_weight_net.hpp"
#include "mts/selection/step.hpp"
#include "support/derivatives.hpp"
#include "tiny_callbacks.h"

using mts::CallbackBatch;
using mts::CallbackModel;
using mts::CallbackOffers;
using mts::Index;
using mts::RandomStream;
using mts::SampleVector;
using Parameters = mts::DenseParameters<double>;

namespace {

constexpr CallbackOffers everything{.logits = true, .embeddings = true, .pushforward = true};
using TinyModel = CallbackModel<double, everything>;
using Bare = CallbackModel<float>;

static_assert(mts::Model<Bare> && mts::SerializableParameterVector<Bare::Parameters>);
static_assert(!mts::PushforwardLinearization<mts::LinearizationOf<Bare>, Bare::Parameters>);
static_assert(!mts::ClassifierForward<mts::LinearizationOf<Bare>> && !mts::ClassifierForward<mts::ForwardOf<Bare>>);
static_assert(mts::PushforwardLinearization<mts::LinearizationOf<TinyModel>, Parameters>);
static_assert(mts::ClassifierForward<mts::LinearizationOf<TinyModel>>);
static_assert(mts::ClassifierForward<mts::ForwardOf<TinyModel>>);

constexpr int inputs = 5, classes = 3;

/// The same samples for the C net and for the built-in one.
struct Problem {
  mts::nn::ClassificationBatch<double> own;
  tiny_batch tiny;
  CallbackBatch batch;
  mts::Samples samples;

  Problem(Index n, RandomStream stream) {
    own.inputs = mts::RowMatrix<double>::NullaryExpr(n, inputs, [&] { return stream.normal(); });
    for (Index i = 0; i < n; ++i) own.labels.push_back(static_cast<int>(stream.below(classes)));
    samples.labels = own.labels;
    tiny = {own.inputs.data(), own.labels.data()};
    batch = {&tiny, n};
  }
  Problem(const Problem&) = delete;
};

double distance(const auto& a, const auto& b) {
  return (a - b).template lpNorm<Eigen::Infinity>() / (1 + b.template lpNorm<Eigen::Infinity>());
}

/// l_i = c_i theta, c_i the i-th number of the batch, and what was asked of it.
struct Line {
  int evaluations = 0, error = 0;
  bool fails_after_keeping = false, writes_all = true;
  std::multiset<void*> kept, released;
};
Line& line(void* context) { return *static_cast<Line*>(context); }

mts_callbacks_double callbacks_of(Line& of) {
  mts_callbacks_double c{};
  c.context = &of;
  c.parameters = 1;
  c.initialize = [](void* context, std::uint64_t seed, double* theta) {
    if (line(context).writes_all) *theta = static_cast<double>(seed >> 11);
    return line(context).error;
  };
  c.evaluate = [](void* context, const double* theta, const void* data, std::int64_t n, double* losses, double* logits,
                  double* embeddings, void** point) {
    Line& l = line(context);
    ++l.evaluations;
    CHECK(logits == nullptr);
    CHECK(embeddings == nullptr);
    if (point) {
      CHECK(*point == nullptr);
      *point = ::operator new(1);
      l.kept.insert(*point);
    }
    const std::int64_t written = l.writes_all ? n : n - 1;
    for (std::int64_t i = 0; i < written; ++i) losses[i] = *theta * static_cast<const double*>(data)[i];
    return l.fails_after_keeping ? 7 : l.error;
  };
  c.weighted_gradient = [](void* context, const double*, const void* data, std::int64_t n, void* point, const double* u,
                           double* gradient) {
    CHECK(line(context).kept.count(point) == 1);
    for (std::int64_t i = 0; i < n; ++i) *gradient += u[i] * static_cast<const double*>(data)[i];
    return line(context).error;
  };
  c.release = [](void* context, void* point) {
    line(context).released.insert(point);
    ::operator delete(point);
  };
  c.explain = [](void*, int error) -> const char* { return error == 7 ? "the seventh error" : nullptr; };
  return c;
}

/// What `f` throws, in words; none if it throws nothing.
template <class Error, class F>
std::string refusal(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}
bool contains(const std::string& words, const char* part) { return words.find(part) != std::string::npos; }

}  // namespace

TEST_SUITE("a model of C callbacks") {
  TEST_CASE("a net in C keeps the contract of a model, derivatives and all") {
    for (const int hidden : {4, 0}) {
      CAPTURE(hidden);
      tiny_net net = hidden ? tiny_net{3, {inputs, hidden, hidden + 1, classes}} : tiny_net{1, {inputs, classes}};
      const TinyModel model(tiny_callbacks_of(&net));
      const Problem p(9, {1, "samples"});
      const auto theta = model.initialize({1, "theta"});
      mts::testing::check_derivatives(mts::testing::at("net in C", model, theta, p.batch));
    }
  }

  TEST_CASE("its numbers are those of the built-in net") {
    tiny_net net{3, {inputs, 8, 6, classes}};
    const TinyModel model(tiny_callbacks_of(&net));
    const auto own = mts::nn::mlp<double>({inputs, 8, 6, classes});
    const auto theta = own.initialize({2, "theta"});
    REQUIRE(model.initialize({2, "theta"}).size() == theta.size());
    const Problem p(33, {2, "samples"});
    const auto expected = own.linearize(theta, p.own);
    const auto found = model.linearize(theta, p.batch);
    CHECK(distance(found.value(), expected.value()) < 1e-13);
    CHECK(distance(model.forward(theta, p.batch).value(), expected.value()) < 1e-13);
    CHECK(distance(found.logits(), expected.logits()) < 1e-13);
    CHECK(distance(found.embeddings(), expected.embeddings()) < 1e-13);
    RandomStream stream(2, "directions");
    const SampleVector u = SampleVector::NullaryExpr(33, [&] { return stream.normal(); });
    auto g = theta.zeros_like(), expected_g = theta.zeros_like();
    g.values().setConstant(std::numeric_limits<double>::quiet_NaN());
    found.pullback(u, g);
    expected.pullback(u, expected_g);
    CHECK(distance(g.values(), expected_g.values()) < 1e-13);
    SampleVector jv, expected_jv;
    found.pushforward(expected_g, jv);
    expected.per_sample_dot(expected_g, expected_jv);
    CHECK(distance(jv, expected_jv) < 1e-13);
  }

  TEST_CASE("ten steps of selection on it are ten steps on the built-in net") {
    tiny_net net{2, {inputs, 8, classes}};
    const TinyModel model(tiny_callbacks_of(&net));
    const auto own = mts::nn::mlp<double>({inputs, 8, classes});
    const auto theta = own.initialize({3, "theta"});
    const auto features = mts::features::compose(mts::features::Loss{}, mts::features::ValidationCentreCosine{});
    const mts::MlpWeightNet<double> weight_net(features.layout(), {.hidden = {6}});
    const auto phi = weight_net.initialize({3, "phi"});
    const mts::Sgd<Parameters> sgd({.learning_rate = 0.2, .momentum = 0.9});
    const mts::AdamW<Parameters> adam({.learning_rate = 0.02, .epsilon = 1e-3});
    mts::MtsStep ours(own, theta.clone(), sgd, features, weight_net, phi.clone(), adam);
    mts::MtsStep theirs(model, theta.clone(), sgd, features, weight_net, phi.clone(), adam);
    const Problem train(40, {3, "train"}), validation(20, {3, "validation"});
    for (int k = 0; k < 10; ++k) {
      ours(train.own, train.samples, validation.own, validation.samples);
      theirs(train.batch, train.samples, validation.batch, validation.samples);
    }
    CHECK(distance(theirs.theta().values(), ours.theta().values()) < 1e-11);
    CHECK(distance(theirs.phi().values(), ours.phi().values()) < 1e-11);
    CHECK(distance(theirs.phi().values(), phi.values()) > 1e-3);
  }

  TEST_CASE("what an evaluation keeps is given back once, moved or not, and at once where the evaluation fails") {
    Line l;
    const double numbers[] = {1, 2, 3};
    const CallbackBatch batch{numbers, 3};
    const Parameters theta(1);
    {
      std::optional<mts::CallbackLinearization<double, CallbackOffers{}>> outlives;
      {
        const CallbackModel<double> model(callbacks_of(l));
        model.forward(theta, batch);
        CHECK(l.kept.empty());
        auto first = model.linearize(theta, batch), second = model.linearize(theta, batch);
        CHECK(l.kept.size() == 2);
        outlives.emplace(std::move(first));
        first = std::move(second);
        CHECK(l.released.empty());
      }
      CHECK(l.released.size() == 1);
      Parameters g(1);
      outlives->pullback(SampleVector::Ones(3), g);
      CHECK(g.values()[0] == 6);
    }
    CHECK(l.released.size() == 2);
    const CallbackModel<double> model(callbacks_of(l));
    l.fails_after_keeping = true;
    CHECK_THROWS_AS(model.linearize(theta, batch), mts::CallbackError);
    CHECK(l.released.size() == 3);
    CHECK(l.released == l.kept);
  }

  TEST_CASE("an error that a callback returns becomes an exception, with its words where it has some") {
    Line l;
    const double numbers[] = {1, 2};
    const CallbackBatch batch{numbers, 2};
    Parameters theta(1), g(1);
    const CallbackModel<double> model(callbacks_of(l));
    const auto lin = model.linearize(theta, batch);
    l.error = 7;
    CHECK(refusal<mts::CallbackError>([&] { model.forward(theta, batch); }) ==
          "CallbackModel: evaluate: expected 0, found error 7: the seventh error");
    CHECK(contains(refusal<mts::CallbackError>([&] { lin.pullback(SampleVector::Ones(2), g); }), "weighted_gradient"));
    l.error = -1;
    CHECK(refusal<mts::CallbackError>([&] {
            model.initialize({1, "theta"});
          }) == "CallbackModel: initialize: expected 0, found error -1");
    l.error = 5;
    try {
      model.forward(theta, batch);
      FAIL("an error of 5 was taken for success");
    } catch (const mts::CallbackError& error) {
      CHECK(error.code == 5);
    }
    auto wordless = callbacks_of(l);
    wordless.explain = nullptr;
    CHECK(refusal<mts::CallbackError>([&] { CallbackModel<double>(wordless).forward(theta, batch); }) ==
          "CallbackModel: evaluate: expected 0, found error 5");

    tiny_net net{1, {inputs, classes}};
    Problem p(4, {1, "samples"});
    p.own.labels[2] = classes;
    const TinyModel tiny(tiny_callbacks_of(&net));
    CHECK(contains(refusal<mts::CallbackError>([&] {
                     tiny.linearize(tiny.initialize({1, "theta"}), p.batch);
                   }),
                   "a label is not a class"));
  }

  TEST_CASE("callbacks that are missing, or not what the type says, are refused by name") {
    Line l;
    const auto refused = [&](auto change) {
      auto c = callbacks_of(l);
      change(c);
      return refusal<mts::ValueError>([&] { CallbackModel<double> model(c); });
    };
    CHECK(refused([](auto&) {}).empty());
    CHECK(contains(refused([](auto& c) { c.initialize = nullptr; }), "initialize is required"));
    CHECK(contains(refused([](auto& c) { c.evaluate = nullptr; }), "evaluate is required"));
    CHECK(contains(refused([](auto& c) { c.weighted_gradient = nullptr; }), "weighted_gradient is required"));
    CHECK(contains(refused([](auto& c) { c.parameters = 0; }), "at least 1 parameter, found 0"));
    CHECK(contains(refused([](auto& c) { c.classes = 3; }), "CallbackOffers says no logits"));
    CHECK(contains(refused([](auto& c) { c.embedding = 3; }), "CallbackOffers says no embeddings"));
    tiny_net net{1, {inputs, classes}};
    auto tiny = tiny_callbacks_of(&net);
    CHECK(contains(refusal<mts::ValueError>(
                       [&] { CallbackModel<double, CallbackOffers{.logits = true, .embeddings = true}> model(tiny); }),
                   "CallbackOffers says no pushforward"));
    tiny.pushforward = nullptr;
    CHECK(contains(refusal<mts::ValueError>([&] { TinyModel model(tiny); }), "CallbackOffers says pushforward"));
    tiny = tiny_callbacks_of(&net);
    tiny.classes = -1;
    CHECK(contains(refusal<mts::ValueError>([&] { TinyModel model(tiny); }), "found -1 classes"));
    CHECK(contains(refusal<mts::ShapeError>([&] {
                     CallbackModel<double> model(callbacks_of(l), {{"a", 0, 2, true}});
                   }),
                   "expected 1, found 2"));
  }

  TEST_CASE("lengths that disagree are refused, and numbers that were not written are found") {
    Line l;
    const double numbers[] = {1, 2, 3};
    const CallbackBatch batch{numbers, 3};
    const CallbackModel<double> model(callbacks_of(l), {{"slope", 0, 1, false}});
    const Parameters theta(1), longer(2);
    CHECK(model.initialize({1, "theta"}).segments()[0] == mts::Segment{"slope", 0, 1, false});
    CHECK(model.initialize({1, "theta"}).values() == model.initialize({1, "theta"}).values());
    CHECK(model.initialize({1, "theta"}).values() != model.initialize({2, "theta"}).values());
    CHECK_THROWS_AS(model.forward(longer, batch), mts::ShapeError);
    CHECK_THROWS_AS(model.linearize(theta, {numbers, 0}), mts::ShapeError);
    CHECK_THROWS_AS(model.linearize(theta, {numbers, -1}), mts::ShapeError);
    CHECK(l.evaluations == 0);
    const auto lin = model.linearize(theta, batch);
    Parameters g(1), g2(2);
    CHECK_THROWS_AS(lin.pullback(SampleVector::Ones(2), g), mts::ShapeError);
    CHECK_THROWS_AS(lin.pullback(SampleVector::Ones(3), g2), mts::ShapeError);
    tiny_net net{1, {inputs, classes}};
    const TinyModel tiny(tiny_callbacks_of(&net));
    const Problem p(4, {1, "samples"});
    const auto start = tiny.initialize({1, "theta"});
    SampleVector out;
    CHECK_THROWS_AS(tiny.linearize(start, p.batch).pushforward(theta, out), mts::ShapeError);

    l.writes_all = false;
    CHECK(std::isnan(model.forward(theta, batch).value()[2]));
    CHECK_THROWS_AS(model.initialize({1, "theta"}), mts::NumericalError);
  }
}
