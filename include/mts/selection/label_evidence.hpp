#pragma once
/// \file
/// Evidence that a sample's label is right, from predictions of models that were not trained on it.

#include <algorithm>
#include <cmath>
#include <vector>

#include "mts/core/error.hpp"
#include "mts/core/types.hpp"

namespace mts {

struct LabelEvidenceOptions {
  double epsilon = 1e-3;  ///< added to every probability: how sure a prediction may count, > 0
  Index iterations = 20;  ///< of expectation-maximisation, >= 1
  double pooling = 0.5;   ///< how far a label's wrong share in `right` goes to the labels' mean, in [0, 1]
};

/// Of a pool whose labels c_i may be wrong, with P_ik = probability of class k for sample i by a model that was trained without it
/// (out of fold), plus epsilon. Synthetic samples labelled y are taken for a mixture: with probability 1 - wrong_y they show y, else
/// class k != y with probability shown_yk; what a sample shows has likelihood P_ik. Expectation-maximisation over each class's
/// synthetic samples,
///
///     r_ik    = wrong_y shown_yk P_ik / ((1 - wrong_y) P_iy + wrong_y sum_j shown_yj P_ij)
///     wrong_y = mean_i sum_k r_ik,     shown_yk ~ sum_i r_ik,
///
/// begins at wrong = 1/2 and equal shown. Then
///
///     ratio_i = log P_iy - log sum_k shown_yk P_ik          evidence, in nats
///     wrong'_y = (1 - pooling) wrong_y + pooling (mean of wrong over labels that have synthetic samples)
///     right_i = 1/(1 + exp(-(ratio_i + log((1 - wrong'_y)/wrong'_y))))      probability that the label is right
///
/// What a label's share has of its own is half the model's doing: of a label that it knows badly, more samples look wrong. Hence the
/// pooling.
///
/// A margin, log P_iy - max_k log P_ik, asks whether the model would have said something else; the ratio whether it would have said
/// what wrong samples of this label usually show. A right but unusual sample, which a biased model takes for any other class, keeps
/// its evidence.
///
/// The same for samples outside the pool by `ratio`. Cost: iterations n C. Deterministic; const calls are thread-safe.
/// Source: this project (docs/design.md); the mixture is that of learning with class-conditional label noise (Bylander, COLT 1994;
/// Patrini et al., CVPR 2017).
class LabelEvidence {
 public:
  /// \param probabilities  n x C, out of fold, in [0, 1]; any Eigen matrix
  /// \param pool           labels in [0, C) and groups of the n samples; group 0 is real
  /// \throws ShapeError, ValueError, NumericalError that name the first bad sample
  template <class Derived>
  LabelEvidence(const Eigen::MatrixBase<Derived>& probabilities, const Samples& pool, LabelEvidenceOptions options = {})
      : options_(options), classes_(probabilities.cols()) {
    check_value(options.epsilon > 0 && std::isfinite(options.epsilon), name, "epsilon must be positive, found ",
                options.epsilon);
    check_value(options.iterations >= 1, name, "iterations must be at least 1, found ", options.iterations);
    check_value(options.pooling >= 0 && options.pooling <= 1, name, "pooling must be in [0, 1], found ",
                options.pooling);
    check_value(classes_ >= 2, name, "expected probabilities of at least 2 classes, found ", classes_);
    const Matrix p = with_epsilon(probabilities, pool.labels);
    const Index n = p.rows();
    check_size(name, "groups", n, static_cast<Index>(pool.groups.size()));
    shown_.setZero(classes_, classes_);
    wrong_.setConstant(classes_, 0.5);
    double sum = 0, fitted = 0;  // of the wrong shares, and how many
    for (Index y = 0; y < classes_; ++y) {
      std::vector<Index> members;
      for (Index i = 0; i < n; ++i)
        if (pool.labels[static_cast<std::size_t>(i)] == y && pool.groups[static_cast<std::size_t>(i)] != 0)
          members.push_back(i);
      fit(y, p, members);
      if (members.empty()) continue;
      sum += wrong_[y];
      ++fitted;
    }
    believed_ = wrong_;
    if (fitted > 0) believed_.array() += options.pooling * (sum / fitted - wrong_.array());
    ratio_ = ratio_of(p, pool.labels);
    right_.resize(n);
    for (Index i = 0; i < n; ++i) right_[i] = right(ratio_[i], pool.labels[static_cast<std::size_t>(i)]);
  }

