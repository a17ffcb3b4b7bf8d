// The MLP as a LibTorch module behind the adapter of examples/libtorch.
#include "libtorch/torch_model.hpp"

#include "adapters/contender.hpp"
#include "support/one_thread.hpp"

namespace bench {

namespace {

struct Mlp : torch::nn::Cloneable<Mlp> {
  Mlp() { reset(); }
  void reset() override {
    layer1 = register_module("layer1", torch::nn::Linear(pixels, 256));
    layer2 = register_module("layer2", torch::nn::Linear(256, 256));
    logits = register_module("logits", torch::nn::Linear(256, classes));
  }
  std::pair<torch::Tensor, torch::Tensor> logits_and_embedding(const torch::Tensor& x) {
    const auto h = torch::relu(layer2(torch::relu(layer1(x))));
    return {logits(h), h};
  }
  torch::nn::Linear layer1{nullptr}, layer2{nullptr}, logits{nullptr};
};

}  // namespace

std::unique_ptr<Contender> torch_module(const Images& train, const Images& validation) {
  if (!one_thread_in_openblas())
    throw mts::Error("LibTorch runs on another BLAS than OpenBLAS here: install libopenblas0-pthread");
  torch::set_num_threads(1);
  const torch_adapter::TorchModel<float, Mlp> model(std::make_shared<Mlp>());
  const auto from = classifier<float>(Net::mlp).initialize({0, "theta"});
  auto theta = model.zeros();
  for (std::size_t k = 0; k < theta.tensors().size(); ++k)
    std::copy_n(from.data() + from.segments()[k].begin, from.segments()[k].length, theta.data(k));
  const auto view = [](const Batch& b) {
    return torch_adapter::TorchBatch{torch_adapter::to_tensor(b.inputs), torch_adapter::to_tensor(b.labels)};
  };
  return contender(model, std::move(theta), view(train.batch), view(validation.batch));
}

}  // namespace bench
