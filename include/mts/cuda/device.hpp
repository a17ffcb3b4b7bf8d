#pragma once
/// \file
/// `Device`: an NVIDIA GPU as executor. The one header of this room that needs the CUDA toolkit, and nvcc; whatever includes it
/// is compiled as CUDA.

#if !defined(__CUDACC__)
#error \
    "mts/cuda/device.hpp holds kernels: compile this file as CUDA (nvcc; in CMake, name it .cu and link mts::cuda); without a GPU include mts/cuda/emulation.hpp"
#elif __CUDACC_VER_MAJOR__ < 12
#error "mts needs C++20 in CUDA code: nvcc 12 or newer"
#endif

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <array>
#include <cstring>
#include <memory>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>

#include "mts/cuda/error.hpp"
#include "mts/cuda/lanes.hpp"
#include "mts/cuda/product.hpp"

namespace mts::cuda {

namespace detail {

[[noreturn]] inline void fail(const char* call, std::string why, const std::source_location& where) {
  throw DeviceError(mts::detail::text("cuda: ", call, " failed at ", where.file_name(), ":", where.line(), ": ", why));
}
inline void check(cudaError_t status, const char* call,
                  const std::source_location& where = std::source_location::current()) {
  if (status != cudaSuccess)
    fail(call, mts::detail::text(cudaGetErrorName(status), ": ", cudaGetErrorString(status)), where);
}
inline void check(cublasStatus_t status, const char* call,
                  const std::source_location& where = std::source_location::current()) {
  if (status != CUBLAS_STATUS_SUCCESS)
    fail(call, mts::detail::text(cublasGetStatusName(status), ": ", cublasGetStatusString(status)), where);
}

inline constexpr unsigned threads_of_block = 256;

template <class Op>
__global__ void __launch_bounds__(threads_of_block) each_kernel(unsigned n, Op op) {
  const unsigned i = blockIdx.x * threads_of_block + threadIdx.x;
  if (i < n) op(static_cast<Index>(i));
}
template <class Op>
__global__ void __launch_bounds__(threads_of_block) grid_kernel(unsigned n, unsigned cols, Op op) {
  const unsigned k = blockIdx.x * threads_of_block + threadIdx.x;
  if (k < n) op(static_cast<Index>(k / cols), static_cast<Index>(k % cols));
}
template <class Op>
__global__ void __launch_bounds__(threads_of_block) rows_kernel(unsigned n, Op op) {
  const unsigned i = (blockIdx.x * threads_of_block + threadIdx.x) / Lanes::count;
  // All lanes of a warp share i, so whole warps leave.
  if (i < n) op(Lanes{static_cast<int>(threadIdx.x % Lanes::count)}, static_cast<Index>(i));
}

/// A CUDA graph, ready to be launched.
struct GraphDeleter {
  void operator()(cudaGraphExec_t graph) const noexcept { cudaGraphExecDestroy(graph); }
};
struct StreamDeleter {
  void operator()(cudaStream_t stream) const noexcept { cudaStreamDestroy(stream); }
};
struct HandleDeleter {
  void operator()(cublasHandle_t handle) const noexcept { cublasDestroy(handle); }
};
struct EventDeleter {
  void operator()(cudaEvent_t event) const noexcept { cudaEventDestroy(event); }
};
struct PinnedDeleter {
  void operator()(void* memory) const noexcept { cudaFreeHost(memory); }
};
struct MemoryDeleter {
  void operator()(void* memory) const noexcept { cudaFree(memory); }
};
template <class Handle, class Deleter>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Deleter>;

}  // namespace detail

/// How many devices there are; 0 where there is no driver.
inline int device_count() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

/// Satisfies `Executor`: one stream of one GPU, one cuBLAS handle. Products are in the scalar's own precision (no TF32) and
/// without atomics. Sequences are recorded by stream capture and replayed as CUDA graphs.
class Device {
 public:
  static constexpr const char* name = "CUDA device";
  static constexpr bool recording_runs = false;  ///< a captured stream does no work
  using Recording = detail::Owned<cudaGraphExec_t, detail::GraphDeleter>;

