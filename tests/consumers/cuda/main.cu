// A sum of squares on the GPU, or the words that say why there is none.
#include <mts/cuda/device.hpp>
#include <mts/cuda/parameters.hpp>

#include <cstdio>

int main() {
  try {
    const auto queue = mts::cuda::make_queue<mts::cuda::Device>();
    mts::DenseParameters<float> host(3);
    host.values() << 1, 2, 3;
    const mts::cuda::Parameters<float, mts::cuda::Device> x(queue, host);
    return x.dot(x) == 14 ? 0 : 1;
  } catch (const mts::cuda::NoDevice& error) {
    std::puts(error.what());
    return 0;
  }
}
