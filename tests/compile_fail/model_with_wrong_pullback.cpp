// expect: mts: DM4: add  linearize(const Parameters&, const Input&) const, whose result has
// expect: pullback(const SampleVector& u, Parameters& out)  for out = J^T u
// The pullback returns J^T u instead of writing it.
#include "core/minimal_types.hpp"

struct Returns : minimal::Values {
  minimal::Vector pullback(const mts::SampleVector&) const;
};
struct Model : minimal::Model {
  Returns linearize(const minimal::Vector&, const Batch&) const;
};

int main() { mts::require_model<Model>(); }
