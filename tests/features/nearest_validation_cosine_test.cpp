// The k cosines to the nearest validation samples: by hand, against plain loops over awkward sizes, and at the edges.
#include "mts/features/nearest_validation_cosine.hpp"

#include <doctest/doctest.h>

#include "features/support.hpp"

using namespace mts_test;
using mts::features::NearestValidationCosine;

template <class S>
using ShownContext = mts::FeatureContext<Shown<S>, Shown<S>>;
static_assert(mts::FeatureExtractor<NearestValidationCosine, ShownContext<float>>);
static_assert(mts::FeatureExtractor<NearestValidationCosine, ShownContext<double>>);
static_assert(NearestValidationCosine::reads_validation());

namespace {

template <class S>
RowMatrix<double> of(const RowMatrix<S>& train, const RowMatrix<S>& validation, Index k) {
  const Shown<S> t(train), v(validation);
  const Samples none;
  return extracted(NearestValidationCosine(k), context_of(t, v, none, none), train.rows());
}

}  // namespace

TEST_CASE("ten points by hand") {
  const ToyPool toy;
  RowMatrix<double> v(3, 2);
  v << 1, 0, 0, 10, -3, -3;  // directions 0, 90 and 225 degrees
  const auto f = of(toy.e, v, 3);
  const double r = std::sqrt(0.5);
  RowMatrix<double> expected(10, 3);
  expected << 1, 0, -r,    // (2, 0)
      1, 0, -r,            // (0, 4)
      0, 0, 0,             // (0, 0)
      r, r, -1,            // (3, 3)
      r, 0, -1,            // (-5, 0)
      1, 0, -r,            // (0, 1)
      1, 0, -r,            // (0, 2)
      0.8, 0.6, -1.4 * r,  // (3, 4)
      0.8, 0.6, -1.4 * r,  // (4, 3)
      r, 0, -1;            // (0, -1)
  CHECK((f - expected).cwiseAbs().maxCoeff() < 1e-15);
  CHECK(NearestValidationCosine{}.layout().continuous == std::vector<std::string>{"nearest_validation_cosine_1",
                                                                                  "nearest_validation_cosine_2",
                                                                                  "nearest_validation_cosine_3"});
}

TEST_CASE_TEMPLATE("as plain loops say, over awkward sizes, duplicates and zeros among them", S, float, double) {
  const double tolerance = std::same_as<S, float> ? 3e-6 : 1e-14;
  for (const Index n : {1, 3, 63, 64, 65, 130})
    for (const Index m : {1, 2, 64, 65, 200})
      for (const Index e : {1, 3, 255, 256, 257, 513}) {
        if (n * m * e > 3000000) continue;
        RowMatrix<S> a = random_rows<S>(n, e, 1), b = random_rows<S>(m, e, 2);
        a.row(0).setZero();
        b.row(m - 1) = a.row(n - 1);
        std::vector<std::vector<double>> cosines(static_cast<std::size_t>(n));
        for (Index i = 0; i < n; ++i)
          for (Index j = 0; j < m; ++j)
            cosines[static_cast<std::size_t>(i)].push_back(plain_cosine(a.row(i), b.row(j), 1e-6));
        for (const Index k : {1, 3, 70}) {
          const auto f = of(a, b, k);
          double worst = 0;
          for (Index i = 0; i < n; ++i) {
            const auto top = plain_top(cosines[static_cast<std::size_t>(i)], k);
            for (Index r = 0; r < k; ++r) worst = std::max(worst, std::abs(f(i, r) - top[static_cast<std::size_t>(r)]));
          }
          CAPTURE(n);
          CAPTURE(m);
          CAPTURE(e);
          CAPTURE(k);
          CHECK(worst < tolerance);
        }
      }
}

TEST_CASE("lengths below epsilon count as epsilon") {
  RowMatrix<double> a(1, 1), b(1, 1);
  a << 1e-7;
  b << 2;
  CHECK(of(a, b, 1)(0, 0) == doctest::Approx(0.1).epsilon(1e-12));
}

TEST_CASE("scale, rotation and the order of the validation batch change nothing") {
  const auto a = random_rows<double>(70, 5, 3), b = random_rows<double>(90, 5, 4);
  const auto f = of(a, b, 3);
  CHECK((of<double>(3 * a, 0.25 * b, 3) - f).cwiseAbs().maxCoeff() < 1e-14);
  CHECK((of(turned(a), turned(b), 3) - f).cwiseAbs().maxCoeff() < 1e-13);
  CHECK((of<double>(a, b.colwise().reverse(), 3) - f).cwiseAbs().maxCoeff() < 1e-14);
}

TEST_CASE("the same bits for any number of threads") {
  const auto a = random_rows<float>(500, 100, 6), b = random_rows<float>(300, 100, 7);
  RowMatrix<double> one;
  {
    const mts::ThreadLimit limit(1);
    one = of(a, b, 3);
  }
  for (const int threads : {2, 4}) {
    const mts::ThreadLimit limit(threads);
    CHECK((of(a, b, 3) == one));
  }
}

TEST_CASE("what cannot be computed is refused in words") {
  const auto a = random_rows<float>(4, 3, 8);
  CHECK_REFUSED(mts::ShapeError, of<float>(a, RowMatrix<float>(0, 3), 3), "nearest_validation_cosine", "at least 1");
  CHECK_REFUSED(mts::ShapeError, of<float>(a, random_rows<float>(4, 2, 8), 3), "width", "expected 3, found 2");
  RowMatrix<float> bad = a;
  bad(2, 1) = std::numeric_limits<float>::quiet_NaN();
  CHECK_REFUSED(mts::NumericalError, of(bad, a, 3), "nearest_validation_cosine", "embedding of sample 2");
  bad(2, 1) = 1e30f;
  CHECK_REFUSED(mts::NumericalError, of(a, bad, 3), "validation embedding of sample 2");
  CHECK_REFUSED(mts::ValueError, NearestValidationCosine(0), "k must be at least 1");
}
