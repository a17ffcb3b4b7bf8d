#pragma once
// The rates of a device that steps are held against, by the queue that the steps use: one large product, one large copy.

#include <algorithm>

#include "cuda/rounds.hpp"

namespace bench {

namespace kernels {
/// Numbers in [-1/2, 1/2) that are not all alike: a product of zeros may run faster than any other.
struct Fill {
  float* to;
  MTS_HOST_DEVICE void operator()(mts::Index k) const { to[k] = static_cast<float>(k * 7919 % 1009) / 1009.0f - 0.5f; }
};
}  // namespace kernels

struct CeilingSizes {
  mts::Index product = 8192;  ///< rows, columns and depth
  mts::Index copy = mts::Index{1} << 30;
};

/// Calls of f a second: the best of five runs of `calls` calls, after one run that does not count.
template <class E, class F>
double calls_per_second(const Wait<E>& wait, int calls, F&& f) {
  double best = 0;
  for (int run = 0; run < 6; ++run) {
    wait();
    const double begin = wall_seconds();
    for (int k = 0; k < calls; ++k) f();
    wait();
    if (run > 0) best = std::max(best, calls / (wall_seconds() - begin));
  }
  return best;
}

template <class E>
Ceilings measure_ceilings(const mts::cuda::SharedQueue<E>& queue, const CeilingSizes& sizes = {}) {
  const Wait<E> wait(queue);
  Ceilings found;
  {
    const mts::Index n = sizes.product;
    mts::cuda::Buffer<float, E> a(queue, n * n), b(queue, n * n), c(queue, n * n);
    queue->each(n * n, kernels::Fill{a.data()});
    queue->each(n * n, kernels::Fill{b.data()});
    const mts::cuda::Product<float> product{
        .rows = n, .cols = n, .depth = n, .a = {a.data(), n}, .b = {b.data(), n}, .to = c.data(), .stride = n};
    const double size = static_cast<double>(n);
    found.flops = 2 * size * size * size * calls_per_second(wait, 10, [&] { queue->multiply(product); });
  }
  {
    mts::cuda::Buffer<char, E> from(queue, sizes.copy), to(queue, sizes.copy);
    queue->clear(from.data(), sizes.copy);
    found.bytes = 2 * static_cast<double>(sizes.copy) *
                  calls_per_second(wait, 20, [&] { queue->copy(to.data(), from.data(), sizes.copy); });
  }
  queue->trim();
  return found;
}

}  // namespace bench
