// expect: mts: ParameterVector, PV5: add  double dot(const P&) const
#include "core/minimal_types.hpp"

struct NoDot : mts::DenseParameters<double> {
  NoDot clone() const;
  NoDot zeros_like() const;
  void dot() const;
};
struct Model : minimal::Model {
  using Parameters = NoDot;
};

int main() { mts::require_model<Model>(); }
