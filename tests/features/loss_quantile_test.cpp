// Ranks of losses in the batch: by hand, against plain Python, in ranges, ties, and at the edges.
#include "mts/features/loss_quantile.hpp"

#include <doctest/doctest.h>

#include "features/reference.hpp"
#include "mts/features/batch_z_score.hpp"
#include "mts/features/compose.hpp"

using namespace mts_test;
using mts::features::LossQuantile;

static_assert(mts::FeatureExtractor<LossQuantile, mts::FeatureContext<LossesOnly, mts::NoValidation>>);
static_assert(!LossQuantile::reads_validation() && LossQuantile::by_rows());

namespace {

std::vector<double> quantiles(std::vector<double> losses, std::vector<Index> ids = {}) {
  const auto n = static_cast<Index>(losses.size());
  const LossesOnly train{Eigen::Map<const mts::SampleVector>(losses.data(), n)};
  const Samples samples{std::move(ids), {}, {}}, none;
  const auto f = extracted(LossQuantile{}, context_of(train, mts::NoValidation{}, samples, none), n);
  return {f.data(), f.data() + f.size()};
}

}  // namespace

TEST_CASE("loss quantile: by hand and as plain Python says; equal losses share a rank") {
  CHECK(quantiles({3, 1, 2}) == std::vector<double>{1, 0, 0.5});
  CHECK(quantiles({7, 1, 7, 0, 7}) == std::vector<double>{0.75, 0.25, 0.75, 0, 0.75});
  CHECK(quantiles({2, 2}) == std::vector<double>{0.5, 0.5});
  CHECK(quantiles({5}) == std::vector<double>{0});
  CHECK(quantiles({}).empty());
  CHECK(quantiles(reference::losses) == reference::loss_quantile);
}

TEST_CASE(
    "loss quantile: any increasing function of the losses has the same; in ranges as at once, among other columns") {
  std::vector<double> losses, squared;
  mts::RandomStream random(3, "losses");
  for (int i = 0; i < 1000; ++i) losses.push_back(random.uniform() * 10);
  for (const double l : losses) squared.push_back(l * l);
  const auto q = quantiles(losses);
  CHECK(quantiles(squared) == q);
  CHECK(*std::max_element(q.begin(), q.end()) == 1);

  const auto features = mts::features::compose(mts::features::BatchZScore{LossQuantile{}}, LossQuantile{});
  const Samples none;
  const Samples batch{{9, 3, 5, 0}, {}, {}};
  mts::FeatureBatch<double> at_once, in_ranges;
  const LossesOnly whole{Eigen::Vector4d(4, 1, 3, 2)};
  features.extract(context_of(whole, mts::NoValidation{}, batch, none), at_once);
  CHECK((at_once.continuous.col(1) == Eigen::Vector4d(1, 0, 2.0 / 3, 1.0 / 3)));
  features.begin(4, batch, in_ranges);
  for (const auto& [first, count] : std::vector<std::pair<Index, Index>>{{0, 3}, {3, 1}}) {
    const LossesOnly part{whole.losses.segment(first, count)};
    Samples known;
    batch.slice_into(first, count, known);
    features.extract_rows(context_of(part, mts::NoValidation{}, known, none), first, in_ranges);
  }
  features.finish(batch, in_ranges);
  CHECK((in_ranges.continuous == at_once.continuous));
}

TEST_CASE("loss quantile: a loss that is not finite is refused by name") {
  CHECK_REFUSED(mts::NumericalError, quantiles({1, 2, std::nan("")}, {4, 5, 6}),
                "loss_quantile: feature loss_quantile of sample 2 (id 6)", "nan");
  CHECK_REFUSED(mts::NumericalError, quantiles({1, std::numeric_limits<double>::infinity()}), "sample 1", "inf");
}
