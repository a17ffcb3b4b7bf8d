// expect: mts: this optimiser works entry by entry and asks for an ElementwiseParameterVector (EP1-EP3)
// expect: or use Sgd
#include "core/minimal_types.hpp"
#include "mts/optim/adam.hpp"
#include "mts/selection/step.hpp"

int main() {
  using Adam = mts::AdamW<minimal::Vector>;
  return sizeof(mts::MtsStep<minimal::Model, minimal::WeightNet, minimal::Extractor, Adam, minimal::UnitStep>);
}
