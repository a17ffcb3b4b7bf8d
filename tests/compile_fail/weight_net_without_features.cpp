// expect: mts: WeightNet, W1: add the type Features (a FeatureBatch)
#include "core/minimal_types.hpp"

int main() { mts::require_weight_net<minimal::Model>(); }
