// The cosine to the validation centre: by hand, against plain loops, and at the edges.
#include "mts/features/validation_centre_cosine.hpp"

#include <doctest/doctest.h>

#include "features/support.hpp"

using namespace mts_test;
using mts::features::ValidationCentreCosine;

static_assert(mts::FeatureExtractor<ValidationCentreCosine, mts::FeatureContext<Shown<float>, Shown<float>>>);
static_assert(ValidationCentreCosine::reads_validation());

namespace {

template <class S>
RowMatrix<double> of(const RowMatrix<S>& train, const RowMatrix<S>& validation) {
  const Shown<S> t(train), v(validation);
  const Samples none;
  return extracted(ValidationCentreCosine{}, context_of(t, v, none, none), train.rows());
}

}  // namespace

TEST_CASE("ten points by hand: the mean is of unnormalised embeddings") {
  const ToyPool toy;
  RowMatrix<double> v(2, 2);
  v << 6, 0, 0, 8;  // mean (3, 4), direction (0.6, 0.8)
  const auto f = of(toy.e, v);
  const double r = std::sqrt(0.5);
  Eigen::VectorXd expected(10);
  expected << 0.6, 0.8, 0, 1.4 * r, -0.6, 0.8, 0.8, 1, 0.96, -0.8;
  CHECK((f.col(0) - expected).cwiseAbs().maxCoeff() < 1e-15);
}

TEST_CASE_TEMPLATE("as plain loops say, over awkward sizes", S, float, double) {
  for (const Index n : {1, 63, 64, 65, 200})
    for (const Index m : {1, 2, 65})
      for (const Index e : {1, 3, 128}) {
        RowMatrix<S> a = random_rows<S>(n, e, 1), b = random_rows<S>(m, e, 2);
        a.row(n / 2).setZero();
        std::vector<double> centre(static_cast<std::size_t>(e));
        for (Index d = 0; d < e; ++d)
          for (Index j = 0; j < m; ++j)
            centre[static_cast<std::size_t>(d)] += static_cast<double>(b(j, d)) / static_cast<double>(m);
        const Eigen::Map<const Eigen::RowVectorXd> c(centre.data(), e);
        const auto f = of(a, b);
        double worst = 0;
        for (Index i = 0; i < n; ++i) worst = std::max(worst, std::abs(f(i, 0) - plain_cosine(a.row(i), c, 1e-6)));
        CHECK(worst < 1e-13);
      }
}

TEST_CASE("a centre of zero has cosine 0 to everything; one thread and four give the same bits") {
  RowMatrix<double> v(2, 2);
  v << 1, 1, -1, -1;
  CHECK(of(random_rows<double>(5, 2, 3), v).isZero(0));
  const auto a = random_rows<float>(500, 100, 6), b = random_rows<float>(300, 100, 7);
  RowMatrix<double> one;
  {
    const mts::ThreadLimit limit(1);
    one = of(a, b);
  }
  const mts::ThreadLimit limit(4);
  CHECK((of(a, b) == one));
}

TEST_CASE("an empty validation batch and widths that differ are refused in words") {
  const auto a = random_rows<float>(4, 3, 8);
  CHECK_REFUSED(mts::ShapeError, of<float>(a, RowMatrix<float>(0, 3)), "validation_centre_cosine", "at least 1");
  CHECK_REFUSED(mts::ShapeError, of<float>(a, random_rows<float>(4, 2, 8)), "width", "expected 3, found 2");
}
