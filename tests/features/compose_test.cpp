// Compositions: order and names of columns, any scalar, a real classifier, no allocation in steady state, errors in words.
#include "mts/features/compose.hpp"

#include <doctest/doctest.h>

#include "features/support.hpp"
#include "mts/features/alignment_history.hpp"
#include "mts/features/class_label.hpp"
#include "mts/features/dataset_z_score.hpp"
#include "mts/features/group.hpp"
#include "mts/features/loss.hpp"
#include "mts/features/nearest_real_cosine.hpp"
#include "mts/features/nearest_validation_cosine.hpp"
#include "mts/features/real_centre_cosine.hpp"
#include "mts/features/synthetic_centre_cosine.hpp"
#include "mts/features/validation_centre_cosine.hpp"
#include "mts/nn/mlp.hpp"
#include "support/state.hpp"

using namespace mts_test;
using namespace mts::features;

namespace {

auto all_features(int classes = 2) {
  return compose(BatchZScore{NearestValidationCosine{3}}, ClassLabel{classes}, BatchZScore{ValidationCentreCosine{}},
                 DatasetZScore{RealCentreCosine{}}, Group{}, DatasetZScore{NearestRealCosine{3}}, Loss{});
}
using AllFeatures = decltype(all_features());

/// A user's extractor: no more than the concept asks for. Its value is what the test sets.
struct Twice {
  double value = 2;
  mts::FeatureLayout layout() const { return {{"twice"}, {}}; }
  static constexpr bool reads_validation() { return false; }
  template <class Context>
  void extract(const Context& context, mts::Rows<double> rows, std::span<std::vector<int>>) const {
    rows.col(0) = value * context.train.value();
  }
};

const Samples none;

}  // namespace

static_assert(mts::FeatureExtractor<AllFeatures, mts::FeatureContext<Shown<float>, Shown<float>>>);
static_assert(AllFeatures::reads_validation());
static_assert(mts::FeatureExtractor<Composition<>, mts::FeatureContext<LossesOnly, mts::NoValidation>>);
static_assert(!Composition<>::reads_validation());
static_assert(!Composition<Loss, Twice>::reads_validation());
static_assert(mts::FeatureExtractor<Twice, mts::FeatureContext<LossesOnly, mts::NoValidation>>);

TEST_CASE("columns come in the order of the extractors, dimensions derived") {
  const ToyPool toy;
  auto features = all_features();
  features.fit(toy.e, toy.samples);
  CHECK(features.dimension() == 9);
  CHECK(features.layout().continuous ==
        std::vector<std::string>{"batch_z(nearest_validation_cosine_1)", "batch_z(nearest_validation_cosine_2)",
                                 "batch_z(nearest_validation_cosine_3)", "batch_z(validation_centre_cosine)",
                                 "dataset_z(real_centre_cosine)", "dataset_z(nearest_real_cosine_1)",
                                 "dataset_z(nearest_real_cosine_2)", "dataset_z(nearest_real_cosine_3)", "loss"});
  CHECK(features.layout().categorical == std::vector<mts::CategoricalColumn>{{"class", 2}, {"group", 2}});

  const Samples batch{{9, 3, 5, 0}, {1, 0, 1, 0}, {1, 1, 0, 0}};
  const Shown<double> t(random_rows<double>(4, 6, 1)), v(random_rows<double>(5, 6, 2));
  const auto context = context_of(t, v, batch, none);
  mts::FeatureBatch<double> out;
  features.extract(context, out);
  CHECK(out.size() == 4);
  CHECK(out.ids == batch.ids);
  CHECK(out.categorical == std::vector<std::vector<int>>{batch.labels, batch.groups});
  CHECK(out.cardinality == std::vector<int>{2, 2});
  CHECK((out.continuous.leftCols(3) == extracted(BatchZScore{NearestValidationCosine{3}}, context, 4)));
  CHECK((out.continuous.col(3) == extracted(BatchZScore{ValidationCentreCosine{}}, context, 4)));
  CHECK((out.continuous.col(4) == extracted(features.part<3>(), context, 4)));
  CHECK((out.continuous.middleCols(5, 3) == extracted(features.part<5>(), context, 4)));
  CHECK((out.continuous.col(8) == t.losses));

  mts::FeatureBatch<float> single;
  features.extract(context, single);
  CHECK((single.continuous == out.continuous.cast<float>()));
  CHECK(single.categorical == out.categorical);
  CHECK(single.ids == out.ids);

  // Another order: the same columns elsewhere.
  auto turned = compose(Loss{}, BatchZScore{NearestValidationCosine{3}});
  mts::FeatureBatch<double> other;
  turned.extract(context, other);
  CHECK((other.continuous.col(0) == t.losses));
  CHECK((other.continuous.rightCols(3) == out.continuous.leftCols(3)));
  CHECK(other.categorical.empty());
}

