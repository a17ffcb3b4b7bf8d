// The same margin to validation samples: by hand, against plain Python and the real one, and at the edges.
#include "mts/features/validation_margin.hpp"

#include <doctest/doctest.h>

#include "features/reference.hpp"
#include "mts/features/compose.hpp"
#include "mts/features/dataset_z_score.hpp"
#include "mts/features/real_margin.hpp"

using namespace mts_test;
using mts::features::RealMargin;
using mts::features::ValidationMargin;

static_assert(mts::FeatureExtractor<ValidationMargin<float>, mts::FeatureContext<LossesOnly, mts::NoValidation>>);
static_assert(!ValidationMargin<float>::reads_validation());

TEST_CASE("validation margin: by hand") {
  RowMatrix<double> v(4, 2), e(3, 2);
  v << 1, 0, 0, 2, 3, 4, 0, 0;
  e << 2, 0, 4, 3, 0, 0;
  const Samples pool{{}, {0, 1, 1}, {}};
  const auto f = fitted_table(ValidationMargin{v, {0, 1, 0, 1}, 2}, e, pool);
  CHECK(f(0, 0) == doctest::Approx((1 + 0.6) / 2 - 0).epsilon(1e-15));
  CHECK(f(1, 0) == doctest::Approx((0.6 + 0) / 2 - (0.8 + 0.96) / 2).epsilon(1e-15));
  CHECK(f(2, 0) == 0);
  CHECK(fitted_table(ValidationMargin{v, {0, 1, 0, 1}, 1}, e, pool)(1, 0) == doctest::Approx(0.6 - 0.96));
}

TEST_CASE_TEMPLATE("validation margin: as plain Python says", S, float, double) {
  const ValidationMargin f(reference::validation_embeddings<S>(), reference::validation_labels);
  CHECK(reference::difference(fitted_table(f, reference::embeddings<S>(), reference::pool_samples()),
                              reference::validation_margin) < (std::same_as<S, float> ? 1e-6 : 1e-14));
}

TEST_CASE("validation margin: of a pool's own real samples it is the real margin of the synthetic ones") {
  const auto x = random_rows<double>(200, 5, 3);
  const Samples pool = random_pool(200, 3, 4);
  std::vector<Index> real;
  std::vector<int> labels;
  for (Index i = 0; i < 200; ++i)
    if (pool.groups[static_cast<std::size_t>(i)] == 0) {
      real.push_back(i);
      labels.push_back(pool.labels[static_cast<std::size_t>(i)]);
    }
  const ValidationMargin f(x(real, Eigen::all), labels);
  const auto against_validation = fitted_table(f, x, pool), against_real = fitted_table(RealMargin{}, x, pool);
  for (Index i = 0; i < 200; ++i) {
    const bool synthetic = pool.groups[static_cast<std::size_t>(i)] != 0;
    CHECK((against_validation(i, 0) == against_real(i, 0)) == synthetic);  // a real sample finds itself
  }
}

TEST_CASE("validation margin: order, rotation, threads; composed and normalised") {
  const Samples pool = random_pool(300, 3, 4);
  const auto x = random_rows<double>(300, 6, 3), v = random_rows<double>(70, 6, 5);
  std::vector<int> labels;
  for (int i = 0; i < 70; ++i) labels.push_back(i % 3);
  CHECK(change_by_permutation(ValidationMargin{v, labels}, x, pool) < 1e-13);
  const auto turned_table =
      fitted_table<ValidationMargin<double>, RowMatrix<double>>(ValidationMargin{turned(v), labels}, turned(x), pool);
  CHECK((turned_table - fitted_table(ValidationMargin{v, labels}, x, pool)).cwiseAbs().maxCoeff() < 1e-13);
  const RowMatrix<float> y = random_rows<float>(700, 30, 3), w = random_rows<float>(70, 30, 5);
  CHECK(same_bits(ValidationMargin{w, labels}, y, random_pool(700, 3, 4)));
  auto composed = mts::features::compose(mts::features::DatasetZScore{ValidationMargin{v, labels}});
  composed.fit(x, pool);
  CHECK(composed.layout().continuous == std::vector<std::string>{"dataset_z(validation_margin)"});
  CHECK(std::abs(composed.part<0>().inner().table().values().mean() - composed.part<0>().mean()) < 1e-12);
}

TEST_CASE("validation margin: what is refused") {
  const auto v = random_rows<double>(4, 2, 1);
  const auto of = [&](std::vector<int> labels, const Samples& pool) {
    fitted_table(ValidationMargin{v, std::move(labels)}, ToyPool().e, pool);
  };
  CHECK_REFUSED(mts::ValueError, of({0, 0, 0, 0}, ToyPool().samples), "validation_margin: fit: sample 0 of class 0",
                "found 4 and 0");
  CHECK_REFUSED(mts::ValueError, of({0, 2, 2, 0}, ToyPool().samples), "sample 5 of class 1", "found 0 and 4");
  CHECK_REFUSED(mts::ShapeError, of({0, 1, 2}, ToyPool().samples), "validation labels", "expected 4, found 3");
  CHECK_REFUSED(mts::ValueError, of({0, 1, 2, -1}, ToyPool().samples), "label of validation sample 3", "found -1");
  CHECK_REFUSED(mts::ShapeError, (ValidationMargin{RowMatrix<double>(0, 2), {}}), "at least 1 validation sample");
  CHECK_REFUSED(mts::ValueError, (ValidationMargin{v, {0, 1, 0, 1}, 0}), "k must be at least 1");
  CHECK_REFUSED(mts::ShapeError,
                fitted_table(ValidationMargin{random_rows<double>(2, 3, 1), {0, 1}}, ToyPool().e, ToyPool().samples),
                "width of the pool's embeddings", "expected 3, found 2");
  auto bad = v;
  bad(2, 1) = std::nan("");
  CHECK_REFUSED(mts::NumericalError, (ValidationMargin{bad, {0, 1, 0, 1}}), "validation embedding of sample 2");
}
