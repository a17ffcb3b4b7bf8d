#pragma once
/// \file
/// Pictures, drawn by gnuplot.

#include <filesystem>
#include <string>

#include "lab/study.hpp"

namespace mts::lab {

/// Runs gnuplot on a script and returns what it writes to its standard output.
/// \throws DataError if the program is missing (with what to do) or fails (with what it said)
std::string run_gnuplot(const std::string& script, const std::string& program = "gnuplot");

/// A text as it stands within a single-quoted string of gnuplot, in enhanced text mode.
std::string text_for_gnuplot(const std::string& s);

/// The gnuplot script of dynamics.svg: mean w, max p, Var p and B_eff against the training step, a line for each batch size
/// (median over the seeds) in a band from the smallest seed to the largest; as the paper's Figure 2.
/// \param terminal  gnuplot's terminal and its options
std::string dynamics_script(const Settings& settings, const Study& study, const std::string& terminal);

/// Writes dynamics.svg and dynamics.png, each whole or not at all.
/// \throws DataError
void write_pictures(const Settings& settings, const Study& study, const std::filesystem::path& folder);

}  // namespace mts::lab
