#pragma once
// What the step benchmarks solve, in sizes and data: MLP 784-256-256-10 and CNN conv16-pool-conv32-pool-fc128-fc10
// (3x3, padding 1, 2x2 max pooling) on images of 28 x 28 in ten classes, half real and half synthetic; M = 256
// validation samples.

#include <string>
#include <string_view>
#include <vector>

#include "mts/nn/classifier.hpp"
#include "support/flops.hpp"

namespace bench {

using mts::Index;
using Batch = mts::nn::ClassificationBatch<float>;
using Parameters = mts::DenseParameters<float>;

inline constexpr int classes = 10;
inline constexpr Index pixels = 784, pool_samples = 4000, pool_embedding = 32, validation_samples = 256;
inline constexpr double learning_rate = 1e-3, momentum = 0.9, meta_learning_rate = 1e-4;

enum class Net { mlp, cnn };

struct Case {
  Net net = Net::mlp;
  Index samples = 0;
  bool keeps = true;  ///< activations; else they are recomputed at every use

  std::string name() const { return (net == Net::mlp ? "mlp/" : "cnn/") + std::to_string(samples); }
  Layers layers() const { return net == Net::mlp ? mlp_layers() : cnn_layers(); }
};

/// The four cases whose ratios are required.
inline std::vector<Case> cases() { return {{Net::mlp, 128}, {Net::mlp, 1024}, {Net::mlp, 4096}, {Net::cnn, 256}}; }

/// What is known of N samples: sample i has label i mod 10, group (i/10) mod 2 and place i mod 4000 in the pool.
inline mts::Samples samples_of(Index n) {
  mts::Samples s;
  for (Index i = 0; i < n; ++i) {
    s.labels.push_back(static_cast<int>(i % classes));
    s.groups.push_back(static_cast<int>(i / classes % 2));
    s.ids.push_back(i % pool_samples);
  }
  return s;
}

/// N images of uniform noise with what is known of them.
struct Images {
  Batch batch;
  mts::Samples samples;

  Images(Index n, std::string_view purpose) : samples(samples_of(n)) {
    mts::RandomStream stream(0, purpose);
    batch.labels = samples.labels;
    batch.inputs.resize(n, pixels);
    const Index drawn = std::min<Index>(n, pool_samples) * pixels;  // later ones repeat: the time is in the drawing
    for (Index k = 0; k < drawn; ++k) batch.inputs.data()[k] = static_cast<float>(stream.uniform());
    for (Index i = pool_samples; i < n; ++i) batch.inputs.row(i) = batch.inputs.row(i % pool_samples);
  }
};

}  // namespace bench
