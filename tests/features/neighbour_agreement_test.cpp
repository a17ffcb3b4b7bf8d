// Agreement with the nearest neighbours of the whole pool: by hand, against plain loops and plain Python, ties, and
// at the edges.
#include "mts/features/neighbour_agreement.hpp"

#include <doctest/doctest.h>

#include <numeric>

#include "features/reference.hpp"

using namespace mts_test;
using mts::features::NeighbourAgreement;

static_assert(mts::FeatureExtractor<NeighbourAgreement, mts::FeatureContext<LossesOnly, mts::NoValidation>>);
static_assert(!NeighbourAgreement::reads_validation());

namespace {

RowMatrix<double> agreement_of(const RowMatrix<double>& e, std::vector<int> labels, Index k) {
  return fitted_table(NeighbourAgreement{k}, e, Samples{{}, std::move(labels), {}});
}
RowMatrix<double> rows_2d(std::initializer_list<double> values) {
  RowMatrix<double> e(static_cast<Index>(values.size()) / 2, 2);
  std::copy(values.begin(), values.end(), e.data());
  return e;
}

}  // namespace

TEST_CASE("agreement: by hand; negative cosines count nothing, and where none is positive all count the same") {
  // (1, 0) has the cosines 0.8, 0.6, -1 to the others.
  const auto e = rows_2d({1, 0, 4, 3, 3, 4, -2, 0});
  CHECK(agreement_of(e, {0, 0, 1, 1}, 3)(0, 0) == doctest::Approx(0.8 / 1.4).epsilon(1e-15));
  CHECK(agreement_of(e, {0, 1, 1, 0}, 3)(0, 0) == 0);  // only the one at -1 agrees
  CHECK(agreement_of(e, {0, 1, 0, 0}, 1)(0, 0) == 0);
  CHECK(agreement_of(e, {0, 1, 0, 0}, 2)(0, 0) == doctest::Approx(0.6 / 1.4).epsilon(1e-15));
  // (-2, 0) has the cosines -1, -0.8, -0.6: one of three agrees. The signed weights of the reference would give -0.6/-2.4.
  CHECK(agreement_of(e, {0, 1, 2, 2}, 3)(3, 0) == doctest::Approx(1.0 / 3).epsilon(1e-15));
  // A zero vector is as near to all: the first two count.
  const auto zero = rows_2d({1, 0, 0, 1, 1, 1, 0, 0});
  CHECK(agreement_of(zero, {1, 0, 1, 1}, 2)(3, 0) == 0.5);
  CHECK(agreement_of(zero, {0, 0, 1, 1}, 2)(3, 0) == 0);
}

TEST_CASE("agreement: of equally near samples the first in the pool counts") {
  // Three copies of one embedding, across the borders of tiles too.
  for (const Index n : {4, 64, 65, 1030}) {
    RowMatrix<double> e = RowMatrix<double>::Zero(n, 2);
    for (Index i = 0; i < n; ++i) e.row(i) << 0, 1;
    e.row(0) << 1, 0.25;
    e.row(n - 2) << 1, 0.25;
    e.row(n - 1) << 2, 0.5;
    std::vector<int> labels(static_cast<std::size_t>(n), 0);
    labels[static_cast<std::size_t>(n - 2)] = 1;
    labels[static_cast<std::size_t>(n - 1)] = 1;
    CAPTURE(n);
    CHECK(agreement_of(e, labels, 1)(n - 2, 0) == 0);  // 0 comes before n - 1
    CHECK(agreement_of(e, labels, 1)(n - 1, 0) == 0);  // and before n - 2
    labels[0] = 1;
    CHECK(agreement_of(e, labels, 1)(n - 1, 0) == 1);
    labels[static_cast<std::size_t>(n - 2)] = 0;
    CHECK(agreement_of(e, labels, 1)(0, 0) == 0);  // n - 2 comes before n - 1
  }
}