  /// \throws NoDevice if there is no such device, or no driver for this CUDA; DeviceError if it can't be used
  explicit Device(int number = 0) : number_(number) {
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status != cudaSuccess || count == 0)
      throw NoDevice(
          mts::detail::text("cuda: no device: ", status == cudaSuccess ? "none found" : cudaGetErrorString(status),
                            ". Use the CPU (in the lab: --device cpu), or install a driver for CUDA ",
                            CUDART_VERSION / 1000, " or newer"));
    if (number < 0 || number >= count)
      throw NoDevice(mts::detail::text("cuda: device number: expected 0 to ", count - 1, ", found ", number));
    use();
    detail::check(cudaGetDeviceProperties(&properties_, number), "cudaGetDeviceProperties");
    cudaStream_t stream = nullptr;
    detail::check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    stream_.reset(stream);
    cublasHandle_t handle = nullptr;
    detail::check(cublasCreate(&handle), "cublasCreate");
    blas_.reset(handle);
    detail::check(cublasSetStream(handle, stream), "cublasSetStream");
    detail::check(cublasSetMathMode(handle, CUBLAS_DEFAULT_MATH), "cublasSetMathMode");
    detail::check(cublasSetAtomicsMode(handle, CUBLAS_ATOMICS_NOT_ALLOWED), "cublasSetAtomicsMode");
    // A workspace of our own: cuBLAS must not allocate while a sequence is captured.
    constexpr std::size_t workspace = std::size_t{32} << 20;
    workspace_.reset(allocate(workspace));
    detail::check(cublasSetWorkspace(handle, workspace_.get(), workspace), "cublasSetWorkspace");
  }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device() {
    if (stream_) cudaStreamSynchronize(stream_.get());
  }

  /// The device's name, and its number.
  std::string description() const { return mts::detail::text(properties_.name, " (device ", number_, ")"); }
  const cudaDeviceProp& properties() const { return properties_; }
  cudaStream_t stream() const { return stream_.get(); }

