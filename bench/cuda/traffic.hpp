#pragma once
// What a step moves to and from memory at least, by hand, as flops.hpp counts its operations. Every product reads its two
// factors and writes its result once; activations, biases, losses and statistics ride along with a product. A product of
// n samples with a layer's weights moves the same numbers in all three directions (F, dX, dW):
//
//     n in + n out + weights
//
// and updates move vectors of P parameters: SGD with momentum 5 P (theta, m, g; theta, m), its virtual step 4 P, AdamW
// 7 P. At the rate of a copy in memory this is a floor for batches that no cache holds; of smaller ones, what one product
// has written the next finds in the cache.

#include <vector>

#include "support/case.hpp"

namespace bench {

/// Numbers a sample that a layer reads and writes, and its parameters. A convolution's pooling rides along.
struct LayerTraffic {
  double in = 0, out = 0, weights = 0;
};

struct Traffic {
  std::vector<LayerTraffic> layers;
  double embedding = 0;

  double parameters() const {
    double sum = 0;
    for (const auto& l : layers) sum += l.weights;
    return sum;
  }
  double forward(double n) const {
    double sum = 0;
    for (const auto& l : layers) sum += n * (l.in + l.out) + l.weights;
    return sum;
  }
  double input_deltas(double n) const {
    return forward(n) - n * (layers.front().in + layers.front().out) - layers.front().weights;
  }
  double weight_gradients(double n) const { return forward(n); }
  double plain(double n) const { return forward(n) + input_deltas(n) + weight_gradients(n); }
};

inline LayerTraffic linear_traffic(double in, double out) { return {in, out, (in + 1) * out}; }

inline Traffic traffic(Net net) {
  if (net == Net::mlp) return {{linear_traffic(784, 256), linear_traffic(256, 256), linear_traffic(256, 10)}, 256};
  return {{{28 * 28, 14 * 14 * 16, 9 * 16 + 16},
           {14 * 14 * 16, 7 * 7 * 32, 9 * 16 * 32 + 32},
           linear_traffic(7 * 7 * 32, 128),
           linear_traffic(128, 10)},
          128};
}
inline Traffic weight_net_traffic() {
  return {{linear_traffic(22, 100), linear_traffic(100, 100), linear_traffic(100, 1)}, 100};
}

/// Bytes, in float.
inline double plain_bytes(Net net, double n) {
  const Traffic t = traffic(net);
  return sizeof(float) * (t.plain(n) + 5 * t.parameters());
}
inline double floor_bytes(Net net, double n, double m) {
  const Traffic t = traffic(net), w = weight_net_traffic();
  return sizeof(float) * (t.plain(n) + t.forward(n) + t.weight_gradients(n) + t.forward(m) + t.plain(m) +
                          (n + m) * t.embedding + w.plain(n) + w.forward(n) + 9 * t.parameters() + 7 * w.parameters());
}

}  // namespace bench
