// expect: mts: DM4: add  linearize(const Parameters&, const Input&) const, whose result has
// expect: pullback(const SampleVector& u, Parameters& out)  for out = J^T u
// A model that can only be evaluated has no training step.
#include "core/minimal_types.hpp"
#include "mts/selection/step.hpp"

struct Model : minimal::Model {
  minimal::Values linearize(const minimal::Vector&, const Batch&) const;
};

int main() {
  return sizeof(mts::MtsStep<Model, minimal::WeightNet, minimal::Extractor, minimal::UnitStep, minimal::UnitStep>);
}
