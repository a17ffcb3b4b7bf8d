#pragma once
/// \file
/// The gradient signal-to-noise ratio of the hypergradient, |E G|^2 / tr Var[G], estimated while a run goes on.

#include <limits>

#include "mts/core/concepts.hpp"

namespace mts::diagnostics {

/// Sums over steps of the two parts of a GSNR; add those of other steps or runs, then ask for the ratio of the averages.
///
/// Both parts are unbiased at every step, their ratio is not: at one step it is dominated by noise and may well be
/// negative. Report the ratio over many steps, during which |E G|^2 and tr Var[G] should not change much.
struct Gsnr {
  double signal = 0;  ///< sum over steps of the estimates of |E G|^2; one estimate can be negative
  double noise = 0;   ///< sum over steps of the estimates of tr Var[G], G of the whole batch; not negative
  Index steps = 0;    ///< how many steps were added

  Gsnr& operator+=(const Gsnr& other) {
    signal += other.signal;
    noise += other.noise;
    steps += other.steps;
    return *this;
  }
  friend Gsnr operator+(Gsnr a, const Gsnr& b) { return a += b; }

  /// signal / noise. Where the noise is 0: infinity if there is a signal, and 0 for 0/0 (no step added, or hypergradients
  /// that all vanish: there is nothing to learn from).
  double ratio() const {
    if (noise > 0) return signal / noise;
    return signal > 0 ? std::numeric_limits<double>::infinity() : 0.0;
  }
};

/// One step's parts from the hypergradients of the two halves of its batch, each as large as the whole batch's (a mean, not
/// a sum): with independent halves of equal size and G = (G_A + G_B)/2,
///     E <G_A, G_B> = |E G|^2,   E |G_A - G_B|^2 / 4 = tr Var[G].
/// What both halves share (parameters, validation batch, the virtual step) is held fixed: its randomness is not in the noise,
/// and what it does to G counts as signal. Halves drawn without replacement from a pool of n are correlated by -1/(n - 1).
///
/// \param scratch  overwritten; of the same shape, so that nothing is allocated
/// Cost: two products and one difference of P-vectors. The difference is formed before it is squared: parts as small as
/// round-off are not lost to cancellation. Same bits at every call. Thread-safe for distinct scratch.
/// \throws ShapeError if sizes disagree; NumericalError if a part is not finite
template <ParameterVector P>
Gsnr split_half(const P& g_a, const P& g_b, P& scratch) {
  check_size("split_half", "length of the second hypergradient", g_a.size(), g_b.size());
  check_size("split_half", "length of the scratch", g_a.size(), scratch.size());
  Gsnr g{static_cast<double>(g_a.dot(g_b)), 0, 1};
  g_a.copy_into(scratch);
  scratch.axpy(-1.0, g_b);
  g.noise = static_cast<double>(scratch.dot(scratch)) / 4;
  check_finite("split_half", "signal <G_A, G_B>", g.signal);
  check_finite("split_half", "noise |G_A - G_B|^2 / 4", g.noise);
  return g;
}
/// The same, with scratch of its own (allocates).
template <ParameterVector P>
Gsnr split_half(const P& g_a, const P& g_b) {
  P scratch = g_a.zeros_like();
  return split_half(g_a, g_b, scratch);
}

}  // namespace mts::diagnostics
