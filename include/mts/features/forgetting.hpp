#pragma once
/// \file
/// `Forgetting`: how often a sample was forgotten in a run without selection.

#include "mts/features/detail/pool_feature.hpp"
#include "mts/features/training_dynamics.hpp"

namespace mts::features {

/// What a sample counts that was never predicted right.
enum class NeverLearned {
  most,  ///< floor(v/2) + 1, v the most visits of any sample: one more than any sample can have been forgotten
  zero   ///< 0, as a sample that was never forgotten
};

/// Column "forgetting": how often the sample's prediction went from right at one visit to wrong at the next
/// (`TrainingDynamics::observe`). Offline: made of a record, then a look-up by id.
///
/// Cost: fit, a pass over the pool; the record, a pass over N x C a step of that run; a step, a look-up. Const calls
/// are thread-safe.
/// Errors: a pool of which a sample was never visited is refused at fit.
/// Source: Toneva et al., ICLR 2019, for whom a sample that was never learned was forgotten infinitely often: `most` is
/// the finite number that keeps it above all others. MTS reference implementation, pre_forgetting, gives it 0 (`zero`),
/// so that the hardest samples look like the easiest.
class Forgetting : public detail::PoolFeature {
 public:
  explicit Forgetting(NeverLearned never_learned = NeverLearned::most)
      : PoolFeature("forgetting", {"forgetting"}, "a pass over the record of a run"), never_learned_(never_learned) {}
  /// Fitted. \throws as fit
  explicit Forgetting(const TrainingDynamics& dynamics, NeverLearned never_learned = NeverLearned::most)
      : Forgetting(never_learned) {
    fit(dynamics);
  }

  /// \throws ValueError that names the first sample that was never visited
  void fit(const TrainingDynamics& dynamics) {
    const Index n = dynamics.size();
    Index most = 0;
    for (Index i = 0; i < n; ++i) {
      check_value(dynamics.visits(i) > 0, name(), "fit: sample ", i, " of ", n,
                  " was never visited: call TrainingDynamics::observe on the batches of a run");
      most = std::max(most, dynamics.visits(i));
    }
    const Index never = never_learned_ == NeverLearned::most ? most / 2 + 1 : 0;
    RowMatrix<double> out(n, 1);
    for (Index i = 0; i < n; ++i) out(i, 0) = static_cast<double>(dynamics.learned(i) ? dynamics.forgotten(i) : never);
    assign(std::move(out));
  }

 private:
  NeverLearned never_learned_;
};

}  // namespace mts::features
