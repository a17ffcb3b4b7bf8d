// Pools and batches of them: what is checked, and what `gather` copies.
#include "mts/data/pool.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

#include "data/support.hpp"

using namespace mts::data;
using mts::Index;
using mts::NumericalError;
using mts::RowMatrix;
using mts::ShapeError;
using mts::ValueError;

namespace {

template <class S>
struct Batch {
  RowMatrix<S> inputs;
  std::vector<int> labels;
};

LabelledSet labelled(Index n, float offset) {
  LabelledSet set;
  set.inputs.resize(n, 3);
  for (Index k = 0; k < set.inputs.size(); ++k) set.inputs.data()[k] = offset + static_cast<float>(k);
  for (Index i = 0; i < n; ++i) set.labels.push_back(static_cast<int>(i % 2));
  set.attributes.assign(static_cast<std::size_t>(n), 0);
  set.embeddings = RowMatrix<float>::Ones(n, 2);
  return set;
}

Problem example() {
  Problem problem;
  problem.name = "example";
  problem.classes = 2;
  static_cast<LabelledSet&>(problem.pool) = labelled(4, 0);
  problem.pool.kinds = {Kind::real, Kind::good, Kind::destroyed, Kind::real};
  problem.pool.groups = {0, 1, 1, 0};
  problem.pool.origins = {0, 0, 3, 3};
  problem.validation = labelled(2, 100);
  problem.tuning = labelled(2, 200);
  problem.test = labelled(2, 300);
  return problem;
}

}  // namespace

TEST_CASE("kinds have names, and real and good ones help") {
  CHECK(name_of(Kind::real) == "real");
  CHECK(name_of(Kind::destroyed) == "destroyed");
  int helping = 0;
  for (const Kind kind : all_kinds) helping += helps(kind);
  CHECK(helping == 2);
  CHECK(helps(Kind::real));
  CHECK(helps(Kind::good));
}

TEST_CASE("a sound problem passes its check") { CHECK_NOTHROW(check(example())); }

TEST_CASE("a problem that is not sound is refused with part, sample, expected and found") {
  const auto refused = [](auto&& spoil) {
    Problem p = example();
    spoil(p);
    return p;
  };
  CHECK_REFUSED(ValueError, check(refused([](Problem& p) { p.pool.labels[2] = 2; })), "example: pool",
                "label of sample 2", "0 to 1", "found 2");
  CHECK_REFUSED(ValueError, check(refused([](Problem& p) { p.test.labels[1] = -1; })), "example: test", "sample 1",
                "found -1");
  CHECK_REFUSED(NumericalError,
                check(refused([](Problem& p) { p.validation.inputs(1, 2) = std::numeric_limits<float>::quiet_NaN(); })),
                "example: validation", "input of sample 1", "nan at 2");
  CHECK_REFUSED(NumericalError,
                check(refused([](Problem& p) { p.pool.embeddings(3, 1) = std::numeric_limits<float>::infinity(); })),
                "embedding of sample 3", "inf at 1");
  CHECK_REFUSED(ShapeError, check(refused([](Problem& p) { p.tuning.labels.pop_back(); })), "example: tuning", "labels",
                "expected 2", "found 1");
  CHECK_REFUSED(ShapeError, check(refused([](Problem& p) { p.tuning.inputs.resize(2, 4), p.tuning.inputs.setZero(); })),
                "length of an input", "expected 3", "found 4");
  CHECK_REFUSED(ShapeError, check(refused([](Problem& p) { p.pool.embeddings.resize(3, 2); })), "embeddings",
                "expected 4");
  CHECK_REFUSED(ShapeError, check(refused([](Problem& p) { p.validation.embeddings.setOnes(2, 3); })),
                "example: validation", "length of an embedding", "expected 2", "found 3");
  CHECK_REFUSED(ShapeError, check(refused([](Problem& p) { p.pool.kinds.pop_back(); })), "kinds");
  CHECK_REFUSED(ShapeError, check(refused([](Problem& p) { p.pool.groups.pop_back(); })), "groups");
  CHECK_REFUSED(ShapeError, check(refused([](Problem& p) { p.pool.origins.pop_back(); })), "origins");
  CHECK_REFUSED(ShapeError, check(refused([](Problem& p) { p.pool.attributes.pop_back(); })), "attributes");
  CHECK_REFUSED(ValueError, check(refused([](Problem& p) { p.pool.groups[1] = 0; })), "group of sample 1", "good",
                "expected 1");
  CHECK_REFUSED(ValueError, check(refused([](Problem& p) { p.pool.origins[1] = 2; })), "origin of sample 1", "found 2");
  CHECK_REFUSED(ValueError, check(refused([](Problem& p) { p.pool.origins[0] = 3; })), "origin of sample 0", "itself");
  CHECK_REFUSED(ValueError, check(refused([](Problem& p) { p.classes = 1; })), "at least 2 classes");
  CHECK_REFUSED(ShapeError, check(refused([](Problem& p) {
                  p.image = {2, 2, 1};
                })),
                "example: pool", "2 x 2 x 1", "expected 4", "found 3");
  CHECK_NOTHROW(check(refused([](Problem& p) { p.image = {3, 1, 1}; })));
}

TEST_CASE("gather copies inputs, labels and what is known of the samples, in the order asked for") {
  const Problem problem = example();
  Batch<double> batch;
  mts::Samples samples;
  const std::vector<Index> ids{2, 0, 2};
  gather(problem.pool, ids, batch, samples);
  CHECK(batch.inputs.rows() == 3);
  CHECK(batch.inputs.row(0) == problem.pool.inputs.row(2).cast<double>());
  CHECK(batch.inputs.row(1) == problem.pool.inputs.row(0).cast<double>());
  CHECK(batch.labels == std::vector<int>{0, 0, 0});
  CHECK(samples.ids == ids);
  CHECK(samples.groups == std::vector<int>{1, 0, 1});
  CHECK(samples.labels == batch.labels);
  const std::vector<Index> outside{0, 4};
  CHECK_REFUSED(ShapeError, gather(problem.pool, outside, batch, samples), "[0, 4)", "found 4");
  CHECK(batch.labels.size() == 3);
  gather_all(problem.test, batch);
  CHECK(batch.inputs == problem.test.inputs.cast<double>());
  CHECK(batch.labels == problem.test.labels);
}

TEST_CASE("gather takes no memory once the batch is sized") {
  const Problem problem = example();
  Batch<float> batch;
  mts::Samples samples;
  const std::vector<Index> ids{3, 1};
  gather(problem.pool, ids, batch, samples);
  const float* inputs = batch.inputs.data();
  const int* labels = batch.labels.data();
  const Index* places = samples.ids.data();
  const std::vector<Index> others{0, 2};
  gather(problem.pool, others, batch, samples);
  CHECK(batch.inputs.data() == inputs);
  CHECK(batch.labels.data() == labels);
  CHECK(samples.ids.data() == places);
}
