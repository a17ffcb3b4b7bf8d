// Evidence of labels: the mixture's fit against plain loops and against a planted one, the posterior, what a ratio keeps that a
// margin does not, who enters the fit, other samples, order, errors.
#include "mts/selection/label_evidence.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "data/support.hpp"
#include "mts/core/random.hpp"

using namespace mts;
using Matrix = RowMatrix<double>;

namespace {

/// Rows of random probabilities, labels and groups at random; some probabilities are 0.
struct Pool {
  Matrix p;
  Samples samples;
};
Pool random_pool(Index n, int classes, std::uint64_t seed) {
  RandomStream random(seed, "evidence");
  Pool pool{Matrix(n, classes), {}};
  for (Index i = 0; i < n; ++i) {
    for (Index k = 0; k < classes; ++k) pool.p(i, k) = random.chance(0.2) ? 0 : std::exp(2 * random.normal());
    pool.p(i, i % classes) += 0.1;
    pool.p.row(i) /= pool.p.row(i).sum();
    pool.samples.labels.push_back(static_cast<int>(random.below(static_cast<std::uint64_t>(classes))));
    pool.samples.groups.push_back(static_cast<int>(random.below(3)));
  }
  return pool;
}

/// The header's formulas, sample by sample and class by class.
struct PlainMixture {
  std::vector<double> wrong, believed;
  std::vector<std::vector<double>> shown;

  PlainMixture(const Pool& pool, double epsilon, Index iterations, double pooling = 0.5) {
    const Index classes = pool.p.cols();
    std::vector<double> of_fitted;
    for (Index y = 0; y < classes; ++y) {
      double w = 0.5;
      std::vector<double> s(static_cast<std::size_t>(classes), 1.0 / static_cast<double>(classes - 1));
      s[static_cast<std::size_t>(y)] = 0;
      for (Index step = 0; step < iterations; ++step) {
        std::vector<double> sum(s.size(), 0);
        double total = 0, count = 0;
        for (Index i = 0; i < pool.p.rows(); ++i) {
          const auto at = static_cast<std::size_t>(i);
          if (pool.samples.labels[at] != y || pool.samples.groups[at] == 0) continue;
          const auto likelihood = [&](Index k) { return pool.p(i, k) + epsilon; };
          double all = (1 - w) * likelihood(y);
          for (Index k = 0; k < classes; ++k) all += w * s[static_cast<std::size_t>(k)] * likelihood(k);
          for (Index k = 0; k < classes; ++k) {
            const double r = w * s[static_cast<std::size_t>(k)] * likelihood(k) / all;
            sum[static_cast<std::size_t>(k)] += r;
            total += r;
          }
          ++count;
        }
        if (count == 0) break;
        if (step == iterations - 1) of_fitted.push_back(total / count);
        w = total / count;
        for (std::size_t k = 0; k < s.size(); ++k) s[k] = sum[k] / total;
      }
      wrong.push_back(w);
      shown.push_back(s);
    }
    double mean = 0;
    for (const double w : of_fitted) mean += w / static_cast<double>(of_fitted.size());
    for (const double w : wrong) believed.push_back(of_fitted.empty() ? w : (1 - pooling) * w + pooling * mean);
  }
  /// The largest difference of shares and evidence from what the library says.
  double difference(const LabelEvidence& found, const Pool& pool, double epsilon) const {
    double worst = 0;
    const auto differ = [&](double a, double b) {
      worst = std::isfinite(a - b) ? std::max(worst, std::abs(a - b)) : std::numeric_limits<double>::infinity();
    };
    for (std::size_t y = 0; y < wrong.size(); ++y) {
      differ(wrong[y], found.wrong_share()[static_cast<Index>(y)]);
      for (std::size_t k = 0; k < wrong.size(); ++k)
        differ(shown[y][k], found.shown()(static_cast<Index>(y), static_cast<Index>(k)));
    }
    for (Index i = 0; i < pool.p.rows(); ++i) {
      const auto y = static_cast<std::size_t>(pool.samples.labels[static_cast<std::size_t>(i)]);
      const double right = pool.p(i, static_cast<Index>(y)) + epsilon;
      double other = 0;
      for (std::size_t k = 0; k < wrong.size(); ++k)
        other += shown[y][k] * (pool.p(i, static_cast<Index>(k)) + epsilon);
      differ(std::log(right / other), found.ratio()[i]);
      differ((1 - believed[y]) * right / ((1 - believed[y]) * right + believed[y] * other), found.right()[i]);
    }
    return worst;
  }
};

}  // namespace

