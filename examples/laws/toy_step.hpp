#pragma once
// A small training step for the laws of the hypergradient: N samples with logistic losses in R^3, a validation batch,
// an optimiser with a past. Once in plain code, which knows of the library only its random numbers, and once as a Model
// for the library's own step.

#include <cmath>
#include <mts/core/random.hpp>
#include <mts/selection/step.hpp>
#include <mts/theory/claim.hpp>
#include <mts/theory/hypergradient.hpp>
#include <string>
#include <vector>

namespace laws::toy {

using mts::Index;
using mts::SampleVector;
using mts::theory::Case;
using Matrix = mts::RowMatrix<double>;
using Dense = mts::DenseParameters<double>;

inline constexpr Index dimension = 3;

/// l_i(theta) = log(1 + exp(-<x_i, theta>)), the label within x.
inline double loss(const Matrix& x, Index i, const SampleVector& theta) {
  return std::log1p(std::exp(-x.row(i) * theta));
}
inline SampleVector gradient(const Matrix& x, Index i, const SampleVector& theta) {
  return -x.row(i).transpose() / (1 + std::exp(x.row(i) * theta));
}
inline double mean_loss(const Matrix& x, const SampleVector& theta) {
  double sum = 0;
  for (Index i = 0; i < x.rows(); ++i) sum += loss(x, i, theta);
  return sum / static_cast<double>(x.rows());
}
inline SampleVector mean_gradient(const Matrix& x, const SampleVector& theta) {
  SampleVector sum = SampleVector::Zero(theta.size());
  for (Index i = 0; i < x.rows(); ++i) sum += gradient(x, i, theta);
  return sum / static_cast<double>(x.rows());
}

/// Weights in plain code.
enum class Kind { softmax, sigmoid, softplus, relu };
inline const char* name(Kind activation) {
  switch (activation) {
    case Kind::softmax:
      return "softmax";
    case Kind::sigmoid:
      return "sigmoid";
    case Kind::softplus:
      return "softplus";
    default:
      return "ReLU";
  }
}
inline double raw_weight(Kind activation, double z) {
  switch (activation) {
    case Kind::softmax:
      return std::exp(z);
    case Kind::sigmoid:
      return 1 / (1 + std::exp(-z));
    case Kind::softplus:
      return std::log1p(std::exp(z));
    default:
      return z > 0 ? z : 0;
  }
}
inline SampleVector plain_weights(Kind activation, const SampleVector& z, const SampleVector& prior) {
  SampleVector p(z.size());
  for (Index i = 0; i < z.size(); ++i) p[i] = prior[i] * raw_weight(activation, z[i]);
  return p / p.sum();
}

/// The inner optimiser in plain code: the SGD family, or Adam.
struct Inner {
  bool adam = false;
  double eta = 0.7, mu = 0, tau = 0;
  bool nesterov = false;
  double beta1 = 0.9, beta2 = 0.99, epsilon = 1e-3;
  int steps = 0;
  SampleVector m = SampleVector::Zero(dimension), v = m;

  SampleVector step_of(const SampleVector& g) const { return Inner(*this).advance(g); }
  SampleVector advance(const SampleVector& g) {
    ++steps;
    if (adam) {
      m = beta1 * m + (1 - beta1) * g;
      v = beta2 * v + (1 - beta2) * g.cwiseAbs2();
      const SampleVector mhat = m / (1 - std::pow(beta1, steps)), vhat = v / (1 - std::pow(beta2, steps));
      return (eta * mhat.array() / (vhat.array().sqrt() + epsilon)).matrix();
    }
    if (mu == 0) return eta * g;
    m = steps == 1 ? g : SampleVector(mu * m + (1 - tau) * g);
    return nesterov ? SampleVector(eta * (g + mu * m)) : SampleVector(eta * m);
  }
};

/// A step and its past, all of it determined by the case: parameters N, prior (0 or 1), step (how many the optimiser
/// has taken), and momentum, dampening, nesterov, or adam = 1.
struct Problem {
  Kind activation;
  Matrix train, validation;
  SampleVector theta, z, prior;
  Inner inner, beginning;  ///< the optimiser before the step in question, and before the first
  SampleVector theta_beginning;
  int past;

  Problem(Kind kind, const Case& c) : activation(kind) {
    const auto n = static_cast<Index>(c["N"]);
    mts::RandomStream random(11, "laws: a step", static_cast<std::uint64_t>(n));
    const auto normal = [&] { return random.normal(); };
    train = Matrix::NullaryExpr(n, dimension, normal);
    validation = Matrix::NullaryExpr(5, dimension, normal);
    theta = theta_beginning = SampleVector::NullaryExpr(dimension, normal);
    z = SampleVector::NullaryExpr(n, normal);
    const bool weighted = c["prior"] != 0;
    prior = SampleVector::NullaryExpr(n, [&] { return std::exp(normal()); });
    if (!weighted) prior.setOnes();
    for (const auto& [key, value] : c.parameters()) {
      if (key == "adam") inner.adam = value != 0;
      if (key == "momentum") inner.mu = value;
      if (key == "dampening") inner.tau = value;
      if (key == "nesterov") inner.nesterov = value != 0;
    }
    if (inner.adam) inner.eta = 0.1;
    beginning = inner;
    past = static_cast<int>(c["step"]);
    for (int k = 0; k < past; ++k) theta -= inner.advance(mixed_gradient(plain_weights(activation, z, prior)));
  }

