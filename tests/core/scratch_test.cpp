#include "mts/core/scratch.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <thread>

#include "support/sanitized.hpp"

using namespace mts;
using detail::AlignedBuffer;
using detail::thread_scratch;

TEST_CASE("a buffer is aligned to 64 bytes, grows and never shrinks") {
  AlignedBuffer<float> buffer;
  CHECK(buffer.capacity() == 0);
  CHECK(buffer.reserve(0) == nullptr);
  for (const Index n : {1, 7, 1000, 1001}) {
    CAPTURE(n);
    float* p = buffer.reserve(n);
    CHECK(reinterpret_cast<std::uintptr_t>(p) % 64 == 0);
    CHECK(buffer.capacity() == n);
    p[0] = p[n - 1] = 1;
  }
  const float* p = buffer.data();
  CHECK(buffer.reserve(3) == p);
  CHECK(buffer.capacity() == 1001);
}

TEST_CASE("a buffer that was moved from is empty and usable") {
  AlignedBuffer<double> a;
  a.reserve(10)[9] = 3;
  AlignedBuffer<double> b = std::move(a);
  CHECK(b.data()[9] == 3);
  CHECK(a.capacity() == 0);
  CHECK(a.reserve(5) != nullptr);
  a = std::move(b);
  CHECK(a.capacity() == 10);
  CHECK(b.reserve(5) != nullptr);
}

#if !defined(MTS_SANITIZED)
TEST_CASE("a request that cannot be met leaves an empty buffer, not a false capacity") {
  AlignedBuffer<double> buffer;
  buffer.reserve(10);
  CHECK_THROWS_AS(buffer.reserve(Index{1} << 56), std::bad_alloc);
  CHECK(buffer.capacity() == 0);
  CHECK(buffer.reserve(10) != nullptr);
}
#endif

TEST_CASE("scratch is kept between calls, apart for each slot, type and thread") {
  float* p = thread_scratch<float>(100);
  CHECK(thread_scratch<float>(50) == p);
  CHECK(thread_scratch<float, 1>(100) != p);
  CHECK(static_cast<void*>(thread_scratch<double>(100)) != static_cast<void*>(p));
  float* other = nullptr;
  std::thread([&] { other = thread_scratch<float>(100); }).join();
  CHECK(other != p);
}
