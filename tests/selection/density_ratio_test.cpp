// Ratio of densities: Gaussians whose ratio is known, the stated objective's gradient at the solution, what changes nothing, the
// clip, classes, weighting by the ratio, errors.
#include "mts/selection/density_ratio.hpp"

#include <doctest/doctest.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "data/support.hpp"
#include "mts/core/random.hpp"
#include "selection/toy.hpp"

using namespace mts;
using Matrix = RowMatrix<double>;
using Vector = Eigen::VectorXd;

namespace {

/// Samples of the pool and of validation.
struct Sides {
  Matrix pool, validation;
  std::vector<int> pool_labels, validation_labels;
  SampleVector ratio(const DensityRatioOptions& options = {}) const {
    return log_density_ratio(pool, pool_labels, validation, validation_labels, options);
  }
};

/// A pool N(0, 1) with labels in turn, and a validation set whose class y is N(shift + y class_shift, spread^2), in every feature.
struct Gaussians {
  Index n = 300, m = 60, d = 2;
  int classes = 3;
  double shift = 0.5, class_shift = 0, spread = 1;
  std::uint64_t seed = 1;
};
Sides draw(const Gaussians& g) {
  RandomStream random(g.seed, "sides");
  Sides s{Matrix(g.n, g.d), Matrix(g.m, g.d), {}, {}};
  for (Index i = 0; i < g.n; ++i) s.pool_labels.push_back(static_cast<int>(i % g.classes));
  for (Index v = 0; v < g.m; ++v) s.validation_labels.push_back(static_cast<int>(v % g.classes));
  for (Index k = 0; k < s.pool.size(); ++k) s.pool.data()[k] = random.normal();
  for (Index v = 0; v < g.m; ++v)
    for (Index k = 0; k < g.d; ++k)
      s.validation(v, k) =
          g.shift + g.class_shift * s.validation_labels[static_cast<std::size_t>(v)] + g.spread * random.normal();
  return s;
}

/// Column means and the inverses of standard deviations of the pool; 0 for a constant column.
struct Scales {
  Vector mean, inverse;
  explicit Scales(const Matrix& pool) : mean(pool.cols()), inverse(pool.cols()) {
    const auto n = static_cast<double>(pool.rows());
    for (Index k = 0; k < pool.cols(); ++k) {
      double sum = 0, square = 0;
      for (Index i = 0; i < pool.rows(); ++i) sum += pool(i, k);
      mean[k] = sum / n;
      for (Index i = 0; i < pool.rows(); ++i) square += (pool(i, k) - mean[k]) * (pool(i, k) - mean[k]);
      inverse[k] = pool.col(k).minCoeff() < pool.col(k).maxCoeff() ? 1 / std::sqrt(square / n) : 0;
    }
  }
  /// (h(x), 1)
  Vector h(const Matrix& x, Index i) const {
    const Index d = x.cols();
    Vector out(2 * d + 1);
    for (Index k = 0; k < d; ++k) {
      const double u = (x(i, k) - mean[k]) * inverse[k];
      out[k] = u;
      out[d + k] = inverse[k] > 0 ? u * u - 1 : 0;
    }
    out[2 * d] = 1;
    return out;
  }
};

/// The stated objective at (shared coefficients, those of class 0, ...), sample by sample.
double plain_objective(const Sides& s, int classes, const DensityRatioOptions& options, const Vector& all) {
  const Scales scales(s.pool);
  const Index width = 2 * s.pool.cols() + 1;
  const auto z = [&](const Matrix& x, const std::vector<int>& labels, Index i) {
    const Index y = labels[static_cast<std::size_t>(i)];
    return scales.h(x, i).dot(Vector(all.head(width) + all.segment((y + 1) * width, width)));
  };
  double sum = 0;
  for (Index v = 0; v < s.validation.rows(); ++v) sum += std::log1p(std::exp(-z(s.validation, s.validation_labels, v)));
  for (Index i = 0; i < s.pool.rows(); ++i)
    sum += static_cast<double>(s.validation.rows()) / static_cast<double>(s.pool.rows()) *
           std::log1p(std::exp(z(s.pool, s.pool_labels, i)));
  for (int block = 0; block <= classes; ++block)
    for (Index k = 0; k < width; ++k) {
      const double b = all[block * width + k];
      const bool intercept = k == width - 1;
      const double shared = intercept ? 1e-6 : options.ridge, own = intercept ? 1e-2 : options.class_ridge;
      sum += (block == 0 ? shared : own) / 2 * b * b;
    }
  return sum;
}

/// The coefficients behind log ratios (unclipped), all of whose classes are in the pool: each class's sum of shared and own ones by
/// solving for them from its samples; then shared and own as the penalties alone must divide that sum.
Vector coefficients(const Sides& s, int classes, const DensityRatioOptions& options, const SampleVector& z) {
  const Scales scales(s.pool);
  const Index width = 2 * s.pool.cols() + 1;
  Matrix sums(classes, width);
  for (int y = 0; y < classes; ++y) {
    std::vector<Index> members;
    for (Index i = 0; i < s.pool.rows(); ++i)
      if (s.pool_labels[static_cast<std::size_t>(i)] == y) members.push_back(i);
    Eigen::MatrixXd h(static_cast<Index>(members.size()), width);
    Vector values(h.rows());
    for (Index r = 0; r < h.rows(); ++r) {
      h.row(r) = scales.h(s.pool, members[static_cast<std::size_t>(r)]).transpose();
      values[r] = z[members[static_cast<std::size_t>(r)]];
    }
    const Vector solved = h.colPivHouseholderQr().solve(values);
    CHECK((h * solved - values).cwiseAbs().maxCoeff() < 1e-9);  // z is of the stated form
    sums.row(y) = solved.transpose();
  }
  Vector all((classes + 1) * width);
  for (Index k = 0; k < width; ++k) {
    const double shared = k == width - 1 ? 1e-6 : options.ridge, own = k == width - 1 ? 1e-2 : options.class_ridge;
    all[k] = own * sums.col(k).sum() / (shared + classes * own);
    for (int y = 0; y < classes; ++y) all[(y + 1) * width + k] = sums(y, k) - all[k];
  }
  return all;
}

/// Standard errors of z on the pool, from the curvature of the logistic loss: at least what sampling both sides makes of it.
SampleVector standard_errors(const Sides& s, const SampleVector& z) {
  const Scales scales(s.pool);
  const Index width = 2 * s.pool.cols() + 1;
  Eigen::MatrixXd information = Eigen::MatrixXd::Zero(width, width);
  for (Index i = 0; i < s.pool.rows(); ++i) {  // twice the pool's half: at the truth both sides bring the same
    const double q = 1 / (1 + std::exp(-z[i]));
    const Vector h = scales.h(s.pool, i);
    information += q * (1 - q) * (1 + std::exp(z[i])) * h * h.transpose();
  }
  const Eigen::MatrixXd covariance = information.inverse();
  SampleVector out(s.pool.rows());
  for (Index i = 0; i < s.pool.rows(); ++i) {
    const Vector h = scales.h(s.pool, i);
    out[i] = std::sqrt(h.dot(covariance * h));
  }
  return out;
}

double change(const SampleVector& a, const SampleVector& b) { return (a - b).cwiseAbs().maxCoeff(); }

constexpr DensityRatioOptions unclipped{.clip = 1};

}  // namespace

