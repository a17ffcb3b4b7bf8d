#pragma once
/// \file
/// report.html: what a run has found, on one page that needs no network, no script and no other file.

#include <filesystem>
#include <string>
#include <vector>

#include "lab/extremes.hpp"
#include "lab/insight.hpp"
#include "lab/settings.hpp"
#include "lab/study.hpp"
#include "lab/warnings.hpp"

namespace mts::lab {

/// Pictures as SVG files; empty where there are none.
struct ReportPictures {
  std::string dynamics, gsnr;
};

/// Drawn by gnuplot. \throws DataError if it is missing
ReportPictures draw_pictures(const Settings& settings, const Study& study);

/// The page of a run. Has no times in it, and the same bytes for any number of threads.
std::string report_html(const Settings& settings, const Study& study, const ReportPictures& pictures);

/// Draws the pictures, unless there are to be none, and writes report.html into the folder, whole or not at all.
/// \throws DataError if it can't be written, or gnuplot is missing
void write_report(const Settings& settings, const Study& study, const std::filesystem::path& folder, bool pictures);

// Parts that several reports have, as HTML.

std::string warnings_section(const std::vector<Warning>& warnings);
/// Dynamics, and signal and noise of the hypergradient, of a study's methods; nothing where there is nothing to show.
std::string pictures_sections(const Settings& settings, const Study& study, const ReportPictures& pictures);
/// Which features the weights rest on. \param insights  with the names of what was looked at; those without features are passed over
std::string importance_section(const std::vector<std::pair<std::string, Insight>>& insights);
/// A histogram. \param groups  0 for real samples
std::string histogram_part(const std::string& who, const SampleVector& weights, const std::vector<int>& groups);
/// The best and worst samples, as pictures or in a table.
std::string extremes_part(const std::string& who, const Extremes& extremes);
/// Options and versions, of the text of a settings.json; options that differ from their defaults first.
/// \param defaults  the same text of the defaults
std::string settings_section(const std::string& settings, const std::string& defaults);

}  // namespace mts::lab
