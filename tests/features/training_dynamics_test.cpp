// What a run shows of each sample: scores against one sample's whole gradient and against plain Python, flips by
// hand, errors.
#include "mts/features/training_dynamics.hpp"

#include <doctest/doctest.h>

#include "features/reference.hpp"
#include "mts/nn/mlp.hpp"
#include "support/state.hpp"

using namespace mts_test;
using mts::features::TrainingDynamics;

namespace {

/// Logits for three classes that predict the given ones.
RowMatrix<double> predicting(const std::vector<int>& classes) {
  RowMatrix<double> z = RowMatrix<double>::Zero(static_cast<Index>(classes.size()), 3);
  for (std::size_t i = 0; i < classes.size(); ++i) z(static_cast<Index>(i), classes[i]) = 1;
  return z;
}

/// A pool of classification samples, and what gathers batches of it.
template <class S>
struct DynamicsPool {
  RowMatrix<S> inputs;
  std::vector<int> labels;
  DynamicsPool(Index n, Index d, int classes) : inputs(random_rows<S>(n, d, 1)) {
    for (Index i = 0; i < n; ++i) labels.push_back(static_cast<int>(i * i + 1) % classes);
  }
  auto gather() const {
    return [this](std::span<const Index> ids, auto& batch, Samples& samples) {
      batch.inputs = inputs(std::vector<Index>(ids.begin(), ids.end()), Eigen::all);
      batch.labels.clear();
      for (const Index i : ids) batch.labels.push_back(labels[static_cast<std::size_t>(i)]);
      samples.ids.assign(ids.begin(), ids.end());
      samples.labels = batch.labels;
    };
  }
};

/// A model that shows its values alone, and one that shows logits too but has no per-sample norms.
struct ShownModel {
  struct Batch {
    RowMatrix<double> logits;
  };
  struct Parameters {
    Parameters clone() const { return {}; }
    Parameters zeros_like() const { return {}; }
    void copy_into(Parameters&) const {}
    double dot(const Parameters&) const { return 0; }
    void axpy(double, const Parameters&) {}
    void scale(double) {}
    Index size() const { return 0; }
  };
  struct Linearization : Shown<double> {
    using Shown<double>::Shown;
    void pullback(const mts::SampleVector&, Parameters&) const {}
  };
  using Scalar = double;
  Parameters initialize(mts::RandomStream) const { return {}; }
  Shown<double> forward(const Parameters&, const Batch& b) const { return Shown<double>(b.logits); }
  Linearization linearize(const Parameters&, const Batch&) const { throw std::logic_error("not to be differentiated"); }
};
static_assert(mts::Model<ShownModel>);

}  // namespace

TEST_CASE("dynamics: flips by hand, sample by sample and with repeats in a batch") {
  TrainingDynamics d(3);
  const std::vector<Index> ids{0, 1, 2};
  const std::vector<int> labels{0, 1, 2};
  // Sample 0: right wrong right wrong wrong; sample 1: wrong right right right wrong; sample 2: never right.
  for (const auto& said : std::vector<std::vector<int>>{{0, 0, 0}, {1, 1, 1}, {0, 1, 0}, {2, 1, 0}, {1, 2, 1}})
    d.observe(ids, predicting(said), labels);
  CHECK(d.forgotten(0) == 2);
  CHECK(d.forgotten(1) == 1);
  CHECK(d.forgotten(2) == 0);
  CHECK(d.learned(0));
  CHECK(d.learned(1));
  CHECK(!d.learned(2));
  CHECK(d.visits(1) == 5);
  d.observe(std::vector<Index>{2, 2, 2, 0}, predicting({2, 0, 2, 0}), std::vector<int>{2, 2, 2, 0});
  CHECK(d.forgotten(2) == 1);
  CHECK(d.learned(2));
  CHECK(d.visits(2) == 8);
  CHECK(d.visits(0) == 6);
  CHECK(d.visits(1) == 5);
}

TEST_CASE("dynamics: of equal logits the first is the prediction; float and column-major logits will do") {
  TrainingDynamics d(2);
  const std::vector<Index> ids{0, 1};
  const std::vector<int> labels{0, 1};
  d.observe(ids, Eigen::MatrixXf::Zero(2, 3), labels);
  CHECK(d.learned(0));
  CHECK(!d.learned(1));
}

