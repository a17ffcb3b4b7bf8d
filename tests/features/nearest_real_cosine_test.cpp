// The cosines to the nearest real samples of the class: by hand, against plain loops, and at the edges.
#include "mts/features/nearest_real_cosine.hpp"

#include <doctest/doctest.h>

#include "features/support.hpp"

using namespace mts_test;
using mts::features::NearestRealCosine;

static_assert(mts::FeatureExtractor<NearestRealCosine, mts::FeatureContext<LossesOnly, mts::NoValidation>>);
static_assert(!NearestRealCosine::reads_validation());

namespace {

template <class S>
RowMatrix<double> fitted(const RowMatrix<S>& e, const Samples& pool, Index k) {
  NearestRealCosine f(k);
  f.fit(e, pool);
  return f.table().values();
}

}  // namespace

TEST_CASE("ten points by hand: self excluded where real, the smallest repeated where there are too few") {
  const ToyPool toy;
  const double r = std::sqrt(0.5);
  RowMatrix<double> expected(10, 3);
  expected << 0, 0, 0,  // (2, 0) to (0, 4) and (0, 0)
      0, 0, 0,          // (0, 4) to (2, 0) and (0, 0)
      0, 0, 0,          // (0, 0)
      r, r, 0,          // (3, 3) to (2, 0), (0, 4), (0, 0)
      0, 0, -1,         // (-5, 0)
      1, 1, 1,          // (0, 1) to (0, 2) alone
      1, 1, 1,          // (0, 2) to (0, 1) alone
      0.8, 0.8, 0.8,    // (3, 4) to (0, 1), (0, 2)
      0.6, 0.6, 0.6,    // (4, 3)
      -1, -1, -1;       // (0, -1)
  CHECK((fitted(toy.e, toy.samples, 3) - expected).cwiseAbs().maxCoeff() < 1e-15);
}

TEST_CASE_TEMPLATE("as plain loops say, over awkward sizes and duplicates", S, float, double) {
  const double tolerance = std::same_as<S, float> ? 3e-6 : 1e-14;
  for (const Index n : {8, 63, 65, 300})
    for (const int classes : {1, 4})
      for (const Index e : {1, 3, 257}) {
        RowMatrix<S> x = random_rows<S>(n, e, 1);
        x.row(n - 1) = x.row(0);
        x.row(n / 2).setZero();
        const Samples pool = random_pool(n, classes, 2);
        std::vector<std::vector<double>> cosines(static_cast<std::size_t>(n));
        for (Index i = 0; i < n; ++i)
          for (Index j = 0; j < n; ++j)
            if (j != i && pool.groups[static_cast<std::size_t>(j)] == 0 &&
                pool.labels[static_cast<std::size_t>(j)] == pool.labels[static_cast<std::size_t>(i)])
              cosines[static_cast<std::size_t>(i)].push_back(plain_cosine(x.row(i), x.row(j), 1e-12));
        for (const Index k : {1, 3, 5}) {
          const auto f = fitted(x, pool, k);
          double worst = 0;
          for (Index i = 0; i < n; ++i) {
            const auto top = plain_top(cosines[static_cast<std::size_t>(i)], k);
            for (Index r = 0; r < k; ++r) worst = std::max(worst, std::abs(f(i, r) - top[static_cast<std::size_t>(r)]));
          }
          CAPTURE(n);
          CAPTURE(e);
          CAPTURE(k);
          CHECK(worst < tolerance);
        }
      }
}

TEST_CASE("permuting the pool permutes the rows; rotating and scaling the embedding changes nothing") {
  const Index n = 150;
  const auto x = random_rows<double>(n, 6, 3);
  const Samples pool = random_pool(n, 3, 4);
  const auto f = fitted(x, pool, 3);
  const auto order = mts::RandomStream(5, "order").permutation(n);
  RowMatrix<double> y(n, 6);
  Samples permuted = pool;
  for (std::size_t i = 0; i < order.size(); ++i) {
    y.row(static_cast<Index>(i)) = x.row(order[i]);
    permuted.labels[i] = pool.labels[static_cast<std::size_t>(order[i])];
    permuted.groups[i] = pool.groups[static_cast<std::size_t>(order[i])];
  }
  const auto g = fitted(y, permuted, 3);
  for (std::size_t i = 0; i < order.size(); ++i)
    CHECK((g.row(static_cast<Index>(i)) - f.row(order[i])).cwiseAbs().maxCoeff() < 1e-14);
  CHECK((fitted<double>(1e-4 * turned(x), pool, 3) - f).cwiseAbs().maxCoeff() < 1e-13);
}

TEST_CASE("the same bits for any number of threads; a view without copies gives those of the matrix") {
  const auto x = random_rows<float>(700, 90, 7);
  const Samples pool = random_pool(700, 2, 8);
  RowMatrix<double> one;
  {
    const mts::ThreadLimit limit(1);
    one = fitted(x, pool, 3);
  }
  for (const int threads : {2, 4}) {
    const mts::ThreadLimit limit(threads);
    CHECK((fitted(x, pool, 3) == one));
  }
  NearestRealCosine f(3);
  f.fit(mts::rows_of(x), pool);
  CHECK((f.table().values() == one));
  f.fit(Eigen::MatrixXf(x), pool);  // column-major
  CHECK((f.table().values() == one));
}

TEST_CASE("a sample without a real one to be compared with is refused in words") {
  ToyPool toy;
  toy.samples.groups[5] = 1;
  CHECK_REFUSED(mts::ValueError, fitted(toy.e, toy.samples, 3), "nearest_real_cosine", "sample 6",
                "only real one of class 1");
  toy.samples.groups[6] = 1;
  CHECK_REFUSED(mts::ValueError, fitted(toy.e, toy.samples, 3), "class 1 has 5 samples, but no real one");
  CHECK_REFUSED(mts::ValueError, NearestRealCosine(0), "k must be at least 1");
  CHECK_REFUSED(mts::NumericalError, fitted<float>(random_rows<float>(10, 2, 1) * 1e25f, ToyPool().samples, 3),
                "embedding of sample 0", "length");
}
