// The one place that compiles Boost.odeint for the laws.
// SPDX-License-Identifier: Apache-2.0
#include "laws/flows.hpp"

#include <boost/numeric/odeint.hpp>

namespace laws::flows {

State integrated(const RightHandSide& f, State x, double time) {
  namespace odeint = boost::numeric::odeint;
  constexpr double tolerance = 1e-12;
  constexpr double first_step = 1e-4;  // of the whole; the stepper adapts it
  using Stepper = odeint::runge_kutta_fehlberg78<State>;
  if (time > 0)
    odeint::integrate_adaptive(odeint::make_controlled<Stepper>(tolerance, tolerance), f, x, 0.0, time,
                               first_step * time);
  return x;
}

}  // namespace laws::flows
