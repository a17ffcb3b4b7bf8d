#include "lab/cli.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <charconv>
#include <optional>
#include <set>
#include <type_traits>

#include "lab/config.hpp"
#include "lab/device.hpp"
#include "lab/feature_sets.hpp"
#include "lab/registry.hpp"
#include "mts/version.hpp"

namespace mts::lab {

std::string text_of(const std::string& x) { return x; }
std::string text_of(const std::filesystem::path& x) { return x.string(); }
std::string text_of(double x) { return fmt::format("{}", x); }
std::string text_of(Index x) { return fmt::format("{}", x); }
std::string text_of(std::uint64_t x) { return fmt::format("{}", x); }
std::string text_of(int x) { return fmt::format("{}", x); }

namespace {

UsageError refused(const Option& option, const std::string& words) {
  return UsageError(fmt::format("--{}: {}", option.name, words));
}

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> parts;
  for (;;) {
    const auto comma = list.find(',');
    parts.emplace_back(list.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    list.remove_prefix(comma + 1);
  }
}

void read(const Option&, const std::string& text, std::string& value) { value = text; }
void read(const Option&, const std::string& text, std::filesystem::path& value) { value = text; }
template <class T>
  requires std::is_arithmetic_v<T>
void read(const Option& option, const std::string& text, T& value) {
  const char* kind = std::is_floating_point_v<T> ? "a number" : "a whole number";
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range)
    throw refused(option, fmt::format("{} of that size can't be taken: '{}'", kind, text));
  if (error != std::errc() || end != text.data() + text.size())
    throw refused(option, fmt::format("expected {}, found '{}'", kind, text));
}
template <class E>
  requires std::is_enum_v<E>
void read(const Option& option, const std::string& text, E& value) {
  value = choice_named<E>("--" + option.name, text);
}
template <class T>
void read(const Option& option, const std::string& text, std::vector<T>& value) {
  value.clear();
  if (text.empty() && std::is_arithmetic_v<T>) return;  // no numbers; an empty name is one that is not known
  for (const auto& part : split(text)) read(option, part, value.emplace_back());
}

/// Makes CLI11 fill the options.
struct Binder {
  CLI::App& app;

  void group(const char*) {}
  template <class T, class D>
  void operator()(const Option& option, T& value, const D& domain) {
    const std::string name = "--" + option.name;
    if constexpr (std::is_same_v<T, bool>) {
      app.add_flag(name, value, option.words);
    } else {
      app.add_option_function<std::string>(
             name,
             [option, &value, domain](const std::string& text) {
               read(option, text, value);
               if (const std::string wrong = domain(value); !wrong.empty()) throw refused(option, wrong);
             },
             option.words)
          ->type_name(option.value)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
  }
};

/// Sets one option.
struct Setter {
  const std::string& name;
  const std::string& text;
  bool done = false;

  void group(const char*) {}
  template <class T, class D>
  void operator()(const Option& option, T& value, const D& domain) {
    if (option.name != name) return;
    done = true;
    if constexpr (std::is_same_v<T, bool>) {
      if (text != "true" && text != "false")
        throw refused(option, fmt::format("expected true or false, found '{}'", text));
      value = text == "true";
    } else {
      read(option, text, value);
      if (const std::string wrong = domain(value); !wrong.empty()) throw refused(option, wrong);
    }
  }
};

/// Writes every option.
struct Writer {
  std::vector<std::pair<std::string, std::string>> written;

  void group(const char*) {}
  template <class T, class D>
  void operator()(const Option& option, const T& value, const D&) {
    if constexpr (std::is_same_v<T, bool>)
      written.emplace_back(option.name, value ? "true" : "false");
    else
      written.emplace_back(option.name, text_of(value));
  }
};

/// Collects the names of the options.
struct Names {
  std::vector<std::string> names;
  void group(const char*) {}
  template <class T, class D>
  void operator()(const Option& option, const T&, const D&) {
    names.push_back("--" + option.name);
  }
};

/// Lays out name and words in two columns, at most 100 wide.
std::string two_columns(const std::string& name, std::string words, std::size_t column) {
  std::string out = fmt::format("  {:<{}}", name, column - 2);
  if (name.size() + 4 > column) out += "\n" + std::string(column, ' ');
  const std::size_t width = 100 - column;
  while (words.size() > width) {
    const std::size_t space = words.rfind(' ', width), comma = words.rfind(',', width - 1);
    if (space == std::string::npos && comma == std::string::npos) break;
    const std::size_t cut = space != std::string::npos ? space : comma + 1;
    out += words.substr(0, cut) + "\n" + std::string(column, ' ');
    words.erase(0, words[cut] == ' ' ? cut + 1 : cut);
  }
  return out + words + "\n";
}

/// Writes the options' part of a help text.
struct Helper {
  std::string out;

