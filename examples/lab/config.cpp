#include "lab/config.hpp"

#include <fmt/format.h>
#include <oneapi/tbb/version.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>
#include <xtensor/xtensor_config.hpp>

#include "lab/device.hpp"
#include "mts/data/pool.hpp"
#include "mts/version.hpp"

namespace mts::lab {

namespace {

using json = nlohmann::ordered_json;

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

json versions() {
  return {{"mts", MTS_VERSION},
          {"compiler", compiler()},
          {"instructions", Eigen::SimdInstructionSetsInUse()},
          {"Eigen", mts::detail::text(EIGEN_WORLD_VERSION, ".", EIGEN_MAJOR_VERSION, ".", EIGEN_MINOR_VERSION)},
          {"xtensor", mts::detail::text(XTENSOR_VERSION_MAJOR, ".", XTENSOR_VERSION_MINOR, ".", XTENSOR_VERSION_PATCH)},
          {"oneTBB", TBB_VERSION_STRING}};
}

/// Puts every option into a JSON object, by its name on the command line.
struct JsonWriter {
  json& object;

  void group(const char*) {}
  template <class T, class D>
  void operator()(const Option& option, const T& value, const D&) {
    if constexpr (std::is_enum_v<T>)
      object[option.name] = name_of_choice(value);
    else if constexpr (std::is_same_v<T, std::filesystem::path>)
      object[option.name] = value.string();
    else
      object[option.name] = value;
  }
};

/// A value as the file has it, at most 60 characters.
std::string in_words(const json& value) {
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > 60) {
    text.resize(57);
    text += "...";
  }
  return text;
}

/// The same; of what has parts, how many.
std::string shown(const json& value) {
  if (value.is_structured()) return fmt::format("{} of {}", value.is_array() ? "a list" : "an object", value.size());
  return in_words(value);
}

UsageError refused(const std::string& where, const char* expected, const json& found) {
  return UsageError(fmt::format("{}: expected {}, found {}", where, expected, shown(found)));
}

void take(const json& from, const std::string& where, bool& value) {
  if (!from.is_boolean()) throw refused(where, "true or false", from);
  value = from.get<bool>();
}
void take(const json& from, const std::string& where, double& value) {
  if (!from.is_number()) throw refused(where, "a number", from);
  value = from.get<double>();
}
template <std::integral T>
void take(const json& from, const std::string& where, T& value) {
  const bool fits = from.is_number_unsigned()  ? std::in_range<T>(from.get<std::uint64_t>())
                    : from.is_number_integer() ? std::in_range<T>(from.get<std::int64_t>())
                                               : false;
  if (!fits) throw refused(where, "a whole number of a size that can be taken", from);
  value = from.is_number_unsigned() ? static_cast<T>(from.get<std::uint64_t>()) : from.get<T>();
}
void take(const json& from, const std::string& where, std::string& value) {
  if (!from.is_string()) throw refused(where, "a text", from);
  value = from.get<std::string>();
}
void take(const json& from, const std::string& where, std::filesystem::path& value) {
  if (!from.is_string()) throw refused(where, "a path as text", from);
  value = from.get<std::string>();
}
template <class E>
  requires std::is_enum_v<E>
void take(const json& from, const std::string& where, E& value) {
  if (!from.is_string()) throw refused(where, "a name", from);
  value = choice_named<E>(where, from.get<std::string>());
}
template <class T>
void take(const json& from, const std::string& where, std::vector<T>& value) {
  if (!from.is_array()) throw refused(where, "a list", from);
  value.clear();
  for (const auto& item : from) take(item, where, value.emplace_back());
}

/// Takes options from a JSON object.
struct JsonReader {
  const json& object;
  std::string where;
  std::vector<std::string> known = {};

  void group(const char*) {}
  template <class T, class D>
  void operator()(const Option& option, T& value, const D& domain) {
    known.push_back(option.name);
    const auto at = object.find(option.name);
    if (at == object.end()) return;
    const std::string here = fmt::format("{}: {}", where, option.name);
    take(*at, here, value);
    if (const std::string wrong = domain(value); !wrong.empty()) throw UsageError(fmt::format("{}: {}", here, wrong));
  }
  void refuse_others() const { check_known(object, where, "option", known); }

