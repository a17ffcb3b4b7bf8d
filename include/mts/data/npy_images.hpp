#pragma once
/// \file
/// Labelled images in a pair of .npy files, as `numpy.save` leaves them.

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "mts/data/arrays.hpp"
#include "mts/data/image_set.hpp"
#include "mts/data/npy.hpp"

namespace mts::data {

/// What the sides of an array of images are.
enum class ImageLayout {
  grey,           ///< N x H x W
  channels_last,  ///< N x H x W x channels
  channels_first  ///< N x channels x H x W
};

namespace detail {

inline std::string_view name_of(ImageLayout layout) {
  switch (layout) {
    case ImageLayout::channels_last:
      return "N x H x W x channels";
    case ImageLayout::channels_first:
      return "N x channels x H x W";
    case ImageLayout::grey:
      break;
  }
  return "N x H x W";
}

inline float unit_number(std::uint8_t b) { return unit_from_byte(b); }
inline float unit_number(float x) { return x; }

/// Channels last, whatever they were.
template <class T>
ImageSet::Images images_of(const NpyArray<T>& array, ImageLayout layout) {
  const auto& n = array.shape;
  const std::size_t height = n[layout == ImageLayout::channels_first ? 2 : 1],
                    width = n[layout == ImageLayout::channels_first ? 3 : 2],
                    channels = layout == ImageLayout::grey            ? 1
                               : layout == ImageLayout::channels_last ? n[3]
                                                                      : n[1];
  ImageSet::Images images(std::array<std::size_t, 4>{n[0], height, width, channels});
  const std::size_t pixels = height * width;
  const bool planes = layout == ImageLayout::channels_first;
  const T* in = array.values.data();
  float* out = images.data();
  for (std::size_t i = 0; i < n[0]; ++i, in += pixels * channels)
    for (std::size_t p = 0; p < pixels; ++p)
      for (std::size_t c = 0; c < channels; ++c) *out++ = unit_number(in[planes ? c * pixels + p : p * channels + c]);
  return images;
}

}  // namespace detail

/// Labels of integers, N or N x 1.
/// \throws DataError as `read_integers`, and if a label is negative or 2^31 - 1 and more
inline std::vector<int> read_npy_labels(const std::filesystem::path& path) {
  return read_integers(path, 0, std::numeric_limits<int>::max() - 1);  // so that the number of classes is an int
}

/// The images of one .npy file with the labels of another.
/// \param images   bytes, which become x/255, or float32 in [0, 1]
/// \param labels   integers, N or N x 1
/// \param layout   what the sides of `images` are: never guessed
/// \param classes  0: one more than the largest label
/// \throws DataError that names the file, if one can't be read (as `read_npy_of`), the images are not of that rank or have no
///         numbers at all, their numbers and those of the labels differ, a number is not finite or outside [0, 1], or a label is
///         out of range; ValueError if classes < 0
inline ImageSet read_npy_images(const std::filesystem::path& images, const std::filesystem::path& labels,
                                ImageLayout layout, int classes = 0) {
  using detail::text;
  check_value(classes >= 0, "read_npy_images", "expected classes >= 0, found ", classes);
  const auto any = read_npy_of<std::uint8_t, float>(images);
  std::vector<int> y = read_npy_labels(labels);
  ImageSet::Images x = std::visit(
      [&](const auto& array) {
        const std::size_t rank = layout == ImageLayout::grey ? 3 : 4;
        if (array.shape.size() != rank)
          throw DataError(text(images.string(), ": expected images of rank ", rank, " (", detail::name_of(layout),
                               "), found rank ", array.shape.size()));
        if (array.values.empty()) throw DataError(text(images.string(), ": expected images, found none"));
        if (array.shape[0] != y.size())
          throw DataError(text(labels.string(), ": expected ", array.shape[0], " labels, one for each image of ",
                               images.filename().string(), ", found ", y.size()));
        return detail::images_of(array, layout);
      },
      any);
  const auto largest = std::max_element(y.begin(), y.end());
  if (classes == 0) classes = *largest + 1;
  if (*largest >= classes)
    throw DataError(text(labels.string(), ": the label of image ", largest - y.begin(), ": expected 0 to ", classes - 1,
                         ", found ", *largest));
  try {
    return ImageSet(std::move(x), std::move(y), classes);
  } catch (const Error& error) {
    throw DataError(text(images.string(), ": ", error.what()));
  }
}

}  // namespace mts::data
