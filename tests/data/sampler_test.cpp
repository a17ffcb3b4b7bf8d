// The order of batches: without replacement, a function of (seed, purpose, epoch), restorable, disjoint where asked.
#include "mts/data/sampler.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "data/support.hpp"
#include "support/state.hpp"

using mts::DataError;
using mts::Index;
using mts::ValueError;
using mts::data::EpochSampler;

namespace {

using Batches = std::vector<std::vector<Index>>;

Batches take(EpochSampler& sampler, int n) {
  Batches all;
  for (int k = 0; k < n; ++k) sampler.next(all.emplace_back());
  return all;
}

}  // namespace

TEST_CASE("an epoch visits every sample at most once, drop_last skipping what does not fill a batch") {
  for (const Index pool : {1, 2, 7, 16, 33})
    for (const Index batch : {1, 2, 5, 16, 33}) {
      if (batch > pool) continue;
      EpochSampler sampler(pool, {.batch = batch, .seed = 3});
      CHECK(sampler.batches_per_epoch() == pool / batch);
      for (int epoch = 0; epoch < 3; ++epoch) {
        std::set<Index> seen;
        for (Index b = 0; b < sampler.batches_per_epoch(); ++b) {
          std::vector<Index> ids;
          sampler.next(ids);
          CHECK(static_cast<Index>(ids.size()) == batch);
          CHECK(sampler.state().epoch == static_cast<std::uint64_t>(epoch));
          for (const Index i : ids) {
            CHECK(i >= 0);
            CHECK(i < pool);
            CHECK(seen.insert(i).second);
          }
        }
      }
    }
}

