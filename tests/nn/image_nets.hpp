// What the tests of convolutional builders share: a batch of labelled images, and the derivative harness on a whole net.
#pragma once

#include <string>
#include <string_view>

#include "mts/nn/classifier.hpp"
#include "support/images.hpp"

namespace mts::testing {

template <class S>
nn::ClassificationBatch<S> labelled_images(Index n, const ImageShape& in, Index classes) {
  nn::ClassificationBatch<S> b;
  b.inputs = snap(random_matrix(n, in.size(), RandomStream(1, "images"))).cast<S>();
  for (Index i = 0; i < n; ++i) b.labels.push_back(static_cast<int>((i * 7) % classes));
  return b;
}

/// All derivatives in double and in float, and float against double. \param purpose  names the stream of the parameters
inline void check_image_net(const std::string& name, std::string_view purpose, const nn::Classifier<double>& in_double,
                            const nn::Classifier<float>& in_float, const ImageShape& in, Index classes, Index n,
                            const Options& checks) {
  auto theta = in_double.initialize(RandomStream(2, purpose));
  theta.values() = snap(Vector(theta.values() + random_vector(theta.size(), RandomStream(3, "off"), 0.25)));
  DenseParameters<float> single(std::vector<Segment>(theta.segments().begin(), theta.segments().end()));
  single.values() = theta.values().cast<float>();
  const auto a = labelled_images<double>(n, in, classes);
  const auto b = labelled_images<float>(n, in, classes);
  const auto f = at(name, in_double, theta, a);
  check_derivatives(f, checks);
  const auto g = at(name + ", float", in_float, single, b);
  check_derivatives(g, checks);
  check_precision(g, f, checks);
}

}  // namespace mts::testing
