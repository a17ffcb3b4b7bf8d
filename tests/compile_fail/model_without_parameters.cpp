// expect: mts: DM1: add the types Scalar and Parameters
#include "mts/core/concepts.hpp"

struct Model {
  using Batch = int;
};

int main() { mts::require_model<Model>(); }