TEST_CASE("log_density_ratio: of two Gaussians, linear where their variances agree, quadratic where not") {
  // n = M, so the sample's information is that of a logistic regression with weights 1.
  for (const auto& gaussian : {std::pair{0.8, 1.0}, {-0.4, 0.6}, {0.5, 1.2}, {0.0, 1.0}}) {
    const double mean = gaussian.first, spread = gaussian.second;
    CAPTURE(mean);
    CAPTURE(spread);
    const Sides s = draw({.n = 6000, .m = 6000, .d = 1, .classes = 1, .shift = mean, .spread = spread, .seed = 3});
    const SampleVector z = s.ratio({.ridge = 1e-6, .class_ridge = 1e6, .clip = 1}), error = standard_errors(s, z);
    double worst = 0, largest_error = 0, largest = 0;
    for (Index i = 0; i < s.pool.rows(); ++i) {
      const double x = s.pool(i, 0);
      if (std::abs(x) > 2) continue;
      const double truth = 0.5 * x * x - 0.5 * std::pow((x - mean) / spread, 2) - std::log(spread);
      worst = std::max(worst, std::abs(z[i] - truth) / error[i]);
      largest_error = std::max(largest_error, error[i]);
      largest = std::max(largest, std::abs(truth));
    }
    CHECK(worst < 5);
    CHECK(largest_error < 0.2);
    if (mean != 0) CHECK(largest > 1);
  }
}

