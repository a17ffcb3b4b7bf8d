#define MTS_COMPILES_INSTANCES
#include "instances.hpp"

MTS_INSTANCES(template, double)