TEST_CASE("compositions compose, and fitting reaches the inner ones") {
  const ToyPool toy;
  auto flat = compose(Loss{}, Group{}, RealCentreCosine{}, ClassLabel{2}, Twice{});
  auto nested =
      compose(compose(Loss{}, Group{}), compose(compose(RealCentreCosine{})), compose(ClassLabel{2}, Twice{}));
  CHECK(nested.layout() == flat.layout());
  flat.fit(toy.e, toy.samples);
  nested.fit(toy.e, toy.samples);
  const LossesOnly train{mts::SampleVector::LinSpaced(10, 0, 9)};
  mts::FeatureBatch<double> a, b;
  flat.extract(context_of(train, mts::NoValidation{}, toy.samples, none), a);
  nested.extract(context_of(train, mts::NoValidation{}, toy.samples, none), b);
  CHECK((a.continuous == b.continuous));
  CHECK(a.categorical == b.categorical);
  CHECK((a.continuous.col(2) == 2 * train.losses));
}

TEST_CASE("fitting on one thing reaches those that take it, and there must be one") {
  struct Run {
    double value;
  };
  struct OfRun {
    double value = 0;
    void fit(const Run& run) { value = run.value; }
    mts::FeatureLayout layout() const { return {{"of_run"}, {}}; }
    static constexpr bool reads_validation() { return false; }
    void extract(const mts::FeatureContext<LossesOnly, mts::NoValidation>&, mts::Rows<double> rows,
                 std::span<std::vector<int>>) const {
      rows.setConstant(value);
    }
  };
  auto features = compose(Loss{}, RealCentreCosine{}, compose(Group{}, BatchZScore{OfRun{}}));
  features.fit(Run{3});
  CHECK(features.part<2>().part<1>().inner().value == 3);
  CHECK(!features.part<1>().table().fitted());
  const auto takes_run = [](auto f) { return requires { f.fit(Run{}); }; };
  CHECK(takes_run(features));
  CHECK(!takes_run(compose(Loss{}, compose(RealCentreCosine{}))));
}

TEST_CASE("a batch extracted in ranges has the bits of one extracted at once") {
  const ToyPool toy;
  using Inner = BatchZScore<NearestValidationCosine>;  // named: CTAD would make a copy of the nested one
  auto features = compose(all_features(), BatchZScore<Inner>(Inner(NearestValidationCosine{2})));
  static_assert(decltype(features)::by_rows());
  static_assert(!decltype(compose(Loss{}, Twice{}))::by_rows());  // Twice does not say that it is
  features.fit(toy.e, toy.samples);
  const Samples batch{{9, 3, 5, 0}, {1, 0, 1, 0}, {1, 1, 0, 0}};
  const Shown<double> v(random_rows<double>(5, 6, 2));
  const RowMatrix<double> h = random_rows<double>(4, 6, 1);
  Shown<double> whole(h);
  mts::FeatureBatch<float> at_once, in_ranges;
  features.extract(context_of(whole, v, batch, none), at_once);
  features.begin(4, batch, in_ranges);
  for (const auto& [first, count] : std::vector<std::pair<Index, Index>>{{0, 3}, {3, 1}}) {
    Shown<double> part(h.middleRows(first, count));
    part.losses = whole.losses.segment(first, count);
    Samples known;
    batch.slice_into(first, count, known);
    features.extract_rows(context_of(part, v, known, none), first, in_ranges);
  }
  features.finish(batch, in_ranges);
  CHECK((in_ranges.continuous == at_once.continuous));
  CHECK(in_ranges.categorical == at_once.categorical);
  CHECK(in_ranges.ids == at_once.ids);
  CHECK_REFUSED(mts::ShapeError, features.begin(5, batch, in_ranges), "samples.ids", "expected 5, found 4");
}

