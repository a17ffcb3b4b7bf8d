#pragma once
/// \file
/// An optimiser that sees gradients of bounded length only: clipping by the norm (Pascanu, Mikolov and Bengio, ICML 2013).

#include <cmath>
#include <istream>
#include <limits>
#include <ostream>
#include <utility>

#include "mts/core/concepts.hpp"
#include "mts/optim/state.hpp"

namespace mts {

/// The inner optimiser O, given c(g) instead of the gradient g, where for a bound b > 0
///
///     c(g) = g                if |g| <= b,        b g / |g|                  beyond,
///     Dc   = 1                                    (b/|g|) (1 - ghat ghat^T),   ghat = g/|g|,
///
/// so that step_of(g) = O.step_of(c(g)), and, Dc being symmetric, what a hypergradient needs of it is
/// pull(v) = Dc O.pull(v) with O at c(g): beyond the bound the gradient's length no longer matters, and the weights are judged by
/// its direction alone. The length is that of the whole parameter vector, and of the gradient without weight decay, as in PyTorch's
/// clip_grad_norm_ (which divides by |g| + 1e-6). With b = infinity it is O, bit for bit, and forms no length.
///
/// Asks for a ParameterVector. Costs one dot product a call, and where the bound holds a copy of the gradient; allocates at the
/// first of these only. Copies are deep. Const calls share that copy's memory: not to be called concurrently.
template <class O, class P>
class ClipGradientNorm {
  static_assert((require_inner_optimizer<O, P>(), true));

 public:
  /// \throws ValueError unless the bound is above 0; it may be infinite
  explicit ClipGradientNorm(O optimizer, double bound = std::numeric_limits<double>::infinity())
      : optimizer_(std::move(optimizer)), bound_(bound) {
    check_value(bound > 0, "ClipGradientNorm", "the bound must be above 0, found ", bound);
  }

  const O& optimizer() const { return optimizer_; }
  double bound() const { return bound_; }
  /// k, the number of steps taken.
  Index steps() const { return optimizer_.steps(); }
  /// How many of them the bound shortened, since this object was made.
  Index clipped() const { return clipped_; }

  /// theta <- theta - O.step_of(c(gradient)).
  /// \throws NumericalError for a gradient whose length is not finite, before anything has changed
  void step(P& theta, const P& gradient) {
    const double s = shrinkage(gradient);
    optimizer_.step(theta, shrunk(s, gradient));
    clipped_ += s < 1;
  }
  /// out <- theta - O.step_of(c(gradient)), with the bits that `step` would give theta. \throws as step
  void virtual_step(const P& theta, const P& gradient, P& out) const {
    optimizer_.virtual_step(theta, shrunk(shrinkage(gradient), gradient), out);
  }
  /// out <- O.step_of(c(gradient)). \throws as step
  void step_of(const P& theta, const P& gradient, P& out) const
    requires requires(const O& o) { o.step_of(theta, gradient, out); }
  {
    optimizer_.step_of(theta, shrunk(shrinkage(gradient), gradient), out);
  }
  /// out <- Dc(gradient) O.pull(direction). \throws as step
  void pull(const P& direction, const P& theta, const P& gradient, P& out) const {
    const double s = shrinkage(gradient);
    optimizer_.pull(direction, theta, shrunk(s, gradient), out);
    if (s == 1) return;
    out.axpy(-gradient.dot(out) / gradient.dot(gradient), gradient);
    out.scale(s);
  }

  /// The state is the inner optimiser's. \throws as its own
  void save(std::ostream& out) const
    requires StatefulOptimizer<O, P>
  {
    optimizer_.save(out);
  }
  void load(std::istream& in, const P& theta)
    requires StatefulOptimizer<O, P>
  {
    optimizer_.load(in, theta);
  }

 private:
  /// b/|g| where that is below 1.
  double shrinkage(const P& gradient) const {
    if (std::isinf(bound_)) return 1;
    const double length = std::sqrt(gradient.dot(gradient));
    check_finite("ClipGradientNorm", "length of the gradient", length);
    return length > bound_ ? bound_ / length : 1;
  }
  const P& shrunk(double s, const P& gradient) const {
    if (s == 1) return gradient;
    scratch_.zeros_like(gradient);
    gradient.copy_into(*scratch_);
    (*scratch_).scale(s);
    return *scratch_;
  }

  O optimizer_;
  double bound_;
  Index clipped_ = 0;
  mutable detail::StateVector<P> scratch_;
};

}  // namespace mts