TEST_CASE("log_density_ratio: the gradient of the stated objective vanishes") {
  for (const int classes : {1, 2, 4})
    for (const DensityRatioOptions& options :
         {DensityRatioOptions{.clip = 1}, DensityRatioOptions{.ridge = 0.3, .class_ridge = 0.7, .clip = 1},
          DensityRatioOptions{.ridge = 20, .class_ridge = 0.05, .clip = 1}}) {
      CAPTURE(classes);
      CAPTURE(options.ridge);
      const Sides s = draw({.n = 160, .m = 37, .classes = classes, .class_shift = 0.4, .spread = 0.8, .seed = 5});
      const Vector all = coefficients(s, classes, options, s.ratio(options));
      const auto f = [&](const Vector& x) { return plain_objective(s, classes, options, x); };
      CHECK(toy::difference_gradient(f, all, 1e-3).cwiseAbs().maxCoeff() < 1e-5);
      CHECK(toy::difference_gradient(f, Vector::Zero(all.size()), 1e-3).cwiseAbs().maxCoeff() > 1);
    }
}

TEST_CASE("log_density_ratio: a feature's scale and origin do not matter, nor does a constant column") {
  const Sides s = draw({.d = 3, .class_shift = 0.3, .seed = 2});
  const SampleVector z = s.ratio();
  CHECK(z.maxCoeff() - z.minCoeff() > 1);
  Sides moved = s;
  const double factor[] = {1e-3, 700, -2}, origin[] = {5, -1e4, 0.25};
  for (Index k = 0; k < 3; ++k)
    for (Matrix* x : {&moved.pool, &moved.validation}) x->col(k) = (factor[k] * x->col(k).array() + origin[k]).matrix();
  CHECK(change(moved.ratio(), z) < 1e-6);  // how far Newton's method goes
  for (const double constant : {0.0, 1.0, 0.1, -3e7})
    for (const double in_validation : {constant, constant + 1}) {  // whatever validation says there
      Sides wider = s;
      wider.pool.conservativeResize(Eigen::NoChange, 4);
      wider.validation.conservativeResize(Eigen::NoChange, 4);
      wider.pool.col(3).setConstant(constant);
      wider.validation.col(3).setConstant(in_validation);
      CAPTURE(constant);
      CHECK(change(wider.ratio(), z) < 1e-6);
    }
}

TEST_CASE("log_density_ratio: a constant column is one in a large pool too, where its mean is not quite the constant") {
  const Sides s = draw({.n = 200000, .m = 50, .d = 1, .classes = 1, .seed = 4});
  Sides wider = s;
  wider.pool.conservativeResize(Eigen::NoChange, 2);
  wider.validation.conservativeResize(Eigen::NoChange, 2);
  wider.pool.col(1).setConstant(0.3);
  wider.validation.col(1).setConstant(0.4);
  CHECK(change(wider.ratio(), s.ratio()) < 1e-6);
}

TEST_CASE("log_density_ratio: what is above the quantile is lowered to it, the rest stays") {
  const Sides s = draw({.n = 201, .shift = 1});
  const SampleVector z = s.ratio(unclipped);
  std::vector<double> sorted(z.begin(), z.end());
  std::sort(sorted.begin(), sorted.end());
  CHECK(sorted.back() > sorted[190]);
  for (const auto& pair : {std::pair{0.95, 190}, {0.5, 100}, {0.9, 180}, {1e-9, 0}, {1.0, 200}}) {
    const double clip = pair.first;
    const auto place = static_cast<std::size_t>(pair.second);
    const SampleVector clipped = s.ratio({.clip = clip});
    CAPTURE(clip);
    for (Index i = 0; i < 201; ++i) CHECK(clipped[i] == std::min(z[i], sorted[place]));
  }
  CHECK(s.ratio() == s.ratio({.clip = 0.95}));
}

