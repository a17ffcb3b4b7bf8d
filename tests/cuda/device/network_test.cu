// Networks on a device against those on the CPU: the same callables, values, pullbacks, pushforwards, per-sample dots and norms.
#include "cuda/device/device.hpp"
#include "mts/nn/cnn.hpp"
#include "mts/nn/mlp.hpp"
#include "mts/nn/resnet.hpp"
#include "support/device_parity.hpp"

using namespace mts;
using namespace mts::testing;
using cuda::Device;

namespace {

/// Parity at awkward numbers of samples, in both scalars.
template <class Make>
void check_on_device(const std::string& name, Index width, int classes, const Make& make) {
  const auto queue = device_queue();
  const auto check_scalar = [&]<class S>(S, double tolerance) {
    const nn::Classifier<S> host = make(S{});
    const auto theta = host.initialize(RandomStream(11, "theta"));
    for (const Index n : std::array<Index, 6>{1, 2, 31, 33, 257, 1000}) {
      const RowMatrix<S> x = random_matrix(n, width, RandomStream(13, "inputs")).template cast<S>();
      std::vector<int> labels;
      for (Index i = 0; i < n; ++i) labels.push_back(static_cast<int>((i * 7 + i / 3) % classes));
      autodiff::NetworkInput<S> input(n);
      input.add(x).add(std::span<const int>(labels));
      const Index before = queue->launches();
      check(parity_report(mts::detail::text(name, ", N = ", n), queue, host.network(), theta, input, tolerance));
      CHECK(queue->launches() > before);
    }
  };
  check_scalar(float{}, 1e-5);
  check_scalar(double{}, 1e-12);
}

}  // namespace

TEST_CASE("device: an MLP's rules are the CPU's" * needs_device()) {
  check_on_device("MLP", 20, 10, []<class S>(S) { return nn::mlp<S>({20, 33, 17, 10}); });
  check_on_device("MLP with everything", 21, 3, []<class S>(S) {
    return nn::mlp<S>(
        {21, 33, 33, 3},
        {.activation = nn::Activation::gelu, .layer_norm = true, .residual = true, .label_smoothing = 0.1});
  });
}
TEST_CASE("device: a CNN's rules are the CPU's" * needs_device()) {
  check_on_device("CNN", 9 * 7 * 2, 4, []<class S>(S) {
    return nn::cnn<S>({9, 7, 2}, {.classes = 4, .channels = {6, 5}, .hidden = {11}});
  });
  check_on_device("CNN with norms", 9 * 7 * 2, 4, []<class S>(S) {
    return nn::cnn<S>(
        {9, 7, 2}, {.classes = 4, .channels = {6, 4}, .hidden = {11}, .activation = nn::Activation::tanh, .groups = 2});
  });
}
TEST_CASE("device: a residual net's rules are the CPU's" * needs_device()) {
  check_on_device("ResNet", 8 * 8 * 3, 5, []<class S>(S) {
    return nn::resnet<S>({8, 8, 3}, {.classes = 5, .channels = {4, 8}, .groups = 2});
  });
}
