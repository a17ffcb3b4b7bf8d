// A race planted in the body of a parallel loop: two tiles add to one variable. The thread sanitizer must still report it
// with tests/tsan.supp and the loop's annotations in force, else a clean run means nothing.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

#include "mts/core/parallel.hpp"

int main() {
  long sum = 0;
  std::atomic<int> inside{0};
  mts::ThreadLimit threads(2);
  mts::parallel_tiles(64, 1, [&](mts::Index, mts::Index, mts::Index) {
    // Meet another thread first, else one thread may run all tiles. Relaxed: it must order nothing.
    inside.fetch_add(1, std::memory_order_relaxed);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
    while (inside.load(std::memory_order_relaxed) < 2 && std::chrono::steady_clock::now() < deadline)
      std::this_thread::yield();
    ++sum;
  });
  std::printf("sum %ld\n", sum);
}
