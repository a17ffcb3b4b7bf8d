// Features formed in a device's memory against the host's, by the emulation: every extractor, the paper's features
// whole, and the steps that read them.
#include <doctest/doctest.h>

#include <limits>
#include <sstream>

#include "features/support.hpp"
#include "mts/cuda/classifier.hpp"
#include "mts/cuda/features/on_device.hpp"
#include "mts/cuda/mlp_weight_net.hpp"
#include "mts/features/generative_embedding.hpp"
#include "mts/features/paper_features.hpp"
#include "mts/features/real_margin.hpp"
#include "mts/features/validation_margin.hpp"
#include "mts/nn/mlp.hpp"
#include "mts/optim/sgd.hpp"
#include "mts/selection/mlp_weight_net.hpp"
#include "mts/selection/step.hpp"
#include "support/emulated.hpp"

using namespace mts_test;
using namespace mts::features;
namespace cuda = mts::cuda;

namespace {

/// An emulation that counts what crosses to the host.
struct Counting : cuda::Emulation {
  std::size_t uploaded = 0, downloaded = 0;
  void upload(void* to, const void* from, std::size_t bytes) {
    uploaded += bytes;
    Emulation::upload(to, from, bytes);
  }
  void download(void* to, const void* from, std::size_t bytes) {
    downloaded += bytes;
    Emulation::download(to, from, bytes);
  }
};
using Queue = cuda::SharedQueue<Counting>;

/// The same embeddings, and losses, for the host and in a device's memory.
template <class S>
struct BothShown : Shown<S> {
  cuda::Buffer<S, Counting> h_device;

  BothShown(const Queue& queue, RowMatrix<S> embeddings)
      : Shown<S>(std::move(embeddings)),
        h_device(queue, std::span<const S>(this->h.data(), static_cast<std::size_t>(this->h.size()))) {}
  cuda::ConstMatrix<S> device_embeddings() const { return {h_device.data(), this->h.rows(), this->h.cols()}; }
};

/// A batch of embeddings, validation ones, and what is known of both.
template <class S>
struct Batch {
  BothShown<S> train, validation;
  Samples samples, validation_samples;

