#include "libtorch/peer.hpp"

#include <torch/torch.h>

#include <utility>

#include "support/one_thread.hpp"

namespace bench {

namespace {

using torch::Tensor;
using Tensors = std::vector<Tensor>;
namespace autograd = torch::autograd;

Tensor to_tensor(const mts::RowMatrix<float>& m) {
  return torch::from_blob(const_cast<float*>(m.data()), {m.rows(), m.cols()}).clone();
}
template <class T>
Tensor to_indices(const std::vector<T>& x) {
  return torch::tensor(std::vector<int64_t>(x.begin(), x.end()));
}
mts::SampleVector to_samples(const Tensor& x) {
  const auto host = x.detach().to(torch::kDouble).contiguous();
  return Eigen::Map<const mts::SampleVector>(host.data_ptr<double>(), host.numel());
}
Tensors leaves_of(const Tensors& tensors) {
  Tensors copies;
  for (const auto& t : tensors) copies.push_back(t.detach().clone().requires_grad_());
  return copies;
}
Tensors gradients(const Tensor& of, const Tensors& in, bool differentiable = false) {
  return autograd::grad({of}, in, {}, /*retain_graph=*/differentiable, /*create_graph=*/differentiable);
}
double length(const Tensors& x) {
  double squared = 0;
  for (const auto& t : x) squared += t.square().sum().item<double>();
  return std::sqrt(squared);
}

/// The net's tensors against our vector of parameters: each segment as ours lies in memory, and how its axes are
/// turned.
struct Shape {
  std::vector<int64_t> ours, axes, theirs;
};
std::vector<Shape> shapes_of(Net net) {
  if (net == Net::mlp)
    return {{{256, 784}, {0, 1}, {256, 784}}, {{256}, {0}, {256}},
            {{256, 256}, {0, 1}, {256, 256}}, {{256}, {0}, {256}},
            {{10, 256}, {0, 1}, {10, 256}},   {{10}, {0}, {10}}};
  // Filters: ours tap row, tap column, in, out. The first linear layer reads the image channels last here, first there.
  return {{{3, 3, 1, 16}, {3, 2, 0, 1}, {16, 1, 3, 3}},
          {{16}, {0}, {16}},
          {{3, 3, 16, 32}, {3, 2, 0, 1}, {32, 16, 3, 3}},
          {{32}, {0}, {32}},
          {{128, 7, 7, 32}, {0, 3, 1, 2}, {128, 1568}},
          {{128}, {0}, {128}},
          {{10, 128}, {0, 1}, {10, 128}},
          {{10}, {0}, {10}}};
}
std::vector<Shape> weight_net_shapes() {
  return {
      {{10, 4}, {0, 1}, {10, 4}},       {{2, 1}, {0, 1}, {2, 1}}, {{100, 22}, {0, 1}, {100, 22}}, {{100}, {0}, {100}},
      {{100, 100}, {0, 1}, {100, 100}}, {{100}, {0}, {100}},      {{1, 100}, {0, 1}, {1, 100}},   {{1}, {0}, {1}}};
}
Tensors to_torch(const Parameters& x, const std::vector<Shape>& shapes) {
  Tensors all;
  for (std::size_t k = 0; k < shapes.size(); ++k)
    all.push_back(torch::from_blob(const_cast<float*>(x.data() + x.segments()[k].begin), shapes[k].ours)
                      .permute(shapes[k].axes)
                      .reshape(shapes[k].theirs)
                      .clone(at::MemoryFormat::Contiguous));
  return all;
}
Parameters from_torch(const Tensors& tensors, const std::vector<Shape>& shapes, const Parameters& like) {
  Parameters out = like.zeros_like();
  for (std::size_t k = 0; k < shapes.size(); ++k) {
    std::vector<int64_t> turned, back(shapes[k].axes.size());
    for (std::size_t a = 0; a < back.size(); ++a) {
      turned.push_back(shapes[k].ours[static_cast<std::size_t>(shapes[k].axes[a])]);
      back[static_cast<std::size_t>(shapes[k].axes[a])] = static_cast<int64_t>(a);
    }
    const auto t = tensors[k].detach().contiguous().view(turned).permute(back).contiguous();
    std::copy_n(t.data_ptr<float>(), t.numel(), out.data() + out.segments()[k].begin);
  }
  return out;
}

/// A batch as LibTorch reads it.
struct TorchBatch {
  Tensor inputs, labels, groups, ids;
};

/// The nets as functions of their parameters.
struct TorchNet {
  Net net;
  Writing writing;

