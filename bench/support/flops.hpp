#pragma once
// Floating-point operations of a step, by hand. Only products and convolutions count; a multiply-add is two.
//
// F is one forward of the classifier over N samples; so is dW, the gradient in the weights. dX, the deltas handed down,
// is F less the first layer's share, whose input needs none. With N training and M validation samples, embeddings of
// width d:
//
//     plain step        F + dX + dW
//     MTS at the floor  over N: F (forward) + dX (deltas) + dW (virtual step) + F (alignments) + dW (real step)
//                       over M: F (features) + F + dX + dW (validation gradient at the virtual parameters)
//                       cosines of N embeddings with M: 2 N M d
//                       weight net over N: F + dX + dW, and F again with the new phi
//     MTS as the reference implementation does it
//                       over N: F (features) + F + dX + dW (virtual step) + 2 F (shifted forwards) + F + dX + dW (real)
//                       over M and cosines: the same; weight net over N: 2 F + dX + dW at the old phi, F at the new one
//
// MLP 784-256-256-10: dX = 0.25 F, so plain is 2.25 F. CNN: dX = 0.91 F, plain 2.91 F.

#include <vector>

#include "mts/core/types.hpp"

namespace bench {

/// Multiply-adds of each layer for one sample, first layer first, and the width of the embedding.
struct Layers {
  std::vector<double> multiply_adds;
  double embedding = 0;

  double forward() const {
    double sum = 0;
    for (const double m : multiply_adds) sum += 2 * m;
    return sum;
  }
  double input_deltas() const { return forward() - 2 * multiply_adds.front(); }
  double weight_gradients() const { return forward(); }
  double plain() const { return forward() + input_deltas() + weight_gradients(); }
};

inline Layers mlp_layers() { return {{784 * 256, 256 * 256, 256 * 10}, 256}; }
inline Layers cnn_layers() { return {{28 * 28 * 9 * 1 * 16, 14 * 14 * 9 * 16 * 32, 7 * 7 * 32 * 128, 128 * 10}, 128}; }
inline Layers weight_net_layers() { return {{22 * 100, 100 * 100, 100}, 100}; }

inline double plain_flops(const Layers& net, double n) { return n * net.plain(); }

inline double floor_flops(const Layers& net, double n, double m) {
  const Layers w = weight_net_layers();
  return n * (net.plain() + net.forward() + net.weight_gradients()) + m * (net.forward() + net.plain()) +
         2 * n * m * net.embedding + n * (w.plain() + w.forward());
}
inline double reference_flops(const Layers& net, double n, double m) {
  const Layers w = weight_net_layers();
  return n * (3 * net.forward() + 2 * net.plain()) + m * (net.forward() + net.plain()) + 2 * n * m * net.embedding +
         n * (w.plain() + 2 * w.forward());
}

}  // namespace bench
