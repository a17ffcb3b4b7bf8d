#pragma once
/// \file
/// What `mts-lab score` is told: arrays, and of a run's options those that apply to arrays.

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "lab/settings.hpp"

namespace mts::lab {

struct ScoreSettings {
  std::filesystem::path features, labels, groups;  ///< of the pool; no groups: all synthetic
  std::filesystem::path validation_features, validation_labels;
  std::filesystem::path embeddings, validation_embeddings;  ///< generative; none: the features take their place
  Index classes = 0;                                        ///< 0: one more than the largest label
  bool raw_features = false;
  std::string method = "mts";
  Index batch = 256;
  std::uint64_t seed = 0;
  double select = 0.5;
  Index cross_validation = 4;
  Settings training = {};  ///< classifier and selection; what is said above is not looked at here
};

/// The settings of the run that they ask for: one method, one batch size, one seed.
Settings run_settings(const ScoreSettings& settings);

/// Methods that give the samples of a pool weights, and need no truth for it.
std::vector<std::string> scoring_methods();

/// Checks what no single option shows. \throws UsageError
void check(const ScoreSettings& settings);

namespace detail {

/// Passes on those options of a run that apply to arrays. `--features` is a file here, so a weight net's have a longer name.
template <class Visitor>
class OptionsForArrays {
 public:
  explicit OptionsForArrays(Visitor& visit) : visit_(visit) {}

  void group(const char* title) { title_ = title; }
  template <class T, class D>
  void operator()(const Option& option, T& value, const D& domain) {
    static const std::set<std::string> others = {
        "benchmark",        "method", "batch", "seeds",    "first-seed", "evaluate-on",    "validation", "data",
        "generator-epochs", "device", "model", "channels", "augment",    "augment-pixels", "proxy",      "cache"};
    if (others.contains(option.name)) return;
    if (const char* title = std::exchange(title_, nullptr)) visit_.group(title);
    Option own = option;
    if (own.name == "features") own.name = "weight-net-features";
    if (own.name == "hidden") own.words = "widths of the hidden layers; '' for a linear map";
    visit_(own, value, domain);
  }

 private:
  Visitor& visit_;
  const char* title_ = nullptr;
};

}  // namespace detail

/// Calls `visit.group(title)` and `visit(option, value, domain)` for every option, in the order of the help.
template <class S, class Visitor>
void for_each_score_setting(S& s, Visitor&& visit) {
  using namespace domains;
  visit.group("What to score: arrays of NumPy, FILE.npy or FILE.npz:NAME");
  visit(Option{"features", "FILE", "N x D, floating or integers: what the classifier sees of the pool (required)"},
        s.features, any());
  visit(Option{"labels", "FILE", "N integers from 0 (required)"}, s.labels, any());
  visit(
      Option{
          "group", "FILE",
          "N integers: 0 for real samples, others synthetic; without it all are synthetic, and the validation samples "
          "the only real ones"},
      s.groups, any());
  visit(Option{"validation-features", "FILE", "M x D (required)"}, s.validation_features, any());
  visit(Option{"validation-labels", "FILE", "M integers, every class at least once (required)"}, s.validation_labels,
        any());
  visit(Option{"generative-features", "FILE",
               "N x E, where samples lie in a generative model; without it the features take their place"},
        s.embeddings, any());
  visit(Option{"validation-generative-features", "FILE", "M x E, needed with the former"}, s.validation_embeddings,
        any());
  visit(Option{"classes", "C", "number of classes; 0 for one more than the largest label"}, s.classes,
        at_least<Index>(0));
  visit(Option{"raw-features", "", "train on the features as they are, instead of standardised column by column"},
        s.raw_features, any());
  visit.group("How");
  visit(Option{"method", "NAME", "what weighs the samples"}, s.method, any());
  visit(Option{"batch", "N", "training batch size"}, s.batch, at_least<Index>(1));
  visit(Option{"seed", "S", "draws initial weights, batches and folds"}, s.seed, any());
  visit(Option{"select", "F", "share of the pool that selected.csv lists, heaviest first"}, s.select, share());
  visit(
      Option{"cross-validation", "K",
             "parts of the validation set, each left out once to measure accuracy with and without selection; 0: none"},
      s.cross_validation, at_least<Index>(0));
  detail::OptionsForArrays<std::remove_reference_t<Visitor>> others(visit);
  for_each_setting(s.training, others);
}

/// The same for the session's options that apply.
template <class S, class Visitor>
void for_each_score_session_option(S& s, Visitor&& visit) {
  detail::OptionsForArrays<std::remove_reference_t<Visitor>> own(visit);
  for_each_session_option(s, own);
}

}  // namespace mts::lab
