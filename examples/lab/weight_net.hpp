#pragma once
/// \file
/// The parts of a weight net's step that are chosen when the program runs, the same wherever the step is done.

#include <algorithm>
#include <utility>

#include "lab/training.hpp"
#include "mts/optim/adam.hpp"
#include "mts/selection/activation.hpp"
#include "mts/selection/alignment.hpp"
#include "mts/selection/step.hpp"

namespace mts::lab {

/// One of the activations that never vanish, chosen when the program runs.
struct ChosenWeight {
  WeightActivationKind kind = WeightActivationKind::sigmoid;

  double log_value(double z) const {
    return apply([z](const auto& psi) { return psi.log_value(z); });
  }
  double log_slope(double z) const {
    return apply([z](const auto& psi) { return psi.log_slope(z); });
  }

 private:
  template <class F>
  double apply(F&& f) const {
    switch (kind) {
      case WeightActivationKind::softmax:
        return f(SoftmaxWeight{});
      case WeightActivationKind::softplus:
        return f(SoftplusWeight{});
      default:
        return f(SigmoidWeight{});
    }
  }
};

/// Calls f(activation) with the one that the settings name.
template <class F>
auto with_activation(const Settings& s, F&& f) {
  return s.activation == WeightActivationKind::relu ? f(ReluWeight{}) : f(ChosenWeight{s.activation});
}

/// One of the estimators, chosen when the program runs.
struct ChosenAlignment {
  static constexpr const char* name = "as chosen";
  AlignmentKind kind = AlignmentKind::exact;
  template <class M, class L, class P>
  void operator()(const M& model, const P& theta, const typename M::Batch& batch, const L& lin, const P& v, P& shifted,
                  SampleVector& out) const {
    if (kind == AlignmentKind::exact)
      CheapestAlignment{}(model, theta, batch, lin, v, shifted, out);
    else
      CentralDifference{}(model, theta, batch, lin, v, shifted, out);
  }
};

inline MtsOptions make_step_options(const Settings& s) {
  MtsOptions options;
  options.update_every = s.update_every;
  options.uniform_steps = s.uniform_steps;
  options.b_eff_floor = {s.b_eff_floor, s.b_eff_floor_strength};
  options.tempering_floor = s.tempering;
  return options;
}

/// The weight net's optimiser.
template <class P = DenseParameters<float>>
AdamW<P> make_meta_optimizer(const Settings& s) {
  // as often as the weight net moves in a run
  const Index steps = std::max<Index>(1, (s.steps - s.uniform_steps + s.update_every - 1) / s.update_every);
  return AdamW<P>({.learning_rate = s.meta_learning_rate,
                   .weight_decay = s.meta_weight_decay,
                   .schedule = make_schedule(s.meta_schedule, steps)});
}
inline RandomStream initial_weight_net(std::uint64_t seed) { return RandomStream(seed, "lab: initial weight net"); }

}  // namespace mts::lab