TEST_CASE("without drop_last an epoch ends with a smaller batch and visits every sample once") {
  EpochSampler sampler(10, {.batch = 4, .seed = 1, .drop_last = false});
  CHECK(sampler.batches_per_epoch() == 3);
  for (int epoch = 0; epoch < 2; ++epoch) {
    std::vector<Index> all;
    for (const std::size_t size : {4u, 4u, 2u}) {
      std::vector<Index> ids;
      sampler.next(ids);
      CHECK(ids.size() == size);
      all.insert(all.end(), ids.begin(), ids.end());
    }
    std::sort(all.begin(), all.end());
    CHECK(all == std::vector<Index>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  }
}

TEST_CASE("the order depends on seed, purpose and epoch and on nothing else") {
  const EpochSampler::Options options{.batch = 20, .seed = 5};
  EpochSampler a(20, options), b(20, options);
  const auto first = take(a, 3);
  CHECK(take(b, 3) == first);
  CHECK(first[0] != first[1]);
  EpochSampler other_seed(20, {.batch = 20, .seed = 6});
  CHECK(take(other_seed, 1)[0] != first[0]);
  EpochSampler other_purpose(20, {.batch = 20, .seed = 5, .purpose = "selector order"});
  CHECK(take(other_purpose, 1)[0] != first[0]);
  EpochSampler finer(20, {.batch = 5, .seed = 5});
  std::vector<Index> joined;
  for (const auto& part : take(finer, 4)) joined.insert(joined.end(), part.begin(), part.end());
  CHECK(joined == first[0]);
}

TEST_CASE("each place is taken first equally often") {
  // 4000 epochs of 8 samples: the count of each is binomial(4000, 1/8), standard deviation 20.9; 5 of them = 105
  EpochSampler sampler(8, {.batch = 8, .seed = 11});
  std::vector<int> count(8);
  for (const auto& ids : take(sampler, 4000)) ++count[static_cast<std::size_t>(ids[0])];
  for (const int n : count) CHECK(std::abs(n - 500) < 105);
}

TEST_CASE("a sampler goes on from a state as if it had never stopped") {
  EpochSampler a(23, {.batch = 5, .seed = 2});
  take(a, 6);
  const auto state = a.state();
  const auto expected = take(a, 9);
  EpochSampler b(23, {.batch = 5, .seed = 2});
  b.restore(state);
  CHECK(take(b, 9) == expected);
  a.restore(state);
  CHECK(take(a, 9) == expected);
  CHECK_REFUSED(ValueError, a.restore({0, 24}), "[0, 23]", "24");
  CHECK_REFUSED(ValueError, a.restore({0, -1}), "-1");
}

TEST_CASE("excluded samples never come up, and the batch is full, for as long as enough are left") {
  EpochSampler classifier(30, {.batch = 10, .seed = 4});
  EpochSampler selector(30, {.batch = 20, .seed = 4, .purpose = "selector order"});
  std::vector<Index> b, s;
  for (int step = 0; step < 50; ++step) {
    classifier.next(b);
    const auto before = selector.state();
    selector.next(s, b);
    CHECK(s.size() == 20);
    CHECK(std::set<Index>(s.begin(), s.end()).size() == 20);
    for (const Index i : s) CHECK(std::find(b.begin(), b.end(), i) == b.end());
    std::vector<Index> again;
    selector.restore(before);
    selector.next(again, b);
    CHECK(again == s);
  }
}

TEST_CASE("without drop_last and with exclusions no batch is empty") {
  EpochSampler sampler(6, {.batch = 2, .seed = 4, .drop_last = false});
  const std::vector<Index> barred{0, 1, 2};
  std::vector<Index> ids;
  for (int k = 0; k < 20; ++k) {
    sampler.next(ids, barred);
    CHECK(!ids.empty());
    for (const Index i : ids) CHECK(i >= 3);
  }
}

TEST_CASE("a batch larger than the pool is refused in words, with or without exclusions") {
  CHECK_REFUSED(ValueError, EpochSampler(10, {.batch = 11}), "batch of 11", "larger than the pool of 10");
  CHECK_REFUSED(ValueError, EpochSampler(0, {.batch = 1}), "at least 1", "found 0");
  CHECK_REFUSED(ValueError, EpochSampler(10, {.batch = 0}), "at least 1", "found 0");
  EpochSampler sampler(10, {.batch = 6, .seed = 9});
  EpochSampler twin(10, {.batch = 6, .seed = 9});
  std::vector<Index> ids;
  const std::vector<Index> five{0, 1, 2, 3, 4, 4};
  CHECK_REFUSED(ValueError, sampler.next(ids, five), "batch of 6", "pool of 10", "5 excluded");
  const std::vector<Index> outside{3, 10};
  CHECK_REFUSED(ValueError, sampler.next(ids, outside), "[0, 10)", "found 10");
  CHECK(take(sampler, 5) == take(twin, 5));  // refusals changed nothing
}

TEST_CASE("a sampler that was saved and loaded visits as one left alone; that of another pool or order is refused") {
  for (const bool drop_last : {true, false})
    for (const int before : {0, 3, 9}) {
      const EpochSampler::Options options{.batch = 4, .seed = 7, .drop_last = drop_last};
      mts_test::check_resumes([&] { return EpochSampler(10, options); },
                              [](EpochSampler& s, int) { return take(s, 1)[0]; }, before, 7);
    }
  EpochSampler sampler(10, {.batch = 4, .seed = 7});
  take(sampler, 3);
  for (const EpochSampler& other :
       {EpochSampler(11, {.batch = 4, .seed = 7}), EpochSampler(10, {.batch = 5, .seed = 7}),
        EpochSampler(10, {.batch = 4, .seed = 8}), EpochSampler(10, {.batch = 4, .seed = 7, .purpose = "another"}),
        EpochSampler(10, {.batch = 4, .seed = 7, .drop_last = false})})
    mts_test::check_refuses(sampler, mts_test::saved(other));
  std::string bytes = mts_test::saved(sampler);
  bytes[bytes.size() - 8] = 11;  // the position
  CHECK_REFUSED(DataError, mts_test::load(sampler, bytes), "EpochSampler::load: position", "at most 10", "found 11");
}