  void group(const char* title) { out += fmt::format("\n{}\n", title); }
  template <class T, class D>
  void operator()(const Option& option, const T& value, const D&) {
    std::string words = option.words;
    if constexpr (std::is_enum_v<T>) words += ": " + one_of(choice_names<T>());
    if constexpr (!std::is_same_v<T, bool>)
      if (const std::string preset = text_of(value); !preset.empty()) words += fmt::format(" [{}]", preset);
    out += two_columns(fmt::format("--{} {}", option.name, option.value), words, 30);
  }
};

/// The option that is no setting, but a file of them.
template <class Path, class Visitor>
void for_config_option(Path& file, Visitor&& visit) {
  visit(Option{"config", "FILE", "options from a file, such as a run's settings.json; those given here count more"},
        file, domains::any());
}

/// The jobs that have a name on the command line.
constexpr std::array<std::pair<Job, const char*>, 7> named_jobs{{{Job::run, "run"},
                                                                 {Job::score, "score"},
                                                                 {Job::tune, "tune"},
                                                                 {Job::study, "study"},
                                                                 {Job::verify, "verify"},
                                                                 {Job::gsnr, "gsnr"},
                                                                 {Job::list, "list"}}};

/// Visits a job's options, in the order of its help.
template <class Visitor>
void for_each_option(Command& command, Job job, Visitor& visit) {
  switch (job) {
    case Job::run:
      visit.group("Options from a file");
      for_config_option(command.config, visit);
      for_each_setting(command.settings, visit);
      for_each_session_option(command.session, visit);
      for_each_resume_option(command.session, visit);
      return;
    case Job::score:
      visit.group("Options from a file");
      for_config_option(command.config, visit);
      for_each_score_setting(command.score, visit);
      for_each_score_session_option(command.session, visit);
      return;
    case Job::tune:
      return for_each_experiment_option(command.tune, visit);
    case Job::study:
      return for_each_experiment_option(command.study, visit);
    case Job::verify:
      return for_each_verify_option(command.verify, visit);
    case Job::gsnr:
      return for_each_gsnr_option(command.gsnr, visit);
    case Job::list:
    case Job::help:
      return;
  }
}

/// The file of --config, the last one; nothing where there is none.
std::optional<std::filesystem::path> config_named(std::span<const std::string> arguments) {
  std::optional<std::filesystem::path> file;
  for (std::size_t k = 0; k < arguments.size(); ++k) {
    if (arguments[k] == "--config" && k + 1 < arguments.size()) file = arguments[k + 1];
    if (arguments[k].starts_with("--config=")) file = arguments[k].substr(std::string_view("--config=").size());
  }
  return file;
}

template <class T>
void check_distinct(const char* option, const std::vector<T>& list) {
  std::set<T> seen;
  for (const auto& x : list)
    if (!seen.insert(x).second) throw UsageError(fmt::format("--{}: {} is given twice", option, text_of(x)));
}

template <class Entries>
std::string entry_lines(const Entries& entries) {
  std::string out;
  for (const auto& entry : entries) out += two_columns(entry.name, entry.words, 30);
  return out;
}

std::string device_lines() {
  std::string out;
  for (const auto& [name, words] : devices()) out += two_columns(name, words, 30);
  return out;
}

std::string law_lines() {
  std::string out;
  for (const auto& law : laws_in_order()) {
    std::string claims;
    for (const auto& claim : law.claims) claims += (claims.empty() ? "" : "; ") + claim.name;
    out += two_columns(law.name, claims, 30);
  }
  return out;
}

}  // namespace

void check(const Settings& s) {
  const auto known = [](const char* what, const std::string& name, const std::vector<std::string>& names) {
    if (std::find(names.begin(), names.end(), name) == names.end()) throw unknown(what, name, names);
  };
  check_device(s);
  if (s.methods.empty()) throw UsageError("--method: expected at least one name, found none");
  if (s.features.empty()) throw UsageError("--features: expected at least one name, found none");
  known("benchmark", s.benchmark, names_of(benchmarks()));
  for (const auto& name : s.methods) known("method", name, names_of(methods()));
  std::vector<std::string> of_folds;
  for (const auto& method : methods())
    if (can_train_folds(method)) of_folds.push_back(method.name);
  known("method of the folds", s.fold_method, of_folds);
  auto feature_names = names_of(features());
  for (const auto& set : feature_sets()) feature_names.push_back(set.name);
  for (const auto& name : s.features) known("feature", name, feature_names);
  check_distinct("method", s.methods);
  check_distinct("features", features_of(s.features));
  check_distinct("batch", s.batches);
  const bool learns =
      std::any_of(s.methods.begin(), s.methods.end(), [](const auto& name) { return method_named(name).weighs; });
  if (learns && s.uniform_steps >= s.steps)
    throw UsageError(fmt::format("--uniform-steps {} leaves no step for selection: expected fewer than --steps {}",
                                 s.uniform_steps, s.steps));
  if (s.model == ModelKind::mlp && !s.channels.empty())
    throw UsageError("--channels needs --model cnn or resnet: an mlp has none");
  if (s.model == ModelKind::resnet && !s.hidden.empty() && s.hidden != Settings().hidden)
    throw UsageError("--hidden can't be combined with --model resnet, which has no hidden layers");
  if (s.disjoint && s.mode != Mode::crossed) throw UsageError("--disjoint needs --mode crossed");
  if (s.tempering > 0 && s.activation == WeightActivationKind::relu)
    throw UsageError("--tempering can't be combined with --activation relu, whose weights can be exactly 0");
  if (s.activation == WeightActivationKind::relu && s.weight_net != WeightNetKind::mlp)
    throw UsageError(
        fmt::format("--activation relu can't be combined with --weight-net {}, whose logits begin at 0, where "
                    "all relu weights vanish",
                    text_of(s.weight_net)));
}

void set_option(Settings& settings, const std::string& name, const std::string& text) {
  Setter setter{name, text};
  for_each_setting(settings, setter);
  if (setter.done) return;
  Writer all;
  for_each_setting(settings, all);
  std::vector<std::string> known;
  for (const auto& [known_name, value] : all.written) known.push_back(known_name);
  throw unknown("option", name, known);
}

std::vector<std::pair<std::string, std::string>> changed_options(const Settings& settings) {
  Writer as_they_are, as_by_default;
  const Settings preset;
  for_each_setting(settings, as_they_are);
  for_each_setting(preset, as_by_default);
  std::vector<std::pair<std::string, std::string>> changed;
  for (std::size_t k = 0; k < as_they_are.written.size(); ++k)
    if (as_they_are.written[k] != as_by_default.written[k]) changed.push_back(as_they_are.written[k]);
  return changed;
}

std::string help() {
  return "mts-lab: learns which samples of a mixed pool to train on, and shows how\n"
         "\n"
         "  mts-lab run --out DIR [OPTIONS]   train classifiers by several methods, write results and pictures\n"
         "  mts-lab run --help                all options\n"
         "  mts-lab score --out DIR [OPTIONS] weigh a pool of your own, given as arrays of NumPy\n"
         "  mts-lab score --help              its options\n"
         "  mts-lab tune --out DIR [OPTIONS]  choose the methods' settings on the tuning sets\n"
         "  mts-lab tune --help               its options\n"
         "  mts-lab study --out DIR [OPTIONS] compare the methods by them on all benchmarks\n"
         "  mts-lab study --help              its options\n"
         "  mts-lab verify [OPTIONS]          check the laws of docs/theory.md: predicted against measured\n"
         "  mts-lab verify --help             its options\n"
         "  mts-lab gsnr --out DIR [OPTIONS]  GSNR of a real network's hypergradient beside its forecast\n"
         "  mts-lab gsnr --help               its options\n"
         "  mts-lab list                      benchmarks, methods, features, devices and laws\n"
         "  mts-lab --version\n"
         "\n"
         "Examples, on two cores four minutes and less than one:\n"
         "  mts-lab run --benchmark spurious --method uniform,weight-net,mts --batch 64,256,1024 --seeds 3 --out out\n"
         "  mts-lab verify --out out\n";
}

std::string help_of(Job job) {
  Command command;
  Helper options;
  for_each_option(command, job, options);
  const auto text = [&](const char* words, const char* usage) {
    return fmt::format("{}\n  mts-lab {}       (defaults in brackets)\n{}{}", words, usage, options.out,
                       two_columns("--help", "this text", 30));
  };
  switch (job) {
    case Job::run:
      return text(
          "mts-lab run: trains a classifier for every method, batch size and seed, prints a table, and writes\n"
          "results.csv, dynamics.csv, weights.npy, truth.csv, timings.csv, settings.json, dynamics.svg and\n"
          "report.html; goes on where it was stopped\n",
          "run --out DIR [OPTIONS]");
    case Job::score:
      return text(
          "mts-lab score: weighs the samples of a pool that is given as arrays, for a classifier of them;\n"
          "writes weights.npy, selected.csv, settings.json and report.html\n",
          "score --features FILE --labels FILE ... --out DIR [OPTIONS]");
    case Job::tune:
      return text(
          "mts-lab tune: chooses every method's settings on the tuning sets of all benchmarks, the same for\n"
          "all, and writes them and tuning.csv; goes on where it was stopped\n",
          "tune --out DIR [OPTIONS]");
    case Job::study:
      return text(
          "mts-lab study: compares the methods on all benchmarks by the settings that were chosen; writes\n"
          "table.md, results.csv, variants.csv, times.csv and pictures; goes on where it was stopped, and runs only\n"
          "what changed\n",
          "study --out DIR [OPTIONS]");
    case Job::verify:
      return text(
          "mts-lab verify: judges every law at every case, prints a table, and writes laws.csv, laws.svg and\n"
          "a picture of each simulated law; the exit status is 0 only if all laws hold\n",
          "verify [OPTIONS]");
    case Job::gsnr:
      return text(
          "mts-lab gsnr: measures the GSNR of the hypergradient of a frozen network over fresh batches, beside\n"
          "what the laws forecast from one pool; prints a table, and writes gsnr.csv and gsnr.svg; the exit\n"
          "status is 0 only if the points at fixed Gamma agree\n",
          "gsnr --out DIR [OPTIONS]");
    case Job::list:
    case Job::help:
      break;
  }
  return help();
}

std::string listing() {
  return "Benchmarks\n" + entry_lines(benchmarks()) + "\nMethods\n" + entry_lines(methods()) +
         "\nFeatures of weight nets\n" + entry_lines(features()) + "\nSets of features\n" +
         entry_lines(feature_sets()) + "\nDevices (--device)\n" + device_lines() + "\nLaws\n" + law_lines();
}

Command parse(std::span<const std::string> arguments) {
  Command command;
  bool version = false;
  CLI::App app;
  app.set_help_flag();
  app.add_flag("--help,-h");
  app.add_flag("--version", version);
  app.allow_extras();
  std::vector<std::pair<Job, CLI::App*>> parts;
  for (const auto& [job, name] : named_jobs) {
    CLI::App& part = *app.add_subcommand(name);
    part.set_help_flag();
    part.add_flag("--help,-h");
    part.allow_extras();
    part.fallthrough(false);
    Binder binder{part};
    for_each_option(command, job, binder);
    parts.emplace_back(job, &part);
  }

  // What the command line says counts more than what the file does, so the file comes first.
  if (!arguments.empty() && (arguments.front() == "run" || arguments.front() == "score")) {
    if (const auto file = config_named(arguments))
      command.differences = arguments.front() == "run" ? read_config(*file, command.settings, command.session)
                                                       : read_config(*file, command.score, command.session);
  }
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    throw UsageError(error.what());
  }

