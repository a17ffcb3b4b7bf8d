#pragma once
/// \file
/// Weights as a ratio of densities: how much more likely a sample's features are among validation samples than in the pool.

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <vector>

#include "mts/core/error.hpp"
#include "mts/core/types.hpp"

namespace mts {

struct DensityRatioOptions {
  double ridge = 1;           ///< penalty on what classes share, > 0, in samples of validation
  double class_ridge = 4;     ///< on what a class has of its own, > 0
  double clip = 0.95;         ///< ratios above this quantile of the pool's are lowered to it, in (0, 1]
  Index max_iterations = 50;  ///< of Newton's method, >= 1
};

/// log of q(x | y)/p(x | y) for every sample of the pool, q that of validation samples and p that of the pool, estimated by a logistic
/// regression that tells the two apart, both with the same total weight:
///
///     z(x, y) = beta . h(x) + b + beta_y . h(x) + b_y,       h(x) = (x, x^2 - 1), x the features' z-scores over the pool
///     minimise  sum_v log(1 + exp(-z_v)) + (M/n) sum_i log(1 + exp(z_i)) + ridge/2 |beta|^2 + class_ridge/2 sum_y |beta_y|^2
///               + 1e-6/2 b^2 + 1e-2/2 sum_y b_y^2,
///
/// by Newton's method with halved steps. So a few dozen validation samples fix as many numbers as they can bear: what all classes have
/// in common, and what single classes say against it. Weighting the pool by exp z makes it look like validation, in the features
/// (importance weighting), which is what a one-step hypergradient asks for only on the average and only greedily.
///
/// A constant column counts as 0. Cost: an iteration n (2D + 1)^2. Deterministic.
/// \param features    n x D, of the pool   \param labels  n, in [0, C)
/// \param validation  M x D                \param validation_labels  M, in [0, C)
/// \returns n numbers, log ratios clipped from above
/// \throws ShapeError, ValueError, NumericalError that name the first bad sample; NumericalError if Newton's method does not arrive
/// Source: this project (docs/design.md); the estimator: Qin, Biometrika 1998; Sugiyama, Suzuki and Kanamori, Density ratio estimation
/// in machine learning, 2012, chapter 4.
inline SampleVector log_density_ratio(const RowMatrix<double>& features, const std::vector<int>& labels,
                                      const RowMatrix<double>& validation, const std::vector<int>& validation_labels,
                                      const DensityRatioOptions& options = {}) {
  constexpr const char* name = "log_density_ratio";
  using Matrix = Eigen::MatrixXd;
  using Vector = Eigen::VectorXd;
  const Index n = features.rows(), m = validation.rows(), d = features.cols(), width = 2 * d + 1;
  check_value(n >= 1 && m >= 1 && d >= 1, name, "expected samples on both sides and features, found ", n, ", ", m,
              " and ", d);
  check_size(name, "validation features", d, validation.cols());
  check_size(name, "labels", n, static_cast<Index>(labels.size()));
  check_size(name, "validation labels", m, static_cast<Index>(validation_labels.size()));
  check_value(options.ridge > 0 && options.class_ridge > 0, name, "penalties must be positive, found ", options.ridge,
              " and ", options.class_ridge);
  check_value(options.clip > 0 && options.clip <= 1, name, "clip must be in (0, 1], found ", options.clip);
  check_value(options.max_iterations >= 1, name, "max_iterations must be at least 1, found ", options.max_iterations);
  const auto check_side = [&](const char* which, const RowMatrix<double>& x, const std::vector<int>& y) {
    for (Index i = 0; i < x.rows(); ++i) {
      check_value(y[static_cast<std::size_t>(i)] >= 0, name, "label of ", which, " sample ", i,
                  " must not be negative, found ", y[static_cast<std::size_t>(i)]);
      for (Index k = 0; k < d; ++k)
        if (!std::isfinite(x(i, k)))
          throw NumericalError(detail::text(name, ": feature ", k, " of ", which, " sample ", i,
                                            ": expected a finite number, found ", x(i, k)));
    }
  };
  check_side("pool", features, labels);
  check_side("validation", validation, validation_labels);

  // h of both sides, class by class
  const Eigen::RowVectorXd mean = features.colwise().mean();
  Eigen::RowVectorXd scale = ((features.rowwise() - mean).array().square().colwise().mean()).sqrt();
  for (Index k = 0; k < d; ++k) {
    const double smallest = features.col(k).minCoeff(), largest = features.col(k).maxCoeff();
    const double magnitude = std::max(std::abs(smallest), std::abs(largest));
    // of a large pool round-off keeps the mean of equal numbers from being that number
    scale[k] = smallest < largest && scale[k] > 1e-12 * magnitude ? 1 / scale[k] : 0;
  }
  const auto h = [&](const RowMatrix<double>& x, Index i, auto&& row) {
    const Eigen::RowVectorXd u = (x.row(i) - mean).cwiseProduct(scale);
    row.head(d) = u;
    row.segment(d, d) = (u.array().square() - 1).matrix().cwiseProduct((scale.array() > 0).cast<double>().matrix());
    row[width - 1] = 1;
  };
  const int top = std::max(*std::max_element(labels.begin(), labels.end()),
                           *std::max_element(validation_labels.begin(), validation_labels.end()));
  struct Class {
    std::vector<Index> pool, validation;
    Matrix h;  // pool's rows, then validation's
  };
  std::vector<Class> classes(static_cast<std::size_t>(top) + 1);
  for (Index i = 0; i < n; ++i)
    classes[static_cast<std::size_t>(labels[static_cast<std::size_t>(i)])].pool.push_back(i);
  for (Index v = 0; v < m; ++v)
    classes[static_cast<std::size_t>(validation_labels[static_cast<std::size_t>(v)])].validation.push_back(v);
  for (Class& c : classes) {
    const auto np = static_cast<Index>(c.pool.size()), nv = static_cast<Index>(c.validation.size());
    c.h.resize(np + nv, width);
    for (Index i = 0; i < np; ++i) h(features, c.pool[static_cast<std::size_t>(i)], c.h.row(i));
    for (Index v = 0; v < nv; ++v) h(validation, c.validation[static_cast<std::size_t>(v)], c.h.row(np + v));
  }

  // Newton: parameters of what is shared, then of each class
  const Index blocks = static_cast<Index>(classes.size()) + 1, size = blocks * width;
  constexpr double free_intercept = 1e-6, class_intercept = 1e-2;  // intercepts are hardly held back
  Vector penalty(size);
  for (Index b = 0; b < blocks; ++b) {
    penalty.segment(b * width, width).setConstant(b == 0 ? options.ridge : options.class_ridge);
    penalty[b * width + width - 1] = b == 0 ? free_intercept : class_intercept;
  }
  const double pool_weight = static_cast<double>(m) / static_cast<double>(n);
  const auto logits = [&](const Vector& beta, std::size_t c) -> Vector {
    return classes[c].h * (beta.head(width) + beta.segment((static_cast<Index>(c) + 1) * width, width));
  };
  const auto softplus = [](double z) { return z > 0 ? z + std::log1p(std::exp(-z)) : std::log1p(std::exp(z)); };
  const auto objective = [&](const Vector& beta) {
    double sum = 0.5 * beta.cwiseProduct(penalty).dot(beta);
    for (std::size_t c = 0; c < classes.size(); ++c) {
      const Vector z = logits(beta, c);
      const auto np = static_cast<Index>(classes[c].pool.size());
      for (Index i = 0; i < z.size(); ++i) sum += i < np ? pool_weight * softplus(z[i]) : softplus(-z[i]);
    }
    return sum;
  };
  Vector beta = Vector::Zero(size), gradient(size);
  Matrix hessian(size, size);
  double value = objective(beta);
  bool arrived = false;
  for (Index step = 0; step < options.max_iterations && !arrived; ++step) {
    gradient = beta.cwiseProduct(penalty);
    hessian.setZero();
    hessian.diagonal() = penalty;
    for (std::size_t c = 0; c < classes.size(); ++c) {
      const Vector z = logits(beta, c);
      const auto np = static_cast<Index>(classes[c].pool.size());
      Vector g(z.size()), curvature(z.size());
      for (Index i = 0; i < z.size(); ++i) {
        const double q = 1 / (1 + std::exp(-z[i])), weight = i < np ? pool_weight : 1.0;
        g[i] = weight * (q - (i < np ? 0 : 1));
        curvature[i] = weight * q * (1 - q);
      }
      const Vector sum = classes[c].h.transpose() * g;
      const Matrix gram = classes[c].h.transpose() * curvature.asDiagonal() * classes[c].h;
      const Index own = (static_cast<Index>(c) + 1) * width;
      gradient.head(width) += sum;
      gradient.segment(own, width) += sum;
      hessian.topLeftCorner(width, width) += gram;
      hessian.block(own, own, width, width) += gram;
      hessian.block(0, own, width, width) += gram;
      hessian.block(own, 0, width, width) += gram;
    }
    const Vector direction = hessian.llt().solve(gradient);
    check_finite(name, "Newton step", direction.norm());
    double length = 1, next = value;
    for (int halvings = 0; halvings < 30; ++halvings, length /= 2) {
      next = objective(beta - length * direction);
      if (next <= value) break;
    }
    arrived = gradient.dot(direction) < 1e-10 * (1 + std::abs(value)) || next > value;
    if (next <= value) {
      beta -= length * direction;
      value = next;
    }
  }
  if (!arrived)
    throw NumericalError(detail::text(name, ": Newton's method has not arrived after ", options.max_iterations,
                                      " iterations: raise max_iterations or ridge"));

  SampleVector out(n);
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const Vector z = logits(beta, c);
    for (std::size_t i = 0; i < classes[c].pool.size(); ++i) out[classes[c].pool[i]] = z[static_cast<Index>(i)];
  }
  std::vector<double> sorted(out.data(), out.data() + n);
  const auto at = sorted.begin() + std::llround(options.clip * static_cast<double>(n - 1));
  std::nth_element(sorted.begin(), at, sorted.end());
  return out.cwiseMin(*at);
}

}  // namespace mts