TEST_CASE("an empty composition has samples and no columns") {
  const auto features = compose();
  CHECK(features.dimension() == 0);
  const LossesOnly train{mts::SampleVector::Zero(3)};
  mts::FeatureBatch<float> out;
  features.extract(context_of(train, mts::NoValidation{}, none, none), out);
  CHECK(out.size() == 3);
  CHECK((out.continuous.rows() == 3));
  CHECK((out.continuous.cols() == 0));
  CHECK(out.categorical.empty());
  CHECK(out.ids.empty());
  CHECK(features.describe() == "");
}

TEST_CASE("a listing by name, with costs in words") {
  const auto features = compose(BatchZScore{NearestValidationCosine{3}}, ClassLabel{10}, compose(Twice{}));
  const auto summary = features.summary();
  REQUIRE(summary.size() == 3);
  CHECK(summary[0].name == "batch_z(nearest_validation_cosine)");
  CHECK(summary[0].continuous == 3);
  CHECK(summary[0].reads_validation);
  CHECK(summary[1].categorical == 1);
  CHECK(summary[2].continuous == 1);
  CHECK(
      features.describe() ==
      "batch_z(nearest_validation_cosine): 3 continuous, 0 categorical, reads validation; a product N x M x E a step\n"
      "class: 0 continuous, 1 categorical; nothing\n"
      "twice: 1 continuous, 0 categorical; cost not stated\n");
}

TEST_CASE("columns of the same name, lengths that differ and values that are not finite are refused in words") {
  CHECK_REFUSED(mts::ValueError, compose(Loss{}, Twice{}, Loss{}), "compose", "two columns are called 'loss'");
  CHECK_REFUSED(mts::ValueError, compose(ClassLabel{2}, compose(ClassLabel{3})), "two columns are called 'class'");
  CHECK(compose(Loss{}, BatchZScore{Loss{}}).dimension() == 2);

  LossesOnly train{mts::SampleVector::Ones(3)};
  const auto features = compose(Loss{}, Twice{});
  mts::FeatureBatch<double> out;
  const auto extract = [&](const Samples& samples) {
    features.extract(context_of(train, mts::NoValidation{}, samples, none), out);
  };
  CHECK_REFUSED(mts::ShapeError, extract({{1, 2}, {}, {}}), "features", "samples.ids", "expected 3, found 2");
  CHECK_REFUSED(mts::ShapeError, extract({{}, {1, 2, 3, 4}, {}}), "samples.labels", "expected 3, found 4");
  CHECK_REFUSED(mts::ShapeError, extract({{}, {}, {1}}), "samples.groups", "expected 3, found 1");
  train.losses[1] = std::numeric_limits<double>::infinity();
  CHECK_REFUSED(mts::NumericalError, extract({{7, 8, 9}, {}, {}}), "feature loss of sample 1 (id 8)", "inf");
  train.losses[1] = 1e200;  // finite in double, not in float
  extract(none);
  mts::FeatureBatch<float> single;
  CHECK_REFUSED(mts::NumericalError, features.extract(context_of(train, mts::NoValidation{}, none, none), single),
                "feature loss of sample 1:", "1e+200");
}

TEST_CASE("features of a real classifier: its linearisation for the train batch, its forward for validation") {
  const auto model = mts::nn::mlp<float>({6, 8, 5, 3});
  const auto theta = model.initialize(mts::RandomStream(1, "model"));
  const auto batch_of = [](Index n, std::uint64_t seed) {
    mts::nn::ClassificationBatch<float> b{random_rows<float>(n, 6, seed), {}};
    for (Index i = 0; i < n; ++i) b.labels.push_back(static_cast<int>(i % 3));
    return b;
  };
  const auto train = batch_of(40, 2), validation = batch_of(9, 3);
  const auto lin = model.linearize(theta, train);
  const auto val = model.forward(theta, validation);
  static_assert(
      mts::FeatureExtractor<
          AllFeatures, mts::FeatureContext<std::remove_cvref_t<decltype(lin)>, std::remove_cvref_t<decltype(val)>>>);
  const Samples samples{{}, train.labels, {}}, validation_samples{{}, validation.labels, {}};
  const auto features = compose(NearestValidationCosine{2}, ValidationCentreCosine{}, Loss{}, ClassLabel{3});
  mts::FeatureBatch<float> out;
  features.extract(context_of(lin, val, samples, validation_samples), out);
  const auto h = lin.embeddings(), g = val.embeddings();
  CHECK(h.cols() == 5);
  for (Index i = 0; i < 40; ++i) {
    std::vector<double> all;
    for (Index j = 0; j < 9; ++j) all.push_back(plain_cosine(h.row(i), g.row(j), 1e-6));
    const auto top = plain_top(all, 2);
    CHECK(std::abs(static_cast<double>(out.continuous(i, 0)) - top[0]) < 1e-6);
    CHECK(std::abs(static_cast<double>(out.continuous(i, 1)) - top[1]) < 1e-6);
    CHECK((out.continuous(i, 3) == static_cast<float>(lin.value()[i])));
    CHECK(out.categorical[0][static_cast<std::size_t>(i)] == i % 3);
  }
}

