// expect: mts: WeightNet, W1: add the type Features (a FeatureBatch)
#include "core/minimal_types.hpp"
#include "mts/selection/step.hpp"

int main() {
  return sizeof(mts::MtsStep<minimal::Model, minimal::Model, minimal::Extractor, minimal::UnitStep, minimal::UnitStep>);
}
