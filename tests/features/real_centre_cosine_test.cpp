// The cosine to the class's real centre: by hand, against plain loops, look-up by id, and at the edges.
#include "mts/features/real_centre_cosine.hpp"

#include <doctest/doctest.h>

#include "features/support.hpp"

using namespace mts_test;
using mts::features::RealCentreCosine;

using Lookup = mts::FeatureContext<LossesOnly, mts::NoValidation>;
static_assert(mts::FeatureExtractor<RealCentreCosine, Lookup>);
static_assert(!RealCentreCosine::reads_validation());

TEST_CASE("ten points by hand") {
  const ToyPool toy;
  RealCentreCosine f;
  f.fit(toy.e, toy.samples);
  // Real centres: class 0 (2/3, 4/3), direction (1, 2)/sqrt 5; class 1 (0, 1.5), direction (0, 1).
  const double s = std::sqrt(5.0), r = std::sqrt(2.0);
  Eigen::VectorXd expected(10);
  expected << 1 / s, 2 / s, 0, 3 / (s * r), -1 / s, 1, 1, 0.8, 0.6, -1;
  CHECK((f.table().values().col(0) - expected).cwiseAbs().maxCoeff() < 1e-15);
}

TEST_CASE_TEMPLATE("as plain loops say; extracted by id, in any order", S, float, double) {
  for (const Index n : {10, 64, 150})
    for (const Index e : {1, 7, 130}) {
      const auto x = random_rows<S>(n, e, 1);
      Samples pool;
      for (Index i = 0; i < n; ++i) {
        pool.labels.push_back(static_cast<int>(i % 3) * 5);
        pool.groups.push_back(i < 3 ? 0 : static_cast<int>(i % 4 != 0) + static_cast<int>(i % 7 == 6));
      }
      RealCentreCosine f;
      f.fit(x, pool);
      Samples batch;
      for (Index i = n; i-- > 0;) batch.ids.push_back(i);
      const LossesOnly train{mts::SampleVector::Zero(n)};
      const Samples none;
      const auto got = extracted(f, context_of(train, mts::NoValidation{}, batch, none), n);
      double worst = 0;
      for (Index i = 0; i < n; ++i) {
        Eigen::RowVectorXd centre = Eigen::RowVectorXd::Zero(e);
        double count = 0;
        for (std::size_t j = 0; j < pool.labels.size(); ++j)
          if (pool.groups[j] == 0 && pool.labels[j] == pool.labels[static_cast<std::size_t>(i)]) {
            for (Index d = 0; d < e; ++d) centre[d] += static_cast<double>(x(static_cast<Index>(j), d));
            ++count;
          }
        worst = std::max(worst, std::abs(got(n - 1 - i, 0) - plain_cosine(x.row(i), centre / count, 1e-12)));
      }
      CHECK(worst < 1e-13);
    }
}

TEST_CASE("the look-up refuses in words: not fitted, no ids, an id outside the pool") {
  const ToyPool toy;
  const LossesOnly train{mts::SampleVector::Zero(2)};
  const Samples none;
  const auto at = [&](const RealCentreCosine& f, const Samples& samples) {
    return extracted(f, context_of(train, mts::NoValidation{}, samples, none), 2);
  };
  RealCentreCosine f;
  CHECK_REFUSED(mts::ValueError, at(f, {{0, 1}, {}, {}}), "real_centre_cosine", "not fitted", "call fit");
  f.fit(toy.e, toy.samples);
  CHECK(at(f, {{6, 6}, {}, {}})(1, 0) == 1);
  CHECK_REFUSED(mts::ValueError, at(f, none), "real_centre_cosine", "samples.ids", "found none");
  CHECK_REFUSED(mts::ValueError, at(f, {{0, 10}, {}, {}}), "id of sample 1", "0 to 9", "found 10");
  CHECK_REFUSED(mts::ValueError, at(f, {{-1, 0}, {}, {}}), "id of sample 0", "found -1");
  CHECK_REFUSED(mts::ShapeError, at(f, {{1}, {}, {}}), "samples.ids", "expected 2, found 1");
}

TEST_CASE("a pool that does not fit is refused in words") {
  const ToyPool toy;
  const auto with = [&](auto change) {
    ToyPool t = toy;
    change(t);
    RealCentreCosine f;
    f.fit(t.e, t.samples);
  };
  CHECK_REFUSED(mts::ValueError, with([](ToyPool& t) { t.samples.groups[5] = t.samples.groups[6] = 1; }),
                "class 1 has 5", "no real one");
  CHECK_REFUSED(mts::ValueError, with([](ToyPool& t) { t.samples.labels[4] = -2; }), "label of sample 4", "found -2");
  CHECK_REFUSED(mts::ValueError, with([](ToyPool& t) { t.samples.groups[4] = -2; }), "group of sample 4", "found -2");
  CHECK_REFUSED(mts::ValueError, with([](ToyPool& t) { t.samples.ids[4] = 5; }), "ids of the pool",
                "expected 4, found 5");
  CHECK_REFUSED(mts::ShapeError, with([](ToyPool& t) { t.samples.labels.pop_back(); }), "labels",
                "expected 10, found 9");
  CHECK_REFUSED(mts::ShapeError, with([](ToyPool& t) { t.samples.groups.clear(); }), "groups", "expected 10, found 0");
  CHECK_REFUSED(mts::ShapeError, with([](ToyPool& t) { t.e.resize(0, 2); }), "at least 1 sample");
  CHECK_REFUSED(mts::NumericalError, with([](ToyPool& t) { t.e(3, 1) = std::nan(""); }), "embedding of sample 3");
  // A label that no sample bears is no class; ids may be left out; all real is a pool too.
  with([](ToyPool& t) {
    t.samples.labels[9] = t.samples.labels[5] = t.samples.labels[6] = 1000000000;
    t.samples.ids.clear();
    t.samples.groups.assign(10, 0);
  });
}