TEST_CASE("LabelEvidence: shares, shown classes, evidence and posterior are those of plain loops") {
  for (const int classes : {2, 3, 7})
    for (const double epsilon : {1e-3, 0.1})
      for (const Index iterations : {1, 2, 20}) {
        CAPTURE(classes);
        CAPTURE(epsilon);
        CAPTURE(iterations);
        const Pool pool = random_pool(60 * classes, classes, 3);
        const LabelEvidence found(pool.p, pool.samples, {.epsilon = epsilon, .iterations = iterations});
        CHECK(PlainMixture(pool, epsilon, iterations).difference(found, pool, epsilon) < 1e-12);
        for (Index y = 0; y < classes; ++y) {
          CHECK(found.shown()(y, y) == 0);
          CHECK(found.shown().row(y).sum() == doctest::Approx(1).epsilon(1e-14));
        }
      }
  const Pool pool = random_pool(200, 4, 5);
  CHECK(PlainMixture(pool, 1e-3, 20).difference(LabelEvidence(pool.p, pool.samples), pool, 1e-3) < 1e-12);
  for (const double pooling : {0.0, 0.2, 1.0}) {
    CAPTURE(pooling);
    const LabelEvidence found(pool.p, pool.samples, {.pooling = pooling});
    CHECK(PlainMixture(pool, 1e-3, 20, pooling).difference(found, pool, 1e-3) < 1e-12);
  }
}

TEST_CASE("LabelEvidence: the posterior adds the odds of the label to the evidence") {
  const Pool pool = random_pool(100, 3, 8);
  const LabelEvidence found(pool.p, pool.samples, {.pooling = 0});
  for (Index i = 0; i < 100; ++i) {
    const double wrong = found.wrong_share()[pool.samples.labels[static_cast<std::size_t>(i)]];
    const double logit = found.ratio()[i] + std::log((1 - wrong) / wrong);
    CHECK(found.right()[i] == doctest::Approx(1 / (1 + std::exp(-logit))).epsilon(1e-13));
    CHECK(found.right()[i] > 0);
    CHECK(found.right()[i] < 1);
  }
}

TEST_CASE("LabelEvidence: a planted mixture is found again") {
  // Samples x ~ N(centre of the class they show, 1), centres 4 apart, P the true probabilities. Of 4000 samples of a label the share
  // of wrong ones has a standard error of about sqrt(w (1 - w)/4000) = 0.007, that of a class shown among some 800 wrong ones 0.018;
  // five of them, and a tenth for what the classes overlap.
  const int classes = 3;
  const double wrong[] = {0.2, 0.35, 0.1};
  const double shown[3][3] = {{0, 0.8, 0.2}, {0.5, 0, 0.5}, {0.05, 0.95, 0}};
  const double centre[3][2] = {{0, 0}, {4, 0}, {2, 3.5}};
  RandomStream random(11, "planted");
  const Index n = 12000;
  Pool pool{Matrix(n, classes), {}};
  std::vector<bool> truth;
  for (Index i = 0; i < n; ++i) {
    const auto y = static_cast<std::size_t>(i % classes);
    std::size_t shows = y;
    if (random.chance(wrong[y])) {
      double u = random.uniform();
      for (shows = 0; shows < 2 && u >= shown[y][shows]; ++shows) u -= shown[y][shows];
    }
    const double x0 = centre[shows][0] + random.normal(), x1 = centre[shows][1] + random.normal();
    for (std::size_t k = 0; k < 3; ++k)
      pool.p(i, static_cast<Index>(k)) =
          std::exp(-0.5 * (std::pow(x0 - centre[k][0], 2) + std::pow(x1 - centre[k][1], 2)));
    pool.p.row(i) /= pool.p.row(i).sum();
    pool.samples.labels.push_back(static_cast<int>(y));
    pool.samples.groups.push_back(1);
    truth.push_back(shows == y);
  }
  const LabelEvidence found(pool.p, pool.samples, {.epsilon = 1e-9, .iterations = 200, .pooling = 0});
  for (std::size_t y = 0; y < 3; ++y) {
    const auto row = static_cast<Index>(y);
    CAPTURE(y);
    CHECK(std::abs(found.wrong_share()[row] - wrong[y]) < 5.5 * std::sqrt(wrong[y] * (1 - wrong[y]) / 4000));
    for (std::size_t k = 0; k < 3; ++k)
      CHECK(std::abs(found.shown()(row, static_cast<Index>(k)) - shown[y][k]) <=
            5.5 * std::sqrt(shown[y][k] * (1 - shown[y][k]) / (4000 * wrong[y])));
  }
  // The posterior is one: of samples with right in a bin, that share is right.
  for (int bin = 0; bin < 5; ++bin) {
    double count = 0, right = 0, expected = 0, variance = 0;
    for (Index i = 0; i < n; ++i) {
      const double p = found.right()[i];
      if (static_cast<int>(5 * p) != bin) continue;
      ++count;
      right += truth[static_cast<std::size_t>(i)];
      expected += p;
      variance += p * (1 - p);
    }
    CAPTURE(bin);
    REQUIRE(count > 20);
    CHECK(std::abs(right - expected) < 5 * std::sqrt(variance));
  }
}

