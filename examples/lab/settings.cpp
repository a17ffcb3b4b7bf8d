#include "lab/settings.hpp"

#include "mts/data/generator.hpp"
#include "mts/data/image_set.hpp"

namespace mts::lab {

std::filesystem::path default_data() { return data::fashion_mnist_folder; }
std::filesystem::path default_cache() { return data::default_cache_folder(); }
Index default_generator_epochs() { return data::GeneratorOptions{}.epochs; }

std::vector<Index> channels_of(const Settings& s) {
  if (!s.channels.empty()) return s.channels;
  switch (s.model) {
    case ModelKind::cnn:
      return {16, 32};
    case ModelKind::resnet:
      return {16, 32, 64};
    case ModelKind::mlp:
      break;
  }
  return {};
}

Settings proxy_of(Settings s) {
  if (s.proxy == Proxy::mlp) {
    s.model = ModelKind::mlp;
    s.channels.clear();
    if (s.hidden.empty()) s.hidden = Settings().hidden;
    s.proxy = Proxy::same;
  }
  return s;
}

std::string trained(const Settings& s) {
  std::string words = name_of_choice(s.model);
  if (s.augmentation != AugmentationKind::none) words += " with augmentation " + name_of_choice(s.augmentation);
  return words;
}

const std::vector<Choice<ModelKind>>& Choices<ModelKind>::all() {
  using enum ModelKind;
  static const std::vector<Choice<ModelKind>> choices = {
      {mlp, "mlp", "a multi-layer perceptron"},
      {cnn, "cnn", "3x3 convolutions, each with 2x2 max pooling, then hidden layers"},
      {resnet, "resnet", "a residual net with group norm, one block a stage"},
  };
  return choices;
}

const std::vector<Choice<AugmentationKind>>& Choices<AugmentationKind>::all() {
  using enum AugmentationKind;
  static const std::vector<Choice<AugmentationKind>> choices = {
      {none, "none", "images as they are"},
      {shift, "shift", "moved; zeros come in"},
      {flip, "flip", "left and right swapped, every other time"},
      {shift_flip, "shift-flip", "both"},
      {crop, "crop", "moved; what comes in is the image mirrored at its edge"},
      {crop_flip, "crop-flip", "that and the flip"},
  };
  return choices;
}

const std::vector<Choice<WeightActivationKind>>& Choices<WeightActivationKind>::all() {
  using enum WeightActivationKind;
  static const std::vector<Choice<WeightActivationKind>> choices = {
      {sigmoid, "sigmoid", "1/(1 + exp(-z)): bounded weights, the paper's choice"},
      {softmax, "softmax", "exp z: softmax over the batch"},
      {softplus, "softplus", "log(1 + exp z): positive, linear for large z"},
      {relu, "relu", "max(z, 0): weights can be exactly 0"},
  };
  return choices;
}

const std::vector<Choice<WeightNetKind>>& Choices<WeightNetKind>::all() {
  using enum WeightNetKind;
  static const std::vector<Choice<WeightNetKind>> choices = {
      {mlp, "mlp", "a multi-layer perceptron over the features"},
      {tabular, "tabular", "a logit for every sample of the pool"},
      {group, "group", "a logit for the real samples and one for the synthetic"},
  };
  return choices;
}

const std::vector<Choice<Mode>>& Choices<Mode>::all() {
  using enum Mode;
  static const std::vector<Choice<Mode>> choices = {
      {joint, "joint", "alignments on the training batch"},
      {crossed, "crossed", "alignments on a selector batch of its own"},
  };
  return choices;
}

const std::vector<Choice<Part>>& Choices<Part>::all() {
  using enum Part;
  static const std::vector<Choice<Part>> choices = {
      {none, "none", "all of it"},
      {evidence, "evidence", "what predictions out of fold say of the label"},
      {position, "position", "nearness to real samples, among the features of the density ratio"},
      {ratio, "ratio", "the density ratio of validation to pool"},
      {balance, "balance", "the share of each class as in validation"},
  };
  return choices;
}

const std::vector<Choice<Proxy>>& Choices<Proxy>::all() {
  using enum Proxy;
  static const std::vector<Choice<Proxy>> choices = {
      {same, "same", "one like the classifier"},
      {mlp, "mlp", "a multi-layer perceptron of the widths of --hidden"},
  };
  return choices;
}

const std::vector<Choice<AlignmentKind>>& Choices<AlignmentKind>::all() {
  using enum AlignmentKind;
  static const std::vector<Choice<AlignmentKind>> choices = {
      {exact, "exact", "by one product with kept deltas"},
      {central_difference, "central-difference", "by two forwards, as the reference implementation does"},
  };
  return choices;
}

const std::vector<Choice<ScheduleKind>>& Choices<ScheduleKind>::all() {
  using enum ScheduleKind;
  static const std::vector<Choice<ScheduleKind>> choices = {
      {cosine, "cosine", "a half cosine from the learning rate to 0"},
      {constant, "constant", "the learning rate throughout"},
  };
  return choices;
}

const std::vector<Choice<EvaluationSet>>& Choices<EvaluationSet>::all() {
  using enum EvaluationSet;
  static const std::vector<Choice<EvaluationSet>> choices = {
      {test, "test", "for reports"},
      {tuning, "tuning", "for choosing settings"},
  };
  return choices;
}

}  // namespace mts::lab
