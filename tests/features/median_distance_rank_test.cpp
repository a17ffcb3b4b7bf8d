// Ranks of distances about the class's median: by hand, against plain loops and plain Python, ties, and at the edges.
#include "mts/features/median_distance_rank.hpp"

#include <doctest/doctest.h>

#include "features/reference.hpp"

using namespace mts_test;
using mts::features::MedianDistanceRank;

static_assert(mts::FeatureExtractor<MedianDistanceRank, mts::FeatureContext<LossesOnly, mts::NoValidation>>);
static_assert(!MedianDistanceRank::reads_validation());

namespace {

std::vector<double> median_ranks(const RowMatrix<double>& e, std::vector<int> labels) {
  const auto t = fitted_table(MedianDistanceRank{}, e, Samples{{}, std::move(labels), {}});
  return {t.data(), t.data() + t.size()};
}
RowMatrix<double> on_a_line(std::vector<double> x) {
  return Eigen::Map<const RowMatrix<double>>(x.data(), static_cast<Index>(x.size()), 1);
}

}  // namespace

TEST_CASE("median distance: by hand; the lower median, equal values share the mean of their ranks") {
  // Mean 0, distances 1 2 3 6, lower median 2; |d - 2| = 1 0 1 4.
  CHECK(median_ranks(on_a_line({1, 2, 3, -6}), {0, 0, 0, 0}) == std::vector<double>{0.5, 0, 0.5, 1});
  // The upper median, 3, would give 2 1 0 3.
  // Mean 1, distances 1 1 0 (lower and upper median 1); |d - 1| = 0 0 1.
  CHECK(median_ranks(on_a_line({0, 2, 1}), {4, 4, 4}) == std::vector<double>{0.25, 0.25, 1});
  // Two classes in turn do not see one another; one sample alone has 0.
  CHECK(median_ranks(on_a_line({1, 7, 2, 50, 3, -6}), {0, 1, 0, 2, 0, 0}) == std::vector<double>{0.5, 0, 0, 0, 0.5, 1});
  // Two samples are equally far from their mean, whatever round-off says.
  CHECK(median_ranks(random_rows<double>(2, 7, 1), {0, 0}) == std::vector<double>(2, 0.5));
  CHECK(median_ranks(random_rows<double>(2, 40, 2), {0, 0}) == std::vector<double>(2, 0.5));
  // A class of equal samples.
  CHECK(median_ranks(RowMatrix<double>::Constant(4, 3, 0.3), {0, 0, 0, 0}) == std::vector<double>(4, 0.5));
}

TEST_CASE("median distance: duplicates have the same bits wherever they lie") {
  auto x = random_rows<float>(700, 37, 2);
  for (const Index i : {3, 64, 255, 256, 699}) x.row(i) = x.row(0);
  Samples pool{{}, std::vector<int>(700, 0), {}};
  const auto f = fitted_table(MedianDistanceRank{}, x, pool);
  for (const Index i : {3, 64, 255, 256, 699}) CHECK(f(i, 0) == f(0, 0));
}

TEST_CASE_TEMPLATE("median distance: as plain loops and plain Python say", S, float, double) {
  const auto f = fitted_table(MedianDistanceRank{}, reference::embeddings<S>(), reference::pool_samples());
  CHECK(reference::difference(f, reference::median_distance_rank) < 1e-15);
  for (const Index n : {31, 90, 301})
    for (const int classes : {1, 3}) {
      const auto x = random_rows<S>(n, 7, 1);
      const Samples pool = random_pool(n, classes, 3);
      const auto found = fitted_table(MedianDistanceRank{}, x, pool);
      int wrong = 0;
      for (int c = 0; c < classes; ++c) {
        std::vector<Index> own;
        for (Index i = 0; i < n; ++i)
          if (pool.labels[static_cast<std::size_t>(i)] == c) own.push_back(i);
        std::vector<double> d;
        for (const Index i : own) {
          double sum = 0;
          for (Index k = 0; k < 7; ++k) {
            double mean = 0;
            for (const Index j : own) mean += static_cast<double>(x(j, k));
            mean /= static_cast<double>(own.size());
            sum += (static_cast<double>(x(i, k)) - mean) * (static_cast<double>(x(i, k)) - mean);
          }
          d.push_back(std::sqrt(sum));
        }
        auto sorted = d;
        std::sort(sorted.begin(), sorted.end());
        const double median = sorted[(sorted.size() - 1) / 2];
        for (std::size_t r = 0; r < own.size(); ++r) {
          double below = 0;
          for (const double other : d) below += std::abs(other - median) < std::abs(d[r] - median);
          wrong += std::abs(found(own[r], 0) - below / static_cast<double>(own.size() - 1)) > 1e-12;
        }
      }
      CHECK(wrong == 0);
    }
}

TEST_CASE("median distance: order, rotation, threads") {
  const MedianDistanceRank f;
  const Samples pool = random_pool(400, 3, 4);
  CHECK(change_by_permutation(f, random_rows<double>(400, 6, 3), pool) < 1e-13);
  CHECK(change_by_rotation(f, random_rows<double>(400, 6, 3), pool) < 1e-13);
  CHECK(same_bits(f, random_rows<float>(1200, 70, 3), random_pool(1200, 3, 4)));
}

TEST_CASE("median distance: what is refused") {
  CHECK_REFUSED(mts::ShapeError, median_ranks(on_a_line({1, 2}), {0}), "median_distance_rank", "labels of the pool");
  CHECK_REFUSED(mts::ValueError, median_ranks(on_a_line({1, 2}), {0, -1}), "label of sample 1", "found -1");
  CHECK_REFUSED(mts::NumericalError, median_ranks(on_a_line({1, std::nan("")}), {0, 0}), "median_distance_rank",
                "embedding of sample 1");
  CHECK_REFUSED(mts::NumericalError, median_ranks(on_a_line({1e200, -1e200, 0}), {0, 0, 0}), "median_distance_rank",
                "sample 0");  // a distance whose square is no number
}
