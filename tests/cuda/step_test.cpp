// The MTS step on a device against the same on the host: 20 steps of a whole run, in both modes, with several
// optimisers.
#include "mts/selection/step.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "mts/cuda/classifier.hpp"
#include "mts/cuda/emulation.hpp"
#include "mts/cuda/feature_batch.hpp"
#include "mts/cuda/mlp_weight_net.hpp"
#include "mts/features/class_label.hpp"
#include "mts/features/compose.hpp"
#include "mts/features/group.hpp"
#include "mts/features/loss.hpp"
#include "mts/features/nearest_validation_cosine.hpp"
#include "mts/nn/mlp.hpp"
#include "mts/optim/adam.hpp"
#include "mts/optim/clip_gradient_norm.hpp"
#include "mts/optim/sgd.hpp"
#include "support/derivatives.hpp"
#include "support/state.hpp"

using namespace mts;
using cuda::Emulation;
using testing::Vector;

namespace {

// --------------------------------------------------------------------------------------------------------- the problem

constexpr int classes = 10, groups = 2;
constexpr Index inputs = 20;

template <class S>
struct Drawn {
  nn::ClassificationBatch<S> batch;
  Samples samples;
};
/// n samples whose inputs lean towards their class; every fourth label is wrong, the second half is of group 1.
template <class S>
Drawn<S> draw(const char* what, Index n, int step) {
  const RandomStream stream = RandomStream(7, what).substream(std::to_string(step));
  const RowMatrix<double> x = testing::random_matrix(n, inputs, stream.substream("inputs"));
  Drawn<S> d{{x.cast<S>(), {}}, {}};
  for (Index i = 0; i < n; ++i) {
    const auto label = static_cast<int>((i * 7 + step) % classes);
    d.batch.inputs(i, label) += 1;
    d.batch.labels.push_back(i % 4 == 3 ? (label + 1) % classes : label);
    d.samples.ids.push_back(i);
    d.samples.groups.push_back(2 * i < n ? 0 : 1);
  }
  d.samples.labels = d.batch.labels;
  return d;
}
auto chosen_features() {
  return features::compose(features::Loss{}, features::ClassLabel{classes}, features::Group{groups},
                           features::NearestValidationCosine{3});
}
template <class S>
nn::Classifier<S> classifier() {
  return nn::mlp<S>({inputs, 33, 17, classes});
}
const MlpWeightNetOptions net_options{.hidden = {24, 12}};

// ---------------------------------------------------------------------------------------------------- where it is done

template <class S>
struct OnHost {
  using Scalar = S;
  using Batch = nn::ClassificationBatch<S>;

  nn::Classifier<S> model() const { return classifier<S>(); }
  auto features() const { return chosen_features(); }
  MlpWeightNet<S> weight_net() const { return MlpWeightNet<S>(chosen_features().layout(), net_options); }
  void assign(Batch& to, const Batch& from) const { to = from; }
  Batch empty() const { return {}; }
  static Vector numbers(const DenseParameters<S>& x) { return x.values().template cast<double>(); }
};
template <class S>
struct OnDevice {
  using Scalar = S;
  using Batch = cuda::ClassificationBatch<S, Emulation>;

  cuda::SharedQueue<Emulation> queue = cuda::make_queue<Emulation>();

  cuda::Classifier<S, Emulation> model() const { return {classifier<S>(), queue}; }
  auto features() const { return cuda::FromHost(chosen_features(), queue); }
  cuda::MlpWeightNet<S, Emulation> weight_net() const { return {chosen_features().layout(), queue, net_options}; }
  void assign(Batch& to, const nn::ClassificationBatch<S>& from) const { to.assign(from); }
  Batch empty() const { return Batch(queue); }
  static Vector numbers(const cuda::Parameters<S, Emulation>& x) {
    return x.to_host().values().template cast<double>();
  }
};

// ---------------------------------------------------------------------------------------------------------- optimisers

struct MomentumAndDecay {
  static constexpr const char* name = "SGD";
  template <class P>
  static auto make() {
    return Sgd<P>({.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 1e-3});
  }
};
struct DecoupledAdam {
  static constexpr const char* name = "AdamW";
  template <class P>
  static auto make() {
    return AdamW<P>({.learning_rate = 3e-3, .weight_decay = 1e-2});
  }
};
/// With an epsilon at which the derivative of the first step is no difference of equal numbers.
struct AdamOfLargeEpsilon {
  static constexpr const char* name = "AdamW, epsilon 1e-3";
  template <class P>
  static auto make() {
    return AdamW<P>({.learning_rate = 3e-3, .epsilon = 1e-3, .weight_decay = 1e-2});
  }
};
struct Clipped {
  static constexpr const char* name = "clipped SGD";
  template <class P>
  static auto make() {
    return ClipGradientNorm<Sgd<P>, P>(Sgd<P>({.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 1e-3}), 0.2);
  }
};

// ------------------------------------------------------------------------------------------------------------- the run

/// What a step left behind.
struct Seen {
  Vector theta, phi, alignments, weights;
  double validation_loss = 0, hypergradient_norm = 0, gsnr = 0;
  friend bool operator==(const Seen&, const Seen&) = default;
};

/// A step with the batches that it reads, in memory that is reused.
template <class Where, class Step>
struct Run {
  using S = typename Where::Scalar;
  Where where;
  bool crossed;
  Step step;
  typename Where::Batch train, validation, selector;

