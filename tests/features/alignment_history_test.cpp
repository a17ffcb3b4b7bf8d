// Alignments recorded: statistics by hand and against plain Python, shared by copies, and what is refused.
#include "mts/features/alignment_history.hpp"

#include <doctest/doctest.h>

#include "features/reference.hpp"
#include "mts/features/batch_z_score.hpp"
#include "mts/features/compose.hpp"
#include "support/state.hpp"

using namespace mts_test;
using namespace mts::features;

static_assert(mts::FeatureExtractor<AlignmentHistory, mts::FeatureContext<LossesOnly, mts::NoValidation>>);
static_assert(!AlignmentHistory::reads_validation() && AlignmentHistory::by_rows());

namespace {

const std::vector<AlignmentStatistic> all_statistics{AlignmentStatistic::mean, AlignmentStatistic::standard_error,
                                                     AlignmentStatistic::shrunk_mean, AlignmentStatistic::count};
RowMatrix<double> one_row(std::initializer_list<double> values) {
  RowMatrix<double> m(1, static_cast<Index>(values.size()));
  std::copy(values.begin(), values.end(), m.data());
  return m;
}

}  // namespace

TEST_CASE("alignments: nothing at first, then by hand; a repeat in a batch counts twice") {
  AlignmentHistory h(3, {.prior_count = 2, .columns = all_statistics});
  CHECK(looked_up(h, {0, 1, 2}).isZero(0));
  h.observe(std::vector<Index>{1, 2}, std::vector<double>{4, -1});
  CHECK((looked_up(h, {1}) - one_row({4, 0, 4.0 / 3, 1})).cwiseAbs().maxCoeff() < 1e-15);
  h.observe(std::vector<Index>{1, 1}, mts::SampleVector(Eigen::Vector2d(1, -2)));
  // 4, 1, -2: mean 1, variance 9, standard error sqrt 3.
  CHECK((looked_up(h, {1}) - one_row({1, std::sqrt(3.0), 0.6, 3})).cwiseAbs().maxCoeff() < 1e-14);
  CHECK(looked_up(h, {0}).isZero(0));
  CHECK(looked_up(h, {2})(0, 0) == -1);
  h.clear();
  CHECK(looked_up(h, {0, 1, 2}).isZero(0));
  CHECK(h.layout().continuous == std::vector<std::string>{"alignment_mean", "alignment_standard_error",
                                                          "alignment_shrunk_mean", "alignment_count"});
  CHECK(AlignmentHistory(1).layout().continuous ==
        std::vector<std::string>{"alignment_shrunk_mean", "alignment_standard_error"});
}

TEST_CASE("alignments: as plain Python says, from the weights each has at the end") {
  AlignmentHistory full(1, {.prior_count = 10, .columns = all_statistics});
  AlignmentHistory exponential(1, {.rate = 0.25, .prior_count = 4, .columns = all_statistics});
  for (const double a : reference::alignments) {
    full.observe(std::vector<Index>{0}, std::vector<double>{a});
    exponential.observe(std::vector<Index>{0}, std::vector<double>{a});
  }
  CHECK(reference::difference(looked_up(full, {0}), reference::alignment_full) < 1e-14);
  CHECK(reference::difference(looked_up(exponential, {0}), reference::alignment_exponential) < 1e-14);
}

TEST_CASE("alignments: the standard error is that of the mean; an exponential mean follows, a full one does not") {
  const Index n = 2000;
  for (const double rate : {0.0, 0.1}) {
    AlignmentHistory h(n, {.rate = rate, .columns = all_statistics});
    mts::RandomStream random(4, "alignments");
    std::vector<Index> ids;
    for (Index i = 0; i < n; ++i) ids.push_back(i);
    for (int step = 0; step < 200; ++step) {
      mts::SampleVector a(n);
      for (Index i = 0; i < n; ++i) a[i] = 0.5 + random.normal();
      h.observe(ids, a);
    }
    const auto t = looked_up(h, ids);
    const double mean = t.col(0).mean();
    const double spread = std::sqrt((t.col(0).array() - mean).square().mean());
    const double said = std::sqrt(t.col(1).array().square().mean());
    CHECK(std::abs(mean - 0.5) < 5 * spread / std::sqrt(static_cast<double>(n)));
    CHECK(said == doctest::Approx(spread).epsilon(0.06));
    CHECK(spread == doctest::Approx(rate == 0 ? std::sqrt(1 / 200.0) : std::sqrt(0.1 / 1.9)).epsilon(0.06));
    for (int step = 0; step < 100; ++step) h.observe(ids, mts::SampleVector(mts::SampleVector::Constant(n, -1)));
    const double later = looked_up(h, ids).col(0).mean();
    CHECK((rate == 0 ? std::abs(later) < 0.01 : later < -0.99));
  }
}

