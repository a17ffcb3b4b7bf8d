// The weights from evidence: against the product of their parts, each part left out, the classes' shares, a planted pool, order, errors.
#include "mts/selection/evidence_weights.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "data/support.hpp"
#include "mts/core/random.hpp"

using namespace mts;

namespace {

/// n samples whose predictions say their label more or less, a tenth of them real; positions at random about `centre`.
EvidenceSamples random_samples(Index n, int classes, double centre, std::uint64_t seed) {
  RandomStream random(seed, "evidence weights");
  EvidenceSamples out{RowMatrix<double>(n, classes), RowMatrix<double>(n, 2), {}};
  for (Index i = 0; i < n; ++i) {
    const auto label = static_cast<Index>(random.below(static_cast<std::uint64_t>(classes)));
    for (Index k = 0; k < classes; ++k) out.probabilities(i, k) = std::exp(random.normal() + (k == label ? 1.5 : 0));
    out.probabilities.row(i) /= out.probabilities.row(i).sum();
    for (Index k = 0; k < 2; ++k) out.position(i, k) = centre + random.normal();
    out.samples.labels.push_back(static_cast<int>(label));
    out.samples.groups.push_back(random.chance(0.1) ? 0 : 1);
  }
  return out;
}

/// The header's product, part by part.
std::vector<double> plain_product(const EvidenceSamples& pool, const EvidenceSamples& validation,
                                  const EvidenceWeightsOptions& options) {
  const Index n = pool.probabilities.rows(), m = validation.probabilities.rows();
  const LabelEvidence evidence(pool.probabilities, pool.samples, options.evidence);
  const SampleVector of_validation = evidence.ratio(validation.probabilities, validation.samples.labels);
  RowMatrix<double> x(n, 3), v(m, 3);
  Index d = 0;
  if (options.use_evidence) {
    x.col(d) = evidence.ratio();
    v.col(d++) = of_validation;
  }
  for (Index k = 0; k < (options.use_position ? 2 : 0); ++k) {
    x.col(d) = pool.position.col(k);
    v.col(d++) = validation.position.col(k);
  }
  std::vector<double> w(static_cast<std::size_t>(n), 1.0);
  if (options.use_ratio) {
    const SampleVector log_ratio =
        log_density_ratio(x.leftCols(d), pool.samples.labels, v.leftCols(d), validation.samples.labels);
    for (Index i = 0; i < n; ++i) w[static_cast<std::size_t>(i)] *= std::exp(log_ratio[i]);
  }
  if (options.use_evidence)
    for (Index i = 0; i < n; ++i) w[static_cast<std::size_t>(i)] *= evidence.right()[i];
  return w;
}

double largest_difference(const SampleVector& found, const std::vector<double>& expected) {
  double worst = 0;
  for (Index i = 0; i < found.size(); ++i)
    worst = std::max(worst, std::abs(found[i] - expected[static_cast<std::size_t>(i)]));
  return worst;
}

}  // namespace

TEST_CASE("evidence_weights: the product of its parts, without any of them too") {
  const auto pool = random_samples(300, 4, 0, 1), validation = random_samples(40, 4, 0.5, 2);
  for (const bool evidence : {true, false})
    for (const bool position : {true, false})
      for (const bool ratio : {true, false}) {
        if (!evidence && !(ratio && position)) continue;
        CAPTURE(evidence);
        CAPTURE(position);
        CAPTURE(ratio);
        EvidenceWeightsOptions options;
        options.use_evidence = evidence;
        options.use_position = position;
        options.use_ratio = ratio;
        options.balance = false;
        auto expected = plain_product(pool, validation, options);
        const double largest = *std::max_element(expected.begin(), expected.end());
        for (double& w : expected) w /= largest;
        const SampleVector found = evidence_weights(pool, validation, options);
        CHECK(largest_difference(found, expected) < 1e-12);
        CHECK(found.maxCoeff() == 1);

        options.balance = true;
        std::vector<double> sums(4, 0), shares(4, 0);
        for (const int c : validation.samples.labels) shares[static_cast<std::size_t>(c)] += 1.0 / 44;
        for (std::size_t i = 0; i < 300; ++i) sums[static_cast<std::size_t>(pool.samples.labels[i])] += expected[i];
        for (std::size_t i = 0; i < 300; ++i) {
          const auto c = static_cast<std::size_t>(pool.samples.labels[i]);
          expected[i] *= (shares[c] + 1.0 / 44) / sums[c];
        }
        const SampleVector balanced = evidence_weights(pool, validation, options);
        CHECK(largest_difference(balanced, expected) < 1e-13);
        CHECK(balanced.sum() == doctest::Approx(1).epsilon(1e-12));
      }
}

TEST_CASE("evidence_weights: the options of the parts reach them") {
  const auto pool = random_samples(200, 3, 0, 3), validation = random_samples(30, 3, 0.5, 4);
  const SampleVector usual = evidence_weights(pool, validation);
  EvidenceWeightsOptions options;
  options.evidence.epsilon = 0.1;
  CHECK((evidence_weights(pool, validation, options) - usual).cwiseAbs().maxCoeff() > 1e-5);
  options = {};
  options.density_ratio.ridge = 20;
  CHECK((evidence_weights(pool, validation, options) - usual).cwiseAbs().maxCoeff() > 1e-5);
}