TEST_CASE_TEMPLATE("agreement: as plain loops and plain Python say", S, float, double) {
  const double tolerance = std::same_as<S, float> ? 1e-5 : 1e-13;
  const auto f = fitted_table(NeighbourAgreement{}, reference::embeddings<S>(), reference::pool_samples());
  CHECK(reference::difference(f, reference::neighbour_agreement) < tolerance);
  for (const Index n : {2, 6, 65, 300})
    for (const Index width : {3, 40})
      for (const Index k : {1, 5, 9}) {
        const auto x = random_rows<S>(n, width, 1);
        Samples pool;
        for (Index i = 0; i < n; ++i) pool.labels.push_back(static_cast<int>((i * i) % 3));
        const auto found = fitted_table(NeighbourAgreement{k}, x, pool);
        double worst = 0;
        for (Index i = 0; i < n; ++i) {
          std::vector<std::pair<double, Index>> all;
          for (Index j = 0; j < n; ++j)
            if (j != i) all.emplace_back(-plain_cosine(x.row(i), x.row(j), 1e-12), j);
          std::sort(all.begin(), all.end());
          all.resize(static_cast<std::size_t>(std::min(k, n - 1)));
          double same = 0, sum = 0, count = 0;
          for (const auto& [c, j] : all) {
            const bool agrees = pool.labels[static_cast<std::size_t>(j)] == pool.labels[static_cast<std::size_t>(i)];
            sum += std::max(-c, 0.0);
            same += agrees ? std::max(-c, 0.0) : 0;
            count += agrees;
          }
          const double expected = sum > 0 ? same / sum : count / static_cast<double>(all.size());
          worst = std::max(worst, std::abs(found(i, 0) - expected));
        }
        CAPTURE(n);
        CAPTURE(k);
        CHECK(worst < tolerance);
      }
}

TEST_CASE("agreement: order, rotation, threads, values in [0, 1]") {
  const NeighbourAgreement f;
  const Samples pool = random_pool(400, 3, 4);
  const auto x = random_rows<double>(400, 6, 3);
  CHECK(change_by_permutation(f, x, pool) < 1e-12);
  CHECK(change_by_rotation(f, x, pool) < 1e-11);
  const auto y = random_rows<float>(1500, 20, 3);
  const Samples large = random_pool(1500, 3, 4);
  CHECK(same_bits(f, y, large));
  const auto table = fitted_table(f, y, large);
  CHECK(table.minCoeff() >= 0);
  CHECK(table.maxCoeff() <= 1 + 1e-15);
  CHECK(table.maxCoeff() > table.minCoeff());
}

TEST_CASE("agreement: edges; one class, one sample, all the same, and what is refused") {
  const auto x = random_rows<double>(20, 4, 3);
  CHECK((agreement_of(x, std::vector<int>(20, 3), 5).array() - 1).abs().maxCoeff() < 1e-15);
  CHECK(agreement_of(x.topRows(1), {0}, 5)(0, 0) == 0);
  CHECK(agreement_of(x.topRows(2), {0, 0}, 5)(0, 0) == 1);
  CHECK(agreement_of(x.topRows(2), {0, 1}, 5)(0, 0) == 0);
  std::vector<int> mixed(10, 0);
  std::iota(mixed.begin() + 5, mixed.end(), 1);
  CHECK(agreement_of(RowMatrix<double>::Ones(10, 3), mixed, 5)(9, 0) == 0);  // 0 to 4 come first
  CHECK(agreement_of(RowMatrix<double>::Ones(10, 3), mixed, 5)(0, 0) ==
        doctest::Approx(0.8));  // 1 to 4 agree, 5 does not
  CHECK_REFUSED(mts::ValueError, NeighbourAgreement(0), "neighbour_agreement", "k must be at least 1");
  CHECK_REFUSED(mts::ShapeError, agreement_of(x, {0, 1}, 5), "neighbour_agreement", "labels of the pool",
                "expected 20, found 2");
  auto bad = x;
  bad(6, 2) = std::nan("");
  CHECK_REFUSED(mts::NumericalError, agreement_of(bad, std::vector<int>(20, 0), 5), "neighbour_agreement",
                "embedding of sample 6", "NaN");
}
