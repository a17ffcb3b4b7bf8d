// One MTS step written in torch alone and differentiated by torch alone: the virtual step is a function of phi, the
// validation loss after it is back-propagated through that step (double backward). None of the formulas by which mts
// avoids the double backward is used.
#pragma once

#include <torch/torch.h>

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "libtorch/parity.hpp"

namespace parity {

/// (parameters, inputs) -> logits, penultimate activations.
using TorchNet = std::function<std::pair<Tensor, Tensor>(const Tensors&, const Tensor&)>;

/// An inner optimiser: torch::optim's for the real step, its formula, differentiable in the gradient, for the virtual
/// one.
class InnerReference {
 public:
  virtual ~InnerReference() = default;
  virtual Tensors virtual_step(const Tensors& theta, const Tensors& g) const = 0;
  /// theta <- theta - step_of(g), in place.
  virtual void step(const Tensors& theta, const Tensors& g) = 0;

 protected:
  static void give(const Tensors& theta, const Tensors& g) {
    for (std::size_t k = 0; k < theta.size(); ++k) theta[k].mutable_grad() = g[k].detach();
  }
};

class SgdReference : public InnerReference {
 public:
  SgdReference(const Tensors& theta, torch::optim::SGDOptions options) : o_(options), optimizer_(theta, options) {}

  Tensors virtual_step(const Tensors& theta, const Tensors& g) const override {
    const auto [d, m] = moved(theta, g);
    Tensors out;
    for (std::size_t k = 0; k < theta.size(); ++k)
      out.push_back(theta[k] - o_.lr() * (o_.nesterov() ? d[k] + o_.momentum() * m[k] : m[k]));
    return out;
  }
  void step(const Tensors& theta, const Tensors& g) override {
    auto m = moved(theta, g).second;
    for (auto& t : m) t = t.detach();
    give(theta, g);
    optimizer_.step();
    momentum_ = std::move(m);
  }

 private:
  /// d = g + lambda theta and the new momentum buffer.
  std::pair<Tensors, Tensors> moved(const Tensors& theta, const Tensors& g) const {
    Tensors d, m;
    for (std::size_t k = 0; k < theta.size(); ++k) {
      d.push_back(g[k] + o_.weight_decay() * theta[k].detach());
      m.push_back(momentum_.empty() || o_.momentum() == 0 ? d[k]
                                                          : o_.momentum() * momentum_[k] + (1 - o_.dampening()) * d[k]);
    }
    return {d, m};
  }
  torch::optim::SGDOptions o_;
  torch::optim::SGD optimizer_;
  Tensors momentum_;
};

class AdamWReference : public InnerReference {
 public:
  AdamWReference(const Tensors& theta, torch::optim::AdamWOptions options) : o_(options), optimizer_(theta, options) {
    for (const auto& t : theta) {
      m_.push_back(torch::zeros_like(t).detach());
      v_.push_back(torch::zeros_like(t).detach());
    }
  }
  Tensors virtual_step(const Tensors& theta, const Tensors& g) const override {
    const auto [b1, b2] = o_.betas();
    const double t = steps_ + 1;
    Tensors out;
    for (std::size_t k = 0; k < theta.size(); ++k) {
      const auto mhat = (b1 * m_[k] + (1 - b1) * g[k]) / (1 - std::pow(b1, t));
      const auto vhat = (b2 * v_[k] + (1 - b2) * g[k] * g[k]) / (1 - std::pow(b2, t));
      out.push_back(theta[k] - o_.lr() * (mhat / (vhat.sqrt() + o_.eps()) + o_.weight_decay() * theta[k].detach()));
    }
    return out;
  }
  void step(const Tensors& theta, const Tensors& g) override {
    const auto [b1, b2] = o_.betas();
    for (std::size_t k = 0; k < theta.size(); ++k) {
      m_[k] = (b1 * m_[k] + (1 - b1) * g[k]).detach();
      v_[k] = (b2 * v_[k] + (1 - b2) * g[k] * g[k]).detach();
    }
    ++steps_;
    give(theta, g);
    optimizer_.step();
  }

 private:
  torch::optim::AdamWOptions o_;
  torch::optim::AdamW optimizer_;
  Tensors m_, v_;
  double steps_ = 0;
};

/// Inputs, labels and groups (int64).
struct ReferenceBatch {
  Tensor inputs, labels, groups;
};

/// Features: the loss with the batch's mean and deviation taken out, the cosine to the centre of the validation
/// embeddings; class (embedded in 4 dimensions) and group (in 1). Weight net: [features | embeddings] -> ReLU layers ->
/// z; w = sigmoid(z). phi: class table, group table, then weight and bias of each layer.
class ReferenceStep {
 public:
  /// \param class_weights  a number a class, or undefined
  ReferenceStep(TorchNet net, Tensors theta_leaves, std::unique_ptr<InnerReference> inner, Tensors phi_leaves,
                torch::optim::AdamWOptions meta, Tensor class_weights = {})
      : net_(std::move(net)),
        theta_(std::move(theta_leaves)),
        inner_(std::move(inner)),
        phi_(std::move(phi_leaves)),
        class_weights_(std::move(class_weights)) {
    // Weight decay spares the biases of the weight net.
    Tensors decaying, biases;
    for (std::size_t k = 0; k < phi_.size(); ++k) (k >= 3 && k % 2 == 1 ? biases : decaying).push_back(phi_[k]);
    auto without = meta;
    without.weight_decay(0);
    meta_ = std::make_unique<torch::optim::AdamW>(
        std::vector<torch::optim::OptimizerParamGroup>{{decaying, std::make_unique<torch::optim::AdamWOptions>(meta)},
                                                       {biases, std::make_unique<torch::optim::AdamWOptions>(without)}},
        meta);
  }

