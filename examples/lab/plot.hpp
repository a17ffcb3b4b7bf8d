#pragma once
/// \file
/// Pictures, drawn by gnuplot.

#include <array>
#include <filesystem>
#include <string>

#include "lab/study.hpp"

namespace mts::lab {

/// Runs gnuplot on a script and returns what it writes to its standard output.
/// \throws DataError if the program is missing (with what to do) or fails (with what it said)
std::string run_gnuplot(const std::string& script, const std::string& program = "gnuplot");

/// A text as it stands within a single-quoted string of gnuplot, in enhanced text mode.
std::string text_for_gnuplot(const std::string& s);

// What all pictures share.

/// Okabe and Ito's colours, which colour-blind readers tell apart too, in an order of falling contrast to white.
inline constexpr std::array colours = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"};

/// Two axes, their marks outside, and quiet lines across.
inline constexpr const char* axes_style =
    "set border 3 lc rgb '#555555'\n"
    "set tics nomirror out scale 0.6 textcolor rgb '#222222'\n"
    "set grid ytics lc rgb '#e4e4e4' lt 1 lw 0.7\n";

/// Sets gnuplot's terminal of that name ("svg dynamic"), white, in so many points.
std::string set_terminal(const std::string& name, int width, int height, int points = 13);

/// The gnuplot script of dynamics.svg: mean w, max p, Var p and B_eff against the training step, a line for each batch size
/// (median over the seeds) in a band from the smallest seed to the largest; as the paper's Figure 2.
/// \param terminal  the line that sets gnuplot's terminal
std::string dynamics_script(const Settings& settings, const Study& study, const std::string& terminal);

/// Whether any step of any run has a signal above 0.
bool has_gsnr(const Study& study);
/// The same of the hypergradient's GSNR, of the methods that have one; where an estimate is not above 0, there is nothing.
/// \throws ValueError if there is no such method
std::string gsnr_script(const Settings& settings, const Study& study, const std::string& terminal);

/// Writes dynamics.svg and dynamics.png, each whole or not at all.
/// \throws DataError
void write_pictures(const Settings& settings, const Study& study, const std::filesystem::path& folder);

}  // namespace mts::lab