TEST_CASE_TEMPLATE("dynamics: gradient norms are those of each sample's own gradient, of error norms as many as scores",
                   S, float, double) {
  const DynamicsPool<S> pool(37, 6, 3);
  const auto model = mts::nn::mlp<S>({6, 8, 5, 3});
  TrainingDynamics d(37);
  mts::SampleVector expected = mts::SampleVector::Zero(37), expected_errors = mts::SampleVector::Zero(37);
  for (const std::uint64_t seed : {1, 2}) {
    const auto theta = model.initialize(mts::RandomStream(seed, "model"));
    d.score_pool(model, theta, 16, pool.gather());
    auto gradient = theta.zeros_like();
    typename mts::nn::Classifier<S>::Batch one;
    Samples samples;
    for (Index i = 0; i < 37; ++i) {
      pool.gather()(std::vector<Index>{i}, one, samples);
      const auto lin = model.linearize(theta, one);
      lin.pullback(mts::SampleVector::Ones(1), gradient);
      expected[i] += std::sqrt(gradient.dot(gradient)) / 2;
      double sum = 0, squares = 0;
      for (Index c = 0; c < 3; ++c) sum += std::exp(static_cast<double>(lin.logits()(0, c)));
      for (Index c = 0; c < 3; ++c)
        squares += std::pow(std::exp(static_cast<double>(lin.logits()(0, c))) / sum - (c == one.labels[0] ? 1 : 0), 2);
      expected_errors[i] += std::sqrt(squares) / 2;
    }
  }
  const double tolerance = std::same_as<S, float> ? 1e-5 : 1e-13;
  CHECK((d.gradient_norms().col(0) - expected).cwiseAbs().maxCoeff() < tolerance * expected.maxCoeff());
  CHECK((d.error_norms().col(0) - expected_errors).cwiseAbs().maxCoeff() < tolerance);
}

TEST_CASE("dynamics: a linear classifier's gradient norm is its error norm times the length of (x, 1)") {
  const DynamicsPool<double> pool(50, 4, 3);
  const auto model = mts::nn::mlp<double>({4, 3});
  const auto theta = model.initialize(mts::RandomStream(3, "model"));
  TrainingDynamics d(50);
  d.score_pool(model, theta, 50, pool.gather());
  const auto g = d.gradient_norms(), e = d.error_norms();
  for (Index i = 0; i < 50; ++i)
    CHECK(g(i, 0) == doctest::Approx(e(i, 0) * std::sqrt(pool.inputs.row(i).squaredNorm() + 1)).epsilon(1e-12));
}

TEST_CASE(
    "dynamics: error norms as plain Python says, of a model without per-sample norms, which is not differentiated") {
  TrainingDynamics d(reference::samples);
  Samples samples = reference::pool_samples();
  for (Index i = 0; i < reference::samples; ++i) samples.ids.push_back(i);
  const ShownModel::Batch batch{reference::matrix(reference::logits, reference::classes)};
  d.score(ShownModel{}, {}, batch, samples);
  CHECK(reference::difference(d.error_norms(), reference::error_norm) < 1e-14);
  d.score(ShownModel{}, {}, batch, samples);  // the mean of two that agree
  CHECK(reference::difference(d.error_norms(), reference::error_norm) < 1e-14);
  CHECK_REFUSED(mts::ValueError, d.gradient_norms(), "sample 0 of 17 has no gradient norm", "call score");
  // Logits whose exponentials overflow.
  TrainingDynamics large(1);
  large.score(ShownModel{}, {}, {(RowMatrix<double>(1, 2) << 1000, 0).finished()}, {{0}, {1}, {}});
  CHECK(large.error_norms()(0, 0) == doctest::Approx(std::sqrt(2.0)));
}