  void* allocate(std::size_t bytes) {
    use();
    void* memory = nullptr;
    const cudaError_t status = cudaMalloc(&memory, bytes);
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // it would be taken for that of the next launch
      std::size_t available = 0, total = 0;
      detail::check(cudaMemGetInfo(&available, &total), "cudaMemGetInfo");
      throw OutOfMemory(bytes, available, total);
    }
    detail::check(status, "cudaMalloc");
    return memory;
  }
  void free(void* memory) noexcept { cudaFree(memory); }

  void upload(void* to, const void* from, std::size_t bytes) {
    Staging& staging = next_staging(bytes);
    std::memcpy(staging.memory.get(), from, bytes);
    detail::check(cudaMemcpyAsync(to, staging.memory.get(), bytes, cudaMemcpyHostToDevice, stream_.get()),
                  "cudaMemcpyAsync to the device");
    detail::check(cudaEventRecord(staging.done.get(), stream_.get()), "cudaEventRecord");
  }
  void download(void* to, const void* from, std::size_t bytes) {
    Staging& staging = next_staging(bytes);
    detail::check(cudaMemcpyAsync(staging.memory.get(), from, bytes, cudaMemcpyDeviceToHost, stream_.get()),
                  "cudaMemcpyAsync to the host");
    detail::check(cudaStreamSynchronize(stream_.get()), "cudaStreamSynchronize");
    std::memcpy(to, staging.memory.get(), bytes);
  }
  void copy(void* to, const void* from, std::size_t bytes) {
    use();
    detail::check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_.get()),
                  "cudaMemcpyAsync on the device");
  }
  void clear(void* to, std::size_t bytes) {
    use();
    detail::check(cudaMemsetAsync(to, 0, bytes, stream_.get()), "cudaMemsetAsync");
  }

  template <class Op>
  void each(Index n, const Op& op) {
    use();
    const auto count = static_cast<unsigned>(n);
    detail::each_kernel<Op><<<blocks(n), detail::threads_of_block, 0, stream_.get()>>>(count, op);
    detail::check(cudaGetLastError(), "the launch of a kernel over entries");
  }
  template <class Op>
  void grid(Index rows, Index cols, const Op& op) {
    use();
    const auto count = static_cast<unsigned>(rows * cols);
    detail::grid_kernel<Op>
        <<<blocks(rows * cols), detail::threads_of_block, 0, stream_.get()>>>(count, static_cast<unsigned>(cols), op);
    detail::check(cudaGetLastError(), "the launch of a kernel over a matrix");
  }
  template <class Op>
  void rows(Index n, const Op& op) {
    use();
    const auto count = static_cast<unsigned>(n);
    detail::rows_kernel<Op><<<blocks(n * Lanes::count), detail::threads_of_block, 0, stream_.get()>>>(count, op);
    detail::check(cudaGetLastError(), "the launch of a kernel over rows");
  }
  template <class S>
  void multiply(const ColumnMajorProduct<S>& p) {
    static_assert(std::is_same_v<S, float> || std::is_same_v<S, double>, "mts: a device multiplies float or double");
    use();
    const S one = 1;
    const auto op = [](bool transposed) { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
    const auto size = [](Index n) { return static_cast<int>(n); };
    // BLAS refuses a stride below the number of rows even where there is but one column, or none.
    const auto stride = [](Index ld, Index least) {
      return static_cast<int>(ld > least ? ld : (least > 0 ? least : 1));
    };
    const int lda = stride(p.lda, p.transpose_a ? p.k : p.m), ldb = stride(p.ldb, p.transpose_b ? p.n : p.k),
              ldc = stride(p.ldc, p.m);
    if (p.count == 1) {
      const auto call = [&](auto gemm) {
        return gemm(blas_.get(), op(p.transpose_a), op(p.transpose_b), size(p.m), size(p.n), size(p.k), &one, p.a, lda,
                    p.b, ldb, &p.beta, p.c, ldc);
      };
      if constexpr (std::is_same_v<S, float>)
        detail::check(call(cublasSgemm), "cublasSgemm");
      else
        detail::check(call(cublasDgemm), "cublasDgemm");
    } else {
      const auto call = [&](auto gemm) {
        return gemm(blas_.get(), op(p.transpose_a), op(p.transpose_b), size(p.m), size(p.n), size(p.k), &one, p.a, lda,
                    p.step_a, p.b, ldb, p.step_b, &p.beta, p.c, ldc, p.step_c, size(p.count));
      };
      if constexpr (std::is_same_v<S, float>)
        detail::check(call(cublasSgemmStridedBatched), "cublasSgemmStridedBatched");
      else
        detail::check(call(cublasDgemmStridedBatched), "cublasDgemmStridedBatched");
    }
  }

  // Relaxed: the memory that a sequence holds may have to be allocated while it is captured.
  void begin_recording() {
    use();
    detail::check(cudaStreamBeginCapture(stream_.get(), cudaStreamCaptureModeRelaxed), "cudaStreamBeginCapture");
  }
  Recording end_recording() {
    cudaGraph_t graph = nullptr;
    detail::check(cudaStreamEndCapture(stream_.get(), &graph), "cudaStreamEndCapture");
    cudaGraphExec_t exec = nullptr;
    const cudaError_t status = cudaGraphInstantiate(&exec, graph, 0);
    cudaGraphDestroy(graph);
    detail::check(status, "cudaGraphInstantiate");
    return Recording(exec);
  }
  void abandon_recording() noexcept {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    if (cudaStreamIsCapturing(stream_.get(), &status) != cudaSuccess || status == cudaStreamCaptureStatusNone) return;
    cudaGraph_t graph = nullptr;
    if (cudaStreamEndCapture(stream_.get(), &graph) == cudaSuccess && graph) cudaGraphDestroy(graph);
  }
  void play(const Recording& recording) {
    use();
    detail::check(cudaGraphLaunch(recording.get(), stream_.get()), "cudaGraphLaunch");
  }

 private:
  /// Host memory that the device reads and writes by itself.
  struct Staging {
    detail::Owned<void*, detail::PinnedDeleter> memory;
    std::size_t bytes = 0;
    detail::Owned<cudaEvent_t, detail::EventDeleter> done;  ///< the last copy from it
  };

  static unsigned blocks(Index threads) {
    return static_cast<unsigned>((threads + detail::threads_of_block - 1) / detail::threads_of_block);
  }
  /// The current device is a thread's own.
  void use() const { detail::check(cudaSetDevice(number_), "cudaSetDevice"); }
  /// The oldest piece, as soon as its last copy is done.
  Staging& next_staging(std::size_t bytes) {
    use();
    Staging& staging = staging_[turn_++ % staging_.size()];
    if (!staging.done) {
      cudaEvent_t event = nullptr;
      detail::check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreateWithFlags");
      staging.done.reset(event);
    } else {
      detail::check(cudaEventSynchronize(staging.done.get()), "cudaEventSynchronize");
    }
    if (staging.bytes < bytes) {
      staging.memory.reset();
      staging.bytes = 0;
      void* memory = nullptr;
      detail::check(cudaMallocHost(&memory, bytes), "cudaMallocHost");
      staging.memory.reset(memory);
      staging.bytes = bytes;
    }
    return staging;
  }

  int number_;
  cudaDeviceProp properties_{};
  detail::Owned<cudaStream_t, detail::StreamDeleter> stream_;
  detail::Owned<cublasHandle_t, detail::HandleDeleter> blas_;
  detail::Owned<void*, detail::MemoryDeleter> workspace_;
  std::array<Staging, 4> staging_;
  std::size_t turn_ = 0;
};

}  // namespace mts::cuda
