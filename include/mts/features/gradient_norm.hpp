#pragma once
/// \file
/// `GradientNorm`: how long a sample's gradient was in a run without selection (GraNd).

#include "mts/features/detail/pool_feature.hpp"
#include "mts/features/training_dynamics.hpp"

namespace mts::features {

/// Column "gradient_norm": the mean of |grad_theta l_i| over all times at which the pool was scored
/// (`TrainingDynamics::score`); of all parameters and the unweighted loss. In units of the loss over those of theta.
/// Offline: made of a record, then a look-up by id.
///
/// Cost: fit, a pass over the pool; the scores, one forward and back-propagation to the activations of the pool at each
/// time; a step, a look-up. Const calls are thread-safe.
/// Errors: a pool that was not scored completely, or by a model without per-sample norms, is refused at fit.
/// Source: Paul, Ganguli, Dziugaite, Deep Learning on a Data Diet, NeurIPS 2021 (GraNd: the mean over seeds, early in
/// training). MTS reference implementation, pre_gradient: one seed, at the end of training; here the times and seeds
/// are the caller's.
class GradientNorm : public detail::PoolFeature {
 public:
  GradientNorm() : PoolFeature("gradient_norm", {"gradient_norm"}, "a pass over the record of a run") {}
  /// Fitted. \throws as fit
  explicit GradientNorm(const TrainingDynamics& dynamics) : GradientNorm() { fit(dynamics); }

  /// \throws ValueError that names the first sample without a score
  void fit(const TrainingDynamics& dynamics) { assign(dynamics.gradient_norms()); }
};

}  // namespace mts::features
