#pragma once
/// \file
/// `Queue`: operations on a device, done one after another. Memory, launches, products, and sequences that are replayed.

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "mts/cuda/error.hpp"
#include "mts/cuda/lanes.hpp"
#include "mts/cuda/product.hpp"

namespace mts::cuda {

namespace detail {
/// An operation of each kind, to ask for the launches with.
struct AnyOperation {
  MTS_HOST_DEVICE void operator()(Index) const {}
  MTS_HOST_DEVICE void operator()(Index, Index) const {}
  MTS_HOST_DEVICE void operator()(const Lanes&, Index) const {}
};
}  // namespace detail

/// Executor: who carries operations out, in the order in which they are given. `Device` is a GPU, `Emulation` the host.
/// - E1  `e.allocate(bytes)`, `e.free(memory)`: memory of its own; throws OutOfMemory where there is none.
/// - E2  `e.upload(to, from, bytes)`: the host's memory may change when it returns. `e.download(to, from, bytes)`: waits until
///   everything before it is done, and it. `e.copy(to, from, bytes)`, `e.clear(to, bytes)`: within its memory.
/// - E3  `e.each(n, op)`: op(i) for i < n; `e.grid(rows, cols, op)`: op(i, j); `e.rows(n, op)`: op(lanes, i). In any order, so the
///   calls of one launch must not touch the same entries. op is a trivially copyable type that is named at namespace scope.
/// - E4  `e.multiply(product)`: the same bits at every call.
/// - E5  `e.begin_recording()`, `e.end_recording()` -> Recording, `e.abandon_recording()`, `e.play(recording)`.
template <class E>
concept Executor = requires(E& e, void* to, const void* from, std::size_t bytes, Index n,
                            const ColumnMajorProduct<float>& product, const typename E::Recording& recording) {
  { e.allocate(bytes) } -> std::same_as<void*>;
  e.free(to);
  e.upload(to, from, bytes);
  e.download(to, from, bytes);
  e.copy(to, from, bytes);
  e.clear(to, bytes);
  e.each(n, detail::AnyOperation{});
  e.grid(n, n, detail::AnyOperation{});
  e.rows(n, detail::AnyOperation{});
  e.multiply(product);
  e.begin_recording();
  { e.end_recording() } -> std::same_as<typename E::Recording>;
  e.abandon_recording();
  e.play(recording);
  { E::recording_runs } -> std::convertible_to<bool>;
};

/// What a sequence of operations depends on: numbers and addresses. Equal keys must mean equal operations.
class Key {
 public:
  explicit Key(std::uint64_t what) : parts_{what} {}
  template <class T>
  Key& add(const T* address) {
    parts_.push_back(reinterpret_cast<std::uintptr_t>(address));
    return *this;
  }
  Key& add(Index number) {
    parts_.push_back(static_cast<std::uint64_t>(number));
    return *this;
  }
  friend auto operator<=>(const Key&, const Key&) = default;

 private:
  std::vector<std::uint64_t> parts_;
};

/// Operations in order, on one executor, with its memory. Models, weight nets, batches and parameter vectors share one by a
/// `std::shared_ptr`. Thread-safe: operations of several threads follow one another, whole replayed sequences too.
///
/// Memory that is given back is kept for the next who asks for so much: in a steady loop nothing is allocated. That is
/// sound because operations are done in order: whoever gets a piece next comes after whoever had it.
template <Executor E>
class Queue {
 public:
  /// \param arguments  of the executor: the number of a device, say
  template <class... Arguments>
  explicit Queue(Arguments&&... arguments) : executor_(std::forward<Arguments>(arguments)...) {}
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue() {
    forget_sequences();
    free_all(idle_);
  }

  const E& executor() const { return executor_; }
  /// How many kernels and products were launched; a replayed sequence counts as what it holds.
  Index launches() const {
    std::lock_guard lock(mutex_);
    return launches_;
  }
  /// How many sequences were replayed rather than launched one by one.
  Index replays() const {
    std::lock_guard lock(mutex_);
    return replays_;
  }
  /// Bytes that the queue holds, in use or idle.
  std::size_t bytes() const {
    std::lock_guard lock(mutex_);
    return bytes_;
  }

  // ---- memory

