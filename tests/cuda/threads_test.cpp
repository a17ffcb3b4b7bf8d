// Several threads share one queue.
#include <doctest/doctest.h>

#include <bit>
#include <cstdint>
#include <latch>
#include <thread>
#include <vector>

#include "mts/cuda/buffer.hpp"
#include "support/emulated.hpp"

using namespace mts;
using cuda::Emulation;
using Shared = cuda::SharedQueue<Emulation>;
using Buffer = cuda::Buffer<double, Emulation>;

namespace {

/// y_k <- a x_k + b.
struct Line {
  double a, b;
  const double* x;
  double* y;
  void operator()(Index k) const { y[k] = a * x[k] + b; }
};

/// 300 rounds x <- a x + b by way of scratch memory, every third one outside of the sequence; a sum of what was seen.
double work(const Shared& queue, double a) {
  constexpr Index n = 33;
  const std::vector<double> ones(n, 1.0);
  Buffer x(queue, std::span<const double>(ones));
  double seen = 0;
  for (int round = 0; round < 300; ++round) {
    const auto step = [&] {
      Buffer scratch(queue, n);
      queue->each(n, Line{a, 1, x.data(), scratch.data()});
      queue->each(n, Line{0.5, 0.25, scratch.data(), x.data()});
    };
    if (round % 3 == 0)
      step();
    else
      // With a, since the x of another a may have had this address.
      queue->replay(cuda::Key(std::bit_cast<std::uint64_t>(a)).add(x.data()), step);
    if (round % 10 == 0)
      for (const double v : x.to_host()) seen += v;
  }
  return seen;
}

}  // namespace

TEST_CASE("Queue: threads that interleave launches, transfers and sequences see what each alone would") {
  auto alone = cuda::make_queue<Emulation>();
  const double first = work(alone, 1.5), second = work(alone, 0.75);
  auto shared = cuda::make_queue<Emulation>();
  double a = 0, b = 0;
  std::latch both(2);
  std::thread other([&] {
    both.arrive_and_wait();
    b = work(shared, 0.75);
  });
  both.arrive_and_wait();
  a = work(shared, 1.5);
  other.join();
  CHECK(a == first);
  CHECK(b == second);
  CHECK(shared->replays() > 300);
  CHECK(shared->launches() == alone->launches());
}