  Seen go(int k) {
    // Two sizes in turn, neither a multiple of 32.
    const auto t = draw<S>("train", k % 2 ? 50 : 41, k), v = draw<S>("validation", 37, k),
               s = draw<S>("selector", 45, k);
    where.assign(train, t.batch);
    where.assign(validation, v.batch);
    where.assign(selector, s.batch);
    const StepReport r = crossed ? step(train, t.samples, validation, v.samples, selector, s.samples)
                                 : step(train, t.samples, validation, v.samples);
    return {Where::numbers(step.theta()),
            Where::numbers(step.phi()),
            step.alignments(),
            step.weights().p,
            r.validation_loss,
            r.hypergradient_norm,
            r.gsnr};
  }
  void save(std::ostream& out) const { step.save(out); }
  void load(std::istream& in) { step.load(in); }
};
template <class Inner, class Where>
auto start(Where where, bool crossed) {
  auto model = where.model();
  auto net = where.weight_net();
  auto theta = model.initialize(RandomStream(1, "theta"));
  auto phi = net.initialize(RandomStream(2, "phi"));
  using Theta = decltype(theta);
  using Phi = decltype(phi);
  MtsStep step(std::move(model), std::move(theta), Inner::template make<Theta>(), where.features(), std::move(net),
               std::move(phi), AdamW<Phi>({.learning_rate = 1e-2, .weight_decay = 1e-2}));
  return Run<Where, decltype(step)>{where, crossed, std::move(step), where.empty(), where.empty(), where.empty()};
}

double relative_error(const Vector& found, const Vector& expected) {
  return (found - expected).norm() / expected.norm();
}

/// How far what two steps left behind is apart.
struct Distance {
  Distance(const Seen& found, const Seen& expected)
      : theta(relative_error(found.theta, expected.theta)),
        phi(relative_error(found.phi, expected.phi)),
        alignments(relative_error(found.alignments, expected.alignments)),
        weights(relative_error(found.weights, expected.weights)) {}
  double largest() const { return std::max({theta, phi, alignments, weights}); }
  std::string words(int step) const {
    return mts::detail::text(" step ", step + 1, ": theta ", theta, ", phi ", phi, ", alignments ", alignments,
                             ", weights ", weights, ";");
  }
  double theta, phi, alignments, weights;
};

constexpr int steps = 20;

/// A run on a device and one on the host, side by side; every step is held to the budget.
template <class S, class Inner>
void check_parity(bool crossed, double budget) {
  auto expected = start<Inner>(OnHost<S>{}, crossed);
  auto found = start<Inner>(OnDevice<S>{}, crossed);
  const Vector theta = OnHost<S>::numbers(expected.step.theta()), phi = OnHost<S>::numbers(expected.step.phi());
  CHECK(OnDevice<S>::numbers(found.step.theta()) == theta);
  CHECK(OnDevice<S>::numbers(found.step.phi()) == phi);
  std::string growth;
  for (int k = 0; k < steps; ++k) {
    CAPTURE(k);
    const Seen a = found.go(k), b = expected.go(k);
    const Distance distance(a, b);
    CHECK(distance.theta <= budget);
    CHECK(distance.phi <= budget);
    CHECK(distance.alignments <= budget);
    CHECK(distance.weights <= budget);
    CHECK(std::abs(a.validation_loss - b.validation_loss) <= budget * b.validation_loss);
    CHECK(std::abs(a.hypergradient_norm - b.hypergradient_norm) <= budget * b.hypergradient_norm);
    if (k == 0 || k == 9 || k == steps - 1) growth += distance.words(k);
    if (k == steps - 1) {  // and it was a run: both moved, and the weights are not uniform
      CHECK((b.theta - theta).norm() > 0.1 * theta.norm());
      CHECK((b.phi - phi).norm() > 0.01 * phi.norm());
      CHECK(b.weights.maxCoeff() > 1.005 * b.weights.minCoeff());
    }
  }
  const std::string run = mts::detail::text(Inner::name, crossed ? ", crossed" : ", joint",
                                            sizeof(S) == sizeof(float) ? ", float:" : ", double:");
  MESSAGE(run, growth, " budget ", budget);
}

}  // namespace

TEST_CASE("MTS step on a device: theta, phi and alignments are the host's at every step, in float to 1e-5") {
  for (const bool crossed : {false, true}) {
    check_parity<float, MomentumAndDecay>(crossed, 1e-5);
    check_parity<float, AdamOfLargeEpsilon>(crossed, 1e-5);
    check_parity<float, Clipped>(crossed, 1e-5);
  }
}

TEST_CASE("MTS step on a device: the same in double to 1e-12") {
  for (const bool crossed : {false, true}) {
    check_parity<double, MomentumAndDecay>(crossed, 1e-12);
    check_parity<double, DecoupledAdam>(crossed, 1e-12);
    check_parity<double, Clipped>(crossed, 1e-12);
  }
}