  /// At least `bytes` bytes, aligned for anything; contents are no promise.
  void* take(std::size_t bytes) {
    std::lock_guard lock(mutex_);
    bytes = rounded(bytes);
    if (void* memory = reused(held_, bytes)) return memory;
    if (void* memory = reused(idle_, bytes)) return memory;
    void* memory = allocate(bytes);
    bytes_ += bytes;
    return memory;
  }
  void give_back(void* memory, std::size_t bytes) noexcept {
    if (!memory) return;
    std::lock_guard lock(mutex_);
    // A recorded sequence will use it again, whenever it is played; so within it, only it may.
    (within_ == Within::recorded ? held_ : idle_)[rounded(bytes)].push_back(memory);
  }
  /// Frees what is idle, and forgets all sequences.
  void trim() {
    std::lock_guard lock(mutex_);
    check_value(within_ == Within::none, "cuda::Queue::trim", "not within a replayed sequence");
    forget_sequences();
    free_all(idle_);
  }

  template <class T>
  void upload(T* to, const T* from, Index n) {
    if (n > 0) outside([&] { executor_.upload(to, from, sizeof(T) * static_cast<std::size_t>(n)); });
  }
  template <class T>
  void download(T* to, const T* from, Index n) {
    if (n > 0) outside([&] { executor_.download(to, from, sizeof(T) * static_cast<std::size_t>(n)); });
  }
  template <class T>
  void copy(T* to, const T* from, Index n) {
    std::lock_guard lock(mutex_);
    if (n > 0) executor_.copy(to, from, sizeof(T) * static_cast<std::size_t>(n));
  }
  template <class T>
  void clear(T* to, Index n) {
    std::lock_guard lock(mutex_);
    if (n > 0) executor_.clear(to, sizeof(T) * static_cast<std::size_t>(n));
  }

  // ---- work

  /// op(i) for i < n. \throws ShapeError for 2^31 or more
  template <class Op>
  void each(Index n, const Op& op) {
    launch<Op>(n, [&] { executor_.each(n, op); });
  }
  /// op(i, j) for i < rows, j < cols. \throws ShapeError for 2^31 or more
  template <class Op>
  void grid(Index rows, Index cols, const Op& op) {
    launch<Op>(rows * cols, [&] { executor_.grid(rows, cols, op); });
  }
  /// op(lanes, i) for i < n: the lanes of a warp for every row. \throws ShapeError for 2^26 rows or more
  template <class Op>
  void rows(Index n, const Op& op) {
    launch<Op>(n * Lanes::count, [&] { executor_.rows(n, op); });
  }
  /// \throws ShapeError for a size of 2^31 or more
  template <class S>
  void multiply(const Product<S>& p) {
    if (p.rows == 0 || p.cols == 0 || p.count == 0 || (p.depth == 0 && p.accumulate)) return;
    const Index largest = std::max({p.rows, p.cols, p.depth, p.a.stride, p.b.stride, p.stride, p.count});
    if (largest > most)
      throw ShapeError(mts::detail::text("cuda: expected a product of sizes below 2^31, found ", largest));
    if (p.depth == 0) return clear_results(p);  // an empty sum; its factors may have no address
    std::lock_guard lock(mutex_);
    ++launches_;
    executor_.multiply(column_major(p));
  }

  /// Does what `f` does. A sequence with a key that has been seen before is recorded, and from then on replayed without
  /// asking f. What f gives back of this queue's memory stays with the recording, which uses it again and again. f must neither
  /// upload nor download.
  template <class F>
  void replay(const Key& key, F&& f) {
    std::lock_guard lock(mutex_);
    if (within_ != Within::none) return f();  // part of the sequence around it
    auto [at, fresh] = sequences_.try_emplace(key);
    Sequence& entry = at->second;
    if (fresh)
      order_.push_front(&at->first);
    else
      order_.splice(order_.begin(), order_, entry.place);
    entry.place = order_.begin();
    if (fresh) {
      forget_old();
      const Scope scope(within_, Within::launched);
      return f();
    }
    if (!entry.recording) {
      record(entry, f);
      if constexpr (E::recording_runs) return;
    } else {
      launches_ += entry.launches;
      ++replays_;
    }
    executor_.play(*entry.recording);
  }

 private:
  static constexpr Index most = std::numeric_limits<std::int32_t>::max();
  static constexpr std::size_t sequences_kept = 256;

