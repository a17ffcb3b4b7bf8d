#pragma once
/// \file
/// A run's options from a file.

#include <filesystem>
#include <string>
#include <vector>

#include "lab/score_settings.hpp"
#include "lab/settings.hpp"

namespace mts::lab {

/// Sets what the file names: `settings.json` as a run leaves it, or one by hand,
///
///     {"options": {"benchmark": "domain", "batch": [64, 256], "lr": 0.1}, "session": {"threads": 1}}
///
/// with the names of the command line (`options`: what the results depend on; `session`: the rest). Options it does not name stay.
/// Returns in what its "versions" differ from those of this program, in words: then the bits may differ too.
/// \throws UsageError that names file, option, what was expected and found, and the nearest known name; nothing has been set then
std::vector<std::string> read_config(const std::filesystem::path& file, Settings& settings, Session& session);
/// The same of a score.
std::vector<std::string> read_config(const std::filesystem::path& file, ScoreSettings& settings, Session& session);

/// Every option of a run, and the versions that made it, the device among them: a file for `read_config`.
/// \throws UsageError, cuda::NoDevice if the device is not there
std::string settings_text(const Settings& settings);
/// The same in one line.
std::string settings_line(const Settings& settings);
/// What options, and what versions, are not as in such a line: "NAME: ... there, ... here".
std::vector<std::string> differences_of(const std::string& line, const Settings& settings);
std::string settings_text(const ScoreSettings& settings);

}  // namespace mts::lab
