#pragma once
/// \file
/// `Classifier`: a network of the autodiff room as a `Model`: logits, embeddings and per-sample losses over labelled batches.

#include <utility>
#include <vector>

#include "mts/autodiff/network.hpp"
#include "mts/core/concepts.hpp"

namespace mts::nn {

/// N labelled inputs, one row each.
template <class S>
struct ClassificationBatch {
  RowMatrix<S> inputs;      ///< N x d
  std::vector<int> labels;  ///< N labels in {0, ..., C-1}

  Index size() const { return inputs.rows(); }
};

/// A classifier as `Model`. Build one with `mlp` (or from any graph with one dense input and one integer column, the
/// label). Its linearisation satisfies every rung of the ladder. Thread-safe; copies share memory pools.
template <class S>
class Classifier {
 public:
  using Scalar = S;
  using Parameters = DenseParameters<S>;
  using Batch = ClassificationBatch<S>;
  using Rows = autodiff::NetworkRows<S>;

  explicit Classifier(autodiff::Network<S> network) : network_(std::move(network)) {}

  Parameters initialize(RandomStream stream) const { return network_.initialize(stream); }
  /// \param observer  is shown the samples, range by range (OM2)
  autodiff::NetworkForward<S> forward(const Parameters& theta, const Batch& batch,
                                      autodiff::RowsObserver<S> observer = {}) const {
    return network_.forward(theta, input(batch), observer);
  }
  autodiff::NetworkLinearization<S> linearize(const Parameters& theta, const Batch& batch,
                                              autodiff::RowsObserver<S> observer = {}) const {
    return network_.linearize(theta, input(batch), observer);
  }
  const autodiff::Network<S>& network() const { return network_; }

 private:
  static autodiff::NetworkInput<S> input(const Batch& batch) {
    autodiff::NetworkInput<S> in(batch.inputs.rows());
    in.add(batch.inputs).add(batch.labels);
    return in;
  }
  autodiff::Network<S> network_;
};

/// The fraction of samples whose largest logit is their label's (the first of equal ones counts).
template <class S>
double accuracy(const Classifier<S>& model, const DenseParameters<S>& theta, const ClassificationBatch<S>& batch) {
  const auto result = model.forward(theta, batch);
  const auto logits = result.logits();
  Index correct = 0;
  for (Index i = 0; i < logits.rows(); ++i) {
    Index best = 0;
    logits.row(i).maxCoeff(&best);
    correct += best == batch.labels[static_cast<std::size_t>(i)];
  }
  return static_cast<double>(correct) / static_cast<double>(logits.rows());
}

}  // namespace mts::nn
