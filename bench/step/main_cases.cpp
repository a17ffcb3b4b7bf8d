// The four cases alone.
#include "step/step.hpp"
#include "support/program.hpp"

int main(int argc, char** argv) { return bench::run(argc, argv, &bench::register_cases); }
