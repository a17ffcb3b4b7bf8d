// expect: mts: ParameterVector, PV1: the type must be movable
#include "mts/core/concepts.hpp"

struct Immovable : mts::DenseParameters<double> {
  Immovable(Immovable&&) = delete;
};

int main() { mts::require_parameter_vector<Immovable>(); }
