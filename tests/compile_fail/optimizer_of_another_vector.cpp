// expect: mts: Optimizer, O1: add  void step(P& theta, const P& gradient)
#include "core/minimal_types.hpp"
#include "mts/optim/sgd.hpp"

int main() { mts::require_inner_optimizer<mts::Sgd<mts::DenseParameters<float>>, minimal::Vector>(); }
