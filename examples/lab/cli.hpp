#pragma once
/// \file
/// The command line of mts-lab.

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lab/experiment.hpp"
#include "lab/gsnr.hpp"
#include "lab/score_settings.hpp"
#include "lab/settings.hpp"
#include "lab/verify.hpp"

namespace mts::lab {

enum class Job { run, score, tune, study, verify, gsnr, list, help };

/// A command line that was understood.
struct Command {
  Job job = Job::help;
  Settings settings;
  Session session;
  std::filesystem::path
      config;  ///< where `settings` or `score`, and `session`, come from but for what the command line says
  std::vector<std::string> differences;  ///< of versions, `read_config`
  ScoreSettings score;
  VerifySettings verify;
  GsnrSettings gsnr;
  ExperimentSettings tune = tune_defaults(), study = study_defaults();
  std::string help;  ///< for Job::help, the text
};

/// Reads the arguments after the program's name. Names of benchmarks, methods and laws are known ones afterwards and every value lies
/// in its domain.
/// \throws UsageError in words: what was refused, what was expected, the nearest known name
Command parse(std::span<const std::string> arguments);

/// Checks what no single option shows: names that must be known, options that exclude one another.
/// \throws UsageError
void check(const Settings& settings);

/// Sets the option of this name (without dashes) as the command line would; a flag by "true" or "false".
/// \throws UsageError for an unknown name, or a value outside the option's domain
void set_option(Settings& settings, const std::string& name, const std::string& text);
/// The options that are not as they are by default, by name, in the order of the help.
std::vector<std::pair<std::string, std::string>> changed_options(const Settings& settings);

/// The text of `mts-lab --help`; of `mts-lab run --help`, `score --help`, `verify --help` and `gsnr --help`; of `mts-lab list`.
std::string help();
std::string help_of(Job job);
std::string listing();

/// A value as it is written on the command line.
std::string text_of(const std::string& x);
std::string text_of(const std::filesystem::path& x);
std::string text_of(double x);
std::string text_of(Index x);
std::string text_of(std::uint64_t x);
std::string text_of(int x);
template <class E>
  requires std::is_enum_v<E>
std::string text_of(E x) {
  return name_of_choice(x);
}
template <class T>
std::string text_of(const std::vector<T>& list) {
  std::string s;
  for (const auto& x : list) {
    if (!s.empty()) s += ',';
    s += text_of(x);
  }
  return s;
}

}  // namespace mts::lab
