#pragma once
/// \file
/// The settings that were chosen for each method, in a file.

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace mts::lab {

/// Options by name and value, as `set_option` takes them.
using OptionValues = std::vector<std::pair<std::string, std::string>>;

/// "keep 0.5, folds 4"; "-" for none.
std::string in_words(const OptionValues& values);

/// A method's settings by model and method.
class TunedSettings {
 public:
  TunedSettings() = default;
  /// \throws DataError if the file is none, is damaged, or names an unknown model, method, option or value
  static TunedSettings read(const std::filesystem::path& file);
  void save(const std::filesystem::path& file) const;

  /// A method's choices for a model: its own; else those for the MLP; of an ensemble else those of its member; else none.
  OptionValues of(const std::string& model, const std::string& method) const;
  void set(const std::string& model, const std::string& method, OptionValues choices);

 private:
  std::map<std::string, std::map<std::string, OptionValues>> by_model_;
};

}  // namespace mts::lab