  const SampleVector& ratio() const { return ratio_; }        ///< n
  const SampleVector& right() const { return right_; }        ///< n, in (0, 1)
  const SampleVector& wrong_share() const { return wrong_; }  ///< C: of each label's synthetic samples
  const RowMatrix<double>& shown() const { return shown_; }   ///< C x C, row y: what wrong ones of label y show
  /// The evidence for other samples, by the same mixture. \throws as the constructor
  template <class Derived>
  SampleVector ratio(const Eigen::MatrixBase<Derived>& probabilities, const std::vector<int>& labels) const {
    check_size(name, "classes", classes_, probabilities.cols());
    return ratio_of(with_epsilon(probabilities, labels), labels);
  }

 private:
  using Matrix = RowMatrix<double>;
  static constexpr const char* name = "LabelEvidence";

  template <class Derived>
  Matrix with_epsilon(const Eigen::MatrixBase<Derived>& probabilities, const std::vector<int>& labels) const {
    const Index n = probabilities.rows();
    check_size(name, "labels", n, static_cast<Index>(labels.size()));
    for (Index i = 0; i < n; ++i) {
      const int label = labels[static_cast<std::size_t>(i)];
      check_value(label >= 0 && label < classes_, name, "label of sample ", i, ": expected 0 to ", classes_ - 1,
                  ", found ", label);
      for (Index k = 0; k < classes_; ++k) {
        const auto q = static_cast<double>(probabilities(i, k));
        if (!std::isfinite(q))
          throw NumericalError(detail::text(name, ": probability of class ", k, " for sample ", i,
                                            ": expected a finite number, found ", q));
        check_value(q >= 0 && q <= 1 + 1e-6, name, "probability of class ", k, " for sample ", i,
                    ": expected a number in [0, 1], found ", q);
      }
    }
    return probabilities.template cast<double>().array() + options_.epsilon;
  }
  void fit(Index y, const Matrix& p, const std::vector<Index>& members) {
    shown_.row(y).setConstant(1.0 / static_cast<double>(classes_ - 1));
    shown_(y, y) = 0;
    if (members.empty()) return;
    for (Index step = 0; step < options_.iterations; ++step) {
      Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(classes_);
      for (const Index i : members) {
        const auto joint = (wrong_[y] * shown_.row(y).array() * p.row(i).array()).matrix().eval();
        sum += joint / ((1 - wrong_[y]) * p(i, y) + joint.sum());
      }
      wrong_[y] = std::clamp(sum.sum() / static_cast<double>(members.size()), smallest_share, 1 - smallest_share);
      shown_.row(y) = sum / sum.sum();
    }
  }
  SampleVector ratio_of(const Matrix& p, const std::vector<int>& labels) const {
    SampleVector ratio(p.rows());
    for (Index i = 0; i < p.rows(); ++i) {
      const Index y = labels[static_cast<std::size_t>(i)];
      ratio[i] = std::log(p(i, y)) - std::log(shown_.row(y).dot(p.row(i)));
    }
    return ratio;
  }
  double right(double ratio, Index y) const { return 1 / (1 + std::exp(-ratio) * believed_[y] / (1 - believed_[y])); }

  static constexpr double smallest_share = 1e-6;  ///< so that no class is beyond doubt
  LabelEvidenceOptions options_;
  Index classes_;
  Matrix shown_;
  SampleVector wrong_, believed_, ratio_, right_;  // believed: pooled
};

}  // namespace mts
