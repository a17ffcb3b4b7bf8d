#pragma once
/// \file
/// RHO-loss: what can still be learned, and is worth it.

#include <utility>

#include "mts/selection/rules/best_share.hpp"

namespace mts::rules {

/// w_i = 1 for the share of the batch with the largest reducible loss  l_i(theta) - irreducible_i, else 0. irreducible_i is sample i's
/// loss under a model trained on held-out (validation) data alone: high for what is mislabelled or noise, which then is not chosen
/// however large its loss; low for what is redundant, once it is learned.
///
/// Cost: the held-out model once; a look-up by `samples.ids` a step. Source: Mindermann et al., Prioritized training on points that are
/// learnable, worth learning, and not yet learnt, ICML 2022, equation 3 (there the chosen are 10 % of a larger batch).
class RhoLoss {
 public:
  static constexpr const char* name = "rho-loss";
  static constexpr bool shows = false;

  /// \param irreducible  one finite number for each sample of the pool \param share  in (0, 1]
  RhoLoss(SampleVector irreducible, double share) : irreducible_(std::move(irreducible)), share_(share) {
    check_finite(name, "irreducible loss", irreducible_);
    kept_of(name, 1, share);
  }

  template <class Context>
  void operator()(const Context& context, SampleVector& w) {
    const SampleVector& losses = context.losses();
    const auto& ids = context.samples().ids;
    check_size(name, "samples.ids", losses.size(), static_cast<Index>(ids.size()));
    scores_.resize(losses.size());
    for (Index i = 0; i < losses.size(); ++i) {
      const Index id = ids[static_cast<std::size_t>(i)];
      check_value(id >= 0 && id < irreducible_.size(), name, "id of sample ", i, ": expected 0 to ",
                  irreducible_.size() - 1, ", found ", id);
      scores_[i] = irreducible_[id] - losses[i];
    }
    keep_lowest(scores_, kept_of(name, losses.size(), share_), order_, w);
  }

 private:
  SampleVector irreducible_;
  double share_;
  SampleVector scores_;
  std::vector<Index> order_;
};

}  // namespace mts::rules
