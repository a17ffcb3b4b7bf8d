#pragma once
/// \file
/// `ErrorNorm`: how wrong a sample's prediction was in a run without selection (EL2N).

#include "mts/features/detail/pool_feature.hpp"
#include "mts/features/training_dynamics.hpp"

namespace mts::features {

/// Column "error_norm", in [0, sqrt 2]: the mean of |softmax(z_i) - onehot(c_i)| over all times at which the pool was
/// scored (`TrainingDynamics::score`). Offline: made of a record, then a look-up by id.
///
/// In double. Cost: fit, a pass over the pool; the scores, see `TrainingDynamics`; a step, a look-up. Const calls are
/// thread-safe.
/// Errors: a pool that was not scored completely is refused at fit.
/// Source: Paul, Ganguli, Dziugaite, Deep Learning on a Data Diet, NeurIPS 2021 (EL2N: the mean over seeds, early in
/// training). MTS reference implementation, pre_logit: one seed, at the end of training; here the times and seeds are
/// the caller's.
class ErrorNorm : public detail::PoolFeature {
 public:
  ErrorNorm() : PoolFeature("error_norm", {"error_norm"}, "a pass over the record of a run") {}
  /// Fitted. \throws as fit
  explicit ErrorNorm(const TrainingDynamics& dynamics) : ErrorNorm() { fit(dynamics); }

  /// \throws ValueError that names the first sample without a score
  void fit(const TrainingDynamics& dynamics) { assign(dynamics.error_norms()); }
};

}  // namespace mts::features
