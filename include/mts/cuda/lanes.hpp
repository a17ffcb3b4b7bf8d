#pragma once
/// \file
/// `Lanes`: the threads that share one row of a matrix.

#include "mts/core/host_device.hpp"
#include "mts/core/types.hpp"

namespace mts::cuda {

/// The 32 lanes of a warp, which together see to one row. On a device every lane calls the same functions; elsewhere one caller
/// does what all lanes do. Lane l takes the entries l, l + 32, l + 64, ...; what lanes found is combined by halves
/// (16, 8, 4, 2, 1), so that a sum has one order, and the same one on both sides.
///
/// A lane must not read what another has written in the same row: there is no barrier between them.
struct Lanes {
  static constexpr int count = 32;
  int lane = 0;  ///< this thread's, on a device

  /// f(0) + ... + f(n - 1), for every lane.
  template <class S, class F>
  MTS_HOST_DEVICE S sum(Index n, F&& f) const {
    return combine<S>(n, S{0}, f, [](S a, S b) { return a + b; });
  }
  /// The largest of f(0), ..., f(n - 1), for every lane; `least` where n = 0. NaN never wins.
  template <class S, class F>
  MTS_HOST_DEVICE S largest(Index n, S least, F&& f) const {
    return combine<S>(n, least, f, [](S a, S b) { return b > a ? b : a; });
  }
  /// f(0), ..., f(n - 1), each by one lane.
  template <class F>
  MTS_HOST_DEVICE void each(Index n, F&& f) const {
#if defined(__CUDA_ARCH__)
    for (Index j = lane; j < n; j += count) f(j);
#else
    for (Index j = 0; j < n; ++j) f(j);
#endif
  }
  /// f(), by one lane.
  template <class F>
  MTS_HOST_DEVICE void once(F&& f) const {
    if (lane == 0) f();
  }

 private:
  template <class S, class F, class Combine>
  MTS_HOST_DEVICE S combine(Index n, S neutral, F& f, Combine&& with) const {
#if defined(__CUDA_ARCH__)
    constexpr unsigned all = 0xffffffffU;
    S mine = neutral;
    for (Index j = lane; j < n; j += count) mine = with(mine, static_cast<S>(f(j)));
    for (int half = count / 2; half > 0; half /= 2) mine = with(mine, __shfl_down_sync(all, mine, half));
    return __shfl_sync(all, mine, 0);
#else
    S found[count];
    for (S& x : found) x = neutral;
    for (Index j = 0; j < n; ++j) found[j % count] = with(found[j % count], static_cast<S>(f(j)));
    for (int half = count / 2; half > 0; half /= 2)
      for (int l = 0; l < half; ++l) found[l] = with(found[l], found[l + half]);
    return found[0];
#endif
  }
};

}  // namespace mts::cuda
