#include <mts/mts.hpp>

const char* version_elsewhere();
const char* version_elsewhere() { return MTS_VERSION; }
