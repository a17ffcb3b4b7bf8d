#pragma once
/// \file
/// How the parameters of linear and convolution layers begin.

#include <algorithm>
#include <cmath>

#include "mts/core/random.hpp"
#include "mts/core/types.hpp"

namespace mts::autodiff {

/// With i the fan-in and o the fan-out (numbers of inputs that make an output, and of outputs that an input makes).
enum class Initialization {
  uniform_fan_in,  ///< W, b ~ U(-1/sqrt(i), 1/sqrt(i)): PyTorch's default for linear and convolution layers
  he_normal,       ///< W ~ N(0, 2/i), b = 0 (He et al. 2015; for ReLU)
  xavier_uniform,  ///< W ~ U(-sqrt(6/(i+o)), sqrt(6/(i+o))), b = 0 (Glorot and Bengio 2010)
  zeros            ///< W = 0, b = 0
};

/// Fills W and, after it, b from the stream, in order.
template <class S>
void initialize(Initialization how, Index fan_in, Index fan_out, S* w, Index weights, Index biases,
                RandomStream& stream) {
  const double i = static_cast<double>(std::max<Index>(fan_in, 1)), o = static_cast<double>(fan_out);
  std::fill(w, w + weights + biases, S{0});
  switch (how) {
    case Initialization::uniform_fan_in:
      for (Index k = 0; k < weights + biases; ++k) w[k] = static_cast<S>(stream.uniform(-1, 1) / std::sqrt(i));
      break;
    case Initialization::he_normal:
      for (Index k = 0; k < weights; ++k) w[k] = static_cast<S>(stream.normal() * std::sqrt(2 / i));
      break;
    case Initialization::xavier_uniform:
      for (Index k = 0; k < weights; ++k) w[k] = static_cast<S>(stream.uniform(-1, 1) * std::sqrt(6 / (i + o)));
      break;
    case Initialization::zeros:
      break;
  }
}

}  // namespace mts::autodiff