  /// Logits and penultimate activations.
  std::pair<Tensor, Tensor> operator()(const Tensors& w, const Tensor& x) const {
    if (net == Net::mlp) {
      const auto h = torch::relu(torch::linear(torch::relu(torch::linear(x, w[0], w[1])), w[2], w[3]));
      return {torch::linear(h, w[4], w[5]), h};
    }
    const auto block = [&](const Tensor& in, const Tensor& weight, const Tensor& bias) {
      const auto y = torch::conv2d(in, weight, bias, /*stride=*/1, /*padding=*/1);
      return writing == Writing::nchw ? torch::max_pool2d(torch::relu(y), 2) : torch::relu(torch::max_pool2d(y, 2));
    };
    const auto image = block(block(x, w[0], w[1]), w[2], w[3]);
    const auto h = torch::relu(torch::linear(image.flatten(1), w[4], w[5]));
    return {torch::linear(h, w[6], w[7]), h};
  }
  Tensor losses(const Tensors& w, const TorchBatch& b) const {
    return torch::cross_entropy_loss((*this)(w, b.inputs).first, b.labels, {}, at::Reduction::None);
  }
};

/// What all three ways of taking a step share and none changes.
struct Setting {
  TorchNet net;
  TorchBatch train, validation;
  Tensor offline;
};

Tensor z_score(const Tensor& x) { return (x - x.mean()) / torch::sqrt(x.var(/*unbiased=*/false) + 1e-8); }

/// Parameters and optimisers of one training run.
class Run {
 public:
  Run(const Setting& setting, const Tensors& theta, const Tensors& phi)
      : s_(setting),
        theta_(leaves_of(theta)),
        second_(leaves_of(theta)),
        phi_(leaves_of(phi)),
        inner_(theta_, torch::optim::SGDOptions(learning_rate).momentum(momentum)),
        meta_(phi_, torch::optim::AdamWOptions(meta_learning_rate).weight_decay(0)) {}

  void plain() {
    inner_.zero_grad();
    torch::cross_entropy_loss(s_.net(theta_, s_.train.inputs).first, s_.train.labels).backward();
    inner_.step();
  }

  void central_difference() {
    const auto f = features();
    const auto p = weights(f);
    copy(theta_, second_);
    const auto g = gradients((p.detach() * s_.net.losses(second_, s_.train)).sum(), second_);
    {
      const torch::NoGradGuard no_graph;
      for (std::size_t k = 0; k < g.size(); ++k) second_[k].sub_(buffer(k, g[k]), learning_rate);
    }
    const auto gamma = gradients(s_.net.losses(second_, s_.validation).mean(), second_);
    Tensor difference;
    {
      const torch::NoGradGuard no_graph;
      const double h = 0.01 / length(gamma);
      const auto losses_at = [&](double shift) {
        copy(theta_, second_);
        for (std::size_t k = 0; k < gamma.size(); ++k) second_[k].add_(gamma[k], shift);
        return s_.net.losses(second_, s_.train);
      };
      const auto ahead = losses_at(h);
      difference = (ahead - losses_at(-h)) / (2 * h);
    }
    meta_.zero_grad();
    (p * difference).sum().mul(-learning_rate).backward();
    meta_.step();
    real_step(f);
  }

