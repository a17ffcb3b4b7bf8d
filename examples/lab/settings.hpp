#pragma once
/// \file
/// What a run of the lab is told: every option once, with its name, words, default and domain. The command line, the help and
/// settings.json are made from this list.

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "lab/names.hpp"
#include "mts/core/types.hpp"

namespace mts::lab {

enum class ModelKind { mlp, cnn, resnet };
enum class AugmentationKind { none, shift, flip, shift_flip, crop, crop_flip };
enum class WeightActivationKind { sigmoid, softmax, softplus, relu };
enum class WeightNetKind { mlp, tabular, group };
enum class Mode { joint, crossed };
enum class Part { none, evidence, position, ratio, balance };
enum class AlignmentKind { exact, central_difference };
enum class EvaluationSet { test, tuning };
enum class Proxy { same, mlp };
enum class ScheduleKind { cosine, constant };

std::filesystem::path default_data();   ///< where the distribution puts Fashion-MNIST
std::filesystem::path default_cache();  ///< the library's choice
Index default_generator_epochs();       ///< the library's choice

/// The device that every build has: the host.
inline constexpr const char* host_device = "cpu";

/// What the results depend on.
struct Settings {
  std::string benchmark = "spurious";
  std::vector<std::string> methods = {"uniform", "weight-net", "mts"};
  std::vector<Index> batches = {64, 256, 1024};
  Index seeds = 3;
  std::uint64_t first_seed = 0;
  EvaluationSet evaluate_on = EvaluationSet::test;
  Index validation = 0;  ///< validation samples; 0: as many as the benchmark has

  std::filesystem::path data = default_data();
  Index generator_epochs = default_generator_epochs();

  Index steps = 600;
  std::string device = host_device;
  ModelKind model = ModelKind::mlp;
  std::vector<Index> hidden = {128};
  std::vector<Index> channels = {};  ///< none: the model's own, `channels_of`
  AugmentationKind augmentation = AugmentationKind::none;
  Index augmentation_pixels = 2;
  double learning_rate = 0.05;
  ScheduleKind schedule = ScheduleKind::cosine;
  double momentum = 0.9;
  double weight_decay = 5e-4;
  double clip = 0;  ///< bound on the gradient's length; 0: none

  double validation_rows = 0;
  double keep = 0.75;
  bool keep_hard = false;
  Index prior_runs = 1;
  double prior_share = 1;
  double sharpness = 2;
  Index folds = 4;
  double fold_share = 0.5;
  std::string fold_method = "rho-loss";
  Part without = Part::none;
  Proxy proxy = Proxy::same;
  Index members = 3;