TEST_CASE("log_density_ratio: a large class_ridge gives all classes the same slopes, a small one their own") {
  // Classes 0 and 1 move apart in validation: -0.6 and +0.6.
  const Sides s =
      draw({.n = 400, .m = 200, .d = 1, .classes = 2, .shift = -0.6, .class_shift = 1.2, .spread = 0.9, .seed = 6});
  const auto slopes = [&](double class_ridge) {
    const DensityRatioOptions options{.ridge = 0.1, .class_ridge = class_ridge, .clip = 1};
    const Vector all = coefficients(s, 2, options, s.ratio(options));
    return Matrix{{all[0] + all[3], all[1] + all[4]}, {all[0] + all[6], all[1] + all[7]}};
  };
  const Matrix together = slopes(1e9), apart = slopes(0.1);
  CHECK((together.row(0) - together.row(1)).cwiseAbs().maxCoeff() < 1e-6);
  CHECK(std::abs(together(0, 0)) < 0.3);
  CHECK(apart(0, 0) < -0.4);
  CHECK(apart(1, 0) > 0.4);
  const Matrix between = slopes(30);
  CHECK(between(1, 0) - between(0, 0) < apart(1, 0) - apart(0, 0));
  CHECK(between(1, 0) - between(0, 0) > 0.1);
}

TEST_CASE("log_density_ratio: a large ridge says nothing, and the order of samples does not matter") {
  const Sides s = draw({.d = 3, .class_shift = 0.3, .seed = 8});
  CHECK(s.ratio({.ridge = 1e9, .class_ridge = 1e9}).cwiseAbs().maxCoeff() < 1e-4);
  const auto order = RandomStream(1, "order").permutation(s.pool.rows());
  const auto validation_order = RandomStream(2, "order").permutation(s.validation.rows());
  Sides permuted = s;
  const auto permute = [](const auto& places, const Matrix& x, const std::vector<int>& y, Matrix& to_x,
                          std::vector<int>& to_y) {
    for (std::size_t i = 0; i < places.size(); ++i) {
      to_x.row(static_cast<Index>(i)) = x.row(places[i]);
      to_y[i] = y[static_cast<std::size_t>(places[i])];
    }
  };
  permute(order, s.pool, s.pool_labels, permuted.pool, permuted.pool_labels);
  permute(validation_order, s.validation, s.validation_labels, permuted.validation, permuted.validation_labels);
  const SampleVector here = s.ratio(), there = permuted.ratio();
  for (Index i = 0; i < here.size(); ++i) CHECK(std::abs(there[i] - here[order[static_cast<std::size_t>(i)]]) < 1e-6);
}

TEST_CASE("log_density_ratio: the pool weighted by the ratio has validation's means and squares") {
  // Weighted means of 8000 with exp(z): sampling error well below 0.1 here, of validation's 2000 below 0.03.
  const Sides s = draw({.n = 8000, .m = 2000, .d = 2, .classes = 2, .shift = 0.7, .spread = 0.8, .seed = 9});
  const SampleVector w = s.ratio({.ridge = 1e-3, .class_ridge = 1e-3, .clip = 1}).array().exp();
  CHECK(w.mean() == doctest::Approx(1).epsilon(0.1));
  for (Index k = 0; k < 2; ++k) {
    const double before = s.pool.col(k).mean(), after = w.dot(s.pool.col(k)) / w.sum();
    const double square = w.dot(s.pool.col(k).cwiseAbs2()) / w.sum();
    CHECK(std::abs(before - s.validation.col(k).mean()) > 0.6);
    CHECK(std::abs(after - s.validation.col(k).mean()) < 0.1);
    CHECK(std::abs(square - s.validation.col(k).cwiseAbs2().mean()) < 0.15);
  }
}