TEST_CASE("LabelEvidence: a right sample mistaken for an unrelated class keeps its evidence, where a margin does not") {
  // Wrong samples of label 0 show class 1. One right sample is taken for class 2, one wrong one for class 1, equally surely.
  Pool pool{Matrix(102, 3), {}};
  for (Index i = 0; i < 100; ++i) {
    if (i < 60)
      pool.p.row(i) << 0.8, 0.1, 0.1;
    else
      pool.p.row(i) << 0.1, 0.8, 0.1;
  }
  pool.p.row(100) << 0.2, 0.05, 0.75;
  pool.p.row(101) << 0.2, 0.75, 0.05;
  pool.samples.labels.assign(102, 0);
  pool.samples.groups.assign(102, 1);
  const LabelEvidence found(pool.p, pool.samples);
  const auto margin = [&](Index i) { return std::log(pool.p(i, 0)) - std::log(pool.p.row(i).maxCoeff()); };
  CHECK(margin(100) == margin(101));
  CHECK(margin(100) < -1);
  CHECK(found.shown()(0, 1) > 0.9);
  CHECK(found.ratio()[100] > 0);
  CHECK(found.right()[100] > 0.5);
  CHECK(found.ratio()[101] < -1);
  CHECK(found.right()[101] < 0.5);
  CHECK(found.ratio()[100] > found.ratio()[101] + 2);
}

TEST_CASE("LabelEvidence: real samples do not enter the fit, but have evidence") {
  Pool pool = random_pool(150, 3, 6);
  const LabelEvidence with(pool.p, pool.samples);
  Pool synthetic{Matrix(0, 3), {}};
  for (Index i = 0; i < 150; ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (pool.samples.groups[at] == 0) {
      pool.p.row(i) << 0.25, 0.25, 0.5;
      pool.samples.labels[at] = static_cast<int>(i % 3);
      continue;
    }
    synthetic.p.conservativeResize(synthetic.p.rows() + 1, 3);
    synthetic.p.row(synthetic.p.rows() - 1) = pool.p.row(i);
    synthetic.samples.labels.push_back(pool.samples.labels[at]);
    synthetic.samples.groups.push_back(pool.samples.groups[at]);
  }
  REQUIRE(synthetic.p.rows() < 150);
  const LabelEvidence other(pool.p, pool.samples), alone(synthetic.p, synthetic.samples);
  CHECK(with.wrong_share() == other.wrong_share());
  CHECK(with.shown() == other.shown());
  CHECK(with.wrong_share() == alone.wrong_share());
  CHECK(with.shown() == alone.shown());
  CHECK(PlainMixture(pool, 1e-3, 20).difference(other, pool, 1e-3) < 1e-12);
}