  Batch(const Queue& queue, RowMatrix<S> a, RowMatrix<S> b, Index pool = 40, int classes = 3)
      : train(queue, std::move(a)), validation(queue, std::move(b)) {
    mts::RandomStream random(9, "batch");
    for (Index i = 0; i < train.h.rows(); ++i) {
      samples.ids.push_back(static_cast<Index>(random.below(static_cast<std::uint64_t>(pool))));
      samples.labels.push_back(static_cast<int>(random.below(static_cast<std::uint64_t>(classes))));
      samples.groups.push_back(static_cast<int>(random.below(2)));
    }
    for (Index v = 0; v < validation.h.rows(); ++v)
      validation_samples.labels.push_back(static_cast<int>(random.below(static_cast<std::uint64_t>(classes))));
  }
  auto context() const { return context_of(train, validation, samples, validation_samples); }
};
template <class S>
Batch<S> random_batch(const Queue& queue, Index n, Index m, Index width = 7) {
  return {queue, random_rows<S>(n, width, static_cast<std::uint64_t>(n)),
          random_rows<S>(m, width, static_cast<std::uint64_t>(m + 1000))};
}

template <class S>
RowMatrix<double> continuous_of(const cuda::FeatureBatch<S, Counting>& f) {
  RowMatrix<S> rows(f.samples, f.dimension);
  f.continuous.queue()->download(rows.data(), f.continuous.data(), rows.size());
  return rows.template cast<double>();
}
template <class S>
std::vector<std::vector<int>> categorical_of(const cuda::FeatureBatch<S, Counting>& f) {
  std::vector<std::vector<int>> columns;
  for (const auto& column : f.categorical) {
    columns.emplace_back(static_cast<std::size_t>(column.size()));
    f.continuous.queue()->download(columns.back().data(), column.data(), column.size());
  }
  return columns;
}

/// How far the device's features are from the host's: of a column, relative to its largest magnitude on the host (at
/// least `least`). Infinity where anything else differs. Extracted four times, so that launched, recorded and replayed
/// are compared.
template <class S, class F, class Context>
double difference(const F& features, const Queue& queue, const Context& context, double least = 0) {
  constexpr double wrong = std::numeric_limits<double>::infinity();
  const auto device = cuda::on_device(features, queue);
  if (!(device.layout() == features.layout()) || device.reads_validation() != features.reads_validation()) return wrong;
  mts::FeatureBatch<S> expected;
  features.extract(context, expected);
  const RowMatrix<double> e = expected.continuous.template cast<double>();
  cuda::FeatureBatch<S, Counting> found;
  double worst = 0;
  for (int round = 0; round < 4; ++round) {
    device.extract(context, found);
    const RowMatrix<double> f = continuous_of(found);
    if (f.rows() != e.rows() || f.cols() != e.cols() || categorical_of(found) != expected.categorical) return wrong;
    for (Index d = 0; d < e.cols(); ++d) {
      const double scale = std::max(least, e.col(d).cwiseAbs().maxCoeff());
      for (Index i = 0; i < e.rows(); ++i) {
        const double error = std::abs(f(i, d) - e(i, d));
        if (!(error <= worst * scale)) worst = scale > 0 ? error / scale : wrong;
      }
    }
  }
  return worst;
}

constexpr std::array<Index, 5> batch_sizes{1, 2, 31, 33, 300};
constexpr std::array<Index, 3> validation_sizes{1, 3, 64};

/// What both say of a context that they refuse; the device's words, "" if they differ or nothing was thrown.
template <class Error, class S, class F, class Context>
std::string refusal(const F& features, const Queue& queue, const Context& context) {
  mts::FeatureBatch<S> host;
  const auto said = message_of<Error>([&] { features.extract(context, host); });
  const auto device = cuda::on_device(features, queue);
  cuda::FeatureBatch<S, Counting> out;
  std::string words;
  for (int round = 0; round < 3; ++round) {
    words = message_of<Error>([&] { device.extract(context, out); });
    if (words != said) {
      MESSAGE("host: ", said, "\ndevice: ", words);
      return "";
    }
  }
  return words;
}
#define CHECK_BOTH_REFUSE(Error, S, features, context, part) \
  CHECK(refusal<Error, S>(features, queue, context).find(part) != std::string::npos)

template <class S, class Make>
double worst_over_sizes(Make&& make, double least = 0) {
  double worst = 0;
  for (const Index n : batch_sizes)
    for (const Index m : validation_sizes) {
      const auto queue = cuda::make_queue<Counting>();
      const auto batch = random_batch<S>(queue, n, m);
      worst = std::max(worst, difference<S>(make(), queue, batch.context(), least));
    }
  return worst;
}

/// Rows of small integers along few axes: lengths and cosines are exact, many are equal, some rows are zero.
template <class S>
RowMatrix<S> rows_with_ties(Index n, Index shift) {
  RowMatrix<S> x = RowMatrix<S>::Zero(n, 4);
  for (Index i = 0; i < n; ++i) {
    const Index kind = (i + shift) % 7;
    if (kind < 4)
      x(i, kind) = S{2};
    else if (kind < 6)
      x(i, kind - 4) = S{-1};  // the seventh is zero
  }
  return x;
}

}  // namespace

TEST_CASE("features on a device: cosines to validation samples are the host's, for all sizes") {
  const auto all = [] {
    return compose(NearestValidationCosine{1}, ValidationCentreCosine{}, ClassValidationCosines{});
  };
  CHECK(worst_over_sizes<float>(all) < 1e-6);
  CHECK(worst_over_sizes<double>(all) < 1e-13);
  const auto five = [] { return compose(NearestValidationCosine{5}); };
  CHECK(worst_over_sizes<float>(five) < 1e-6);
  CHECK(worst_over_sizes<double>(five) < 1e-13);
}