TEST_CASE("evidence_weights: wrong labels and samples unlike validation weigh little") {
  // Labels of a third of the pool are wrong and shown to be; half of it lies where validation samples do not.
  RandomStream random(7, "planted");
  const Index n = 600, m = 60;
  EvidenceSamples pool{RowMatrix<double>(n, 3), RowMatrix<double>(n, 1), {}}, validation = pool;
  validation.probabilities.resize(m, 3);
  validation.position.resize(m, 1);
  const auto say = [&](RowMatrix<double>& p, Index i, Index shows) {
    for (Index k = 0; k < 3; ++k) p(i, k) = std::exp(0.7 * random.normal() + (k == shows ? 2.5 : 0));
    p.row(i) /= p.row(i).sum();
  };
  for (Index i = 0; i < n; ++i) {
    const bool wrong = i % 3 == 0, away = i % 2 == 0;
    const Index label = i / 6 % 3;
    say(pool.probabilities, i, wrong ? (label + 1) % 3 : label);
    pool.position(i, 0) = (away ? 2 : 0) + 0.5 * random.normal();
    pool.samples.labels.push_back(static_cast<int>(label));
    pool.samples.groups.push_back(1);
  }
  for (Index v = 0; v < m; ++v) {
    say(validation.probabilities, v, v % 3);
    validation.position(v, 0) = 0.5 * random.normal();
    validation.samples.labels.push_back(static_cast<int>(v % 3));
  }
  const SampleVector w = evidence_weights(pool, validation);
  double by_kind[2][2] = {};
  for (Index i = 0; i < n; ++i) by_kind[i % 3 == 0][i % 2 == 0] += w[i];
  // of the whole weight, which is 1, the sixth of the pool that is neither wrong nor away gets most
  CHECK(by_kind[0][0] > 0.8);
  CHECK(by_kind[1][0] < 0.15);
  CHECK(by_kind[0][1] < 0.1);
  CHECK(by_kind[1][1] < 0.02);
}

TEST_CASE("evidence_weights: a class that the pool or validation lacks") {
  auto pool = random_samples(120, 3, 0, 5), validation = random_samples(20, 3, 0, 6);
  for (int& c : pool.samples.labels) c = c == 2 ? 0 : c;
  SampleVector w = evidence_weights(pool, validation);
  CHECK(w.allFinite());
  double expected = 0;
  for (const int c : validation.samples.labels) expected += c == 2 ? 0.0 : 1.0 / 23;
  CHECK(w.sum() == doctest::Approx(expected + 2.0 / 23).epsilon(1e-12));
  pool = random_samples(120, 3, 0, 5);
  for (int& c : validation.samples.labels) c = c == 2 ? 0 : c;
  w = evidence_weights(pool, validation);
  double of_absent = 0;
  for (std::size_t i = 0; i < 120; ++i)
    if (pool.samples.labels[i] == 2) of_absent += w[static_cast<Index>(i)];
  CHECK(of_absent == doctest::Approx(1.0 / 23).epsilon(1e-12));
}

TEST_CASE("evidence_weights: the order of the pool does not matter") {
  const auto pool = random_samples(150, 3, 0, 8), validation = random_samples(30, 3, 0.3, 9);
  const auto order = RandomStream(1, "order").permutation(150);
  EvidenceSamples permuted{pool.probabilities(order, Eigen::all), pool.position(order, Eigen::all), {}};
  for (const Index i : order) {
    permuted.samples.labels.push_back(pool.samples.labels[static_cast<std::size_t>(i)]);
    permuted.samples.groups.push_back(pool.samples.groups[static_cast<std::size_t>(i)]);
  }
  const SampleVector here = evidence_weights(pool, validation), there = evidence_weights(permuted, validation);
  for (Index i = 0; i < 150; ++i)
    CHECK(there[i] == doctest::Approx(here[order[static_cast<std::size_t>(i)]]).epsilon(1e-7));
}

TEST_CASE("evidence_weights: bad input is refused in words") {
  const auto good = random_samples(40, 3, 0, 10), validation = random_samples(12, 3, 0, 11);
  EvidenceWeightsOptions nothing;
  nothing.use_evidence = nothing.use_position = false;
  CHECK_REFUSED(ValueError, evidence_weights(good, validation, nothing), "evidence_weights", "neither");
  nothing.use_position = true;
  nothing.use_ratio = false;
  CHECK_REFUSED(ValueError, evidence_weights(good, validation, nothing), "evidence_weights", "neither");
  CHECK_REFUSED(ValueError, evidence_weights(random_samples(0, 3, 0, 1), validation), "samples", "found 0 and 12");
  CHECK_REFUSED(ValueError, evidence_weights(good, random_samples(0, 3, 0, 1)), "samples", "found 40 and 0");
  CHECK_REFUSED(ShapeError, evidence_weights(good, random_samples(12, 4, 0, 1)), "classes of validation", "3", "4");
  auto bad = good;
  bad.position.resize(39, 2);
  CHECK_REFUSED(ShapeError, evidence_weights(bad, validation), "positions", "40", "39");
  bad = validation;
  bad.position.resize(12, 3);
  CHECK_REFUSED(ShapeError, evidence_weights(good, bad), "columns of validation positions", "2", "3");
  bad = good;
  bad.samples.groups.pop_back();
  CHECK_REFUSED(ShapeError, evidence_weights(bad, validation), "groups", "40", "39");
  bad = good;
  bad.position(7, 1) = std::nan("");
  CHECK_REFUSED(NumericalError, evidence_weights(bad, validation), "sample 7", "nan");
}
