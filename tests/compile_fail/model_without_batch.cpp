// expect: mts: Model, M1: add the type Batch
#include "core/minimal_types.hpp"

int main() { mts::require_model<minimal::InnerProducts>(); }