  static void check_known(const json& object, const std::string& where, const char* what,
                          const std::vector<std::string>& known) {
    for (const auto& [name, value] : object.items())
      if (std::find(known.begin(), known.end(), name) == known.end())
        throw UsageError(fmt::format("{}: {}", where, unknown(what, name, known).what()));
  }
};

/// The part of that name, an object; an empty one where there is none.
const json& part_of(const json& file, const char* name, const std::string& where) {
  static const json none = json::object();
  const auto at = file.find(name);
  if (at == file.end()) return none;
  if (!at->is_object()) throw refused(fmt::format("{}: {}", where, name), "an object", *at);
  return *at;
}

/// \param visit_settings, visit_session  call a visitor for each option of S, and of the session
template <class S, class VisitSettings, class VisitSession>
std::vector<std::string> read_file(const std::filesystem::path& path, S& settings, Session& session,
                                   VisitSettings&& visit_settings, VisitSession&& visit_session) {
  const std::string where = path.string();
  constexpr std::size_t most = std::size_t{1} << 20;
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::string text(most + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.eof() && in.gcount() == 0)
    throw UsageError(
        fmt::format("{}: this file of options can't be read: {}", where, std::strerror(errno != 0 ? errno : EIO)));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > most)
    throw UsageError(fmt::format("{}: expected a file of options of at most {} bytes, found more", where, most));
  json file;
  try {
    file = json::parse(text);
  } catch (const json::exception& error) {
    throw UsageError(fmt::format("{}: expected a JSON object of options: {}", where, error.what()));
  }
  if (!file.is_object()) throw refused(where, "a JSON object of options", file);
  JsonReader::check_known(file, where, "part", {"program", "options", "session", "versions"});
  if (const auto at = file.find("program"); at != file.end() && *at != "mts-lab")
    throw refused(where + ": program", "\"mts-lab\"", *at);

  S new_settings = settings;
  Session new_session = session;
  const json &options = part_of(file, "options", where), &of_session = part_of(file, "session", where),
             &made_by = part_of(file, "versions", where);
  JsonReader reader{options, where + ": options"};
  visit_settings(new_settings, reader);
  reader.refuse_others();
  JsonReader session_reader{of_session, where + ": session"};
  visit_session(new_session, session_reader);
  session_reader.refuse_others();
  settings = std::move(new_settings);
  session = std::move(new_session);

  std::vector<std::string> differences;
  const json ours = versions();
  for (const auto& [name, version] : made_by.items())
    if (const auto here = ours.find(name); here != ours.end() && *here != version)
      differences.push_back(fmt::format("{}: {} there, {} here", name, shown(version), shown(*here)));
  return differences;
}

/// \param visit_settings  calls a visitor for each option
template <class VisitSettings>
json file_of(VisitSettings&& visit_settings) {
  json file;
  file["program"] = "mts-lab";
  JsonWriter writer{file["options"]};
  visit_settings(writer);
  file["versions"] = versions();
  return file;
}
json file_of_run(const Settings& settings) {
  json file = file_of([&](auto& visitor) { for_each_setting(settings, visitor); });
  // which one it is: another rounds otherwise
  if (const auto* device = device_of(settings)) file["versions"]["device"] = device->description();
  return file;
}

}  // namespace

std::vector<std::string> read_config(const std::filesystem::path& path, Settings& settings, Session& session) {
  return read_file(
      path, settings, session, [](Settings& s, auto& visitor) { for_each_setting(s, visitor); },
      [](Session& s, auto& visitor) {
        for_each_session_option(s, visitor);
        for_each_resume_option(s, visitor);
      });
}
std::vector<std::string> read_config(const std::filesystem::path& path, ScoreSettings& settings, Session& session) {
  return read_file(
      path, settings, session, [](ScoreSettings& s, auto& visitor) { for_each_score_setting(s, visitor); },
      [](Session& s, auto& visitor) { for_each_score_session_option(s, visitor); });
}

std::string settings_text(const Settings& settings) { return file_of_run(settings).dump(2) + "\n"; }
std::string settings_text(const ScoreSettings& settings) {
  return file_of([&](auto& visitor) { for_each_score_setting(settings, visitor); }).dump(2) + "\n";
}
std::string settings_line(const Settings& settings) { return file_of_run(settings).dump(); }

std::vector<std::string> differences_of(const std::string& line, const Settings& settings) {
  const json there = json::parse(line, nullptr, false), here = file_of_run(settings);
  std::vector<std::string> differences;
  for (const char* part : {"options", "versions"}) {
    const auto theirs = there.is_object() ? there.value(part, json()) : json();
    for (const auto& [name, value] : here[part].items()) {
      const auto at = theirs.is_object() ? theirs.find(name) : theirs.end();
      if (at == theirs.end() || *at != value)
        differences.push_back(fmt::format("{}: {} there, {} here", name, at == theirs.end() ? "nothing" : in_words(*at),
                                          in_words(value)));
    }
  }
  return differences;
}

}  // namespace mts::lab
