// expect: mts: ParameterVector, PV2: add  P clone() const  (a deep copy)
#include "mts/optim/sgd.hpp"

int main() { mts::Sgd<double> sgd; }