TEST_CASE("features on a device: normalised by the batch as on the host, for all sizes") {
  // A batch of one is not spread, so that there is nothing but round-off over sqrt(1e-8).
  const auto all = [] {
    return compose(BatchZScore{NearestValidationCosine{3}}, BatchZScore{ValidationCentreCosine{}},
                   BatchZScore{ClassValidationCosines{}}, BatchZScore{Loss{}});
  };
  CHECK(worst_over_sizes<float>(all, 1) < 1e-5);
  CHECK(worst_over_sizes<double>(all, 1) < 1e-11);
  // Of more entries than one warp sums.
  const auto queue = cuda::make_queue<Counting>();
  const auto batch = random_batch<double>(queue, 1500, 5);
  CHECK(difference<double>(all(), queue, batch.context(), 1) < 1e-12);
}

TEST_CASE("features on a device: zero embeddings and equal cosines, exactly as on the host") {
  const auto queue = cuda::make_queue<Counting>();
  for (const Index n : batch_sizes)
    for (const Index m : validation_sizes)
      for (const Index k : std::array<Index, 4>{1, 2, 5, 70}) {
        CAPTURE(n);
        CAPTURE(m);
        CAPTURE(k);
        const auto features = compose(NearestValidationCosine{k}, ValidationCentreCosine{}, ClassValidationCosines{});
        for (const Index shift : std::array<Index, 3>{0, 3, 6}) {  // the sixth makes a validation batch of one zero
          const Batch<float> f(queue, rows_with_ties<float>(n, shift), rows_with_ties<float>(m, shift));
          // A centre is no multiple of an axis, so that its cosines are rounded.
          CHECK(difference<float>(compose(NearestValidationCosine{k}), queue, f.context(), 1) == 0);
          CHECK(difference<float>(features, queue, f.context(), 1) < 2e-7);
        }
      }
  const Batch<double> zeros(queue, RowMatrix<double>::Zero(5, 4), RowMatrix<double>::Zero(3, 4));
  CHECK(difference<double>(
            compose(BatchZScore{NearestValidationCosine{2}}, ValidationCentreCosine{}, ClassValidationCosines{}), queue,
            zeros.context(), 1) == 0);
}

TEST_CASE("features on a device: a class without validation samples, and a validation batch of one class") {
  const auto queue = cuda::make_queue<Counting>();
  auto batch = random_batch<double>(queue, 33, 6);
  for (auto& label : batch.validation_samples.labels) label = 1;
  CHECK(difference<double>(compose(ClassValidationCosines{}), queue, batch.context(), 1) < 1e-14);
  batch.validation_samples.labels = {7, -3, 7, 1, -3, 7};
  CHECK(difference<double>(compose(ClassValidationCosines{}), queue, batch.context(), 1) < 1e-14);
}

TEST_CASE("features on a device: so many validation samples that their products are formed in two windows of rows") {
  const auto queue = cuda::make_queue<Counting>();
  auto h = random_rows<double>(33, 2, 1);
  const auto anchors = random_rows<double>(Index{1} << 17, 2, 2);
  h.row(32) = anchors.row(5);  // nearest to its own class, in the second window
  Batch<double> batch(queue, h, anchors);
  batch.samples.labels[32] = 5;
  for (std::size_t v = 0; v < batch.validation_samples.labels.size(); ++v)
    batch.validation_samples.labels[v] = static_cast<int>(v);  // as many classes
  CHECK(cuda::rows_at_once(batch.validation.h.rows()) == 32);
  CHECK(difference<double>(compose(NearestValidationCosine{2}, ClassValidationCosines{}), queue, batch.context()) <
        1e-13);
}