  const auto refuse_extras = [](const CLI::App& part, const std::vector<std::string>& known, const std::string& where) {
    for (const auto& extra : part.remaining(false)) {
      const bool option = extra.starts_with("-");
      const std::string name = extra.substr(0, extra.find('='));
      const std::string near = nearest(name, known);
      throw UsageError(fmt::format("{}unknown {} '{}'{}", where, option ? "option" : "argument", name,
                                   near.empty() ? std::string() : fmt::format(": did you mean '{}'?", near)));
    }
  };
  if (version) command.help = "mts-lab " MTS_VERSION "\n";
  for (const auto& [job, part] : parts)
    if (command.help.empty() && part->count("--help") > 0) command.help = help_of(job);
  if (command.help.empty() && (app.count("--help") > 0 || arguments.empty())) command.help = help();
  if (!command.help.empty()) return command;

  Names jobs{{"--help", "--version"}};
  for (const auto& [job, name] : named_jobs) jobs.names.emplace_back(name);
  refuse_extras(app, jobs.names, "");
  for (const auto& [job, part] : parts) {
    Names known{{"--help"}};
    for_each_option(command, job, known);
    refuse_extras(*part, known.names, fmt::format("mts-lab {}: ", part->get_name()));
    if (part->parsed()) command.job = job;
  }
  const auto needs_folder = [](const Session& session, const char* job) {
    if (session.out.empty())
      throw UsageError(fmt::format("mts-lab {}: where should the results go? Add --out DIR", job));
  };
  switch (command.job) {
    case Job::run:
      check(command.settings);
      command.settings.channels = channels_of(command.settings);
      if (command.settings.model == ModelKind::resnet) command.settings.hidden.clear();
      needs_folder(command.session, "run");
      break;
    case Job::score:
      check(command.score);
      needs_folder(command.session, "score");
      break;
    case Job::tune:
      check(command.tune);
      needs_folder(command.tune.session, "tune");
      break;
    case Job::study:
      check(command.study);
      needs_folder(command.study.session, "study");
      break;
    case Job::verify:
      check(command.verify);
      break;
    case Job::gsnr:
      check(command.gsnr);
      break;
    case Job::list:
      break;
    case Job::help:
      throw UsageError(
          "nothing to do: expected 'run', 'score', 'tune', 'study', 'verify', 'gsnr' or 'list' (mts-lab --help)");
  }
  return command;
}

}  // namespace mts::lab
