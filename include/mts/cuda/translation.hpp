#pragma once
/// \file
/// `Translation`: from the primitives of a graph to their rules on a device.

#include <functional>
#include <memory>
#include <typeinfo>
#include <utility>
#include <vector>

#include "mts/autodiff/graph.hpp"
#include "mts/cuda/rules/combine.hpp"
#include "mts/cuda/rules/conv2d.hpp"
#include "mts/cuda/rules/elementwise.hpp"
#include "mts/cuda/rules/embedding.hpp"
#include "mts/cuda/rules/flatten.hpp"
#include "mts/cuda/rules/gaussian.hpp"
#include "mts/cuda/rules/global_average_pool.hpp"
#include "mts/cuda/rules/group_norm.hpp"
#include "mts/cuda/rules/layer_norm.hpp"
#include "mts/cuda/rules/linear.hpp"
#include "mts/cuda/rules/losses.hpp"
#include "mts/cuda/rules/pooling.hpp"
#include "mts/cuda/rules/softmax_cross_entropy.hpp"

namespace mts::cuda {

/// Which rules stand for which primitive. It knows the library's primitives; a primitive of one's own is added with its rules:
///
///     auto translation = cuda::Translation<float, cuda::Device>();
///     translation.add<Swish, SwishRules>();     // SwishRules(const Swish&, Widths) is a Rules<float, Device>
template <class S, class E>
class Translation {
 public:
  using Made = std::unique_ptr<const Rules<S, E>>;

  Translation() {
    using namespace autodiff;
    add<Linear, LinearRules<S, E>>();
    add<Relu, ElementwiseRules<ReluFunction, S, E>>();
    add<Tanh, ElementwiseRules<TanhFunction, S, E>>();
    add<Sigmoid, ElementwiseRules<SigmoidFunction, S, E>>();
    add<Gelu, ElementwiseRules<GeluFunction, S, E>>();
    add<SoftmaxCrossEntropy, SoftmaxCrossEntropyRules<S, E>>();
    add<SquaredError, TwoInputLossRules<SquaredErrorTerm, S, E>>();
    add<BernoulliCrossEntropy, TwoInputLossRules<BernoulliCrossEntropyTerm, S, E>>();
    add<GaussianDivergence, TwoInputLossRules<GaussianDivergenceTerm, S, E>>();
    add<GaussianReparametrisation, GaussianReparametrisationRules<S, E>>();
    add<LayerNorm, LayerNormRules<S, E>>();
    add<Add, AddRules<S, E>>();
    add<Concatenate, ConcatenateRules<S, E>>();
    add<Embedding, EmbeddingRules<S, E>>();
    add<Conv2d, Conv2dRules<S, E>>();
    add<MaxPool2d, MaxPool2dRules<S, E>>();
    add<AveragePool2d, AveragePool2dRules<S, E>>();
    add<GlobalAveragePool, GlobalAveragePoolRules<S, E>>();
    add<Flatten, FlattenRules<S, E>>();
    add<GroupNorm, GroupNormRules<S, E>>();
  }
  /// Primitives of type P get the rules R(primitive, widths of its inputs).
  template <class P, class R>
  Translation& add() {
    makers_.push_back([](const autodiff::detail::Rules<S>& rules, autodiff::Widths in) -> Made {
      const auto* host = dynamic_cast<const autodiff::detail::RulesOf<S, P>*>(&rules);
      return host ? std::make_unique<R>(host->p, in) : nullptr;
    });
    return *this;
  }
  /// \throws ValueError for a primitive that has no rules here
  Made operator()(const autodiff::detail::Rules<S>& rules, autodiff::Widths in) const {
    for (const auto& make : makers_)
      if (auto made = make(rules, in)) return made;
    throw ValueError(
        mts::detail::text("cuda: a primitive has no rules on a device; add them to the translation "
                          "(mts/cuda/translation.hpp) or use the CPU. Its type, as the compiler names it: ",
                          typeid(rules).name()));
  }

 private:
  std::vector<std::function<Made(const autodiff::detail::Rules<S>&, autodiff::Widths)>> makers_;
};

}  // namespace mts::cuda
