// expect: mts: Model, M1: add the type Batch
// The words come from the public door, not only from require_model.
#include "core/minimal_types.hpp"
#include "mts/optim/sgd.hpp"
#include "mts/selection/uniform_step.hpp"

int main() { return sizeof(mts::UniformStep<minimal::InnerProducts, mts::Sgd<minimal::Vector>>); }