TEST_CASE("features on a device: what is looked up or known to the host has the host's bits") {
  const auto queue = cuda::make_queue<Counting>();
  const Index pool_size = 40;
  const Samples pool = random_pool(pool_size, 3, 2);
  const auto x = random_rows<float>(pool_size, 6, 3);
  const std::vector<int> validation_labels{0, 1, 2, 0, 1};
  AlignmentHistory history(pool_size, {.columns = {AlignmentStatistic::mean, AlignmentStatistic::count}});
  auto features =
      compose(RealCentreCosine{}, DatasetZScore{NearestSyntheticCosine{4}}, Loss{}, DatasetZScore{NeighbourAgreement{}},
              Group{2}, MedianDistanceRank{}, BatchZScore{history}, RealMargin{},
              ValidationMargin{random_rows<float>(5, 6, 4), validation_labels}, LossQuantile{},
              compose(DatasetZScore{GenerativeEmbedding{6}, Deviation::population}, ClassLabel{3}));
  features.fit(x, pool);
  for (const Index n : batch_sizes) {
    CAPTURE(n);
    const auto batch = random_batch<double>(queue, n, 3);
    CHECK(difference<double>(features, queue, batch.context(), 1) < (n == 1 ? 1e-300 : 1e-12));
    CHECK(difference<float>(compose(features.part<0>(), features.part<1>(), Loss{}, LossQuantile{}), queue,
                            batch.context()) == 0);
    history.observe(batch.samples.ids, mts::SampleVector::LinSpaced(n, -1, 2));  // the device's features see it too
    CHECK(difference<double>(compose(history), queue, batch.context(), 1) == 0);
  }
  // A table of one value everywhere.
  auto constant = compose(DatasetZScore{GenerativeEmbedding{2}}, DatasetZScore{MedianDistanceRank{}});
  constant.fit(RowMatrix<float>::Constant(pool_size, 2, 5), pool);
  CHECK(difference<float>(constant, queue, random_batch<float>(queue, 9, 1).context()) == 0);
}

TEST_CASE("features on a device: compositions of nothing, and of categories alone") {
  const auto queue = cuda::make_queue<Counting>();
  const auto batch = random_batch<float>(queue, 5, 1);
  CHECK(difference<float>(compose(), queue, batch.context()) == 0);
  CHECK(difference<float>(compose(ClassLabel{3}, compose(), Group{2}), queue, batch.context()) == 0);
}

