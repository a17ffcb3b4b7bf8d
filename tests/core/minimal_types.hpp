// The smallest class that satisfies each rung of the ladder in mts/core/concepts.hpp: what a foreign framework has to
// bring, and no more. Anything beyond the contract, for the tests' own use, stands under "not asked for".
#pragma once

#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "mts/core/concepts.hpp"

namespace minimal {

using mts::Index;

/// ParameterVector. Not copyable: nothing may copy it but through clone and copy_into.
class Vector {
 public:
  explicit Vector(std::vector<double> x) : x_(std::move(x)) {}
  Vector(Vector&&) = default;
  Vector& operator=(Vector&&) = default;

  Vector clone() const { return Vector(x_); }
  Vector zeros_like() const { return Vector(std::vector<double>(x_.size())); }
  void copy_into(Vector& y) const { y.x_ = x_; }
  double dot(const Vector& y) const { return std::inner_product(x_.begin(), x_.end(), y.x_.begin(), 0.0); }
  void axpy(double a, const Vector& y) {
    for (std::size_t k = 0; k < x_.size(); ++k) x_[k] += a * y.x_[k];
  }
  void scale(double a) {
    for (double& x : x_) x *= a;
  }
  Index size() const { return static_cast<Index>(x_.size()); }

  // not asked for
  std::vector<double>& entries() { return x_; }
  const std::vector<double>& entries() const { return x_; }

 protected:
  std::vector<double> x_;
};

/// ElementwiseParameterVector.
class ElementwiseVector : public Vector {
 public:
  using Scalar = double;
  explicit ElementwiseVector(std::vector<double> x)
      : Vector(std::move(x)), segments_{{"all", 0, Vector::size(), true}} {}

  ElementwiseVector clone() const { return ElementwiseVector(x_); }
  ElementwiseVector zeros_like() const { return ElementwiseVector(std::vector<double>(x_.size())); }
  std::span<const mts::Segment> segments() const { return segments_; }
  template <class Make, class... Others>
  void transform(Make&& make, Others&... others) {
    auto op = make(segments_[0]);
    for (std::size_t k = 0; k < x_.size(); ++k) op(x_[k], others.x_[k]...);
  }

 protected:
  std::vector<mts::Segment> segments_;
};

/// SparseParameterVector.
class SparseVector : public ElementwiseVector {
 public:
  using ElementwiseVector::ElementwiseVector;
  SparseVector clone() const { return SparseVector(x_); }
  SparseVector zeros_like() const { return SparseVector(std::vector<double>(x_.size())); }
  template <class Make, class... Others>
  void transform_at(std::span<const Index> entries, Make&& make, Others&... others) {
    auto op = make(segments_[0]);
    for (const Index k : entries) op(x_[static_cast<std::size_t>(k)], others.x_[static_cast<std::size_t>(k)]...);
  }
};

/// SerializableParameterVector.
class SerializableVector : public Vector {
 public:
  using Vector::Vector;
  SerializableVector clone() const { return SerializableVector(x_); }
  SerializableVector zeros_like() const { return SerializableVector(std::vector<double>(x_.size())); }
  void save(std::ostream& out) const {
    out.write(reinterpret_cast<const char*>(x_.data()), static_cast<std::streamsize>(x_.size() * sizeof(double)));
  }
  void load(std::istream& in) {
    std::vector<double> x(x_.size());
    in.read(reinterpret_cast<char*>(x.data()), static_cast<std::streamsize>(x.size() * sizeof(double)));
    if (!in) throw mts::DataError("SerializableVector::load: the stream ends early");
    x_ = std::move(x);
  }
};

/// The inner product <theta, x_i> of each row x_i of an input: J = X.
struct Values {
  mts::SampleVector numbers;
  const mts::SampleVector& value() const { return numbers; }
};
struct Linearized : Values {
  const Eigen::MatrixXd* x;
  void pullback(const mts::SampleVector& u, Vector& out) const {
    for (Index j = 0; j < x->cols(); ++j) out.entries()[static_cast<std::size_t>(j)] = x->col(j).dot(u);
  }
};
struct InnerProducts {
  using Scalar = double;
  using Parameters = Vector;

  Parameters initialize(mts::RandomStream stream) const { return Vector({stream.normal(), stream.normal()}); }
  Values forward(const Parameters& theta, const Eigen::MatrixXd& x) const {
    return {x * Eigen::Map<const Eigen::VectorXd>(theta.entries().data(), theta.size())};
  }
  Linearized linearize(const Parameters& theta, const Eigen::MatrixXd& x) const { return {forward(theta, x), &x}; }
};

/// Model.
struct Model : InnerProducts {
  using Batch = Eigen::MatrixXd;
};

/// WeightNet.
struct WeightNet : InnerProducts {
  using Features = mts::FeatureBatch<double>;
  Values forward(const Parameters& phi, const Features& f) const { return InnerProducts::forward(phi, f.continuous); }
  struct Linearized : Values {
    Eigen::MatrixXd x;
    void pullback(const mts::SampleVector& u, Vector& out) const { minimal::Linearized{*this, &x}.pullback(u, out); }
  };
  Linearized linearize(const Parameters& phi, const Features& f) const { return {forward(phi, f), f.continuous}; }
};

/// FeatureExtractor, of any context: a column of ones.
struct Extractor {
  mts::FeatureLayout layout() const { return {{"one"}, {}}; }
  static constexpr bool reads_validation() { return false; }
  template <class Context>
  void extract(const Context&, mts::Rows<double> rows, std::span<std::vector<int>>) const {
    rows.setOnes();
  }
};

/// InnerOptimizer: theta - gradient.
struct UnitStep {
  void step(Vector& theta, const Vector& gradient) { theta.axpy(-1, gradient); }
  void virtual_step(const Vector& theta, const Vector& gradient, Vector& out) const {
    theta.copy_into(out);
    out.axpy(-1, gradient);
  }
  void pull(const Vector& direction, const Vector&, const Vector&, Vector& out) const { direction.copy_into(out); }
};

}  // namespace minimal
