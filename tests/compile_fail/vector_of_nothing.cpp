// expect: mts: ParameterVector, PV2: add  P clone() const  (a deep copy)
// expect: mts: ParameterVector, PV3: add  P zeros_like() const
// expect: mts: ParameterVector, PV4: add  void copy_into(P& other) const
// expect: mts: ParameterVector, PV5: add  double dot(const P&) const
// expect: mts: ParameterVector, PV6: add  void axpy(double, const P&)  and  void scale(double)
// expect: mts: ParameterVector, PV7: add  Index size() const
#include "mts/core/concepts.hpp"

struct Nothing {};

int main() { mts::require_parameter_vector<Nothing>(); }