TEST_CASE("LabelEvidence: a label without synthetic samples keeps the beginning: half wrong, all others shown alike") {
  Pool pool = random_pool(90, 3, 7);
  for (std::size_t i = 0; i < 90; ++i)
    if (pool.samples.labels[i] == 1) pool.samples.groups[i] = 0;
  const LabelEvidence found(pool.p, pool.samples);
  CHECK(found.wrong_share()[1] == 0.5);
  CHECK(found.shown().row(1) == Eigen::RowVector3d(0.5, 0, 0.5));
  CHECK(found.wrong_share()[0] != 0.5);
  CHECK(PlainMixture(pool, 1e-3, 20).difference(found, pool, 1e-3) < 1e-12);  // the others' mean without its share
  for (Index i = 0; i < 90; ++i)
    if (pool.samples.labels[static_cast<std::size_t>(i)] == 1) {
      const double other = (pool.p(i, 0) + pool.p(i, 2)) / 2 + 1e-3;
      CHECK(found.ratio()[i] == doctest::Approx(std::log((pool.p(i, 1) + 1e-3) / other)).epsilon(1e-12));
    }
  const LabelEvidence none(Matrix(0, 4), Samples{});
  CHECK(none.ratio().size() == 0);
  CHECK(none.right().size() == 0);
  CHECK(none.wrong_share() == SampleVector::Constant(4, 0.5));
  const SampleVector other = none.ratio(Matrix::Identity(4, 4), {0, 1, 2, 3});
  for (Index i = 0; i < 4; ++i) CHECK(other[i] == doctest::Approx(std::log(1.001 / 0.001)).epsilon(1e-12));
}

TEST_CASE("LabelEvidence: no label is beyond doubt, nor is any prediction") {
  for (const bool all_right : {true, false}) {  // sure predictions that always say so
    Pool pool{Matrix::Zero(400, 2), {}};
    pool.p.col(all_right ? 0 : 1).setOnes();
    pool.samples.labels.assign(400, 0);
    pool.samples.groups.assign(400, 1);
    const LabelEvidence found(pool.p, pool.samples, {.epsilon = 1e-3, .iterations = 1000});
    CHECK(found.wrong_share()[0] == doctest::Approx(all_right ? 1e-6 : 1 - 1e-6).epsilon(1e-9));
    CHECK(found.ratio()[0] == doctest::Approx((all_right ? 1 : -1) * std::log(1.001 / 0.001)).epsilon(1e-12));
    CHECK(found.right()[0] > 0);
    CHECK(found.right()[0] < 1);
    CHECK(found.shown().allFinite());
  }
}

TEST_CASE("LabelEvidence: other samples by the same mixture, from any matrix") {
  const Pool pool = random_pool(120, 4, 9), others = random_pool(30, 4, 10);
  const LabelEvidence found(pool.p, pool.samples);
  CHECK(found.ratio(pool.p, pool.samples.labels) == found.ratio());
  const SampleVector ratio = found.ratio(others.p, others.samples.labels);
  for (Index i = 0; i < 30; ++i) {
    const Index y = others.samples.labels[static_cast<std::size_t>(i)];
    double other = 0;
    for (Index k = 0; k < 4; ++k) other += found.shown()(y, k) * (others.p(i, k) + 1e-3);
    CHECK(ratio[i] == doctest::Approx(std::log((others.p(i, y) + 1e-3) / other)).epsilon(1e-12));
  }
  CHECK(found.ratio(others.p.topRows(0), {}).size() == 0);
  const Eigen::MatrixXd by_columns = pool.p;
  CHECK(LabelEvidence(by_columns, pool.samples).ratio() == found.ratio());
  const RowMatrix<float> rounded = pool.p.cast<float>();
  CHECK((LabelEvidence(rounded, pool.samples).ratio() - found.ratio()).cwiseAbs().maxCoeff() < 1e-3);
  CHECK(LabelEvidence(rounded, pool.samples).ratio() ==
        LabelEvidence(Matrix(rounded.cast<double>()), pool.samples).ratio());
}