  double meta_learning_rate = 1e-3;
  double meta_weight_decay = 1e-4;
  ScheduleKind meta_schedule = ScheduleKind::constant;
  Index validation_batch = 0;  ///< 0: the whole validation set
  Index uniform_steps = 100;
  Index update_every = 1;
  std::vector<std::string> features = {"nearest-validation-cosine",
                                       "validation-centre-cosine",
                                       "real-centre-cosine",
                                       "nearest-real-cosine",
                                       "class",
                                       "group"};
  WeightNetKind weight_net = WeightNetKind::mlp;
  std::vector<Index> weight_net_hidden = {100, 100};
  WeightActivationKind activation = WeightActivationKind::sigmoid;
  Mode mode = Mode::joint;
  bool disjoint = false;
  double b_eff_floor = 0;
  double b_eff_floor_strength = 1;
  double tempering = 0;
  AlignmentKind alignment = AlignmentKind::exact;
};

/// The channels of each convolution of the CNN, of each stage of the residual net; none for the MLP.
std::vector<Index> channels_of(const Settings& settings);

/// The same run, but of the model that judges the samples for it: a smaller one can do that at a smaller cost (Coleman et al. 2020,
/// arXiv:1906.11829; Mindermann et al. 2022, arXiv:2206.07137, section 3).
Settings proxy_of(Settings settings);

/// In words for titles what is trained: "cnn", "cnn with augmentation shift".
std::string trained(const Settings& settings);

/// What they do not depend on: where and how the work is done.
struct Session {
  std::filesystem::path out;
  int threads = 0;  ///< 0: as many as the machine has
  std::filesystem::path cache = default_cache();
  bool no_pictures = false;
  double checkpoint_every = 10;  ///< seconds; 0: after every step
  bool fresh = false;            ///< whether what an unfinished run left is removed
};

/// How an option is written and explained.
struct Option {
  std::string name;   ///< without dashes
  std::string value;  ///< what stands for its value in the help
  std::string words;
};

/// A domain: "" if a value lies in it, else what was expected.
template <class T>
using Domain = std::function<std::string(const T&)>;

namespace domains {

inline auto any() {
  return [](const auto&) { return std::string(); };
}
template <class T>
Domain<T> at_least(T low) {
  return [low](const T& x) { return x >= low ? "" : mts::detail::text("expected at least ", low, ", found ", x); };
}
inline Domain<std::vector<Index>> each_at_least(Index low) {
  return [low](const std::vector<Index>& list) {
    if (list.empty()) return std::string("expected at least one number, found none");
    for (const Index x : list)
      if (x < low) return mts::detail::text("expected numbers of at least ", low, ", found ", x);
    return std::string();
  };
}
/// Of hidden layers: none makes a linear map.
inline Domain<std::vector<Index>> widths() {
  return [](const std::vector<Index>& list) { return list.empty() ? std::string() : each_at_least(1)(list); };
}
inline Domain<double> positive() {
  return [](double x) {
    return std::isfinite(x) && x > 0 ? "" : mts::detail::text("expected a number above 0, found ", x);
  };
}
inline Domain<double> not_negative() {
  return [](double x) {
    return std::isfinite(x) && x >= 0 ? "" : mts::detail::text("expected a number of at least 0, found ", x);
  };
}
inline Domain<double> fraction() {
  return [](double x) { return x >= 0 && x <= 1 ? "" : mts::detail::text("expected a number from 0 to 1, found ", x); };
}
inline Domain<double> share() {
  return [](double x) {
    return x > 0 && x <= 1 ? "" : mts::detail::text("expected a number above 0 and at most 1, found ", x);
  };
}
inline Domain<double> below_one() {
  return [](double x) {
    return x >= 0 && x < 1 ? "" : mts::detail::text("expected a number from 0 to below 1, found ", x);
  };
}

}  // namespace domains

/// Calls `visit.group(title)` and `visit(option, value, domain)` for every option of Settings, in the order of the help.
template <class S, class Visitor>
void for_each_setting(S& s, Visitor&& visit) {
  using namespace domains;
  visit.group("What to run");
  visit(Option{"benchmark", "NAME", "learning problem"}, s.benchmark, any());
  visit(Option{"method", "NAME,...", "methods to compare"}, s.methods, any());
  visit(Option{"batch", "N,...", "training batch sizes; each is a run of its own"}, s.batches, each_at_least(1));
  visit(Option{"seeds", "K", "number of seeds; a seed draws data, initial weights and batches"}, s.seeds,
        at_least<Index>(1));
  visit(Option{"first-seed", "S", "seeds S to S + K - 1"}, s.first_seed, any());
  visit(Option{"evaluate-on", "SET", "set the accuracy is measured on"}, s.evaluate_on, any());

  visit.group("Data");
  visit(Option{"validation", "M", "validation samples; 0 for as many as the benchmark has"}, s.validation,
        at_least<Index>(0));
  visit(Option{"data", "DIR", "folder of the image data set, four idx files, plain or gzipped"}, s.data, any());
  visit(Option{"generator-epochs", "K", "passes in the training of the generative models"}, s.generator_epochs,
        at_least<Index>(0));

  visit.group("Classifier, the same for all methods");
  visit(Option{"steps", "K", "training steps of each run"}, s.steps, at_least<Index>(1));
  visit(Option{"device", "NAME", "where training steps are done: cpu, or cuda (an NVIDIA GPU)"}, s.device, any());
  visit(Option{"model", "NAME", "what is trained"}, s.model, any());
  visit(Option{"hidden", "N,...", "widths of the hidden layers (mlp; cnn: after the convolutions); '' for none"},
        s.hidden, widths());
  visit(Option{"channels", "N,...",
               "channels of each convolution (cnn; where not given 16,32) or stage (resnet; 16,32,64)"},
        s.channels, widths());
  visit(Option{"augment", "NAME", "what is done to the images of training batches, anew in each step"}, s.augmentation,
        any());
  visit(Option{"augment-pixels", "K", "a shift or crop moves an image by up to K pixels"}, s.augmentation_pixels,
        at_least<Index>(0));
  visit(Option{"lr", "X", "learning rate of SGD"}, s.learning_rate, positive());
  visit(Option{"schedule", "NAME", "how it goes on"}, s.schedule, any());
  visit(Option{"momentum", "X", "its momentum"}, s.momentum, below_one());
  visit(Option{"weight-decay", "X", "its weight decay"}, s.weight_decay, not_negative());
  visit(Option{"clip", "X", "longest gradient; a longer one is shortened to it; 0 for no bound"}, s.clip,
        not_negative());

  visit.group("Selection without a weight net");
  visit(Option{"validation-rows", "F", "share of each training batch that is validation samples, for any method"},
        s.validation_rows, below_one());
  visit(
      Option{"keep", "F",
             "share that is kept: of each class's edits (filters, random-subset), of each batch (small-loss, rho-loss, "
             "glister)"},
      s.keep, share());
  visit(Option{"keep-hard", "", "el2n, grand: keep the highest scores, as their papers prune, not the lowest"},
        s.keep_hard, any());
  visit(Option{"prior-runs", "K", "runs without selection that EL2N, GraNd and forgetting are taken from"},
        s.prior_runs, at_least<Index>(1));
  visit(Option{"prior-share", "F", "their length, of --steps"}, s.prior_share, share());
  visit(Option{"sharpness", "X", "soft-gate: slope of the gate, in standard deviations of the alignments"}, s.sharpness,
        positive());

  visit(Option{"folds", "K",
               "mts: parts of pool and validation set, each judged by a model trained on the rest; 1: by one trained "
               "on all"},
        s.folds, at_least<Index>(1));
  visit(Option{"fold-share", "F", "mts: the length of their training, of --steps"}, s.fold_share, share());
  visit(Option{"fold-method", "NAME", "mts: the method they are trained by"}, s.fold_method, any());
  visit(Option{"without", "PART", "mts: part of its weights that is left out, for ablations"}, s.without, any());
  visit(Option{"proxy", "NAME", "model that judges samples for rho-loss (its held-out model) and mts (its folds)"},
        s.proxy, any());
  visit(Option{"members", "K", "methods named ensemble: classifiers"}, s.members, at_least<Index>(1));

  visit.group("Selection by a weight net");
  visit(Option{"meta-lr", "X", "learning rate of the weight net, by AdamW"}, s.meta_learning_rate, not_negative());
  visit(Option{"meta-schedule", "NAME", "how it goes on"}, s.meta_schedule, any());
  visit(Option{"meta-weight-decay", "X", "its weight decay"}, s.meta_weight_decay, not_negative());
  visit(Option{"validation-batch", "M", "validation samples a step; 0 for the whole validation set"},
        s.validation_batch, at_least<Index>(0));
  visit(Option{"uniform-steps", "K", "steps without selection before the weight net first moves"}, s.uniform_steps,
        at_least<Index>(0));
  visit(Option{"update-every", "K", "the weight net moves at every K-th step"}, s.update_every, at_least<Index>(1));
  visit(Option{"weight-net", "NAME", "map from features to logits"}, s.weight_net, any());
  visit(Option{"features", "NAME,...", "what the weight net sees (mlp): features and sets of them"}, s.features, any());
  visit(Option{"weight-net-hidden", "N,...", "widths of its hidden layers (mlp)"}, s.weight_net_hidden,
        each_at_least(1));
  visit(Option{"activation", "NAME", "map from logits to weights"}, s.activation, any());
  visit(Option{"mode", "NAME", "joint: alignments on the training batch; crossed: on a selector batch of its own"},
        s.mode, any());
  visit(Option{"disjoint", "", "crossed: the selector batch shares no sample with the training batch"}, s.disjoint,
        any());
  visit(Option{"b-eff-floor", "F", "soft floor under B_eff/N, as a penalty on the meta loss; 0 for none"},
        s.b_eff_floor, fraction());
  visit(Option{"b-eff-floor-strength", "X", "strength of that penalty"}, s.b_eff_floor_strength, not_negative());
  visit(Option{"tempering", "F", "hard floor: temper the weights so that B_eff/N >= F; 0 for none"}, s.tempering,
        fraction());
  visit(Option{"alignment", "NAME", "how alignments are computed"}, s.alignment, any());
}

/// The same for Session.
template <class S, class Visitor>
void for_each_session_option(S& s, Visitor&& visit) {
  using namespace domains;
  visit.group("This session (no result depends on these)");
  visit(Option{"out", "DIR", "folder of the results (required)"}, s.out, any());
  visit(Option{"threads", "T", "threads; 0 for as many as the machine has"}, s.threads, at_least<int>(0));
  visit(Option{"cache", "DIR", "where trained generative models are kept; '' for nowhere"}, s.cache, any());
  visit(Option{"no-pictures", "", "write no pictures, so that gnuplot is not needed"}, s.no_pictures, any());
}

/// How often a run is kept while it is made.
template <class S, class Visitor>
void for_each_checkpoint_option(S& s, Visitor&& visit) {
  visit.group("Going on where it was stopped (no result depends on these)");
  visit(Option{"checkpoint-every", "X",
               "seconds between checkpoints of each run in training; 0 for one after every step"},
        s.checkpoint_every, domains::not_negative());
}
/// The same for a single run, which can be begun anew.
template <class S, class Visitor>
void for_each_resume_option(S& s, Visitor&& visit) {
  for_each_checkpoint_option(s, visit);
  visit(Option{"fresh", "", "begin anew: what an unfinished run left in --out is removed"}, s.fresh, domains::any());
}

template <>
struct Choices<ModelKind> {
  static const std::vector<Choice<ModelKind>>& all();
};
template <>
struct Choices<AugmentationKind> {
  static const std::vector<Choice<AugmentationKind>>& all();
};
template <>
struct Choices<WeightActivationKind> {
  static const std::vector<Choice<WeightActivationKind>>& all();
};
template <>
struct Choices<WeightNetKind> {
  static const std::vector<Choice<WeightNetKind>>& all();
};
template <>
struct Choices<Mode> {
  static const std::vector<Choice<Mode>>& all();
};
template <>
struct Choices<Part> {
  static const std::vector<Choice<Part>>& all();
};
template <>
struct Choices<Proxy> {
  static const std::vector<Choice<Proxy>>& all();
};
template <>
struct Choices<AlignmentKind> {
  static const std::vector<Choice<AlignmentKind>>& all();
};
template <>
struct Choices<ScheduleKind> {
  static const std::vector<Choice<ScheduleKind>>& all();
};
template <>
struct Choices<EvaluationSet> {
  static const std::vector<Choice<EvaluationSet>>& all();
};

}  // namespace mts::lab