TEST_CASE("the same bits for any number of threads, whole compositions too") {
  const Index n = 300;
  const auto e = random_rows<float>(n, 20, 4);
  Samples pool;
  for (Index i = 0; i < n; ++i) {
    pool.ids.push_back(i);
    pool.labels.push_back(static_cast<int>(i % 5));
    pool.groups.push_back(static_cast<int>(i % 2));
  }
  const Shown<float> t(random_rows<float>(n, 33, 5)), v(random_rows<float>(70, 33, 6));
  const auto run = [&](int threads) {
    const mts::ThreadLimit limit(threads);
    auto features = all_features(5);
    features.fit(e, pool);
    mts::FeatureBatch<float> out;
    features.extract(context_of(t, v, pool, none), out);
    return out.continuous;
  };
  const auto one = run(1);
  CHECK((run(2) == one));
  CHECK((run(4) == one));
}

TEST_CASE(
    "compose: tables and records are saved with the composition; one that was not fitted is as good as the one that "
    "was") {
  const ToyPool pool;
  const Samples samples{{1, 4, 7}, {}, {}};
  const LossesOnly train{mts::SampleVector::LinSpaced(3, 0, 2)};
  const auto make = [&](bool fit) {
    AlignmentHistory history(10);
    auto features = compose(Loss{}, BatchZScore{history}, DatasetZScore{RealCentreCosine{}}, NearestRealCosine{2});
    if (fit) features.fit(pool.e, pool.samples);
    return std::pair(std::move(features), std::move(history));
  };
  const auto say = [&](const auto& f) {
    return extracted(f, context_of(train, mts::NoValidation{}, samples, none), 3);
  };
  auto [features, history] = make(true);
  history.observe(std::vector<Index>{1, 4, 4}, std::vector<double>{1, -2, 3});
  const std::string bytes = saved(features);
  for (const bool fitted : {true, false}) {
    auto [other, record] = make(fitted);
    load(other, bytes);
    CHECK(say(other) == say(features));
    CHECK(looked_up(record, {1, 4}) == looked_up(history, {1, 4}));
    CHECK(saved(other) == bytes);
  }

  // Refused in its last part: those before it are put back, a record and a table that was not fitted.
  auto [empty, record] = make(false);
  record.observe(std::vector<Index>{0}, std::vector<double>{5});
  check_refuses(empty, bytes.substr(0, bytes.size() - 1));
  CHECK(looked_up(record, {0})(0, 0) != 0);
  auto [smaller, unused] = make(false);
  smaller.fit(pool.e.topRows(9), Samples{{}, {0, 0, 0, 0, 0, 1, 1, 1, 1}, {0, 0, 0, 1, 1, 0, 0, 1, 1}});
  check_refuses(smaller, bytes);
  auto others = compose(Loss{}, BatchZScore{AlignmentHistory(10)}, DatasetZScore{RealCentreCosine{}});
  check_refuses(others, bytes);
  auto wider =
      compose(Loss{}, BatchZScore{AlignmentHistory(10)}, DatasetZScore{RealCentreCosine{}}, NearestRealCosine{3});
  check_refuses(wider, bytes);
  auto renamed =
      compose(Loss{}, BatchZScore{AlignmentHistory(10)}, DatasetZScore{SyntheticCentreCosine{}}, NearestRealCosine{2});
  check_refuses(renamed, bytes);
}