TEST_CASE("features on a device: refusals are the host's, word for word") {
  const auto queue = cuda::make_queue<Counting>();
  const Samples pool = random_pool(40, 3, 2);
  auto offline = compose(NearestValidationCosine{2}, DatasetZScore{RealCentreCosine{}}, MedianDistanceRank{});
  auto batch = random_batch<float>(queue, 6, 3);
  CHECK_BOTH_REFUSE(mts::ValueError, float, offline, batch.context(), "real_centre_cosine: not fitted");
  offline.fit(random_rows<float>(40, 5, 3), pool);
  for (const Index bad : std::array<Index, 4>{-1, 40, Index{1} << 32, std::numeric_limits<Index>::min()}) {
    batch.samples.ids[4] = bad;
    CHECK_BOTH_REFUSE(mts::ValueError, float, offline, batch.context(),
                      mts::detail::text("id of sample 4: expected 0 to 39 (the pool it was fitted on), found ", bad));
  }
  batch.samples.ids.clear();
  CHECK_BOTH_REFUSE(mts::ValueError, float, offline, batch.context(), "needs the samples' places in the pool");
  batch.samples.ids.assign(5, 0);
  CHECK_BOTH_REFUSE(mts::ShapeError, float, offline, batch.context(), "samples.ids: expected 6, found 5");

  batch = random_batch<float>(queue, 6, 3);
  batch.samples.labels[2] = 3;
  CHECK_BOTH_REFUSE(mts::ValueError, float, compose(Loss{}, ClassLabel{3}), batch.context(),
                    "labels of sample 2: expected 0 to 2, found 3");
  batch.samples.labels.clear();
  CHECK_BOTH_REFUSE(mts::ShapeError, float, compose(Loss{}, ClassLabel{3}), batch.context(), "samples.labels");
  CHECK_BOTH_REFUSE(mts::ShapeError, float, compose(ClassValidationCosines{}), batch.context(), "samples.labels");
  batch.samples.groups.clear();
  CHECK_BOTH_REFUSE(mts::ShapeError, float, compose(Group{2}), batch.context(), "samples.groups");
  batch = random_batch<float>(queue, 6, 3);
  batch.validation_samples.labels.pop_back();
  CHECK_BOTH_REFUSE(mts::ShapeError, float, compose(ClassValidationCosines{}), batch.context(),
                    "validation_samples.labels: expected 3, found 2");

  const Batch<float> narrow(queue, random_rows<float>(6, 7, 1), random_rows<float>(3, 6, 2)),
      none(queue, random_rows<float>(6, 7, 1), RowMatrix<float>(0, 7));
  const std::array<std::string, 2> words{"width of the validation embeddings", "at least 1 validation sample"};
  CHECK_BOTH_REFUSE(mts::ShapeError, float, compose(NearestValidationCosine{}), narrow.context(), words[0]);
  CHECK_BOTH_REFUSE(mts::ShapeError, float, compose(ValidationCentreCosine{}), narrow.context(), words[0]);
  CHECK_BOTH_REFUSE(mts::ShapeError, float, compose(ClassValidationCosines{}), narrow.context(), words[0]);
  CHECK_BOTH_REFUSE(mts::ShapeError, float, compose(NearestValidationCosine{}), none.context(), words[1]);
  CHECK_BOTH_REFUSE(mts::ShapeError, float, compose(ValidationCentreCosine{}), none.context(), words[1]);
}

TEST_CASE("features on a device: a number that is not finite is named as on the host, the first of several") {
  const auto queue = cuda::make_queue<Counting>();
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  const auto with = [&](float bad, Index n, Index first) {
    auto h = random_rows<float>(n, 7, 1);
    h(first, 6) = bad;
    h(n - 1, 0) = bad;
    return h;
  };
  const auto nearest = compose(NearestValidationCosine{2});
  const auto centre = compose(ValidationCentreCosine{});
  const auto z = compose(Loss{}, BatchZScore{ValidationCentreCosine{}}, NearestValidationCosine{2});
  for (const float bad : std::array<float, 4>{nan, infinity, -infinity, 3e25F}) {
    CAPTURE(bad);
    const Batch<float> train(queue, with(bad, 33, 31), random_rows<float>(3, 7, 2)),
        validation(queue, random_rows<float>(5, 7, 2), with(bad, 64, 40));
    CHECK_BOTH_REFUSE(mts::NumericalError, float, nearest, train.context(), "embedding of sample 31: ");
    CHECK_BOTH_REFUSE(mts::NumericalError, float, nearest, validation.context(), "validation embedding of sample 40: ");
    CHECK_BOTH_REFUSE(mts::NumericalError, float, compose(ClassValidationCosines{}), train.context(),
                      "class_validation_cosines: embedding of sample 31: ");
    CHECK_BOTH_REFUSE(mts::NumericalError, float, compose(ClassValidationCosines{}), validation.context(),
                      "mean validation embedding of sample ");
    // Formed first, normalised later: the one that comes last is formed before the first is found to be no number.
    CHECK_BOTH_REFUSE(mts::NumericalError, float, z, train.context(), "nearest_validation_cosine: embedding of sample");
    if (bad == 3e25F) continue;  // a number in double
    CHECK_BOTH_REFUSE(mts::NumericalError, float, centre, train.context(),
                      "feature validation_centre_cosine of sample 31 (id ");
    CHECK_BOTH_REFUSE(mts::NumericalError, float, compose(ClassLabel{3}, BatchZScore{ValidationCentreCosine{}}),
                      train.context(), "batch_z: feature validation_centre_cosine of sample 31 (id ");
  }
  // Beyond the first block of a reduction; and a number in double that is none in float.
  const Batch<float> large(queue, with(nan, 2600, 2100), random_rows<float>(3, 7, 2));
  CHECK_BOTH_REFUSE(mts::NumericalError, float, nearest, large.context(), "embedding of sample 2100: ");
  auto table = compose(Loss{}, GenerativeEmbedding{2});
  RowMatrix<double> values = RowMatrix<double>::Ones(40, 2);
  values(7, 1) = 1e200;
  table.fit(values, random_pool(40, 3, 2));
  auto batch = random_batch<float>(queue, 6, 3);
  batch.samples.ids = {0, 1, 2, 3, 7, 7};
  CHECK_BOTH_REFUSE(mts::NumericalError, float, table, batch.context(), "feature embedding_2 of sample 4 (id 7)");
  CHECK(difference<double>(table, queue, batch.context()) == 0);
}

