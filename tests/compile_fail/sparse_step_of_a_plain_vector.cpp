// expect: SparseParameterVector
#include "core/minimal_types.hpp"
#include "mts/optim/adam.hpp"

int main() {
  mts::AdamW<minimal::ElementwiseVector> adam;
  minimal::ElementwiseVector theta({1, 2}), gradient({1, 2});
  adam.step(theta, gradient, std::vector<mts::Index>{0});
}
