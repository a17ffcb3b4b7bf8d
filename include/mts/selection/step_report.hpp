#pragma once
/// \file
/// `StepReport`: what one training step tells of itself.

#include <limits>
#include <string>

#include "mts/diagnostics/concentration.hpp"
#include "mts/diagnostics/gsnr.hpp"
#include "mts/diagnostics/phase_timer.hpp"
#include "mts/selection/weights.hpp"

namespace mts {

/// Numbers of one step. Those that the step did not form are NaN.
struct StepReport {
  static constexpr double none = std::numeric_limits<double>::quiet_NaN();

  Index step = 0;              ///< 0 for the first
  const char* mode = "";       ///< "joint", "crossed" (a second linearisation was needed), "uniform"
  const char* alignment = "";  ///< the estimator
  /// Of the training batch: "kept", or "recomputed" at every use because it is large; "" if the model does not say.
  const char* activations = "";
  bool phi_moved = false;  ///< whether this step updated the weight net

  // The weights of the real step.
  double mean_w = none;  ///< mean raw weight psi(z)
  double max_p = none;   ///< largest normalised weight
  double var_p = none;   ///< (1/N) sum (p - 1/N)^2
  double b_eff = none;   ///< effective batch size 1/sum p^2
  double tau = none;     ///< tempering exponent

  double train_loss = none;          ///< sum p_i l_i(theta), weights of the real step
  double validation_loss = none;     ///< mean loss of the validation batch at theta_v
  double gamma_norm = none;          ///< |Gamma|
  double hypergradient_norm = none;  ///< |dL_val/dphi|
  double gradient_norm = none;       ///< |J^T p| of the real step

  double gsnr = none;         ///< split-half estimate signal/noise; noisy in a single step, average the parts
  double gsnr_signal = none;  ///< unbiased estimate of |E G|^2
  double gsnr_noise = none;   ///< unbiased estimate of tr Var G

  diagnostics::PhaseTimes seconds;  ///< time per phase
  std::string warning;              ///< empty, or what is wrong and what to do
};

/// Writes what the report says of the weights; warns where B_eff/N is below `b_eff_warning`.
/// \throws an Error if the weights are not normalised
inline void describe(const BatchWeights& weights, double b_eff_warning, StepReport& report) {
  const auto c = diagnostics::concentration(weights.p);
  report.mean_w = weights.mean_w;
  report.max_p = c.max_p;
  report.var_p = c.var_p;
  report.b_eff = c.b_eff;
  report.tau = weights.tau;
  const double fraction = c.b_eff / static_cast<double>(c.samples);
  if (fraction < b_eff_warning)
    report.warning = detail::text("step ", report.step, ": the weights collapse: B_eff/N = ", fraction, " is below ",
                                  b_eff_warning, "; lower the meta learning rate, set b_eff_floor, or temper");
}

}  // namespace mts