  /// dL_val/dphi through the virtual step, everything on one batch.
  Tensors joint(const ReferenceBatch& train, const ReferenceBatch& validation) const {
    const auto losses = losses_at(theta_, train);
    const auto p = weights(features(train, validation), train);
    const auto g = derivative((p * losses).sum(), theta_, true);
    return derivative(losses_at(inner_->virtual_step(theta_, g), validation).mean(), phi_);
  }

  /// The gradient in phi of -sum over `selector` of p_i <g_i, direction>, where `direction` is the validation gradient
  /// after the virtual step on `train`, pulled back through the inner step; it does not move with phi.
  Tensors crossed(const ReferenceBatch& train, const ReferenceBatch& validation, const ReferenceBatch& selector) const {
    auto g =
        derivative((weights(features(train, validation), train).detach() * losses_at(theta_, train)).sum(), theta_);
    for (auto& t : g) t = t.detach().requires_grad_();
    const auto step_of = derivative(losses_at(inner_->virtual_step(theta_, g), validation).mean(), g);
    Tensors alignments;
    const auto losses = losses_at(theta_, selector);
    for (Index i = 0; i < losses.size(0); ++i) alignments.push_back(-dot(derivative(losses[i], theta_), step_of));
    const auto p = weights(features(selector, validation), selector);
    return derivative(-(p * torch::stack(alignments).detach()).sum(), phi_);
  }

  /// The reference implementation's way: gradients in phi of the mean weighted loss (weights of mean 1) at
  /// theta +- (epsilon/|Gamma|) Gamma, and their difference times -rate/(2 epsilon/|Gamma|).
  /// \param rate  eta (1 + mu) with Nesterov momentum, else eta
  Tensors central_difference(const ReferenceBatch& train, const ReferenceBatch& validation, double epsilon,
                             double rate) const {
    const auto f = features(train, validation);
    const auto g = derivative((weights(f, train).detach() * losses_at(theta_, train)).sum(), theta_);
    Tensors virtually;
    for (const auto& t : inner_->virtual_step(theta_, g)) virtually.push_back(t.detach().requires_grad_());
    const auto gamma = derivative(losses_at(virtually, validation).mean(), virtually);
    const double h = epsilon / std::sqrt(dot(gamma, gamma).item<double>());
    const auto at = [&](double shift) {
      Tensors moved;
      for (std::size_t k = 0; k < theta_.size(); ++k) moved.push_back((theta_[k] + shift * gamma[k]).detach());
      const auto p = weights(f, train) * static_cast<double>(train.labels.size(0));
      return derivative((p * losses_at(moved, train)).mean(), phi_);
    };
    auto result = at(h);
    const auto behind = at(-h);
    for (std::size_t k = 0; k < result.size(); ++k) result[k] = -rate * (result[k] - behind[k]) / (2 * h);
    return result;
  }

  /// phi along a hypergradient, then theta by the weights of the new phi.
  void step(const Tensors& hypergradient, const ReferenceBatch& train, const ReferenceBatch& validation) {
    const auto f = features(train, validation);
    for (std::size_t k = 0; k < phi_.size(); ++k) phi_[k].mutable_grad() = hypergradient[k].detach();
    meta_->step();
    inner_->step(theta_, derivative((weights(f, train).detach() * losses_at(theta_, train)).sum(), theta_));
  }

  const Tensors& theta() const { return theta_; }
  const Tensors& phi() const { return phi_; }
  double validation_loss(const ReferenceBatch& batch) const { return losses_at(theta_, batch).mean().item<double>(); }

 private:
  Tensor losses_at(const Tensors& theta, const ReferenceBatch& batch) const {
    return cross_entropy(net_(theta, batch.inputs).first, batch.labels);
  }
  Tensor features(const ReferenceBatch& batch, const ReferenceBatch& validation) const {
    const torch::NoGradGuard no_graph;
    const auto [logits, h] = net_(theta_, batch.inputs);
    const auto l = cross_entropy(logits, batch.labels);
    const auto centre = net_(theta_, validation.inputs).second.mean(0, true);
    const auto z = (l - l.mean()) / torch::sqrt(l.var(false) + 1e-8);
    return torch::stack({z, torch::cosine_similarity(h, centre, 1, 1e-6)}, 1);
  }
  Tensor weights(const Tensor& f, const ReferenceBatch& batch) const {
    auto h = torch::cat({f, torch::embedding(phi_[0], batch.labels), torch::embedding(phi_[1], batch.groups)}, 1);
    for (std::size_t k = 2; k + 2 < phi_.size(); k += 2) h = torch::relu(torch::addmm(phi_[k + 1], h, phi_[k].t()));
    auto w = torch::sigmoid(torch::addmm(phi_[phi_.size() - 1], h, phi_[phi_.size() - 2].t())).squeeze(1);
    if (class_weights_.defined()) w = w * class_weights_.index_select(0, batch.labels);
    return w / w.sum();
  }

  TorchNet net_;
  Tensors theta_;
  std::unique_ptr<InnerReference> inner_;
  Tensors phi_;
  Tensor class_weights_;
  std::unique_ptr<torch::optim::AdamW> meta_;
};

}  // namespace parity
