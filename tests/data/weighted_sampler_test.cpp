// Draws in proportion to weights: how often in an epoch and in the long run, weights of 0, states, scale, refusals. (That it does
// not allocate: augment_test.cpp, where allocations are counted.)
#include "mts/data/weighted_sampler.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "data/support.hpp"
#include "support/state.hpp"

using mts::Index;
using mts::NumericalError;
using mts::SampleVector;
using mts::ValueError;
using mts::data::WeightedSampler;

namespace {

using Batches = std::vector<std::vector<Index>>;

Batches take(WeightedSampler& sampler, int n) {
  Batches all;
  for (int k = 0; k < n; ++k) sampler.next(all.emplace_back());
  return all;
}
std::vector<Index> joined(const Batches& batches) {
  std::vector<Index> all;
  for (const auto& b : batches) all.insert(all.end(), b.begin(), b.end());
  return all;
}
SampleVector weights_of(std::initializer_list<double> values) {
  SampleVector w(static_cast<Index>(values.size()));
  std::copy(values.begin(), values.end(), w.data());
  return w;
}
SampleVector random_weights(Index n, std::uint64_t seed) {
  mts::RandomStream stream(seed, "weights");
  SampleVector w(n);
  for (double& x : w) x = std::exp(2 * stream.normal());
  return w;
}
/// How often each sample comes in each of some epochs.
std::vector<std::vector<int>> counts(const SampleVector& w, int epochs, std::uint64_t seed) {
  WeightedSampler sampler(w, {.batch = w.size(), .seed = seed});
  std::vector<std::vector<int>> all;
  for (int e = 0; e < epochs; ++e) {
    std::vector<Index> ids;
    sampler.next(ids);
    REQUIRE(static_cast<Index>(ids.size()) == w.size());
    auto& count = all.emplace_back(static_cast<std::size_t>(w.size()), 0);
    for (const Index i : ids) {
      REQUIRE(i >= 0);
      REQUIRE(i < w.size());
      ++count[static_cast<std::size_t>(i)];
    }
  }
  return all;
}

}  // namespace

TEST_CASE("WeightedSampler: an epoch takes each sample floor or ceil of n w_i/sum w times") {
  for (const Index n : {1, 2, 5, 40, 333}) {
    CAPTURE(n);
    const SampleVector w = random_weights(n, 7);
    double sum = 0;
    for (const double x : w) sum += x;
    for (const auto& count : counts(w, 30, 2))
      for (Index i = 0; i < n; ++i) {
        const double expected = static_cast<double>(n) * w[i] / sum;
        CHECK(count[static_cast<std::size_t>(i)] >= std::floor(expected - 1e-9));
        CHECK(count[static_cast<std::size_t>(i)] <= std::ceil(expected + 1e-9));
      }
  }
}

TEST_CASE("WeightedSampler: equal weights draw without replacement, in another order each epoch") {
  for (const Index n : {1, 2, 7, 64, 1000})
    for (const double w : {1.0, 0.1, 1.0 / 3, 7e200}) {
      CAPTURE(n);
      for (const auto& count : counts(SampleVector::Constant(n, w), 10, 5))
        CHECK(std::all_of(count.begin(), count.end(), [](int times) { return times == 1; }));
    }
  WeightedSampler sampler(SampleVector::Ones(50), {.batch = 50, .seed = 5});
  const auto epochs = take(sampler, 2);
  CHECK(epochs[0] != epochs[1]);
  CHECK(!std::is_sorted(epochs[0].begin(), epochs[0].end()));
}

