#pragma once
/// \file
/// A second framework behind the contract of mts/core/concepts.hpp: any LibTorch module as `Model`, its parameters
/// staying torch tensors. Not part of the library, which knows no torch: take this header into your project.
///
///     auto model = torch_adapter::TorchModel<float, Net>(std::make_shared<Net>(...));
///     mts::MtsStep step(model, model.initialize(stream), mts::Sgd<torch_adapter::TorchParameters<float>>(...), ...);
///     step({inputs, labels}, samples, {validation_inputs, validation_labels}, validation_samples);
///
/// `Net` is a torch::nn module that can be cloned (torch::nn::Cloneable, as all of LibTorch's own) with
///     torch::Tensor forward(torch::Tensor x)                                   N x ... -> logits N x C
/// and, if features are to see what it makes of its inputs,
///     std::pair<torch::Tensor, torch::Tensor> logits_and_embedding(torch::Tensor x)     N x C, N x E.
/// The value is the cross-entropy of each sample; another loss is a change of `TorchModel::losses`.
///
/// Rungs: an ElementwiseParameterVector (so AdamW works on it), an exact pushforward also where samples mix
/// (BatchNorm). No per-sample gradients: autograd sums over the batch. Tensors live on the CPU. Determinism is torch's:
/// the same bits for the same number of torch threads.
///
/// Cost: every evaluation clones the module and copies theta into the clone; a pullback is a whole backward pass (the graph keeps no
/// deltas), so a step with selection is three over the train and validation batches and two more for the pushforward. docs/adapters.md has
/// the times beside the built-in net.

#include <torch/torch.h>

#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mts/core/concepts.hpp"

namespace torch_adapter {

using mts::Index;
using mts::SampleVector;

template <class S>
constexpr torch::ScalarType scalar_type = c10::CppTypeToScalarType<S>::value;

/// A tensor of S with the numbers of an N-vector.
template <class S>
torch::Tensor to_tensor(const SampleVector& x) {
  return torch::from_blob(const_cast<double*>(x.data()), {x.size()}, torch::kDouble).to(scalar_type<S>).clone();
}
template <class S>
torch::Tensor to_tensor(const mts::RowMatrix<S>& x) {
  return torch::from_blob(const_cast<S*>(x.data()), {x.rows(), x.cols()}, scalar_type<S>).clone();
}
inline torch::Tensor to_tensor(const std::vector<int>& labels) {
  return torch::from_blob(const_cast<int*>(labels.data()), {static_cast<Index>(labels.size())}, torch::kInt)
      .to(torch::kLong);
}
/// out <- the N numbers of a tensor.
inline void to_samples(const torch::Tensor& x, SampleVector& out) {
  const auto host = x.detach().to(torch::kDouble).contiguous();
  out = Eigen::Map<const SampleVector>(host.data_ptr<double>(), host.numel());
}

/// A list of tensors, one a named parameter. Handles of tensors copy shallowly, so this cannot be copied but by `clone`
/// and `copy_into`, which copy numbers. The entries are on the CPU and contiguous, so elementwise optimisers can visit
/// them.
template <class S>
class TorchParameters {
 public:
  using Scalar = S;

  /// Zeros. \param segments  one for each of `shapes`, following one another without gaps
  TorchParameters(std::shared_ptr<const std::vector<mts::Segment>> segments,
                  const std::vector<std::vector<Index>>& shapes)
      : segments_(std::move(segments)) {
    for (const auto& shape : shapes) tensors_.push_back(torch::zeros(shape, scalar_type<S>));
  }
  TorchParameters(TorchParameters&&) = default;
  TorchParameters& operator=(TorchParameters&&) = default;

  TorchParameters clone() const {
    auto copy = zeros_like();
    copy_into(copy);
    return copy;
  }
  TorchParameters zeros_like() const {
    std::vector<std::vector<Index>> shapes;
    for (const auto& t : tensors_) shapes.push_back(t.sizes().vec());
    return TorchParameters(segments_, shapes);
  }
  void copy_into(TorchParameters& other) const {
    const torch::NoGradGuard no_graph;
    for (std::size_t k = 0; k < tensors_.size(); ++k) other.tensors_[k].copy_(tensors_[k]);
  }
  double dot(const TorchParameters& other) const {
    const torch::NoGradGuard no_graph;
    double sum = 0;
    for (std::size_t k = 0; k < tensors_.size(); ++k)
      sum += torch::dot(tensors_[k].flatten().to(torch::kDouble), other.tensors_[k].flatten().to(torch::kDouble))
                 .template item<double>();
    return sum;
  }
  void axpy(double a, const TorchParameters& x) {
    const torch::NoGradGuard no_graph;
    for (std::size_t k = 0; k < tensors_.size(); ++k) tensors_[k].add_(x.tensors_[k], a);
  }
  void scale(double a) {
    const torch::NoGradGuard no_graph;
    for (auto& t : tensors_) t.mul_(a);
  }
  Index size() const {
    Index n = 0;
    for (const auto& t : tensors_) n += t.numel();
    return n;
  }