  Index size() const { return train.rows(); }
  SampleVector mixed_gradient(const SampleVector& p) const {
    SampleVector g = SampleVector::Zero(dimension);
    for (Index i = 0; i < size(); ++i) g += p[i] * gradient(train, i, theta);
    return g;
  }
  /// L_val after the virtual step at these logits: what everything is the derivative of.
  double objective(const SampleVector& logits) const {
    return mean_loss(validation, theta - inner.step_of(mixed_gradient(plain_weights(activation, logits, prior))));
  }
  /// Gamma at these logits.
  SampleVector gamma() const {
    return mean_gradient(validation, theta - inner.step_of(mixed_gradient(plain_weights(activation, z, prior))));
  }
  /// a_i = <g_i, pull(Gamma)>, by the pulls of law L1.
  SampleVector alignments() const {
    SampleVector pulled = gamma();
    const SampleVector g = mixed_gradient(plain_weights(activation, z, prior));
    for (Index k = 0; k < dimension; ++k)
      pulled[k] *= inner.adam ? mts::theory::adam_pull({inner.eta, inner.beta1, inner.beta2, inner.epsilon,
                                                        static_cast<double>(inner.steps + 1), inner.m[k], inner.v[k]},
                                                       g[k])
                              : mts::theory::sgd_pull({inner.eta, inner.mu, inner.tau, inner.nesterov, past == 0});
    SampleVector a(size());
    for (Index i = 0; i < size(); ++i) a[i] = gradient(train, i, theta).dot(pulled);
    return a;
  }
};

/// p, s and ds/dz as the theory has them. (Not for ReLU, which can be 0.)
inline mts::theory::Weights weights_of(const Problem& problem) {
  switch (problem.activation) {
    case Kind::softmax:
      return mts::theory::weigh(mts::theory::Softmax{}, problem.z, problem.prior);
    case Kind::sigmoid:
      return mts::theory::weigh(mts::theory::Sigmoid{}, problem.z, problem.prior);
    default:
      return mts::theory::weigh(mts::theory::Softplus{}, problem.z, problem.prior);
  }
}

/// df/dx by central differences of fourth order: error O(h^4) + round-off/h, about 1e-12 here.
template <class F>
SampleVector differences(const F& f, SampleVector x) {
  constexpr double h = 1e-3;
  SampleVector out(x.size());
  for (Index k = 0; k < x.size(); ++k) {
    const double middle = x[k];
    const auto at = [&](double shift) {
      x[k] = middle + shift;
      return f(x);
    };
    const double near = at(h) - at(-h), far = at(2 * h) - at(-2 * h);
    out[k] = (8 * near - far) / (12 * h);
    x[k] = middle;
  }
  return out;
}

inline std::vector<double> numbers(const SampleVector& x) { return {x.begin(), x.end()}; }

// ------------------------------------------------------------------------------------------------- for the library's
// step

struct Logistic {
  using Scalar = double;
  using Parameters = Dense;
  using Batch = Matrix;
  struct Linearization {
    Matrix jacobian;
    SampleVector losses;
    const SampleVector& value() const { return losses; }
    void pullback(const SampleVector& u, Parameters& out) const { out.values() = jacobian.transpose() * u; }
    /// Forward mode: the derivative of log(1 + exp(-m)) along dm = <x, v>.
    void pushforward(const Parameters& v, SampleVector& out) const { out = tangent_of(v); }
    void per_sample_dot(const Parameters& v, SampleVector& out) const { out = jacobian * v.values(); }

    const Matrix* x;
    SampleVector margin;
    SampleVector tangent_of(const Parameters& v) const {
      SampleVector out(margin.size());
      for (Index i = 0; i < margin.size(); ++i) {
        const double dm = x->row(i) * v.values(), e = std::exp(-margin[i]), de = -e * dm;
        out[i] = de / (1 + e);
      }
      return out;
    }
  };
  Parameters initialize(mts::RandomStream) const { return Parameters(dimension); }
  Linearization forward(const Parameters& theta, const Batch& x) const { return linearize(theta, x); }
  Linearization linearize(const Parameters& theta, const Batch& x) const {
    Linearization lin{Matrix(x.rows(), dimension), SampleVector(x.rows()), &x, x * theta.values()};
    for (Index i = 0; i < x.rows(); ++i) {
      lin.losses[i] = loss(x, i, theta.values());
      lin.jacobian.row(i) = gradient(x, i, theta.values()).transpose();
    }
    return lin;
  }
};

/// The library's `MtsStep` over the problem, its past included: what it says dL/dz is. Compiled once, in toy_step.cpp.
SampleVector library_logit_gradient(const Problem& problem, const mts::MtsOptions& options = {});

}  // namespace laws::toy
