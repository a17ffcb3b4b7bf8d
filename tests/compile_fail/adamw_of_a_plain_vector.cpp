// expect: mts: this optimiser works entry by entry and asks for an ElementwiseParameterVector (EP1-EP3)
// expect: or use Sgd
#include "core/minimal_types.hpp"
#include "mts/optim/adam.hpp"

int main() { mts::AdamW<minimal::Vector> adam; }
