// expect: mts: InnerOptimizer, IO2 and IO3: add  void virtual_step(const P& theta, const P& gradient, P& out) const
// expect: void pull(const P& direction, const P& theta, const P& gradient, P& out) const
#include "core/minimal_types.hpp"
#include "mts/selection/step.hpp"

struct OnlySteps {
  void step(minimal::Vector&, const minimal::Vector&);
};

int main() {
  return sizeof(mts::MtsStep<minimal::Model, minimal::WeightNet, minimal::Extractor, OnlySteps, OnlySteps>);
}