  void double_backward() {
    const auto f = features();
    const auto p = weights(f);
    const auto g = gradients((p * s_.net.losses(theta_, s_.train)).sum(), theta_, true);
    Tensors moved;
    for (std::size_t k = 0; k < g.size(); ++k) moved.push_back(theta_[k] - learning_rate * buffer(k, g[k]));
    hypergradient_ = gradients(s_.net.losses(moved, s_.validation).mean(), phi_);
    for (std::size_t k = 0; k < phi_.size(); ++k) phi_[k].mutable_grad() = hypergradient_[k];
    meta_.step();
    real_step(f);
  }
  const Tensors& hypergradient() const { return hypergradient_; }
  Tensor weights() const {
    const torch::NoGradGuard no_graph;
    return weights(features());
  }

 private:
  /// N x 17: cosines to the three nearest validation embeddings and to their centre, by batch statistics; what is
  /// looked up.
  Tensor features() const {
    const torch::NoGradGuard no_graph;
    const auto h = s_.net(theta_, s_.train.inputs).second, v = s_.net(theta_, s_.validation.inputs).second;
    const auto unit = [](const Tensor& x) { return x / x.norm(2, 1, true).clamp_min(1e-6); };
    const auto hn = unit(h);
    const auto nearest = std::get<0>(torch::mm(hn, unit(v).t()).topk(3, 1));
    const auto centre = torch::mm(hn, unit(v.mean(0, true)).t());
    return torch::cat({z_score(nearest), z_score(centre), s_.offline.index_select(0, s_.train.ids)}, 1);
  }
  /// p, differentiable in phi.
  Tensor weights(const Tensor& f) const {
    auto x = torch::cat({f, torch::embedding(phi_[0], s_.train.labels), torch::embedding(phi_[1], s_.train.groups)}, 1);
    for (std::size_t k = 2; k < 6; k += 2) x = torch::relu(torch::linear(x, phi_[k], phi_[k + 1]));
    const auto w = torch::sigmoid(torch::linear(x, phi_[6], phi_[7])).squeeze(1);
    return w / w.sum();
  }
  void real_step(const Tensor& f) {
    Tensor p;
    {
      const torch::NoGradGuard no_graph;
      p = weights(f);
    }
    inner_.zero_grad();
    (p * s_.net.losses(theta_, s_.train)).sum().backward();
    inner_.step();
  }
  static void copy(const Tensors& from, const Tensors& to) {
    const torch::NoGradGuard no_graph;
    for (std::size_t k = 0; k < from.size(); ++k) to[k].copy_(from[k]);
  }
  /// The momentum buffer after a gradient g, the optimiser's own left as it is.
  Tensor buffer(std::size_t k, const Tensor& g) {
    const auto found = inner_.state().find(c10::guts::to_string(theta_[k].unsafeGetTensorImpl()));
    if (found == inner_.state().end()) return g;
    return momentum * static_cast<torch::optim::SGDParamState&>(*found->second).momentum_buffer() + g;
  }

  const Setting& s_;
  Tensors theta_, second_, phi_;
  torch::optim::SGD inner_;
  torch::optim::AdamW meta_;
  Tensors hypergradient_;
};

/// The same numbers, channels last. LibTorch takes a tensor of one channel for contiguous in either order and then runs
/// it channels first, so its strides are said outright.
Tensor channels_last(const Tensor& x) {
  if (x.size(1) > 1) return x.contiguous(at::MemoryFormat::ChannelsLast);
  return x.as_strided(x.sizes(), {x.stride(0), 1, x.stride(2), x.stride(3)});
}

TorchBatch to_torch(const Images& images, const TorchNet& net) {
  auto x = to_tensor(images.batch.inputs);
  if (net.net == Net::cnn) {
    x = x.view({-1, 1, 28, 28});
    if (net.writing == Writing::channels_last) x = channels_last(x);
  }
  return {x, to_indices(images.samples.labels), to_indices(images.samples.groups), to_indices(images.samples.ids)};
}

class TorchPeer final : public Peer {
 public:
  TorchPeer(const Case& c, Writing writing, const Images& train, const Images& validation,
            const mts::RowMatrix<float>& offline, const Parameters& theta, const Parameters& phi)
      : shapes_(shapes_of(c.net)),
        like_(theta),
        phi_(phi),
        setting_(make_setting(c, writing, train, validation, offline)),
        theta_(in_writing(to_torch(theta, shapes_), writing)) {
    const auto phi_tensors = to_torch(phi, weight_net_shapes());
    plain_ = std::make_unique<Run>(setting_, theta_, phi_tensors);
    central_ = std::make_unique<Run>(setting_, theta_, phi_tensors);
    double_ = std::make_unique<Run>(setting_, theta_, phi_tensors);
  }