TEST_CASE("alignments: copies share one record, in a composition too; a constant shift moves the mean alone") {
  AlignmentHistory h(2, {.columns = all_statistics}), shifted(2, {.columns = all_statistics});
  const auto features = compose(BatchZScore{h}, h);
  CHECK(features.dimension() == 8);
  for (const double a : {1.0, 2.0, 4.0}) {
    h.observe(std::vector<Index>{1}, std::vector<double>{a});
    shifted.observe(std::vector<Index>{1}, std::vector<double>{a + 100});
  }
  CHECK(looked_up(features, {1})(0, 4) == doctest::Approx(7.0 / 3));
  CHECK((looked_up(features, {1, 0}).rightCols(4) == looked_up(h, {1, 0})));
  CHECK(looked_up(shifted, {1})(0, 0) == doctest::Approx(100 + 7.0 / 3));
  CHECK(looked_up(shifted, {1})(0, 1) == doctest::Approx(looked_up(h, {1})(0, 1)).epsilon(1e-10));
}

TEST_CASE("alignments: what is refused leaves no trace") {
  AlignmentHistory h(3);
  const std::vector<Index> ids{0, 2};
  CHECK_REFUSED(mts::ShapeError, h.observe(ids, std::vector<double>{1}), "alignment_history: observe: alignments",
                "expected 2, found 1");
  CHECK_REFUSED(mts::ValueError, h.observe(std::vector<Index>{0, 3}, std::vector<double>{1, 1}),
                "observe: id of sample 1", "expected 0 to 2, found 3");
  CHECK_REFUSED(mts::NumericalError, h.observe(ids, std::vector<double>{1, std::nan("")}),
                "observe: alignment of sample 1 (id 2)", "nan");
  CHECK(looked_up(h, {0, 1, 2}).isZero(0));
  CHECK_REFUSED(mts::ValueError, looked_up(h, {3}), "alignment_history", "id of sample 0", "found 3");
  CHECK_REFUSED(mts::ValueError, AlignmentHistory(0), "the pool must have at least 1 sample, found 0");
  CHECK_REFUSED(mts::ValueError, AlignmentHistory(1, {.rate = 1}), "rate must be in [0, 1), found 1");
  CHECK_REFUSED(mts::ValueError, AlignmentHistory(1, {.rate = -0.1}), "rate must be in [0, 1)");
  CHECK_REFUSED(mts::ValueError, AlignmentHistory(1, {.prior_count = -1}), "prior_count");
  CHECK_REFUSED(mts::ValueError, AlignmentHistory(1, {.columns = {}}), "at least 1 column");
  CHECK_REFUSED(mts::ValueError, compose(h, h), "two columns are called 'alignment_shrunk_mean'");
}

TEST_CASE("alignments: a record that was saved and loaded goes on as one left alone, in all of its copies") {
  const auto observe = [](AlignmentHistory& h, int k) {
    h.observe(std::vector<Index>{k % 5, 2}, std::vector<double>{0.5 * k - 1, 1.0 / (1 + k)});
    const auto said = looked_up(h, {0, 1, 2, 3, 4});
    return std::vector<double>(said.data(), said.data() + said.size());
  };
  const auto make = [] { return AlignmentHistory(5, {.rate = 0.1, .columns = all_statistics}); };
  check_resumes(make, observe, 7, 6);
  auto h = make(), other = make();
  observe(h, 3);
  const AlignmentHistory copy = other;
  load(other, saved(h));
  CHECK(looked_up(copy, {2, 3}) == looked_up(h, {2, 3}));
  check_refuses(h, saved(AlignmentHistory(6)));
}
