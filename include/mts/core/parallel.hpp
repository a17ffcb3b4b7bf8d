#pragma once
/// \file
/// The one parallel wrapper. All parallelism of the library goes through `parallel_tiles`; nothing else calls TBB.
///
/// What is promised about bits: work is cut into tiles of a size that the caller fixes (never derived from
/// the number of threads or from caches), each tile is computed by one thread, and partial results are combined in
/// the order of the tiles. So a result has the same bits for any number of threads.

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <utility>

#include "mts/core/error.hpp"

#if defined(__SANITIZE_THREAD__)
#define MTS_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MTS_THREAD_SANITIZER 1
#endif
#endif
#if defined(MTS_THREAD_SANITIZER)
extern "C" {
void __tsan_acquire(void* address);
void __tsan_release(void* address);
void __tsan_ignore_thread_begin();
void __tsan_ignore_thread_end();
}
#endif

namespace mts {

namespace detail {

#if defined(MTS_THREAD_SANITIZER)
/// Whether ThreadSanitizer watches this thread. It does not between the bodies of a parallel loop, where oneTBB runs: its
/// tasks count themselves off in the stack frame of the waiting thread by a write that the sanitizer could order only by
/// seeing into the library, and that thread's next use of its stack would be called a race.
class Watched {
 public:
  static void set(bool watched) {
    thread_local Watched here;
    if (watched == here.watched_) return;
    here.watched_ = watched;
    watched ? __tsan_ignore_thread_end() : __tsan_ignore_thread_begin();
  }
  ~Watched() {
    if (!watched_) __tsan_ignore_thread_end();
  }

 private:
  bool watched_ = true;
};
#endif

/// The fork and join edges of a parallel loop, told to ThreadSanitizer: an uninstrumented oneTBB hides them.
struct ForkJoin {
#if defined(MTS_THREAD_SANITIZER)
  char fork = 0, join = 0;
  void forked() {
    __tsan_release(&fork);
    Watched::set(false);
  }
  void task_begins() {
    __tsan_acquire(&fork);
    Watched::set(true);
  }
  void task_ends() {
    Watched::set(false);
    __tsan_release(&join);
  }
  void joined() {
    Watched::set(true);
    __tsan_acquire(&join);
  }
#else
  void forked() {}
  void task_begins() {}
  void task_ends() {}
  void joined() {}
#endif
};

}  // namespace detail

/// Bounds the number of threads of all parallel loops while it lives (the smallest of the living limits holds).
class ThreadLimit {
 public:
  /// \throws ValueError if threads < 1
  explicit ThreadLimit(int threads)
      : control_(oneapi::tbb::global_control::max_allowed_parallelism, checked(threads)) {}

 private:
  static std::size_t checked(int threads) {
    check_value(threads >= 1, "ThreadLimit", "the number of threads must be at least 1, found ", threads);
    return static_cast<std::size_t>(threads);
  }
  oneapi::tbb::global_control control_;
};

/// The number of threads that parallel loops may use now.
inline int thread_limit() {
  return static_cast<int>(
      oneapi::tbb::global_control::active_value(oneapi::tbb::global_control::max_allowed_parallelism));
}

/// Calls `f(tile_index, begin, end)` for the tiles [0, tile), [tile, 2 tile), ... of [0, n), in parallel.
/// f must write only to places of its own tile. An exception of f is rethrown here after the loop has stopped. Loops
/// nest: a waiting thread takes no work from an outer loop.
/// \throws ValueError if n < 0 or tile < 1
template <class F>
void parallel_tiles(Index n, Index tile, F&& f) {
  check_value(n >= 0, "parallel_tiles", "n must not be negative, found ", n);
  check_value(tile >= 1, "parallel_tiles", "the tile must be at least 1, found ", tile);
  const Index tiles = (n + tile - 1) / tile;
  if (tiles <= 1) {
    if (tiles == 1) f(Index{0}, Index{0}, n);
    return;
  }
  detail::ForkJoin edges;
  edges.forked();
  struct Join {
    detail::ForkJoin& e;
    ~Join() { e.joined(); }  // an exception of f joins too: it was made by another thread
  } join{edges};
  oneapi::tbb::this_task_arena::isolate([&] {
    oneapi::tbb::parallel_for(
        oneapi::tbb::blocked_range<Index>(0, tiles, 1),
        [&](const oneapi::tbb::blocked_range<Index>& range) {
          edges.task_begins();
          struct End {
            detail::ForkJoin& e;
            ~End() { e.task_ends(); }
          } end{edges};
          for (Index t = range.begin(); t != range.end(); ++t) f(t, t * tile, std::min(n, (t + 1) * tile));
        },
        oneapi::tbb::simple_partitioner());
  });
}

/// Calls `f(i)` for i in [0, n), each a task of its own.
template <class F>
void parallel_tasks(Index n, F&& f) {
  parallel_tiles(n, 1, [&](Index i, Index, Index) { f(i); });
}

}  // namespace mts
