#include "lab/tuned.hpp"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "lab/cli.hpp"
#include "mts/data/atomic_file.hpp"

namespace mts::lab {

using json = nlohmann::ordered_json;

std::string in_words(const OptionValues& values) {
  std::string words;
  for (const auto& [name, value] : values) words += fmt::format("{}{} {}", words.empty() ? "" : ", ", name, value);
  return words.empty() ? "-" : words;
}

TunedSettings TunedSettings::read(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in)
    throw DataError(file.string() +
                    ": settings of the methods can't be read: is there such a file? (mts-lab tune writes it)");
  const json all = json::parse(in, nullptr, false);
  if (all.is_discarded() || !all.is_object())
    throw DataError(file.string() + ": expected settings of methods as a JSON object, found something else");
  TunedSettings tuned;
  for (const auto& [model, methods] : all.items()) {
    if (model != "mlp" && model != "cnn")
      throw DataError(fmt::format("{}: expected models mlp and cnn, found '{}'", file.string(), model));
    if (!methods.is_object())
      throw DataError(fmt::format("{}: {}: expected an object of methods", file.string(), model));
    for (const auto& [method, options] : methods.items()) {
      const std::string where = fmt::format("{}: {}: {}: ", file.string(), model, method);
      OptionValues values;
      Settings tried;
      try {
        (void)method_named(method);
        if (!options.is_object()) throw UsageError("expected an object of options");
        for (const auto& [name, value] : options.items()) {
          if (!value.is_string()) throw UsageError(fmt::format("--{}: expected its value as a string", name));
          set_option(tried, name, value.get<std::string>());
          values.emplace_back(name, value.get<std::string>());
        }
      } catch (const UsageError& error) {
        throw DataError(where + error.what());
      }
      tuned.set(model, method, std::move(values));
    }
  }
  return tuned;
}

void TunedSettings::save(const std::filesystem::path& file) const {
  json all = json::object();
  for (const auto& [model, methods] : by_model_)
    for (const auto& [method, values] : methods) {
      json& options = all[model][method] = json::object();
      for (const auto& [name, value] : values) options[name] = value;
    }
  if (!file.parent_path().empty()) {
    std::error_code error;
    std::filesystem::create_directories(file.parent_path(), error);
  }
  data::write_atomically(file, all.dump(2) + "\n");
}

OptionValues TunedSettings::of(const std::string& model, const std::string& method) const {
  for (const auto& m : {model, std::string("mlp")})
    for (const auto& name : {method, method_named(method).member}) {
      const auto of_model = by_model_.find(m);
      if (name.empty() || of_model == by_model_.end()) continue;
      const auto at = of_model->second.find(name);
      if (at != of_model->second.end()) return at->second;
    }
  return {};
}
void TunedSettings::set(const std::string& model, const std::string& method, OptionValues values) {
  by_model_[model][method] = std::move(values);
}

}  // namespace mts::lab
