#pragma once
/// \file
/// MLP weight net: z = MLP([continuous features | learned embeddings of the categorical ones]), the paper's 22-100-100-1.

#include <map>

#include "mts/autodiff/combine.hpp"
#include "mts/autodiff/elementwise.hpp"
#include "mts/autodiff/embedding.hpp"
#include "mts/autodiff/linear.hpp"
#include "mts/autodiff/network.hpp"
#include "mts/core/concepts.hpp"

namespace mts {

struct MlpWeightNetOptions {
  std::vector<Index> hidden = {100, 100};  ///< widths of the hidden layers, ReLU after each
  /// Dimension of each categorical column's embedding, by name; others get `other_embedding`.
  std::map<std::string, Index> embedding = {{"class", 4}, {"group", 1}};
  Index other_embedding = 4;
  Index workspace_budget = autodiff::NetworkOptions{}.workspace_budget;  ///< bytes; see `NetworkOptions`
};

/// Satisfies `WeightNet`. Input width D + the embeddings' dimensions, derived from the feature layout. Linear layers begin
/// as U(-1/sqrt(fan-in), 1/sqrt(fan-in)), embeddings as N(0, 1); weight decay spares biases (so does the reference's).
/// Thread-safe; copies share memory pools.
template <class S>
class MlpWeightNet {
 public:
  using Scalar = S;
  using Parameters = DenseParameters<S>;
  using Features = FeatureBatch<S>;

  /// \throws ShapeError if there are no features at all or a width is below 1
  explicit MlpWeightNet(const FeatureLayout& layout, const MlpWeightNetOptions& options = {})
      : network_(build(layout, options)), layout_(layout) {}

  const autodiff::Network<S>& network() const { return network_; }
  Index parameter_count() const { return network_.parameter_count(); }
  Parameters initialize(RandomStream stream) const { return network_.initialize(stream); }
  autodiff::NetworkForward<S> forward(const Parameters& phi, const Features& f) const {
    return network_.forward(phi, input(f));
  }
  autodiff::NetworkLinearization<S> linearize(const Parameters& phi, const Features& f) const {
    return network_.linearize(phi, input(f));
  }

 private:
  static autodiff::Network<S> build(const FeatureLayout& layout, const MlpWeightNetOptions& options) {
    autodiff::Graph<S> g;
    std::vector<autodiff::Node> parts;
    if (!layout.continuous.empty()) parts.push_back(g.input(static_cast<Index>(layout.continuous.size())));
    for (const auto& c : layout.categorical) {
      const auto dimension = options.embedding.find(c.name);
      parts.push_back(
          g.add(autodiff::Embedding{g.column(c.cardinality, c.name),
                                    dimension == options.embedding.end() ? options.other_embedding : dimension->second},
                {}, "embedding." + c.name));
    }
    if (parts.empty()) throw ShapeError("MlpWeightNet: expected at least one feature, found an empty layout");
    auto h = parts.size() == 1 ? parts[0] : g.add(autodiff::Concatenate{}, parts);
    for (std::size_t k = 0; k < options.hidden.size(); ++k)
      h = g.add(autodiff::Relu{}, {g.add(autodiff::Linear{.outputs = options.hidden[k], .bias_decays = false}, {h},
                                         detail::text("layer", k + 1))});
    const auto z = g.add(autodiff::Linear{.outputs = 1, .bias_decays = false}, {h}, "logit");
    return autodiff::Network<S>(std::move(g), {.value = z}, {options.workspace_budget});
  }
  autodiff::NetworkInput<S> input(const Features& f) const {
    check_size("MlpWeightNet", "continuous features", static_cast<Index>(layout_.continuous.size()),
               f.continuous.cols());
    check_size("MlpWeightNet", "categorical features", static_cast<Index>(layout_.categorical.size()),
               static_cast<Index>(f.categorical.size()));
    autodiff::NetworkInput<S> in(f.size());
    if (!layout_.continuous.empty()) in.add(f.continuous);
    for (const auto& column : f.categorical) in.add(column);
    return in;
  }

  autodiff::Network<S> network_;
  FeatureLayout layout_;
};

}  // namespace mts
