// The data set's z-score: moments of the whole table, and at the edges.
#include "mts/features/dataset_z_score.hpp"

#include <doctest/doctest.h>

#include "features/support.hpp"
#include "mts/features/nearest_real_cosine.hpp"
#include "mts/features/real_centre_cosine.hpp"

using namespace mts_test;
using namespace mts::features;

using Lookup = mts::FeatureContext<LossesOnly, mts::NoValidation>;
static_assert(mts::FeatureExtractor<DatasetZScore<NearestRealCosine>, Lookup>);
static_assert(!DatasetZScore<RealCentreCosine>::reads_validation());

namespace {

template <class E>
RowMatrix<double> at(const E& e, std::vector<Index> ids) {
  const auto n = static_cast<Index>(ids.size());
  const LossesOnly train{mts::SampleVector::Zero(n)};
  const Samples samples{std::move(ids), {}, {}};
  return extracted(e, context_of(train, mts::NoValidation{}, samples, samples), n);
}

}  // namespace

TEST_CASE("one mean and one unbiased deviation of all values and columns of the pool, taken at fit") {
  const ToyPool toy;
  DatasetZScore f{NearestRealCosine{3}};
  f.fit(toy.e, toy.samples);
  CHECK(f.layout().continuous[0] == "dataset_z(nearest_real_cosine_1)");
  const auto& x = f.inner().table().values();
  double sum = 0, squares = 0;
  for (Index k = 0; k < 30; ++k) sum += x.data()[k];
  for (Index k = 0; k < 30; ++k) squares += (x.data()[k] - sum / 30) * (x.data()[k] - sum / 30);
  CHECK(f.mean() == doctest::Approx(sum / 30).epsilon(1e-14));
  CHECK(f.standard_deviation() == doctest::Approx(std::sqrt(squares / 29)).epsilon(1e-14));
  const auto z = at(f, {3, 8});  // (r, r, 0) and (.6, .6, .6): a batch of two does not change the statistics
  CHECK(z(0, 1) == doctest::Approx((std::sqrt(0.5) - f.mean()) / f.standard_deviation()).epsilon(1e-14));
  CHECK(z(1, 2) == doctest::Approx((0.6 - f.mean()) / f.standard_deviation()).epsilon(1e-14));
  const auto all = at(f, toy.samples.ids);
  CHECK(std::abs(all.mean()) < 1e-15);
  CHECK(all.squaredNorm() / 29 == doctest::Approx(1).epsilon(1e-14));
}

TEST_CASE("the population's deviation where asked for") {
  const ToyPool toy;
  DatasetZScore f{NearestRealCosine{3}}, g{NearestRealCosine{3}, Deviation::population};
  f.fit(toy.e, toy.samples);
  g.fit(toy.e, toy.samples);
  CHECK(g.mean() == f.mean());
  CHECK(g.standard_deviation() == doctest::Approx(f.standard_deviation() * std::sqrt(29.0 / 30)).epsilon(1e-14));
  CHECK(at(g, toy.samples.ids).squaredNorm() == doctest::Approx(30).epsilon(1e-14));
}

TEST_CASE("a constant table gives zeros, round-off or not, and so does a pool of one") {
  RowMatrix<double> e(5, 3);
  for (Index i = 0; i < 5; ++i)
    e.row(i) << 0.1 * static_cast<double>(i + 1), 0.3 * static_cast<double>(i + 1), 0.7 * static_cast<double>(i + 1);
  const Samples pool{{}, {0, 0, 0, 0, 0}, {0, 1, 0, 1, 0}};
  DatasetZScore f{NearestRealCosine{2}};
  f.fit(e, pool);
  CHECK(f.standard_deviation() == 0);
  CHECK(at(f, {0, 4}).isZero(0));
  DatasetZScore one{RealCentreCosine{}};
  one.fit(e.topRows(1), Samples{{}, {0}, {0}});
  CHECK(at(one, {0, 0}).isZero(0));
}

TEST_CASE("statistics are those of the last fit, and of an extractor that came fitted") {
  const ToyPool toy;
  RealCentreCosine raw;
  raw.fit(toy.e, toy.samples);
  DatasetZScore f{raw};
  DatasetZScore g{RealCentreCosine{}};
  g.fit(RowMatrix<double>(toy.e.array() + 1), toy.samples);
  g.fit(toy.e, toy.samples);
  CHECK(f.mean() == g.mean());
  CHECK(f.standard_deviation() == g.standard_deviation());
  CHECK((at(f, {1, 9}) == at(g, {1, 9})));
}

TEST_CASE("not fitted: refused in words") {
  CHECK_REFUSED(mts::ValueError, at(DatasetZScore{RealCentreCosine{}}, {0}), "real_centre_cosine", "not fitted");
}
