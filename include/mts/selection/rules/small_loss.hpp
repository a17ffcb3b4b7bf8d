#pragma once
/// \file
/// Small loss: the hardest samples of each batch are left out.

#include "mts/selection/rules/best_share.hpp"

namespace mts::rules {

/// w_i = 1 for the share R(t) of the batch with the smallest losses, else 0; R falls from 1 at the first step to `share` after
/// `ramp` steps, R(t) = 1 - (1 - share) min(t/ramp, 1), since a network learns what is regular first.
///
/// Cost: none worth naming. Source: Han et al., Co-teaching, NeurIPS 2018, algorithm 1, with one network (small-loss truncation).
class SmallLoss {
 public:
  static constexpr const char* name = "small loss";
  static constexpr bool shows = false;

  /// \param share  in (0, 1] \param ramp  steps, >= 0
  explicit SmallLoss(double share = 0.7, Index ramp = 0) : share_(share), ramp_(ramp) {
    kept_of(name, 1, share);
    check_value(ramp >= 0, name, "the ramp must not be negative, found ", ramp);
  }

  template <class Context>
  void operator()(const Context& context, SampleVector& w) {
    const double progress =
        ramp_ == 0 ? 1.0 : std::min(1.0, static_cast<double>(context.step()) / static_cast<double>(ramp_));
    const SampleVector& losses = context.losses();
    keep_lowest(losses, kept_of(name, losses.size(), 1 - (1 - share_) * progress), order_, w);
  }

 private:
  double share_;
  Index ramp_;
  std::vector<Index> order_;
};

}  // namespace mts::rules