TEST_CASE("LabelEvidence: the order of the pool does not matter") {
  const Pool pool = random_pool(130, 5, 12);
  const auto order = RandomStream(1, "order").permutation(130);
  Pool permuted{Matrix(130, 5), {}};
  for (Index i = 0; i < 130; ++i) {
    const Index from = order[static_cast<std::size_t>(i)];
    permuted.p.row(i) = pool.p.row(from);
    permuted.samples.labels.push_back(pool.samples.labels[static_cast<std::size_t>(from)]);
    permuted.samples.groups.push_back(pool.samples.groups[static_cast<std::size_t>(from)]);
  }
  const LabelEvidence here(pool.p, pool.samples), there(permuted.p, permuted.samples);
  CHECK((here.wrong_share() - there.wrong_share()).cwiseAbs().maxCoeff() < 1e-13);
  CHECK((here.shown() - there.shown()).cwiseAbs().maxCoeff() < 1e-12);
  for (Index i = 0; i < 130; ++i) {
    CHECK(std::abs(there.ratio()[i] - here.ratio()[order[static_cast<std::size_t>(i)]]) < 1e-12);
    CHECK(std::abs(there.right()[i] - here.right()[order[static_cast<std::size_t>(i)]]) < 1e-12);
  }
}

TEST_CASE("LabelEvidence: bad input is refused in words") {
  const Pool good = random_pool(12, 3, 1);
  const auto with = [&](auto change, LabelEvidenceOptions options = {}) {
    Pool pool = good;
    change(pool);
    return LabelEvidence(pool.p, pool.samples, options);
  };
  const auto nothing = [](Pool&) {};
  CHECK_NOTHROW(with(nothing));
  CHECK_REFUSED(ValueError, with([](Pool& x) { x.samples.labels[4] = 3; }), "LabelEvidence", "label of sample 4",
                "0 to 2", "found 3");
  CHECK_REFUSED(ValueError, with([](Pool& x) { x.samples.labels[5] = -1; }), "label of sample 5", "found -1");
  CHECK_REFUSED(ValueError, with([](Pool& x) { x.p(7, 1) = 1.01; }), "LabelEvidence",
                "probability of class 1 for sample 7", "[0, 1]", "found 1.01");
  CHECK_REFUSED(ValueError, with([](Pool& x) { x.p(7, 2) = -0.25; }), "class 2 for sample 7", "found -0.25");
  CHECK_REFUSED(NumericalError, with([](Pool& x) { x.p(11, 0) = std::nan(""); }), "LabelEvidence",
                "class 0 for sample 11", "finite", "nan");
  CHECK_REFUSED(NumericalError, with([](Pool& x) { x.p(0, 0) = std::numeric_limits<double>::infinity(); }),
                "class 0 for sample 0", "inf");
  CHECK_NOTHROW(with([](Pool& x) { x.p(7, 1) = 1 + 5e-7; }));  // round-off of float
  CHECK_REFUSED(ShapeError, with([](Pool& x) { x.samples.labels.pop_back(); }), "labels", "expected 12, found 11");
  CHECK_REFUSED(ShapeError, with([](Pool& x) { x.samples.groups.push_back(1); }), "groups", "expected 12, found 13");
  CHECK_REFUSED(ValueError, with([](Pool& x) { x.p.conservativeResize(12, 1); }), "at least 2 classes", "found 1");
  CHECK_REFUSED(ValueError, with(nothing, {.epsilon = 0}), "epsilon", "positive", "found 0");
  CHECK_REFUSED(ValueError, with(nothing, {.epsilon = std::nan("")}), "epsilon", "nan");
  CHECK_REFUSED(ValueError, with(nothing, {.epsilon = std::numeric_limits<double>::infinity()}), "epsilon", "inf");
  CHECK_REFUSED(ValueError, with(nothing, {.iterations = 0}), "iterations", "at least 1", "found 0");
  const LabelEvidence fitted(good.p, good.samples);
  CHECK_REFUSED(ShapeError, fitted.ratio(Matrix::Zero(2, 4), {0, 1}), "LabelEvidence", "classes",
                "expected 3, found 4");
  CHECK_REFUSED(ShapeError, fitted.ratio(Matrix::Zero(2, 3), {0}), "labels", "expected 2, found 1");
  CHECK_REFUSED(ValueError, fitted.ratio(Matrix::Zero(2, 3), {0, 3}), "label of sample 1", "found 3");
  CHECK_REFUSED(NumericalError, fitted.ratio(Matrix::Constant(1, 3, std::nan("")), {0}), "class 0 for sample 0");
}