  using Idle = std::map<std::size_t, std::vector<void*>>;  ///< pieces by their bytes
  /// Whether f of a sequence runs.
  enum class Within { none, launched, recorded };
  struct Scope {
    Scope(Within& which, Within now) : within(which) { within = now; }
    ~Scope() { within = Within::none; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    Within& within;
  };
  struct Sequence {
    std::optional<typename E::Recording> recording;
    Idle held;
    Index launches = 0;
    std::list<const Key*>::iterator place;
  };

  /// Sizes are rounded up, to an eighth of the power of two below, so that batches of almost one size share pieces.
  static std::size_t rounded(std::size_t bytes) {
    std::size_t grain = 256;
    while (grain * 8 < bytes) grain *= 2;
    return std::max(grain, (bytes + grain - 1) / grain * grain);
  }
  static void* reused(Idle& from, std::size_t bytes) {
    const auto pieces = from.find(bytes);
    if (pieces == from.end() || pieces->second.empty()) return nullptr;
    void* memory = pieces->second.back();
    pieces->second.pop_back();
    return memory;
  }
  void* allocate(std::size_t bytes) {
    try {
      return executor_.allocate(bytes);
    } catch (const OutOfMemory&) {
      // What is idle has other sizes, and sequences can be recorded again: without these there may be room.
      free_all(idle_);
      if (within_ != Within::recorded) forget_sequences();
      return executor_.allocate(bytes);
    }
  }
  void free_all(Idle& idle) noexcept {
    for (auto& [bytes, pieces] : idle)
      for (void* memory : pieces) {
        executor_.free(memory);
        bytes_ -= bytes;
      }
    idle.clear();
  }
  void forget_sequences() noexcept {
    for (auto& [key, entry] : sequences_) free_all(entry.held);
    sequences_.clear();
    order_.clear();
  }
  template <class S>
  void clear_results(const Product<S>& p) {
    for (Index q = 0; q < p.count; ++q)
      for (Index i = 0; i < p.rows; ++i) clear(p.to + q * p.step + i * p.stride, p.cols);
  }
  template <class F>
  void outside(F&& transfer) {
    std::lock_guard lock(mutex_);
    check_value(within_ == Within::none, "cuda::Queue",
                "no transfer between host and device within a replayed sequence");
    transfer();
  }
  template <class Op, class F>
  void launch(Index threads, F&& f) {
    static_assert(std::is_trivially_copyable_v<Op>, "mts: Executor, E3: an operation must be trivially copyable");
    if (threads == 0) return;
    if (threads > most)
      throw ShapeError(mts::detail::text("cuda: expected a launch of fewer than 2^31 threads, found ", threads,
                                         "; lower the workspace budget, or the batch"));
    std::lock_guard lock(mutex_);
    ++launches_;
    f();
  }
  template <class F>
  void record(Sequence& entry, F& f) {
    const Index before = launches_;
    const Scope scope(within_, Within::recorded);
    executor_.begin_recording();
    try {
      f();
      entry.recording.emplace(executor_.end_recording());
      entry.held.swap(held_);
    } catch (...) {
      executor_.abandon_recording();
      for (auto& [bytes, pieces] : held_) idle_[bytes].insert(idle_[bytes].end(), pieces.begin(), pieces.end());
      held_.clear();
      throw;
    }
    entry.launches = launches_ - before;
  }
  void forget_old() {
    while (order_.size() > sequences_kept) {
      const auto at = sequences_.find(*order_.back());
      order_.pop_back();
      // Its memory may still be in use by work that is under way; what comes next is done after that.
      free_all(at->second.held);
      sequences_.erase(at);
    }
  }

  E executor_;
  mutable std::recursive_mutex mutex_;
  Idle idle_;
  Idle held_;  ///< given back within the sequence that is recorded
  std::map<Key, Sequence> sequences_;
  std::list<const Key*> order_;  ///< the last used first
  Within within_ = Within::none;
  Index launches_ = 0, replays_ = 0;
  std::size_t bytes_ = 0;
};

template <class E>
using SharedQueue = std::shared_ptr<Queue<E>>;

/// A queue, to be shared.
template <Executor E, class... Arguments>
SharedQueue<E> make_queue(Arguments&&... arguments) {
  return std::make_shared<Queue<E>>(std::forward<Arguments>(arguments)...);
}

}  // namespace mts::cuda
