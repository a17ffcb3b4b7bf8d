#pragma once
/// \file
/// Pictures of a study's sections.

#include <filesystem>
#include <string>

#include "lab/comparison.hpp"
#include "lab/sections.hpp"

namespace mts::lab {

/// The gnuplot script of a section: of methods the accuracy against the time of a run, of variants in series the accuracy against the batch
/// size (bars: 95 % intervals over the seeds), of others a line for each with its interval.
/// \param terminal  gnuplot's terminal; its options are added
std::string section_script(const Section& section, const Comparison& comparison, const std::string& terminal);

/// Writes <name>.svg, whole or not at all. \throws DataError
void write_picture(const Section& section, const Comparison& comparison, const std::filesystem::path& folder);

}  // namespace mts::lab
