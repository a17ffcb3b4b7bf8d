#pragma once
/// \file
/// `Buffer`: memory of a queue, owned.

#include <span>
#include <utility>
#include <vector>

#include "mts/cuda/queue.hpp"

namespace mts::cuda {

/// n numbers in a queue's memory. Movable; gives the memory back when it dies. Fresh contents are no promise.
template <class T, class E>
class Buffer {
 public:
  Buffer() = default;
  Buffer(SharedQueue<E> queue, Index n)
      : queue_(std::move(queue)), size_(n), data_(static_cast<T*>(queue_->take(bytes()))) {}
  Buffer(SharedQueue<E> queue, std::span<const T> values)
      : Buffer(std::move(queue), static_cast<Index>(values.size())) {
    queue_->upload(data_, values.data(), size_);
  }
  Buffer(Buffer&& other) noexcept
      : queue_(std::move(other.queue_)),
        size_(std::exchange(other.size_, 0)),
        data_(std::exchange(other.data_, nullptr)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(queue_, other.queue_);
    std::swap(size_, other.size_);
    std::swap(data_, other.data_);
    return *this;
  }
  ~Buffer() {
    if (data_) queue_->give_back(data_, bytes());
  }

  Index size() const { return size_; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  const SharedQueue<E>& queue() const { return queue_; }

  /// A copy on the host; waits for what comes before.
  std::vector<T> to_host() const {
    std::vector<T> host(static_cast<std::size_t>(size_));
    if (size_ > 0) queue_->download(host.data(), data_, size_);
    return host;
  }

 private:
  std::size_t bytes() const { return sizeof(T) * static_cast<std::size_t>(std::max<Index>(size_, 1)); }

  SharedQueue<E> queue_;
  Index size_ = 0;
  T* data_ = nullptr;
};

}  // namespace mts::cuda
