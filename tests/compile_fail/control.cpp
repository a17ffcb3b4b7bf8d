// expect-success
// The control of the compile-fail tests: a type that fits is not refused, and the include paths work.
#include "mts/core/concepts.hpp"

int main() { mts::require_parameter_vector<mts::DenseParameters<double>>(); }
