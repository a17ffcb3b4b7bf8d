#pragma once
/// \file
/// `NearestValidationCosine`: how close a sample comes to the validation samples nearest to it, in the model's own eyes.

#include "mts/core/scratch.hpp"
#include "mts/features/detail/checks.hpp"
#include "mts/features/detail/cosines.hpp"

namespace mts::features {

/// Columns "nearest_validation_cosine_1" ... "_k": the k largest values, descending, of
///     cos(h_i, h_v) = <h_i, h_v> / (max(|h_i|, eps) max(|h_v|, eps)),  eps = 1e-6,
/// over all v of the validation batch, of all classes; h are the penultimate activations at theta. A validation batch of fewer
/// than k repeats its smallest value; a zero vector has cosine 0 to everything.
///
/// Products are in the model's scalar. Cost a step: one product N x M x E, in tiles; allocates nothing once sizes repeat. The
/// same bits for any number of threads. Thread-safe.
/// \throws ShapeError (empty validation batch, widths that differ), NumericalError (an embedding that is not finite)
/// Source: MTS reference implementation, CLS_nearest_real_cos. Anchors and Gamma share the validation batch there and here,
/// so their noises are correlated.
class NearestValidationCosine {
 public:
  static constexpr double epsilon = 1e-6;

  /// \throws ValueError if k < 1
  explicit NearestValidationCosine(Index k = 3) : k_(k) {
    check_value(k >= 1, "nearest_validation_cosine", "k must be at least 1, found ", k);
  }

  std::string name() const { return "nearest_validation_cosine"; }
  std::string cost() const { return "a product N x M x E a step"; }
  FeatureLayout layout() const {
    FeatureLayout l;
    for (Index r = 1; r <= k_; ++r) l.continuous.push_back(mts::detail::text(name(), "_", r));
    return l;
  }
  static constexpr bool reads_validation() { return true; }
  static constexpr bool by_rows() { return true; }

  template <class Context>
  void extract(const Context& context, Rows<double> rows, std::span<std::vector<int>>) const {
    detail::with_embeddings("nearest_validation_cosine", context, rows.rows(), [&](const auto& a, const auto& b) {
      using S = typename std::remove_cvref_t<decltype(a)>::Scalar;
      S* inverse_a = mts::detail::thread_scratch<S, 8>(a.rows());
      S* inverse_b = mts::detail::thread_scratch<S, 9>(b.rows());
      detail::inverse_lengths<S>("nearest_validation_cosine", "embedding", a, epsilon, inverse_a);
      detail::inverse_lengths<S>("nearest_validation_cosine", "validation embedding", b, epsilon, inverse_b);
      detail::nearest_cosines<S>(a, inverse_a, b, inverse_b, {}, rows);
    });
  }

 private:
  Index k_;
};

}  // namespace mts::features