  std::span<const mts::Segment> segments() const { return *segments_; }
  template <class Make, class... Others>
  void transform(Make&& make, Others&... others) {
    for (std::size_t k = 0; k < tensors_.size(); ++k) {
      auto op = make((*segments_)[k]);
      visit(op, tensors_[k].numel(), data(k), others.data(k)...);
    }
  }

  std::vector<torch::Tensor>& tensors() { return tensors_; }
  const std::vector<torch::Tensor>& tensors() const { return tensors_; }
  S* data(std::size_t k) { return tensors_[k].template data_ptr<S>(); }
  const S* data(std::size_t k) const { return tensors_[k].template data_ptr<S>(); }

 private:
  template <class Op, class... T>
  static void visit(Op& op, Index n, T*... x) {
    for (Index i = 0; i < n; ++i) op(x[i]...);
  }

  std::vector<torch::Tensor> tensors_;
  std::shared_ptr<const std::vector<mts::Segment>> segments_;
};

/// Labelled inputs: N x ... and N (int64).
struct TorchBatch {
  torch::Tensor inputs, labels;
};

/// Per-sample losses, logits and (where the module shows one) embedding, as mts reads them.
template <class S, bool shows_embedding>
class TorchForward {
 public:
  TorchForward(const torch::Tensor& losses, const torch::Tensor& logits, const torch::Tensor& embedding)
      : logits_(logits.detach().contiguous()) {
    to_samples(losses, value_);
    if constexpr (shows_embedding) embedding_ = embedding.detach().contiguous();
  }
  const SampleVector& value() const { return value_; }
  mts::ConstRows<S> logits() const { return rows(logits_); }
  mts::ConstRows<S> embeddings() const
    requires shows_embedding
  {
    return rows(embedding_);
  }

 private:
  static mts::ConstRows<S> rows(const torch::Tensor& x) {
    return {x.template data_ptr<S>(), x.size(0), x.size(1), Eigen::OuterStride<>(x.size(1))};
  }
  SampleVector value_;
  torch::Tensor logits_, embedding_;
};

/// The losses with the graph that led to them. Its module is its own copy, parameters included: a graph remembers the
/// tensors it was made of, so another linearisation at another point must not share them.
template <class S, bool shows_embedding>
class TorchLinearization : public TorchForward<S, shows_embedding> {
 public:
  using Parameters = TorchParameters<S>;

  TorchLinearization(std::vector<torch::Tensor> leaves, const torch::Tensor& losses, const torch::Tensor& logits,
                     const torch::Tensor& embedding)
      : TorchForward<S, shows_embedding>(losses, logits, embedding), leaves_(std::move(leaves)), losses_(losses) {}

  /// out <- J^T u, by one backward pass.
  void pullback(const SampleVector& u, Parameters& out) const {
    mts::check_size("TorchLinearization::pullback", "length of u", losses_.numel(), u.size());
    const auto g = gradient(to_tensor<S>(u), false);
    const torch::NoGradGuard no_graph;
    for (std::size_t k = 0; k < g.size(); ++k) {
      if (g[k].defined())
        out.tensors()[k].copy_(g[k]);
      else
        out.tensors()[k].zero_();
    }
  }
  /// out <- J v, exactly, also where samples mix. The pullback is linear in u, so J v is the derivative in u of
  /// <J^T u, v>, at any u. Two backward passes.
  void pushforward(const Parameters& v, SampleVector& out) const {
    mts::check_size("TorchLinearization::pushforward", "tensors", static_cast<Index>(leaves_.size()),
                    static_cast<Index>(v.tensors().size()));
    const auto u = torch::zeros_like(losses_).requires_grad_();
    const auto g = gradient(u, true);
    auto product = torch::zeros({}, losses_.options());
    for (std::size_t k = 0; k < g.size(); ++k)
      if (g[k].defined()) product = product + (g[k] * v.tensors()[k]).sum();
    if (!product.requires_grad()) return out.setZero(losses_.numel()), void();
    to_samples(torch::autograd::grad({product}, {u})[0], out);
  }

