#pragma once
/// \file
/// The model linearised, as training steps do it.

#include "mts/core/concepts.hpp"

namespace mts::detail {

/// The model linearised at theta; an error in numbers, its own or a loss that is not finite, names the batch.
/// \param observer  is shown the samples, if given (ObservableModel)
template <class M, class... Observer>
auto linearize(std::string_view which, const M& model, const typename M::Parameters& theta,
               const typename M::Batch& batch, Observer&&... observer) {
  return within(which, [&] {
    auto lin = model.linearize(theta, batch, observer...);
    check_finite("model", "loss", lin.value());
    return lin;
  });
}
/// The same where nobody will look at logits or embeddings, so that they need not be kept.
template <class M>
auto linearize_unseen(std::string_view which, const M& model, const typename M::Parameters& theta,
                      const typename M::Batch& batch) {
  if constexpr (ObservableModel<M>)
    return linearize(which, model, theta, batch, [](const typename M::Rows&) {});
  else
    return linearize(which, model, theta, batch);
}

}  // namespace mts::detail
