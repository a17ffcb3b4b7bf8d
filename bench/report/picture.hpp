#pragma once
// Overhead and time per sample against the batch size, as a script for gnuplot.

#include <string>

#include "report/results.hpp"

namespace bench {

/// Draws overhead.svg and overhead.png in gnuplot's working directory; empty if there is nothing to draw.
std::string picture_script(const Results& results);

}  // namespace bench