TEST_CASE("dynamics: the same bits for any number of threads; in batches as at once") {
  const DynamicsPool<float> pool(300, 12, 3);
  const auto model = mts::nn::mlp<float>({12, 20, 3});
  const auto theta = model.initialize(mts::RandomStream(3, "model"));
  const auto run = [&](int threads, Index batch) {
    const mts::ThreadLimit limit(threads);
    TrainingDynamics d(300);
    d.score_pool(model, theta, batch, pool.gather());
    return d.gradient_norms();
  };
  const auto one = run(1, 128);
  CHECK((run(2, 128) == one));
  CHECK((run(4, 128) == one));
  CHECK((run(2, 300) - one).cwiseAbs().maxCoeff() < 1e-5);
}

TEST_CASE("dynamics: what is refused leaves no trace") {
  TrainingDynamics d(4);
  const std::vector<Index> ids{0, 1};
  const std::vector<int> labels{0, 1};
  CHECK_REFUSED(mts::ValueError, TrainingDynamics(0), "TrainingDynamics", "at least 1 sample");
  CHECK_REFUSED(mts::ShapeError, d.observe(ids, predicting({0}), labels), "observe: rows of logits",
                "expected 2, found 1");
  CHECK_REFUSED(mts::ShapeError, d.observe(ids, predicting({0, 1}), std::vector<int>{0}), "observe: labels");
  CHECK_REFUSED(mts::ValueError, d.observe(std::vector<Index>{0, 4}, predicting({0, 1}), labels), "id of sample 1",
                "expected 0 to 3, found 4");
  CHECK_REFUSED(mts::ValueError, d.observe(ids, predicting({0, 1}), std::vector<int>{0, 3}), "label of sample 1 (id 1)",
                "expected 0 to 2, found 3");
  auto bad = predicting({0, 1});
  bad(1, 2) = std::nan("");
  CHECK_REFUSED(mts::NumericalError, d.observe(ids, bad, labels), "logit 2 of sample 1 (id 1)", "nan");
  CHECK_REFUSED(mts::NumericalError, d.score(ShownModel{}, {}, {bad}, Samples{ids, labels, {}}), "score: logit 2");
  CHECK_REFUSED(mts::ShapeError, d.score(ShownModel{}, {}, {predicting({0, 1})}, Samples{ids, {}, {}}),
                "score: labels");
  for (Index i = 0; i < 4; ++i) CHECK(d.visits(i) == 0);
  d.score(ShownModel{}, {}, {predicting({0, 1})}, Samples{ids, labels, {}});
  CHECK_REFUSED(mts::ValueError, d.error_norms(), "sample 2 of 4 has no error norm");
  CHECK_REFUSED(mts::ValueError, d.visits(4), "expected 0 to 3, found 4");
  const auto model = mts::nn::mlp<double>({2, 3});
  const auto theta = model.initialize(mts::RandomStream(1, "model"));
  const mts::nn::ClassificationBatch<double> batch{random_rows<double>(2, 2, 1), {0, 1}};
  CHECK_REFUSED(mts::ShapeError, d.score(model, theta, batch, Samples{{0}, {0}, {}}), "score: gradient norms");
  CHECK_REFUSED(mts::ValueError, d.score(model, theta, batch, Samples{{0, 9}, {0, 1}, {}}), "score: id of sample 1");
  CHECK_REFUSED(mts::ValueError, d.score_pool(model, theta, 0, [](auto&&...) {}), "batch size");
}

TEST_CASE("dynamics: records that were saved and loaded go on as those left alone") {
  const DynamicsPool<double> pool(9, 4, 3);
  const auto model = mts::nn::mlp<double>({4, 5, 3});
  const auto go = [&](TrainingDynamics& d, int k) {
    const auto theta = model.initialize({1, "theta", static_cast<std::uint64_t>(k)});
    d.observe(std::vector<Index>{0, 1, 2}, predicting({k % 2, 1, k % 3}), std::vector<int>{0, 1, 2});
    d.score_pool(model, theta, 4, pool.gather());
    std::vector<double> said{static_cast<double>(d.forgotten(0)), static_cast<double>(d.visits(2)),
                             static_cast<double>(d.learned(2))};
    for (const auto& norms : {d.gradient_norms(), d.error_norms()})
      said.insert(said.end(), norms.data(), norms.data() + norms.size());
    return said;
  };
  check_resumes([] { return TrainingDynamics(9); }, go, 3, 4);
  TrainingDynamics d(9);
  go(d, 0);
  check_refuses(d, saved(TrainingDynamics(8)));
}
