#pragma once
/// \file
/// The files a run leaves behind. docs/lab.md says what each holds.

#include <filesystem>
#include <string>
#include <vector>

#include "lab/study.hpp"

namespace mts::lab {

/// Makes the folder if it is not there and tries whether files can be written to it. \throws DataError if not
void check_writable(const std::filesystem::path& folder);

/// The files of a run, those of pictures and report too.
std::vector<std::string> names_of_results();

/// Writes results.csv, dynamics.csv, timings.csv, weights.npy, truth.csv and settings.json, each whole or not at all.
/// \throws DataError if one can't be written
void write_files(const Settings& settings, const Study& study, const std::filesystem::path& folder);

}  // namespace mts::lab