  void plain() override { plain_->plain(); }
  void central_difference() override { central_->central_difference(); }
  void double_backward() override { double_->double_backward(); }

  mts::SampleVector losses() const override { return to_samples(setting_.net.losses(theta_, setting_.train)); }
  Parameters weighted_gradient(const mts::SampleVector& u) const override {
    const auto w = leaves_of(theta_);
    return from_torch(gradients((from_samples(u) * setting_.net.losses(w, setting_.train)).sum(), w), shapes_, like_);
  }
  /// The pullback is linear in u, so <g_i, v> is the derivative in u_i of <J^T u, v>.
  mts::SampleVector alignments(const Parameters& direction) const override {
    const auto w = leaves_of(theta_);
    const auto u = torch::ones({setting_.train.labels.size(0)}).requires_grad_();
    const auto g = gradients((u * setting_.net.losses(w, setting_.train)).sum(), w, true);
    const auto v = to_torch(direction, shapes_);
    auto product = torch::zeros({});
    for (std::size_t k = 0; k < g.size(); ++k) product = product + (g[k] * v[k]).sum();
    return to_samples(gradients(product, {u})[0]);
  }
  mts::SampleVector weights() const override {
    return to_samples(Run(setting_, theta_, to_torch(phi_, weight_net_shapes())).weights());
  }
  Parameters hypergradient() const override { return from_torch(double_->hypergradient(), weight_net_shapes(), phi_); }

 private:
  static Setting make_setting(const Case& c, Writing writing, const Images& train, const Images& validation,
                              const mts::RowMatrix<float>& offline) {
    const TorchNet net{c.net, writing};
    return {net, to_torch(train, net), to_torch(validation, net), to_tensor(offline)};
  }
  static Tensors in_writing(Tensors theta, Writing writing) {
    if (writing == Writing::channels_last)
      for (auto& t : theta)
        if (t.dim() == 4) t = channels_last(t);
    return theta;
  }
  static Tensor from_samples(const mts::SampleVector& u) {
    return torch::from_blob(const_cast<double*>(u.data()), {u.size()}, torch::kDouble).to(torch::kFloat);
  }
  static TorchBatch to_torch(const Images& images, const TorchNet& net) { return bench::to_torch(images, net); }
  static Tensors to_torch(const Parameters& x, const std::vector<Shape>& shapes) { return bench::to_torch(x, shapes); }

  std::vector<Shape> shapes_;
  Parameters like_, phi_;
  Setting setting_;
  Tensors theta_;
  std::unique_ptr<Run> plain_, central_, double_;
};

}  // namespace

std::unique_ptr<Peer> make_peer(const Case& c, Writing writing, const Images& train, const Images& validation,
                                const mts::RowMatrix<float>& offline, const Parameters& theta, const Parameters& phi) {
  return std::make_unique<TorchPeer>(c, writing, train, validation, offline, theta, phi);
}

void one_thread_in_torch() {
  if (!one_thread_in_openblas())
    throw mts::Error(
        "LibTorch runs on another BLAS than OpenBLAS here, so its times would be no measure: install "
        "libopenblas0-pthread");
  torch::set_num_threads(1);
}
std::string describe_torch() { return std::string("LibTorch ") + TORCH_VERSION + " with OpenBLAS and oneDNN"; }

}  // namespace bench