TEST_CASE("WeightedSampler: in the long run as often as it weighs, in every place of an epoch") {
  // 4000 epochs. A count's variance in an epoch is f (1 - f), f the fraction of n w_i/sum w; the first place's is p (1 - p), p =
  // w_i/sum w. Five standard deviations.
  const SampleVector w = weights_of({0.2, 1.7, 3, 0.4, 0.05, 1.3, 2.35});
  const int epochs = 4000;
  const double sum = 9;
  std::vector<double> total(7, 0), first(7, 0);
  WeightedSampler sampler(w, {.batch = 7, .seed = 13});
  for (const auto& ids : take(sampler, epochs)) {
    ++first[static_cast<std::size_t>(ids[0])];
    for (const Index i : ids) ++total[static_cast<std::size_t>(i)];
  }
  for (std::size_t i = 0; i < 7; ++i) {
    CAPTURE(i);
    const double p = w[static_cast<Index>(i)] / sum, expected = 7 * p, f = expected - std::floor(expected);
    CHECK(std::abs(total[i] - epochs * expected) < 5 * std::sqrt(epochs * f * (1 - f)));
    CHECK(std::abs(first[i] - epochs * p) < 5 * std::sqrt(epochs * p * (1 - p)));
  }
}

TEST_CASE("WeightedSampler: which samples get the spare draw is a matter of the random order alone") {
  // Eight weights with a half over: along the order every other sample gets the spare draw, so two given ones both do with
  // probability (4 2)/(8 2) = 3/14. In the pool's order 1 and 3 would stand and fall together.
  const SampleVector w = weights_of({1.5, 0.5, 1.5, 0.5, 1.5, 0.5, 1.5, 0.5});
  int both = 0, neither = 0;
  for (const auto& count : counts(w, 2000, 3)) {
    both += count[1] == 1 && count[3] == 1;
    neither += count[1] == 0 && count[3] == 0;
  }
  const double p = 3.0 / 14, tolerance = 5 * std::sqrt(2000 * p * (1 - p));
  CHECK(std::abs(both - 2000 * p) < tolerance);
  CHECK(std::abs(neither - 2000 * p) < tolerance);
}

TEST_CASE("WeightedSampler: a weight of 0 is never drawn, wherever it stands and whatever round-off leaves over") {
  SampleVector w = random_weights(301, 4);
  for (Index i = 0; i < w.size(); i += 3) w[i] = 0;
  for (const auto& count : counts(w, 100, 9))
    for (std::size_t i = 0; i < count.size(); i += 3) CHECK(count[i] == 0);
  for (const Index only : {0, 4, 9}) {
    w = SampleVector::Zero(10);
    w[only] = 1e-3;
    for (const auto& count : counts(w, 20, 1)) CHECK(count[static_cast<std::size_t>(only)] == 10);
  }
  // weights that are nothing beside the others may be drawn, but never make an epoch short
  w = SampleVector::Constant(1000, 1e-300);
  w[17] = 1;
  for (const auto& count : counts(w, 20, 1)) CHECK(count[17] == 1000);
}

TEST_CASE("WeightedSampler: a state goes on as if it had never stopped, within an epoch and at its end") {
  const SampleVector w = random_weights(23, 8);
  const WeightedSampler::Options options{.batch = 5, .seed = 2};
  for (const int before : {0, 1, 6, 23}) {  // 23 batches: five whole epochs
    CAPTURE(before);
    WeightedSampler a(w, options);
    take(a, before);
    const auto state = a.state();
    const auto expected = take(a, 12);
    WeightedSampler b(w, options);
    b.restore(state);
    CHECK(b.state() == state);
    CHECK(take(b, 12) == expected);
    CHECK(b.state() == a.state());
    a.restore(state);
    CHECK(take(a, 12) == expected);
  }
  WeightedSampler a(w, options);
  CHECK_REFUSED(ValueError, a.restore({0, 24}), "WeightedSampler::restore", "[0, 23]", "found 24");
  CHECK_REFUSED(ValueError, a.restore({0, -1}), "found -1");
  CHECK(a.state() == WeightedSampler::State{});
  CHECK(a.pool_size() == 23);
  CHECK(a.options().batch == 5);
}

