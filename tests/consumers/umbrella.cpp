// All headers of mts::mts in two source files of one program: no name clashes, nothing is defined twice.
#include <mts/mts.hpp>

const char* version_elsewhere();

int main() { return std::string(version_elsewhere()) == MTS_VERSION ? 0 : 1; }
