// Cosines to the validation means of one's own class and the nearest other: by hand, against loops and plain Python,
// and at the edges.
#include "mts/features/class_validation_cosines.hpp"

#include <doctest/doctest.h>

#include "features/reference.hpp"
#include "mts/features/batch_z_score.hpp"
#include "mts/features/compose.hpp"

using namespace mts_test;
using mts::features::ClassValidationCosines;

static_assert(mts::FeatureExtractor<ClassValidationCosines, mts::FeatureContext<Shown<float>, Shown<float>>>);
static_assert(ClassValidationCosines::reads_validation());

namespace {

template <class S>
RowMatrix<double> class_cosines(const RowMatrix<S>& train, std::vector<int> labels, const RowMatrix<S>& validation,
                                std::vector<int> validation_labels) {
  const Shown<S> t(train), v(validation);
  const Samples samples{{}, std::move(labels), {}}, validation_samples{{}, std::move(validation_labels), {}};
  return extracted(ClassValidationCosines{}, context_of(t, v, samples, validation_samples), train.rows());
}

}  // namespace

TEST_CASE("class validation: by hand; what the validation batch lacks is 0") {
  RowMatrix<double> v(4, 2), h(4, 2);
  v << 6, 0, 0, 8, 0, -2, -1, 0;  // class 5: mean (3, 4); class 1: (0, -2); class 9: (-1, 0)
  h << 2, 0, 0, 3, 0, 0, -4, -3;
  const auto f = class_cosines(h, {5, 1, 9, 7}, v, {5, 5, 1, 9});
  RowMatrix<double> expected(4, 2);
  expected << 0.6, 0,  // (2, 0) of class 5: others 0 and -1
      -1, 0.8,         // (0, 3) of class 1
      0, 0,            // (0, 0)
      0, 0.8;          // (-4, -3) of a class that is not there: -0.96, 0.6, 0.8
  CHECK((f - expected).cwiseAbs().maxCoeff() < 1e-15);
  const auto one = class_cosines(h, {5, 1, 5, 5}, v, {5, 5, 5, 5});  // mean (5, 6)/4: no other class
  CHECK(one.row(0)[0] == doctest::Approx(5 / std::sqrt(61.0)));
  CHECK(one(0, 1) == 0);
  CHECK(one(1, 0) == 0);
  CHECK(one(1, 1) == doctest::Approx(6 / std::sqrt(61.0)));
}

TEST_CASE_TEMPLATE("class validation: as plain loops and plain Python say", S, float, double) {
  const double tolerance = std::same_as<S, float> ? 2e-6 : 1e-13;
  const auto f = class_cosines(reference::embeddings<S>(), reference::labels, reference::validation_embeddings<S>(),
                               reference::validation_labels);
  CHECK(reference::difference(f, reference::class_validation_cosines) < tolerance);
  for (const Index n : {1, 64, 130})
    for (const int classes : {2, 5, 90})
      for (const Index e : {2, 33}) {
        const Index m = 150;
        const auto h = random_rows<S>(n, e, 1), v = random_rows<S>(m, e, 2);
        std::vector<int> labels, of_v;
        for (Index i = 0; i < n; ++i) labels.push_back(static_cast<int>(i) % classes * 3);
        for (Index i = 0; i < m; ++i) of_v.push_back(static_cast<int>(i * i) % classes * 3);
        const auto found = class_cosines(h, labels, v, of_v);
        double worst = 0;
        for (Index i = 0; i < n; ++i) {
          double own = 0, other = -2;
          for (int c = 0; c < classes; ++c) {
            Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(e);
            int count = 0;
            for (Index j = 0; j < m; ++j)
              if (of_v[static_cast<std::size_t>(j)] == 3 * c) {
                for (Index d = 0; d < e; ++d) sum[d] += static_cast<double>(v(j, d));
                ++count;
              }
            if (count == 0) continue;
            const double cosine = plain_cosine(h.row(i), sum / count, 1e-6);
            if (labels[static_cast<std::size_t>(i)] == 3 * c)
              own = cosine;
            else
              other = std::max(other, cosine);
          }
          worst = std::max({worst, std::abs(found(i, 0) - own), std::abs(found(i, 1) - other)});
        }
        CAPTURE(n);
        CAPTURE(classes);
        CHECK(worst < tolerance);
      }
}

TEST_CASE("class validation: order of the validation batch, rotation, threads; composed and normalised") {
  const auto h = random_rows<double>(100, 6, 1), v = random_rows<double>(40, 6, 2);
  std::vector<int> labels, of_v;
  for (int i = 0; i < 100; ++i) labels.push_back(i % 4);
  for (int i = 0; i < 40; ++i) of_v.push_back(i % 4);
  const auto f = class_cosines(h, labels, v, of_v);
  CHECK((class_cosines(turned(h), labels, turned(v), of_v) - f).cwiseAbs().maxCoeff() < 1e-13);
  const RowMatrix<double> backwards = v.colwise().reverse();
  std::vector<int> of_backwards(of_v.rbegin(), of_v.rend());
  CHECK((class_cosines(h, labels, backwards, of_backwards) - f).cwiseAbs().maxCoeff() < 1e-13);

  const Shown<float> t(random_rows<float>(700, 60, 3)), w(random_rows<float>(300, 60, 4));
  Samples samples, validation_samples;
  for (int i = 0; i < 700; ++i) samples.labels.push_back(i % 7);
  for (int i = 0; i < 300; ++i) validation_samples.labels.push_back(i % 6);
  const auto context = context_of(t, w, samples, validation_samples);
  const auto run = [&](int threads) {
    const mts::ThreadLimit limit(threads);
    return extracted(ClassValidationCosines{}, context, 700);
  };
  const auto one = run(1);
  CHECK((run(2) == one));
  CHECK((run(4) == one));
  auto composed = mts::features::compose(mts::features::BatchZScore{ClassValidationCosines{}});
  mts::FeatureBatch<float> out;
  composed.extract(context, out);
  CHECK(std::abs(out.continuous.mean()) < 1e-5F);
  CHECK((out.continuous.cols() == 2));
}

TEST_CASE("class validation: what is refused") {
  const auto h = random_rows<float>(4, 3, 8);
  CHECK_REFUSED(mts::ShapeError, class_cosines<float>(h, {0, 1, 0, 1}, RowMatrix<float>(0, 3), {}),
                "class_validation_cosines", "at least 1");
  CHECK_REFUSED(mts::ShapeError, class_cosines<float>(h, {0, 1, 0, 1}, random_rows<float>(4, 2, 8), {0, 1, 0, 1}),
                "width", "expected 3, found 2");
  CHECK_REFUSED(mts::ShapeError, class_cosines<float>(h, {}, h, {0, 1, 0, 1}), "samples.labels", "expected 4, found 0");
  CHECK_REFUSED(mts::ShapeError, class_cosines<float>(h, {0, 1, 0, 1}, h, {0, 1}), "validation_samples.labels",
                "expected 4, found 2");
  auto bad = h;
  bad(2, 1) = std::numeric_limits<float>::quiet_NaN();
  CHECK_REFUSED(mts::NumericalError, class_cosines<float>(bad, {0, 1, 0, 1}, h, {0, 1, 0, 1}),
                "class_validation_cosines: embedding of sample 2");
  CHECK_REFUSED(mts::NumericalError, class_cosines<float>(h, {0, 1, 0, 1}, bad, {0, 1, 0, 1}),
                "mean validation embedding");
}
