#pragma once
// Results as tables of text.

#include <string>

#include "report/ratios.hpp"
#include "report/results.hpp"

namespace bench {

std::string machine_lines(const Results& results);
std::string kernel_table(const Results& results);
std::string step_table(const Results& results);
std::string peer_table(const Results& results);
std::string adapter_table(const Results& results);
std::string compile_table(const Results& results);
std::string ratio_table(const std::vector<Ratio>& ratios);

}  // namespace bench
