// The instances that our own programs use most, compiled once in instances_*.cpp rather than in every program: a tape of
// all primitives costs some 15 s a translation unit. Nothing of this is installed; to a user mts is headers alone.
#pragma once

#include <mts/autodiff/average_pool2d.hpp>
#include <mts/autodiff/flatten.hpp>
#include <mts/autodiff/gaussian.hpp>
#include <mts/nn/cnn.hpp>
#include <mts/nn/mlp.hpp>
#include <mts/nn/resnet.hpp>
#include <mts/nn/vae.hpp>
#include <mts/optim/adam.hpp>
#include <mts/optim/sgd.hpp>
#include <mts/selection/group_weight_net.hpp>
#include <mts/selection/mlp_weight_net.hpp>
#include <mts/selection/tabular_weight_net.hpp>

// MTS_INSTANCES(how, S): `how` is `extern template` or `template`.
#define MTS_INSTANCES(how, S)                                                     \
  namespace mts::autodiff {                                                       \
  how struct detail::RulesOf<S, Linear>;                                          \
  how struct detail::RulesOf<S, Relu>;                                            \
  how struct detail::RulesOf<S, Tanh>;                                            \
  how struct detail::RulesOf<S, Sigmoid>;                                         \
  how struct detail::RulesOf<S, Gelu>;                                            \
  how struct detail::RulesOf<S, Add>;                                             \
  how struct detail::RulesOf<S, Concatenate>;                                     \
  how struct detail::RulesOf<S, LayerNorm>;                                       \
  how struct detail::RulesOf<S, Conv2d>;                                          \
  how struct detail::RulesOf<S, MaxPool2d>;                                       \
  how struct detail::RulesOf<S, AveragePool2d>;                                   \
  how struct detail::RulesOf<S, GlobalAveragePool>;                               \
  how struct detail::RulesOf<S, GroupNorm>;                                       \
  how struct detail::RulesOf<S, Flatten>;                                         \
  how struct detail::RulesOf<S, Embedding>;                                       \
  how struct detail::RulesOf<S, SoftmaxCrossEntropy>;                             \
  how struct detail::RulesOf<S, SquaredError>;                                    \
  how struct detail::RulesOf<S, BernoulliCrossEntropy>;                           \
  how struct detail::RulesOf<S, GaussianReparametrisation>;                       \
  how struct detail::RulesOf<S, GaussianDivergence>;                              \
  how class Graph<S>;                                                             \
  how class NetworkForward<S>;                                                    \
  how class NetworkLinearization<S>;                                              \
  how class Network<S>;                                                           \
  }                                                                               \
  namespace mts {                                                                 \
  how class DenseParameters<S>;                                                   \
  how class Sgd<DenseParameters<S>>;                                              \
  how class Adam<DenseParameters<S>, true>;                                       \
  how class Adam<DenseParameters<S>, false>;                                      \
  how class MlpWeightNet<S>;                                                      \
  how class TabularWeightNet<S>;                                                  \
  how class GroupWeightNet<S>;                                                    \
  }                                                                               \
  namespace mts::nn {                                                             \
  how class Classifier<S>;                                                        \
  how class Vae<S>;                                                               \
  how Classifier<S> mlp<S>(const std::vector<Index>&, const MlpOptions&);         \
  how Classifier<S> cnn<S>(const autodiff::ImageShape&, const CnnOptions&);       \
  how Classifier<S> resnet<S>(const autodiff::ImageShape&, const ResNetOptions&); \
  }

#ifndef MTS_COMPILES_INSTANCES
MTS_INSTANCES(extern template, float)
MTS_INSTANCES(extern template, double)
#endif
