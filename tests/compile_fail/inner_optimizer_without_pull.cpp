// expect: mts: InnerOptimizer, IO2 and IO3: add  void virtual_step(const P& theta, const P& gradient, P& out) const
// expect: and  void pull(const P& direction, const P& theta, const P& gradient, P& out) const
#include "core/minimal_types.hpp"

struct StepsOnly {
  void step(minimal::Vector& theta, const minimal::Vector& gradient);
};

int main() { mts::require_inner_optimizer<StepsOnly, minimal::Vector>(); }