 private:
  std::vector<torch::Tensor> gradient(const torch::Tensor& u, bool differentiable) const {
    return torch::autograd::grad({losses_}, leaves_, {u}, /*retain_graph=*/true, differentiable, /*allow_unused=*/true);
  }
  std::vector<torch::Tensor> leaves_;
  torch::Tensor losses_;
};

/// A module as `Model`. It runs in the module's own mode, in `forward` and `linearize` alike. Where the module
/// normalises by batch statistics (BatchNorm in training mode), samples mix: each batch, the validation batch too, is
/// normalised by itself, and J is the Jacobian of the losses given the whole batch; there is a pushforward, but no
/// per-sample gradient. Running statistics belong to the copy of the module that a call makes: those of the module
/// given do not move.
template <class S, class Net>
class TorchModel {
  static constexpr bool shows_embedding = requires(Net& net, torch::Tensor x) { net.logits_and_embedding(x); };

 public:
  using Scalar = S;
  using Parameters = TorchParameters<S>;
  using Batch = TorchBatch;

  /// \param net     becomes a module of S, if it is not one
  /// \param decays  which parameters decay, by name; all by default, as in torch::optim
  /// \throws ValueError if there is no module
  explicit TorchModel(std::shared_ptr<Net> net, bool (*decays)(const std::string&) = nullptr) : net_(std::move(net)) {
    mts::check_value(net_ != nullptr, "TorchModel", "expected a module, found a null pointer");
    net_->to(scalar_type<S>);
    auto segments = std::make_shared<std::vector<mts::Segment>>();
    Index begin = 0;
    for (const auto& p : net_->named_parameters()) {
      segments->push_back({p.key(), begin, p.value().numel(), decays == nullptr || decays(p.key())});
      shapes_.push_back(p.value().sizes().vec());
      begin += p.value().numel();
    }
    segments_ = std::move(segments);
  }

  Net& net() const { return *net_; }
  Parameters zeros() const { return Parameters(segments_, shapes_); }
  /// The module's own parameters.
  Parameters parameters() const {
    auto theta = zeros();
    const torch::NoGradGuard no_graph;
    const auto own = net_->parameters();
    for (std::size_t k = 0; k < own.size(); ++k) theta.tensors()[k].copy_(own[k]);
    return theta;
  }
  /// Matrices and filters as U(-1/sqrt(fan-in), 1/sqrt(fan-in)); vectors as the module has them (shifts and scales).
  Parameters initialize(mts::RandomStream stream) const {
    auto theta = parameters();
    for (std::size_t k = 0; k < theta.tensors().size(); ++k) {
      const auto& t = theta.tensors()[k];
      if (t.dim() < 2) continue;
      const double bound = 1 / std::sqrt(static_cast<double>(t.numel() / t.size(0)));
      for (Index i = 0; i < t.numel(); ++i) theta.data(k)[i] = static_cast<S>(stream.uniform(-bound, bound));
    }
    return theta;
  }

  /// \throws ShapeError if there is not one label a sample
  TorchForward<S, shows_embedding> forward(const Parameters& theta, const Batch& batch) const {
    const torch::NoGradGuard no_graph;
    const auto net = net_at(theta);
    const auto [logits, embedding] = run(*net, batch);
    return {losses(logits, batch), logits, embedding};
  }
  TorchLinearization<S, shows_embedding> linearize(const Parameters& theta, const Batch& batch) const {
    const torch::AutoGradMode graph(true);
    const auto net = net_at(theta);
    const auto [logits, embedding] = run(*net, batch);
    return {net->parameters(), losses(logits, batch), logits, embedding};
  }

 private:
  std::shared_ptr<Net> net_at(const Parameters& theta) const {
    const torch::NoGradGuard no_graph;
    auto net = std::dynamic_pointer_cast<Net>(net_->clone());
    const auto own = net->parameters();
    mts::check_size("TorchModel", "tensors", static_cast<Index>(own.size()),
                    static_cast<Index>(theta.tensors().size()));
    for (std::size_t k = 0; k < own.size(); ++k) own[k].copy_(theta.tensors()[k]);
    return net;
  }
  static std::pair<torch::Tensor, torch::Tensor> run(Net& net, const Batch& batch) {
    if constexpr (shows_embedding)
      return net.logits_and_embedding(batch.inputs);
    else
      return {net.forward(batch.inputs), {}};
  }
  static torch::Tensor losses(const torch::Tensor& logits, const Batch& batch) {
    mts::check_size("TorchModel", "labels", logits.size(0), batch.labels.numel());
    return torch::nn::functional::cross_entropy(
        logits, batch.labels, torch::nn::functional::CrossEntropyFuncOptions().reduction(torch::kNone));
  }

  std::shared_ptr<Net> net_;
  std::shared_ptr<const std::vector<mts::Segment>> segments_;
  std::vector<std::vector<Index>> shapes_;
};

}  // namespace torch_adapter
