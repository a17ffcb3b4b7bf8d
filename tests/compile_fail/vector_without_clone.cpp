// expect: mts: ParameterVector, PV2: add  P clone() const  (a deep copy)
// What PV2 refuses first of all: a clone that is not one's own type, as when a vector inherits it.
#include "mts/core/concepts.hpp"

struct Inherits : mts::DenseParameters<double> {
  Inherits zeros_like() const;
};

int main() { mts::require_parameter_vector<Inherits>(); }
