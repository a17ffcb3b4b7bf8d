// The margin between real samples of one's own class and of others: by hand, against plain loops and plain Python,
// and at the edges.
#include "mts/features/real_margin.hpp"

#include <doctest/doctest.h>

#include "features/reference.hpp"

using namespace mts_test;
using mts::features::RealMargin;

static_assert(mts::FeatureExtractor<RealMargin, mts::FeatureContext<LossesOnly, mts::NoValidation>>);
static_assert(!RealMargin::reads_validation());

TEST_CASE(
    "real margin: ten points by hand; of fewer than k the mean of those there are, a sample is not its own neighbour") {
  const ToyPool toy;
  const double r = std::sqrt(0.5);
  const auto f = fitted_table(RealMargin{3}, toy.e, toy.samples);
  Eigen::VectorXd expected(10);
  expected << 0 - 0.0,  // (2, 0): own (0, 4) (0, 0): 0, 0; other (0, 1) (0, 2): 0, 0
      0 - 1.0,          // (0, 4): own 0, 0; other 1, 1
      0,                // (0, 0)
      2 * r / 3 - r,    // (3, 3): own r, r, 0; other r, r
      -1.0 / 3 - 0,     // (-5, 0): own -1, 0, 0; other 0, 0
      1 - 1.0 / 3,      // (0, 1): own (0, 2) alone; other 0, 1, 0
      1 - 1.0 / 3,      // (0, 2)
      0.8 - 1.4 / 3,    // (3, 4): own 0.8, 0.8; other 0.6, 0.8, 0
      0.6 - 1.4 / 3,    // (4, 3)
      -1 - (-1.0 / 3);  // (0, -1): own -1, -1; other 0, -1, 0
  CHECK((f.col(0) - expected).cwiseAbs().maxCoeff() < 1e-15);
}

TEST_CASE_TEMPLATE("real margin: as plain loops and plain Python say", S, float, double) {
  const double tolerance = std::same_as<S, float> ? 3e-6 : 1e-14;
  const auto f = fitted_table(RealMargin{3}, reference::embeddings<S>(), reference::pool_samples());
  CHECK(reference::difference(f, reference::real_margin) < tolerance);
  for (const Index n : {20, 65, 1100})
    for (const Index width : {3, 40})
      for (const Index k : {1, 4}) {
        const auto x = random_rows<S>(n, width, 1);
        const Samples pool = random_pool(n, 4, 2);
        const auto found = fitted_table(RealMargin{k}, x, pool);
        double worst = 0;
        for (Index i = 0; i<n; i += n> 500 ? 37 : 1) {
          std::vector<double> own, other;
          for (Index j = 0; j < n; ++j)
            if (j != i && pool.groups[static_cast<std::size_t>(j)] == 0)
              (pool.labels[static_cast<std::size_t>(j)] == pool.labels[static_cast<std::size_t>(i)] ? own : other)
                  .push_back(plain_cosine(x.row(i), x.row(j), 1e-12));
          const auto mean = [&](std::vector<double> v) {
            std::sort(v.begin(), v.end(), std::greater<>());
            v.resize(std::min(v.size(), static_cast<std::size_t>(k)));
            double sum = 0;
            for (const double c : v) sum += c;
            return sum / static_cast<double>(v.size());
          };
          worst = std::max(worst, std::abs(found(i, 0) - (mean(own) - mean(other))));
        }
        CAPTURE(n);
        CAPTURE(k);
        CHECK(worst < tolerance);
      }
}

TEST_CASE("real margin: a sample that lies among another class has a negative one; order, rotation, threads") {
  RowMatrix<double> e(6, 2);
  e << 1, 0, 1, 0.1, 0, 1, 0.1, 1, 0.2, 1, 1, 0.2;  // the last two are synthetic, the first of them mislabelled
  const Samples planted{{}, {0, 0, 1, 1, 0, 0}, {0, 0, 0, 0, 1, 1}};
  const auto f = fitted_table(RealMargin{2}, e, planted);
  CHECK(f(4, 0) < -0.5);
  CHECK(f(5, 0) > 0.5);
  const Samples pool = random_pool(300, 3, 4);
  CHECK(change_by_permutation(RealMargin{}, random_rows<double>(300, 6, 3), pool) < 1e-13);
  CHECK(change_by_rotation(RealMargin{}, random_rows<double>(300, 6, 3), pool) < 1e-12);
  CHECK(same_bits(RealMargin{}, random_rows<float>(1500, 30, 3), random_pool(1500, 3, 4)));
}

TEST_CASE("real margin: refused in words where one of the two kinds is missing") {
  const auto of = [](const Samples& pool) { fitted_table(RealMargin{}, ToyPool().e, pool); };
  Samples pool = ToyPool().samples;
  pool.labels.assign(10, 0);
  CHECK_REFUSED(mts::ValueError, of(pool), "real_margin: fit: sample 0 of class 0", "found 4 and 0");
  pool = ToyPool().samples;
  pool.groups[5] = 1;
  CHECK_REFUSED(mts::ValueError, of(pool), "sample 6 of class 1", "found 0 and 3");
  pool.groups.assign(10, 1);
  CHECK_REFUSED(mts::ValueError, of(pool), "sample 0 of class 0", "found 0 and 0");
  CHECK_REFUSED(mts::ValueError, RealMargin(0), "real_margin", "k must be at least 1");
  CHECK_REFUSED(mts::NumericalError,
                fitted_table(RealMargin{}, random_rows<float>(10, 2, 1) * 1e25f, ToyPool().samples), "real_margin",
                "embedding of sample 0", "length");
}
