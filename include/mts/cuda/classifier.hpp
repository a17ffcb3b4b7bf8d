#pragma once
/// \file
/// `Classifier`: a classifier of the nn room, run on a device, as a `Model`; and the batches it reads.

#include <span>
#include <utility>
#include <vector>

#include "mts/cuda/network.hpp"
#include "mts/nn/classifier.hpp"

namespace mts::cuda {

/// N labelled inputs in a device's memory.
template <class S, class E>
class ClassificationBatch {
 public:
  explicit ClassificationBatch(SharedQueue<E> queue) : queue_(std::move(queue)) {}
  ClassificationBatch(SharedQueue<E> queue, const nn::ClassificationBatch<S>& host) : queue_(std::move(queue)) {
    assign(host);
  }
  /// this <- host; reuses memory where sizes repeat. \throws ShapeError unless there is a label for every input
  void assign(const nn::ClassificationBatch<S>& host) {
    resize(host.inputs.rows(), host.inputs.cols());
    queue_->upload(inputs_.data(), host.inputs.data(), host.inputs.size());
    set_labels(host.labels);
  }
  /// Room for N inputs of width d, whatever they are.
  void resize(Index n, Index width) {
    if (inputs_.size() != n * width || !inputs_.data()) inputs_ = Buffer<S, E>(queue_, n * width);
    rows_ = n;
    width_ = width;
  }
  void set_labels(std::span<const int> labels) {
    check_size("cuda::ClassificationBatch", "labels", rows_, static_cast<Index>(labels.size()));
    labels_.assign(queue_, labels);
  }

  Index size() const { return rows_; }
  Matrix<S> inputs() { return {inputs_.data(), rows_, width_}; }
  ConstMatrix<S> inputs() const { return {inputs_.data(), rows_, width_}; }
  const Column<E>& labels() const { return labels_; }
  const SharedQueue<E>& queue() const { return queue_; }

 private:
  SharedQueue<E> queue_;
  Index rows_ = 0, width_ = 0;
  Buffer<S, E> inputs_;
  Column<E> labels_;
};

/// A classifier as `Model`. Its linearisation satisfies every rung of the ladder. Const calls are thread-safe.
///
///     auto queue = cuda::make_queue<cuda::Device>();
///     cuda::Classifier model(nn::mlp<float>({784, 256, 256, 10}), queue);
template <class S, class E>
class Classifier {
 public:
  using Scalar = S;
  using Parameters = cuda::Parameters<S, E>;
  using Batch = ClassificationBatch<S, E>;

  /// \throws ValueError if a primitive of the classifier has no rules on a device
  Classifier(const nn::Classifier<S>& host, SharedQueue<E> queue, const NetworkOptions& options = {},
             const Translation<S, E>& translation = {})
      : network_(host.network(), std::move(queue), options, translation) {}

  Parameters initialize(RandomStream stream) const { return network_.initialize(stream); }
  NetworkForward<S, E> forward(const Parameters& theta, const Batch& batch) const {
    return network_.forward(theta, input(batch));
  }
  NetworkLinearization<S, E> linearize(const Parameters& theta, const Batch& batch) const {
    return network_.linearize(theta, input(batch));
  }
  const Network<S, E>& network() const { return network_; }
  const SharedQueue<E>& queue() const { return network_.queue(); }

 private:
  static NetworkInput<S, E> input(const Batch& batch) {
    return {.samples = batch.size(), .dense = {batch.inputs()}, .columns = {&batch.labels()}};
  }
  Network<S, E> network_;
};

}  // namespace mts::cuda
