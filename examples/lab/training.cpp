// What the settings mean: the network that is trained, and what is done to its images.
#include "lab/training.hpp"

#include <numeric>

#include "mts/nn/cnn.hpp"
#include "mts/nn/mlp.hpp"
#include "mts/nn/resnet.hpp"

namespace mts::lab {

namespace {

const data::ImageShape& image_of(const data::Problem& problem, const std::string& who) {
  check_value(problem.image.has_value(), problem.name, who, " needs images, and the inputs of this problem are none");
  return *problem.image;
}

/// As many as divide all numbers of channels, at most 8.
Index groups_for(const std::vector<Index>& channels) {
  return std::accumulate(channels.begin(), channels.end(), Index{8}, [](Index a, Index b) { return std::gcd(a, b); });
}

}  // namespace

nn::Classifier<float> make_classifier(const Settings& s, const data::Problem& problem) {
  const auto image = [&] { return image_of(problem, "--model " + name_of_choice(s.model)); };
  switch (s.model) {
    case ModelKind::cnn:
      return nn::cnn<float>(image(), {.classes = problem.classes, .channels = channels_of(s), .hidden = s.hidden});
    case ModelKind::resnet:
      return nn::resnet<float>(
          image(), {.classes = problem.classes, .channels = channels_of(s), .groups = groups_for(channels_of(s))});
    case ModelKind::mlp:
      break;
  }
  std::vector<Index> widths{problem.pool.inputs.cols()};
  widths.insert(widths.end(), s.hidden.begin(), s.hidden.end());
  widths.push_back(problem.classes);
  return nn::mlp<float>(widths);
}

std::optional<data::Augmentation<float>> make_augmentation(const Settings& s, const data::Problem& problem,
                                                           std::uint64_t seed) {
  using enum AugmentationKind;
  const auto kind = s.augmentation;
  if (kind == none) return std::nullopt;
  data::AugmentationOptions options;
  if (kind == shift || kind == shift_flip) options = data::random_shift(s.augmentation_pixels);
  if (kind == crop || kind == crop_flip) options = data::random_crop(s.augmentation_pixels, data::Padding::reflect);
  if (kind == flip || kind == shift_flip || kind == crop_flip) options.flip = 0.5;
  return data::Augmentation<float>(image_of(problem, "--augment " + name_of_choice(kind)), options, seed,
                                   "lab: augmentation");
}

}  // namespace mts::lab
