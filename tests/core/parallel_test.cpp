#include "mts/core/parallel.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

#include "mts/core/random.hpp"

using namespace mts;

TEST_CASE("parallel_tiles visits every index once, in tiles of the given size") {
  for (const Index n : {0, 1, 2, 15, 16, 17, 1000})
    for (const Index tile : {1, 2, 16, 999, 1000, 1001}) {
      CAPTURE(n);
      CAPTURE(tile);
      std::vector<int> visits(static_cast<std::size_t>(n), 0);
      std::vector<std::array<Index, 2>> bounds(static_cast<std::size_t>((n + tile - 1) / tile));
      parallel_tiles(n, tile, [&](Index t, Index begin, Index end) {
        bounds.at(static_cast<std::size_t>(t)) = {begin, end};
        for (Index i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
      });
      CHECK(std::count(visits.begin(), visits.end(), 1) == n);
      for (std::size_t t = 0; t < bounds.size(); ++t) {
        const Index begin = static_cast<Index>(t) * tile;
        CHECK(bounds[t] == std::array<Index, 2>{begin, std::min(n, begin + tile)});
      }
    }
}

TEST_CASE("parallel_tasks calls f(i) for every i") {
  std::vector<int> visits(37, 0);
  parallel_tasks(37, [&](Index i) { ++visits[static_cast<std::size_t>(i)]; });
  CHECK(visits == std::vector<int>(37, 1));
  parallel_tasks(0, [](Index) { FAIL("nothing to do"); });
}

TEST_CASE("a tile below 1 and a negative length are refused") {
  const auto nothing = [](Index, Index, Index) {};
  CHECK_THROWS_WITH_AS(parallel_tiles(10, 0, nothing), "parallel_tiles: the tile must be at least 1, found 0",
                       ValueError);
  CHECK_THROWS_AS(parallel_tiles(0, -3, nothing), ValueError);
  CHECK_THROWS_WITH_AS(parallel_tiles(-1, 1, nothing), "parallel_tiles: n must not be negative, found -1", ValueError);
}

TEST_CASE("an exception comes out of the loop with its type and words, and the next loop works") {
  for (const Index n : {1, 100}) {
    CAPTURE(n);
    CHECK_THROWS_WITH_AS(parallel_tiles(n, 1,
                                        [&](Index t, Index, Index) {
                                          if (t == n / 2) throw ShapeError("from a tile");
                                        }),
                         "from a tile", ShapeError);
    std::atomic<Index> visited = 0;
    parallel_tiles(n, 1, [&](Index, Index, Index) { ++visited; });
    CHECK(visited.load() == n);
  }
  // From a loop within a loop.
  CHECK_THROWS_AS(parallel_tasks(8, [](Index) { parallel_tasks(8, [](Index) { throw DataError("inner"); }); }),
                  DataError);
}

TEST_CASE("1, 2 and 4 threads give the same bits") {
  RandomStream stream(7, "parallel test");
  std::vector<float> x(100003);
  for (auto& v : x) v = static_cast<float>(stream.normal());
  const auto sum = [&](int threads) {
    const ThreadLimit limit(threads);
    std::vector<float> partial((x.size() + 63) / 64);
    parallel_tiles(static_cast<Index>(x.size()), 64, [&](Index t, Index begin, Index end) {
      partial[static_cast<std::size_t>(t)] = std::accumulate(x.begin() + begin, x.begin() + end, 0.0f);
    });
    return std::accumulate(partial.begin(), partial.end(), 0.0f);
  };
  const float one = sum(1);
  CHECK(sum(2) == one);
  CHECK(sum(4) == one);
}

TEST_CASE("ThreadLimit bounds the threads while it lives, and the smallest holds") {
  CHECK_THROWS_WITH_AS(ThreadLimit(0), "ThreadLimit: the number of threads must be at least 1, found 0", ValueError);
  const int before = thread_limit();
  {
    const ThreadLimit two(2);
    CHECK(thread_limit() == std::min(2, before));
    {
      const ThreadLimit one(1);
      const ThreadLimit three(3);
      CHECK(thread_limit() == 1);
      std::set<std::thread::id> ids;
      std::mutex mutex;
      parallel_tasks(64, [&](Index) {
        const std::lock_guard lock(mutex);
        ids.insert(std::this_thread::get_id());
      });
      CHECK(ids.size() == 1);
    }
    CHECK(thread_limit() == std::min(2, before));
  }
  CHECK(thread_limit() == before);
}

TEST_CASE("loops nest, and a waiting thread takes no work from an outer loop") {
  // A thread that waits for its inner loop within outer iteration i must not begin another outer iteration: it would
  // overwrite what iteration i keeps in the thread's scratch. Four threads, whatever the machine has, so that one can
  // wait for a second while a third has outer iterations to give away. A wrapper that lets this happen is caught in
  // about half of the repetitions.
  thread_local int depth = 0;
  std::atomic<int> intrusions = 0, done = 0;
  const ThreadLimit four(4);
  for (int repetition = 0; repetition < 50; ++repetition)
    oneapi::tbb::task_arena(4).execute([&] {
      parallel_tasks(8, [&](Index) {
        if (depth != 0) ++intrusions;
        ++depth;
        parallel_tasks(8, [&](Index i) {
          std::this_thread::sleep_for(std::chrono::microseconds(50 + 40 * (i % 3)));
          ++done;
        });
        --depth;
      });
    });
  CHECK(intrusions.load() == 0);
  CHECK(done.load() == 50 * 8 * 8);
}
