#pragma once
/// \file
/// Memory that a rule needs only while it runs. It belongs to the thread, only ever grows, and so is free of
/// allocations once every thread has seen its largest request.

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include "mts/core/types.hpp"

namespace mts::detail {

/// Memory aligned for the widest vector registers; grows, never shrinks; contents are lost when it grows.
template <class S>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::move(other.data_)), capacity_(std::exchange(other.capacity_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    data_ = std::move(other.data_);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
  }

  /// At least n entries, uninitialised.
  S* reserve(Index n) {
    if (n > capacity_) {
      data_.reset();
      capacity_ = 0;
      data_.reset(static_cast<S*>(::operator new(static_cast<std::size_t>(n) * sizeof(S), std::align_val_t{64})));
      capacity_ = n;
    }
    return data_.get();
  }
  S* data() const { return data_.get(); }
  Index capacity() const { return capacity_; }

 private:
  struct Free {
    void operator()(S* p) const { ::operator delete(p, std::align_val_t{64}); }
  };
  std::unique_ptr<S, Free> data_;
  Index capacity_ = 0;
};

/// Scratch number `Slot` of this thread, at least n long. A rule may use slots 0 and 1, what it calls 4; the tape uses 2 and 3,
/// features 8 and up.
/// No parallel loop may run while scratch is in use.
template <class S, int Slot = 0>
S* thread_scratch(Index n) {
  thread_local AlignedBuffer<S> buffer;
  return buffer.reserve(n);
}

}  // namespace mts::detail