TEST_CASE("log_density_ratio: classes that one side lacks, and sides of a single sample") {
  Sides s = draw({.n = 90, .m = 40, .classes = 3});
  for (int& y : s.validation_labels) y = y == 2 ? 0 : y;  // none of class 2 in validation
  const SampleVector without = s.ratio();
  CHECK(without.allFinite());
  double other = 0, lacking = 0;
  for (Index i = 0; i < 90; ++i) (i % 3 == 2 ? lacking : other) += without[i] / (i % 3 == 2 ? 30 : 60);
  CHECK(lacking < other - 3);  // such samples are not asked for
  s = draw({.n = 90, .m = 40, .classes = 3});
  for (int& y : s.pool_labels) y = y == 1 ? 0 : y;  // none of class 1 in the pool
  s.validation_labels[0] = 9;                       // nor of 9, and nobody has 3 to 8
  CHECK(s.ratio().allFinite());
  s = draw({.n = 1, .m = 1, .classes = 1});
  CHECK(s.ratio().allFinite());
  s = draw({.n = 30, .m = 5, .classes = 1, .shift = 1000});  // apart for sure: the penalties hold it
  CHECK(s.ratio().allFinite());
}

TEST_CASE("log_density_ratio: bad input is refused in words") {
  const Sides good = draw({.n = 20, .m = 10});
  const auto with = [&](auto change_it, DensityRatioOptions options = {}) {
    Sides s = good;
    change_it(s);
    return s.ratio(options);
  };
  const auto nothing = [](Sides&) {};
  CHECK_NOTHROW(with(nothing));
  CHECK_REFUSED(ShapeError, with([](Sides& s) { s.validation.conservativeResize(10, 3); }), "log_density_ratio",
                "validation features", "expected 2, found 3");
  CHECK_REFUSED(ShapeError, with([](Sides& s) { s.pool_labels.pop_back(); }), "labels", "expected 20, found 19");
  CHECK_REFUSED(ShapeError, with([](Sides& s) { s.validation_labels.push_back(0); }), "validation labels",
                "expected 10, found 11");
  CHECK_REFUSED(ValueError, with([](Sides& s) { s.pool_labels[3] = -1; }), "label of pool sample 3", "negative", "-1");
  CHECK_REFUSED(ValueError, with([](Sides& s) { s.validation_labels[7] = -4; }), "label of validation sample 7", "-4");
  CHECK_REFUSED(NumericalError, with([](Sides& s) { s.pool(5, 1) = std::nan(""); }), "feature 1 of pool sample 5",
                "finite", "nan");
  CHECK_REFUSED(NumericalError, with([](Sides& s) { s.validation(9, 0) = std::numeric_limits<double>::infinity(); }),
                "feature 0 of validation sample 9", "inf");
  const auto empty_pool = [](Sides& s) {
    s.pool.resize(0, 2);
    s.pool_labels.clear();
  };
  const auto empty_validation = [](Sides& s) {
    s.validation.resize(0, 2);
    s.validation_labels.clear();
  };
  CHECK_REFUSED(ValueError, with(empty_pool), "samples on both sides", "found 0, 10 and 2");
  CHECK_REFUSED(ValueError, with(empty_validation), "samples on both sides", "found 20, 0 and 2");
  CHECK_REFUSED(ValueError, with([](Sides& s) { s.pool.resize(20, 0), s.validation.resize(10, 0); }),
                "found 20, 10 and 0");
  CHECK_REFUSED(ValueError, with(nothing, {.ridge = 0}), "penalties", "positive", "found 0 and 4");
  CHECK_REFUSED(ValueError, with(nothing, {.class_ridge = -1}), "penalties", "found 1 and -1");
  CHECK_REFUSED(ValueError, with(nothing, {.ridge = std::nan("")}), "penalties", "nan");
  CHECK_REFUSED(ValueError, with(nothing, {.clip = 0}), "clip", "(0, 1]", "found 0");
  CHECK_REFUSED(ValueError, with(nothing, {.clip = 1.5}), "clip", "found 1.5");
  CHECK_REFUSED(ValueError, with(nothing, {.max_iterations = 0}), "max_iterations", "at least 1", "found 0");
  CHECK_REFUSED(NumericalError, with(nothing, {.max_iterations = 1}), "Newton", "1 iterations", "raise max_iterations");
}