// With AdamW's own epsilon two things make a whole run in float a matter of rounding, on the host as well: the
// derivative of its first step is what is left of two equal numbers, and a hidden unit of the weight net at the edge of
// activity moves by whole steps. So here each step begins at the host's state, and the first is held to what rounding
// does to the host's own alignments.
TEST_CASE("MTS step on a device: with AdamW inside, each step from the host's state is the host's, in float") {
  for (const bool crossed : {false, true}) {
    auto expected = start<DecoupledAdam>(OnHost<float>{}, crossed);
    auto found = start<DecoupledAdam>(OnDevice<float>{}, crossed);
    const Seen in_double = start<DecoupledAdam>(OnHost<double>{}, crossed).go(0);
    double first = 0, rounding = 0, others = 0;
    for (int k = 0; k < steps; ++k) {
      CAPTURE(k);
      mts_test::load(found, mts_test::saved(expected));
      const Seen a = found.go(k), b = expected.go(k);
      const Distance distance(a, b);
      CHECK(distance.theta <= 1e-5);
      if (k == 0) {
        first = distance.largest();
        rounding = Distance(b, in_double).largest();
        CHECK(first <= 3 * rounding);
        CHECK(first <= 3e-4);
      } else {
        others = std::max(others, distance.largest());
        CHECK(distance.largest() <= 1e-5);
      }
    }
    const std::string mode = crossed ? "crossed" : "joint";
    MESSAGE(mode, ": first step ", first, ", where the host's float is ", rounding, " off its double; others at most ",
            others, ", budget 1e-5");
  }
}

TEST_CASE(
    "MTS step on a device: a run has the same bits every time, on a fresh queue and on one that has seen others") {
  for (const bool crossed : {false, true}) {
    const auto all = [&](const OnDevice<float>& where) {
      auto run = start<MomentumAndDecay>(where, crossed);
      std::vector<Seen> seen;
      for (int k = 0; k < steps; ++k) seen.push_back(run.go(k));
      return seen;
    };
    const OnDevice<float> where;
    const auto first = all(where);
    CHECK(all(where) == first);
    CHECK(all(where) == first);
    CHECK(all(OnDevice<float>{}) == first);
  }
}

TEST_CASE("MTS step on a device: one that is saved and loaded goes on as if nothing had happened") {
  for (const bool crossed : {false, true}) {
    mts_test::check_resumes([&] { return start<MomentumAndDecay>(OnDevice<float>{}, crossed); },
                            [](auto& run, int k) { return run.go(k); }, 5, 4);
    mts_test::check_resumes([&] { return start<DecoupledAdam>(OnDevice<float>{}, crossed); },
                            [](auto& run, int k) { return run.go(k); }, 3, 3);
  }
}

TEST_CASE("MTS step on a device: goes on from a checkpoint of the host, and the host from one of its own") {
  auto host = start<DecoupledAdam>(OnHost<float>{}, false);
  auto device = start<DecoupledAdam>(OnDevice<float>{}, false);
  for (int k = 0; k < 4; ++k) static_cast<void>(host.go(k));
  mts_test::load(device, mts_test::saved(host));
  CHECK(mts_test::saved(device) == mts_test::saved(host));
  for (int k = 4; k < 8; ++k) {
    const Seen a = device.go(k), b = host.go(k);
    CHECK(relative_error(a.theta, b.theta) <= 1e-5);
    CHECK(relative_error(a.phi, b.phi) <= 1e-5);
  }
  mts_test::load(host, mts_test::saved(device));
  CHECK(mts_test::saved(device) == mts_test::saved(host));
}

// Where sizes take turns, memory settles a while after every sequence has been recorded once: each recording keeps its
// own.
TEST_CASE("MTS step on a device: in a steady state nothing is allocated, and every sequence is replayed") {
  for (const bool crossed : {false, true}) {
    const OnDevice<float> where;
    auto run = start<MomentumAndDecay>(where, crossed);
    for (int k = 0; k < 40; ++k) static_cast<void>(run.go(k));
    const std::size_t bytes = where.queue->bytes();
    Index replays = 0, launches = 0;
    for (int k = 40; k < 60; ++k) {
      CAPTURE(k);
      const Index replays_before = where.queue->replays(), launches_before = where.queue->launches();
      static_cast<void>(run.go(k));
      const Index replayed = where.queue->replays() - replays_before;
      CHECK(where.queue->bytes() == bytes);
      CHECK((k == 40 || replayed == replays));
      replays = replayed;
      launches = where.queue->launches() - launches_before;
    }
    // Joint: two forwards (validation, weights), three linearisations (training batch, virtual step, weight net), six
    // pullbacks (theta twice, Gamma, dz and its halves) and one pushforward. Crossed: one forward of weights and one
    // linearisation more.
    CHECK(replays == (crossed ? 14 : 12));
    const std::string mode = crossed ? "crossed: " : "joint: ";
    MESSAGE(mode, replays, " sequences a step, ", launches, " launches in them and beside them; ", bytes, " bytes");
  }
}