TEST_CASE("features on a device: ids go there, and but a few bytes come back") {
  const auto queue = cuda::make_queue<Counting>();
  const Index n = 300, pool_size = 40;
  auto features = compose(BatchZScore{NearestValidationCosine{3}}, BatchZScore{ValidationCentreCosine{}},
                          DatasetZScore{GenerativeEmbedding{6}}, MedianDistanceRank{});
  features.fit(random_rows<float>(pool_size, 6, 3), random_pool(pool_size, 3, 2));
  const auto batch = random_batch<float>(queue, n, 64);
  const auto device = cuda::on_device(features, queue);
  cuda::FeatureBatch<float, Counting> out;
  for (int round = 0; round < 4; ++round) {
    const Counting before = queue->executor();
    const Index replays = queue->replays(), bytes = static_cast<Index>(queue->bytes());
    device.extract(batch.context(), out);
    CHECK(queue->executor().uploaded - before.uploaded == n * sizeof(Index));
    CHECK(queue->executor().downloaded - before.downloaded ==
          5 * sizeof(cuda::Finding));  // 2 lengths, 2 batches, 1 end
    CHECK(queue->replays() - replays == (round < 2 ? 0 : 1));
    if (round == 3) CHECK(static_cast<Index>(queue->bytes()) == bytes);
  }
}

TEST_CASE("features on a device: a replayed extraction sees the batch of its own step, and its own features") {
  const auto queue = cuda::make_queue<Counting>();
  std::array<Batch<double>, 2> batches{random_batch<double>(queue, 31, 3), random_batch<double>(queue, 31, 4)};
  const Samples pool = random_pool(40, 3, 2);
  const auto x = random_rows<double>(40, 6, 3);
  std::optional<cuda::DeviceFeatures<decltype(compose(NearestValidationCosine{}, GenerativeEmbedding{6})), Counting>>
      device;
  cuda::FeatureBatch<double, Counting> found;
  mts::FeatureBatch<double> expected;
  for (int round = 0; round < 18; ++round) {
    CAPTURE(round);
    auto features = compose(NearestValidationCosine{}, GenerativeEmbedding{6});
    features.fit(RowMatrix<double>(x * (1 + round / 6)), pool);
    if (round % 6 == 0) device.emplace(features, queue);  // where the last ones were
    auto& batch = batches[static_cast<std::size_t>(round % 2)];
    batch.train.h = random_rows<double>(31, 7, static_cast<std::uint64_t>(round));
    queue->upload(batch.train.h_device.data(), batch.train.h.data(), batch.train.h.size());
    for (auto& id : batch.samples.ids) id = (id + 1) % 40;
    device->extract(batch.context(), found);
    features.extract(batch.context(), expected);
    CHECK((continuous_of(found) - expected.continuous).cwiseAbs().maxCoeff() < 1e-14);
  }
  CHECK(queue->replays() > 0);
}

