#pragma once
/// \file
/// `Emulation`: an executor without a device. It runs every kernel as a loop over its threads, products by the definition of
/// BLAS, and replays as recorded, so that all of the backend but the launch itself is tested where there is no device.

#include <Eigen/Core>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "mts/cuda/error.hpp"
#include "mts/cuda/lanes.hpp"
#include "mts/cuda/product.hpp"

namespace mts::cuda {

/// Satisfies `Executor`. Memory is the host's, fresh memory is no number. Everything is done when the call returns.
class Emulation {
 public:
  static constexpr const char* name = "emulation";
  /// What was done while recording, to be done again: operations with their arguments as they were then.
  using Recording = std::vector<std::function<void()>>;

  /// As a device has so many. A type of its own, since a plain number is a device's.
  struct Memory {
    std::size_t bytes = std::numeric_limits<std::size_t>::max();
  };
  Emulation() : Emulation(Memory{}) {}
  explicit Emulation(Memory memory) : total_(memory.bytes) {}

  void* allocate(std::size_t bytes) {
    if (bytes > total_ - used_) throw OutOfMemory(bytes, total_ - used_, total_);
    used_ += bytes;
    auto* memory = static_cast<unsigned char*>(Eigen::internal::aligned_malloc(bytes));
    std::memset(memory, 0xff, bytes);
    sizes_[memory] = bytes;
    return memory;
  }
  void free(void* memory) noexcept {
    used_ -= sizes_.at(memory);
    sizes_.erase(memory);
    Eigen::internal::aligned_free(memory);
  }

  void upload(void* to, const void* from, std::size_t bytes) { std::memcpy(to, from, bytes); }
  void download(void* to, const void* from, std::size_t bytes) { std::memcpy(to, from, bytes); }
  void copy(void* to, const void* from, std::size_t bytes) {
    run([=] { std::memcpy(to, from, bytes); });
  }
  void clear(void* to, std::size_t bytes) {
    run([=] { std::memset(to, 0, bytes); });
  }

  template <class Op>
  void each(Index n, const Op& op) {
    run([=] {
      for (Index i = 0; i < n; ++i) op(i);
    });
  }
  template <class Op>
  void grid(Index rows, Index cols, const Op& op) {
    run([=] {
      for (Index i = 0; i < rows; ++i)
        for (Index j = 0; j < cols; ++j) op(i, j);
    });
  }
  template <class Op>
  void rows(Index n, const Op& op) {
    run([=] {
      for (Index i = 0; i < n; ++i) op(Lanes{}, i);
    });
  }
  /// xGEMM, strided and batched, as the BLAS standard defines it.
  template <class S>
  void multiply(const ColumnMajorProduct<S>& p) {
    run([=] {
      using Matrix = Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic>;
      const auto view = [](const S* data, Index rows, Index cols, Index stride) {
        return Eigen::Map<const Matrix, 0, Eigen::OuterStride<>>(data, rows, cols, Eigen::OuterStride<>(stride));
      };
      for (Index q = 0; q < p.count; ++q) {
        const auto a =
            p.transpose_a ? view(p.a + q * p.step_a, p.k, p.m, p.lda) : view(p.a + q * p.step_a, p.m, p.k, p.lda);
        const auto b =
            p.transpose_b ? view(p.b + q * p.step_b, p.n, p.k, p.ldb) : view(p.b + q * p.step_b, p.k, p.n, p.ldb);
        Eigen::Map<Matrix, 0, Eigen::OuterStride<>> c(p.c + q * p.step_c, p.m, p.n, Eigen::OuterStride<>(p.ldc));
        if (p.beta == S{0})
          c.setZero();
        else
          c *= p.beta;
        if (p.transpose_a && p.transpose_b)
          c.noalias() += a.transpose() * b.transpose();
        else if (p.transpose_a)
          c.noalias() += a.transpose() * b;
        else if (p.transpose_b)
          c.noalias() += a * b.transpose();
        else
          c.noalias() += a * b;
      }
    });
  }

  /// What follows is recorded (and, unlike on a device, also done), until `end_recording`.
  void begin_recording() { recording_.emplace(); }
  Recording end_recording() { return std::exchange(recording_, std::nullopt).value(); }
  void abandon_recording() noexcept { recording_.reset(); }
  void play(const Recording& recording) {
    for (const auto& operation : recording) operation();
  }
  /// Whether recording does the work too; a device does it only when it plays.
  static constexpr bool recording_runs = true;

 private:
  template <class F>
  void run(F&& operation) {
    operation();
    if (recording_) recording_->push_back(operation);
  }

  std::size_t total_, used_ = 0;
  std::map<void*, std::size_t> sizes_;
  std::optional<Recording> recording_;
};

}  // namespace mts::cuda
