#pragma once
/// \file
/// `MlpWeightNet` on a device: z = MLP([continuous features | learned embeddings of the categorical ones]).

#include <utility>

#include "mts/cuda/feature_batch.hpp"
#include "mts/cuda/network.hpp"
#include "mts/selection/mlp_weight_net.hpp"

namespace mts::cuda {

/// Satisfies `WeightNet` over a FeatureBatch in the device's memory. The net, its initial parameters and its options are those of
/// the host's `MlpWeightNet`. Const calls are thread-safe.
template <class S, class E>
class MlpWeightNet {
 public:
  using Scalar = S;
  using Parameters = cuda::Parameters<S, E>;
  using Features = FeatureBatch<S, E>;

  /// \throws as the host's
  MlpWeightNet(const FeatureLayout& layout, SharedQueue<E> queue, const MlpWeightNetOptions& options = {},
               const NetworkOptions& on_device = {})
      : network_(mts::MlpWeightNet<S>(layout, options).network(), std::move(queue), on_device), layout_(layout) {}

  const Network<S, E>& network() const { return network_; }
  Index parameter_count() const { return network_.parameter_count(); }
  Parameters initialize(RandomStream stream) const { return network_.initialize(stream); }
  NetworkForward<S, E> forward(const Parameters& phi, const Features& f) const {
    return network_.forward(phi, input(f));
  }
  NetworkLinearization<S, E> linearize(const Parameters& phi, const Features& f) const {
    return network_.linearize(phi, input(f));
  }

 private:
  NetworkInput<S, E> input(const Features& f) const {
    check_size("cuda::MlpWeightNet", "continuous features", static_cast<Index>(layout_.continuous.size()), f.dimension);
    check_size("cuda::MlpWeightNet", "categorical features", static_cast<Index>(layout_.categorical.size()),
               static_cast<Index>(f.categorical.size()));
    NetworkInput<S, E> in{.samples = f.size()};
    if (!layout_.continuous.empty()) in.dense.push_back(f.rows());
    for (const auto& column : f.categorical) in.columns.push_back(&column);
    return in;
  }

  Network<S, E> network_;
  FeatureLayout layout_;
};

}  // namespace mts::cuda
