// expect: mts: DM2: add  Parameters initialize(RandomStream) const
// expect: mts: DM3: add  forward(const Parameters&, const Input&) const, whose result has
// expect: mts: DM4: add  linearize(const Parameters&, const Input&) const, whose result has
// expect: pullback(const SampleVector& u, Parameters& out)  for out = J^T u
#include "mts/core/concepts.hpp"

struct Model {
  using Scalar = double;
  using Parameters = mts::DenseParameters<double>;
  using Batch = int;
};

int main() { mts::require_model<Model>(); }