TEST_CASE(
    "features on a device: what was saved on one side is loaded on the other, tables in the device's memory too") {
  const auto queue = cuda::make_queue<Counting>();
  const auto batch = random_batch<double>(queue, 9, 1);
  const auto make = [] { return compose(Loss{}, DatasetZScore{GenerativeEmbedding{6}}); };
  auto features = make();
  features.fit(random_rows<double>(40, 6, 3), random_pool(40, 3, 2));
  auto device = cuda::on_device(make(), queue);
  static_assert(mts::Stateful<decltype(device)>);
  std::stringstream state, again;
  features.save(state);
  device.load(state);
  device.save(again);
  CHECK(again.str() == state.str());
  cuda::FeatureBatch<double, Counting> found;
  mts::FeatureBatch<double> expected;
  device.extract(batch.context(), found);
  features.extract(batch.context(), expected);
  CHECK(continuous_of(found) == expected.continuous);
  std::stringstream cut(state.str().substr(0, state.str().size() / 2));
  CHECK_REFUSED(mts::DataError, device.load(cut), "embedding: load");
  device.extract(batch.context(), found);
  CHECK(continuous_of(found) == expected.continuous);
}

namespace {

/// A pool, a classifier, and the paper's features fitted on both; all in float, on the host and on a queue.
struct PaperProblem {
  static constexpr int classes = 3;
  static constexpr Index pool_size = 90, width = 6;
  RowMatrix<float> inputs = random_rows<float>(pool_size, width, 1);
  Samples pool = random_pool(pool_size, classes, 2);
  mts::nn::Classifier<float> model = mts::nn::mlp<float>({width, 16, 12, classes});
  mts::DenseParameters<float> theta = model.initialize(mts::RandomStream(1, "model"));

  PaperProblem() {
    for (auto& g : pool.groups) g = g == 0 ? 0 : 1;
    for (Index i = 0; i < pool_size; ++i) inputs(i, pool.labels[static_cast<std::size_t>(i)]) += 2;
    inputs.row(5).setZero();  // no unit is active
  }
  auto features() const {
    Samples samples = pool;
    for (Index i = 0; i < pool_size; ++i) samples.ids.push_back(i);
    const mts::nn::ClassificationBatch<float> batch{inputs, pool.labels};
    TrainingDynamics dynamics(pool_size);
    dynamics.observe(samples.ids, model.forward(theta, batch).logits(), samples.labels);
    dynamics.score(model, theta, batch, samples);
    auto f = paper_features({.classes = classes});
    f.fit(random_rows<float>(pool_size, 10, 4), pool);
    f.fit(dynamics);
    return f;
  }
  struct Drawn {
    mts::nn::ClassificationBatch<float> batch;
    Samples samples;
  };
  Drawn draw(Index n, std::uint64_t seed) const {
    mts::RandomStream random(seed, "draw");
    Drawn d;
    d.batch.inputs.resize(n, width);
    for (Index i = 0; i < n; ++i) {
      const auto id = i == 0 ? Index{5} : static_cast<Index>(random.below(pool_size));
      d.batch.inputs.row(i) = inputs.row(id);
      d.samples.ids.push_back(id);
      d.samples.labels.push_back(pool.labels[static_cast<std::size_t>(id)]);
      d.samples.groups.push_back(pool.groups[static_cast<std::size_t>(id)]);
    }
    d.batch.labels = d.samples.labels;
    return d;
  }
};

}  // namespace

