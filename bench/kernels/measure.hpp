#pragma once
// How a kernel is measured: verified against a plain reference once, then timed between two measurements of its
// ceiling.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "mts/core/error.hpp"
#include "mts/core/parallel.hpp"
#include "mts/core/random.hpp"
#include "mts/core/types.hpp"
#include "support/ceilings.hpp"
#include "support/program.hpp"

namespace bench {

using mts::Index;
using Matrix = mts::RowMatrix<float>;
using Matrix64 = mts::RowMatrix<double>;

/// What one call of a kernel does at least.
struct Work {
  double flops = 0;  ///< 0 for a kernel that only moves memory
  double bytes = 0;  ///< each operand read or written once
};

inline Matrix random_matrix(Index rows, Index cols, std::string_view purpose) {
  Matrix m(rows, cols);
  mts::RandomStream stream(0, purpose);
  for (Index k = 0; k < m.size(); ++k) m.data()[k] = static_cast<float>(stream.uniform(-1, 1));
  return m;
}

inline Matrix64 in_double(const Matrix& m) { return m.cast<double>(); }

/// The largest difference relative to the largest number expected.
inline double relative_error(const Matrix& found, const Matrix64& expected) {
  const double scale = std::max(expected.cwiseAbs().maxCoeff(), 1e-30);
  return (in_double(found) - expected).cwiseAbs().maxCoeff() / scale;
}

/// Throws unless the error `measured()` is at most the tolerance: nothing is timed that is not right. Once for each
/// kernel, however often it is timed.
template <class F>
void verify(const std::string& kernel, F&& measured, double tolerance = 1e-5) {
  static std::set<std::string> verified;
  if (verified.contains(kernel)) return;
  const double error = measured();
  if (!(error <= tolerance))
    throw mts::NumericalError(mts::detail::text(kernel, ": expected an error of at most ", tolerance,
                                                " of the largest number, found ", error));
  verified.insert(kernel);
}

/// Times `kernel()` and counts GFLOP/s, GB/s, and two fractions of ceilings measured just before and just after, the
/// better of the two taken: `of_peak`, of one thread's multiply-adds; `of_roof`, of what multiply-adds and memory allow
/// together: max(flops/peak, bytes/triad of equal footprint) over the time it took.
/// \throws Error if other threads worked too
template <class F>
void measure(benchmark::State& state, const Work& work, F&& kernel) {
  kernel();
  double peak = work.flops > 0 ? peak_flops() : 0, triad = triad_bytes(work.bytes);
  const double begin = thread_seconds(), process_begin = process_seconds();
  for (auto _ : state) {
    kernel();
    benchmark::ClobberMemory();
  }
  const double total = thread_seconds() - begin, process_total = process_seconds() - process_begin;
  if (process_total > 1.1 * total + 1e-3)
    throw mts::Error("the kernel ran on more than one thread, so that its time says nothing of one");
  const double seconds = total / static_cast<double>(state.iterations());
  triad = std::max(triad, triad_bytes(work.bytes));
  double floor = work.bytes / triad;
  if (work.flops > 0) {
    peak = std::max(peak, peak_flops());
    floor = std::max(floor, work.flops / peak);
    state.counters["GFLOP/s"] = 1e-9 * work.flops / seconds;
    state.counters["of_peak"] = work.flops / seconds / peak;
  }
  state.counters["GB/s"] = 1e-9 * work.bytes / seconds;
  state.counters["of_roof"] = floor / seconds;
}

/// Registers a benchmark whose function makes its operands, verifies the kernel and calls `measure`. One thread.
template <class F>
void kernel(const std::string& name, F&& f) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [name, f](benchmark::State& state) {
                                 const mts::ThreadLimit one(1);
                                 guarded(state, [&] { f(state, name); });
                               })
      ->Unit(benchmark::kMicrosecond)
      ->ComputeStatistics("max", [](const std::vector<double>& x) { return *std::max_element(x.begin(), x.end()); });
}

}  // namespace bench
