#pragma once
/// \file
/// Alignment estimators: out_i <- <g_i, v>, the product of every sample's gradient with one direction v in parameter space (law
/// L3: all must agree, central differences up to O(h^2) + round-off/h).

#include <cmath>

#include "mts/core/concepts.hpp"

namespace mts {

/// From the kept deltas of a model whose samples do not mix: one product of forward size, exact.
struct PerSampleDot {
  static constexpr const char* name = "per-sample dot";
  template <class M, class L>
  static constexpr bool fits = PerSampleDotLinearization<L, typename M::Parameters>;
  template <class M, class L, class P>
  void operator()(const M&, const P&, const typename M::Batch&, const L& lin, const P& v, P&, SampleVector& out) const {
    static_assert(fits<M, L>,
                  "mts: PerSampleDot asks for  lin.per_sample_dot(v, out)  (PD1); use Pushforward or "
                  "CentralDifference where samples mix");
    lin.per_sample_dot(v, out);
  }
};

/// Forward mode: exact, also where samples mix (BatchNorm).
struct Pushforward {
  static constexpr const char* name = "pushforward";
  template <class M, class L>
  static constexpr bool fits = PushforwardLinearization<L, typename M::Parameters>;
  template <class M, class L, class P>
  void operator()(const M&, const P&, const typename M::Batch&, const L& lin, const P& v, P&, SampleVector& out) const {
    static_assert(fits<M, L>,
                  "mts: Pushforward asks for  lin.pushforward(v, out)  (PL1); use CentralDifference for a "
                  "model that has neither");
    lin.pushforward(v, out);
  }
};

/// (l_i(theta + h v) - l_i(theta - h v))/(2 h), h = step/|v|: two forwards, for maps that offer nothing better. Error
/// h^2/6 D^3 l + round-off/h, and where a kink lies between the two points (ReLU, max pooling) that of order one of its slope: in
/// float, with step 1e-2, 4 to 6 % of the largest alignment for the MLPs of `./run bench`, 11 % for its CNN.
struct CentralDifference {
  static constexpr const char* name = "central difference";
  double step = 1e-2;  ///< length of the excursion in parameter space, > 0
  template <class M, class L>
  static constexpr bool fits = true;
  template <class M, class L, class P>
  void operator()(const M& model, const P& theta, const typename M::Batch& batch, const L& lin, const P& v, P& shifted,
                  SampleVector& out) const {
    check_value(step > 0, "CentralDifference", "the step must be positive, found ", step);
    const double length = std::sqrt(v.dot(v));
    out.setZero(lin.value().size());
    if (length == 0) return;
    const double h = step / length;
    theta.copy_into(shifted);
    shifted.axpy(h, v);
    {
      const auto ahead = model.forward(shifted, batch);
      out = ahead.value();
    }
    theta.copy_into(shifted);
    shifted.axpy(-h, v);
    const auto behind = model.forward(shifted, batch);
    out = (out - behind.value()) / (2 * h);
  }
};

/// The cheapest exact estimator that the model offers, else central differences.
struct CheapestAlignment {
  static constexpr const char* name = "cheapest";
  template <class M, class L>
  static constexpr bool fits = true;
  template <class M, class L, class P>
  void operator()(const M& model, const P& theta, const typename M::Batch& batch, const L& lin, const P& v, P& shifted,
                  SampleVector& out) const {
    if constexpr (PerSampleDot::fits<M, L>)
      PerSampleDot{}(model, theta, batch, lin, v, shifted, out);
    else if constexpr (Pushforward::fits<M, L>)
      Pushforward{}(model, theta, batch, lin, v, shifted, out);
    else
      CentralDifference{}(model, theta, batch, lin, v, shifted, out);
  }
};

}  // namespace mts