TEST_CASE("WeightedSampler: batches are full and span epochs; one may be larger than the pool") {
  const SampleVector w = random_weights(10, 3);
  WeightedSampler whole(w, {.batch = 10, .seed = 6});
  const auto draws = joined(take(whole, 12));
  for (const Index batch : {1, 3, 7, 10, 24, 40}) {
    CAPTURE(batch);
    WeightedSampler sampler(w, {.batch = batch, .seed = 6});
    const auto batches = take(sampler, static_cast<int>(120 / batch));
    for (const auto& b : batches) CHECK(static_cast<Index>(b.size()) == batch);
    auto found = joined(batches);
    CHECK(std::equal(found.begin(), found.end(), draws.begin()));
    const auto state = sampler.state();
    const auto taken = static_cast<Index>(found.size());
    CHECK(static_cast<Index>(state.epoch) == (taken - 1) / 10);  // an epoch begins when it is asked for
    CHECK(state.position == (taken - 1) % 10 + 1);
  }
}

TEST_CASE("WeightedSampler: the order depends on weights, seed, purpose and epoch; not on the weights' scale") {
  const SampleVector w = random_weights(40, 3);
  const auto order = [](const SampleVector& x, WeightedSampler::Options options) {
    options.batch = 40;
    WeightedSampler sampler(x, options);
    return take(sampler, 3);
  };
  const auto once = order(w, {.seed = 1});
  CHECK(order(w, {.seed = 1}) == once);
  CHECK(once[0] != once[1]);
  CHECK(order(w, {.seed = 2}) != once);
  CHECK(order(w, {.seed = 1, .purpose = "another"}) != once);
  CHECK(order(random_weights(40, 4), {.seed = 1}) != once);
  for (const double scale : {0.25, 2.0, 1024.0, 0x1p-600, 0x1p600}) CHECK(order(scale * w, {.seed = 1}) == once);
  for (const double scale : {0.3, 7.0}) CHECK(order(scale * w, {.seed = 1}) == once);  // but for round-off
}

TEST_CASE("WeightedSampler: what can't be drawn from is refused in words") {
  using Options = WeightedSampler::Options;
  const auto make = [](SampleVector w, Options options = {}) { return WeightedSampler(std::move(w), options); };
  CHECK_REFUSED(ValueError, make(SampleVector(0)), "WeightedSampler", "at least 1 sample", "found 0");
  CHECK_REFUSED(ValueError, make(SampleVector::Ones(3), {.batch = 0}), "batches of at least 1", "found 0");
  CHECK_REFUSED(ValueError, make(weights_of({1, 2, -0.5})), "weight of sample 2", "negative", "-0.5");
  CHECK_REFUSED(ValueError, make(SampleVector::Zero(4)), "all 4 weights are 0");
  CHECK_REFUSED(NumericalError, make(weights_of({1, std::nan(""), 1})), "WeightedSampler", "weight", "index 1 of 3");
  CHECK_REFUSED(NumericalError, make(weights_of({1, 1, std::numeric_limits<double>::infinity()})), "index 2 of 3");
  CHECK_REFUSED(NumericalError, make(SampleVector::Constant(2, 1e308)), "sum of the weights", "inf");
}

TEST_CASE("a weighted sampler that was saved and loaded draws as one left alone; that of other weights is refused") {
  const SampleVector weights = random_weights(13, 4);
  for (const int before : {0, 2, 8})
    mts_test::check_resumes([&] { return WeightedSampler(weights, {.batch = 4, .seed = 7}); },
                            [](WeightedSampler& s, int) { return take(s, 1)[0]; }, before, 7);
  WeightedSampler sampler(weights, {.batch = 4, .seed = 7});
  take(sampler, 5);
  SampleVector others = weights;
  std::swap(others[0], others[1]);
  for (const WeightedSampler& other :
       {WeightedSampler(others, {.batch = 4, .seed = 7}), WeightedSampler(weights.head(12), {.batch = 4, .seed = 7}),
        WeightedSampler(weights, {.batch = 5, .seed = 7}), WeightedSampler(weights, {.batch = 4, .seed = 8}),
        WeightedSampler(weights, {.batch = 4, .seed = 7, .purpose = "another"})})
    mts_test::check_refuses(sampler, mts_test::saved(other));
}
