#pragma once
/// \file
/// Weights of a whole pool from evidence: what models that have not seen a sample say of its label, and how rare its like are among
/// validation samples.

#include <vector>

#include "mts/core/error.hpp"
#include "mts/core/types.hpp"
#include "mts/selection/density_ratio.hpp"
#include "mts/selection/label_evidence.hpp"

namespace mts {

/// Some samples as the weights see them.
struct EvidenceSamples {
  RowMatrix<double> probabilities;  ///< n x C, by models that were trained without the sample (out of fold)
  RowMatrix<double> position;       ///< n x D: where it lies in its distribution, by features of any kind; D may be 0
  Samples samples;                  ///< labels and groups (of validation samples only labels are read)
};

/// Each part may be left out, to see what it gives.
struct EvidenceWeightsOptions {
  LabelEvidenceOptions evidence = {};
  DensityRatioOptions density_ratio = {};
  bool use_evidence = true;  ///< right_i in the product, and e_i among the ratio's features
  bool use_position = true;  ///< the position among the ratio's features
  bool use_ratio = true;     ///< r_i
  bool balance = true;       ///< b_c
};

/// The weight >= 0 of every sample of the pool,
///
///     e_i, right_i = label evidence of P_i          (LabelEvidence)
///     r_i          = density ratio validation : pool, given the label, of (e_i, position_i)          (log_density_ratio)
///     w_i          = b_c r_i right_i,       b_c: so that sum_{i of class c} w_i = (m_c + 1)/(M + C)
///
/// with m_c of the M validation samples in class c. The ratio makes each class of the pool look like that class in validation; b gives
/// the classes the share that they have there, smoothed by one sample each. A class that the pool lacks has no weight to give; without
/// b, max w = 1. Costs what its two parts cost. Deterministic.
/// \throws ShapeError, ValueError, NumericalError as they do; ValueError if no part is left to weigh by
/// Source: this project (docs/design.md).
inline SampleVector evidence_weights(const EvidenceSamples& pool, const EvidenceSamples& validation,
                                     const EvidenceWeightsOptions& options = {}) {
  constexpr const char* name = "evidence_weights";
  check_value(options.use_evidence || (options.use_ratio && options.use_position), name,
              "expected evidence, or the ratio of positions, to weigh by; found neither");
  const Index n = pool.probabilities.rows(), m = validation.probabilities.rows(), classes = pool.probabilities.cols();
  check_value(n >= 1 && m >= 1, name, "expected samples in pool and validation, found ", n, " and ", m);
  check_size(name, "classes of validation", classes, validation.probabilities.cols());
  const auto& labels = pool.samples.labels;
  const auto& validation_labels = validation.samples.labels;

  const LabelEvidence evidence(pool.probabilities, pool.samples, options.evidence);
  const SampleVector validation_evidence = evidence.ratio(validation.probabilities, validation_labels);
  SampleVector w = options.use_evidence ? evidence.right() : SampleVector::Ones(n);
  if (options.use_ratio) {
    check_size(name, "positions", n, pool.position.rows());
    check_size(name, "validation positions", m, validation.position.rows());
    check_size(name, "columns of validation positions", pool.position.cols(), validation.position.cols());
    const Index d = options.use_position ? pool.position.cols() : 0, first = options.use_evidence ? 1 : 0;
    const auto features = [&](const SampleVector& e, const RowMatrix<double>& position) {
      RowMatrix<double> x(e.size(), first + d);
      if (first == 1) x.col(0) = e;
      x.rightCols(d) = position.leftCols(d);
      return x;
    };
    const SampleVector log_ratio =
        log_density_ratio(features(evidence.ratio(), pool.position), labels,
                          features(validation_evidence, validation.position), validation_labels, options.density_ratio);
    w.array() *= (log_ratio.array() - log_ratio.maxCoeff()).exp();
  }
  if (!options.balance) return w / w.maxCoeff();
  SampleVector of_pool = SampleVector::Zero(classes), of_validation = SampleVector::Ones(classes);
  for (Index i = 0; i < n; ++i) of_pool[labels[static_cast<std::size_t>(i)]] += w[i];
  for (const int c : validation_labels) of_validation[c] += 1;
  for (Index i = 0; i < n; ++i) {
    const int c = labels[static_cast<std::size_t>(i)];
    w[i] *= of_validation[c] / static_cast<double>(m + classes) / of_pool[c];
  }
  return w;
}

}  // namespace mts