TEST_CASE("features on a device: the paper's, of a real classifier, with the host's layout and values") {
  const PaperProblem problem;
  const auto features = problem.features();
  // Activations and deltas kept; and recomputed in windows, of which logits and embeddings are kept.
  for (const Index budget : std::array<Index, 2>{Index{1} << 30, 0}) {
    const auto queue = cuda::make_queue<Counting>();
    const cuda::Classifier<float, Counting> model(problem.model, queue, {.workspace_budget = budget});
    const cuda::Parameters<float, Counting> theta(queue, problem.theta);
    const auto device = cuda::on_device(features, queue);
    CHECK(device.layout() == features.layout());
    for (const Index n : batch_sizes)
      for (const Index m : validation_sizes) {
        CAPTURE(budget);
        CAPTURE(n);
        CAPTURE(m);
        const auto train = problem.draw(n, 1), validation = problem.draw(m, 2);
        const auto lin = problem.model.linearize(problem.theta, train.batch);
        const auto val = problem.model.forward(problem.theta, validation.batch);
        mts::FeatureBatch<float> expected;
        features.extract(context_of(lin, val, train.samples, validation.samples), expected);

        const cuda::ClassificationBatch<float, Counting> a(queue, train.batch), b(queue, validation.batch);
        const auto device_lin = model.linearize(theta, a);
        const auto device_val = model.forward(theta, b);
        cuda::FeatureBatch<float, Counting> found;
        device.extract(context_of(device_lin, device_val, train.samples, validation.samples), found);
        const auto f = continuous_of(found);
        CHECK(categorical_of(found) == expected.categorical);
        REQUIRE(f.cols() == 17);
        for (Index d = 0; d < 17; ++d) {
          CAPTURE(d);
          const double scale = std::max(1.0, static_cast<double>(expected.continuous.col(d).cwiseAbs().maxCoeff()));
          CHECK((f.col(d) - expected.continuous.col(d).cast<double>()).cwiseAbs().maxCoeff() <=
                (d < 4 ? 1e-5 : 0) * scale);
        }
      }
  }
}

TEST_CASE("features on a device: five steps of MTS with the paper's features are the host's") {
  const PaperProblem problem;
  const auto features = problem.features();
  const auto queue = cuda::make_queue<Counting>();
  const mts::SgdOptions inner{.learning_rate = 0.3, .momentum = 0.9}, meta{.learning_rate = 0.5};
  const mts::MlpWeightNetOptions shape{.hidden = {12}};

  const mts::MlpWeightNet<float> net(features.layout(), shape);
  const auto phi = net.initialize({1, "phi"});
  mts::MtsStep host(problem.model, problem.theta.clone(), mts::Sgd<mts::DenseParameters<float>>(inner), features, net,
                    phi.clone(), mts::Sgd<mts::DenseParameters<float>>(meta));

  using Parameters = cuda::Parameters<float, Counting>;
  mts::MtsStep device(cuda::Classifier<float, Counting>(problem.model, queue), Parameters(queue, problem.theta),
                      mts::Sgd<Parameters>(inner), cuda::on_device(features, queue),
                      cuda::MlpWeightNet<float, Counting>(features.layout(), queue, shape), Parameters(queue, phi),
                      mts::Sgd<Parameters>(meta));
  for (std::uint64_t k = 0; k < 5; ++k) {
    CAPTURE(k);
    const auto train = problem.draw(33, 10 + k), validation = problem.draw(20, 20 + k);
    const auto expected = host(train.batch, train.samples, validation.batch, validation.samples);
    const auto found = device({queue, train.batch}, train.samples, {queue, validation.batch}, validation.samples);
    CHECK(found.train_loss == doctest::Approx(expected.train_loss).epsilon(1e-5));
    CHECK(found.hypergradient_norm == doctest::Approx(expected.hypergradient_norm).epsilon(1e-3));
    CHECK((device.weights().p - host.weights().p).cwiseAbs().maxCoeff() < 1e-6);
  }
  const auto moved = [](const auto& from, const auto& to) {
    return (to.values() - from.values()).cwiseAbs().maxCoeff();
  };
  CHECK(moved(problem.theta, host.theta()) > 0.01);
  CHECK(moved(phi, host.phi()) > 1e-3);
  CHECK(moved(host.theta(), device.theta().to_host()) < 1e-5);
  CHECK(moved(host.phi(), device.phi().to_host()) < 1e-5);
}
