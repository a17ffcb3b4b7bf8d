#pragma once
/// \file
/// Labelled grey images, checked once when they are put together, and the folders of idx files they come from.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <xtensor/xtensor.hpp>

#include "mts/core/types.hpp"
#include "mts/data/idx.hpp"

namespace mts::data {

/// N grey images of H x W pixels in [0, 1], each with a label in {0, ..., C-1}. Immutable.
class ImageSet {
 public:
  using Images = xt::xtensor<float, 3>;

  /// \param images   N x H x W
  /// \param labels   N
  /// \param classes  C
  /// \throws ShapeError if the numbers of images and labels differ; NumericalError that names image and pixel if one is
  ///         not finite; ValueError that names image and pixel if one is outside [0, 1], or the image whose label is outside
  ///         {0, ..., C-1}, or if C < 1
  ImageSet(Images images, std::vector<int> labels, int classes)
      : images_(std::move(images)), labels_(std::move(labels)), classes_(classes) {
    check_size("ImageSet", "labels", static_cast<Index>(images_.shape()[0]), static_cast<Index>(labels_.size()));
    check_value(classes >= 1, "ImageSet", "expected at least one class, found ", classes);
    for (std::size_t i = 0; i < labels_.size(); ++i)
      check_value(labels_[i] >= 0 && labels_[i] < classes, "ImageSet", "the label of image ", i, ": expected 0 to ",
                  classes - 1, ", found ", labels_[i]);
    const auto place = [&](Index k) {
      return detail::text("image ", k / pixels(), ", pixel (", k % pixels() / width(), ", ", k % width(), ")");
    };
    const float* x = images_.data();
    for (Index k = 0; k < size() * pixels(); ++k) {
      if (!std::isfinite(x[k]))
        throw NumericalError(detail::text("ImageSet: ", place(k), ": expected a finite number, found ", x[k]));
      if (!(x[k] >= 0.0f && x[k] <= 1.0f))
        throw ValueError(detail::text("ImageSet: ", place(k), ": expected a number in [0, 1], found ", x[k]));
    }
  }

  /// Bytes 0 to 255 as numbers x/255.
  static ImageSet from_bytes(const xt::xarray<std::uint8_t>& bytes, std::vector<int> labels, int classes) {
    if (bytes.dimension() != 3)
      throw ShapeError(detail::text("ImageSet: images: expected rank 3 (N x H x W), found rank ", bytes.dimension()));
    Images images(std::array<std::size_t, 3>{bytes.shape()[0], bytes.shape()[1], bytes.shape()[2]});
    std::transform(bytes.data(), bytes.data() + bytes.size(), images.data(),
                   [](std::uint8_t b) { return static_cast<float>(b) / 255.0f; });
    return ImageSet(std::move(images), std::move(labels), classes);
  }

  Index size() const { return static_cast<Index>(labels_.size()); }        ///< N
  Index height() const { return static_cast<Index>(images_.shape()[1]); }  ///< H
  Index width() const { return static_cast<Index>(images_.shape()[2]); }   ///< W
  Index pixels() const { return height() * width(); }                      ///< H W
  int classes() const { return classes_; }                                 ///< C
  const Images& images() const { return images_; }
  std::span<const int> labels() const { return labels_; }
  int label(Index i) const { return labels_[static_cast<std::size_t>(i)]; }

  /// The images as rows, N x (H W). Valid while this set lives.
  ConstRows<float> rows() const { return {images_.data(), size(), pixels(), Eigen::OuterStride<>(pixels())}; }
  /// Image i as a row of H W pixels. Valid while this set lives.
  std::span<const float> image(Index i) const {
    return {images_.data() + i * pixels(), static_cast<std::size_t>(pixels())};
  }

  /// The images [begin, end) as a set of their own. \throws ShapeError unless 0 <= begin <= end <= N
  ImageSet slice(Index begin, Index end) const {
    if (begin < 0 || begin > end || end > size())
      throw ShapeError(
          detail::text("ImageSet::slice: expected a part of [0, ", size(), "), found [", begin, ", ", end, ")"));
    Images part(
        std::array<std::size_t, 3>{static_cast<std::size_t>(end - begin), images_.shape()[1], images_.shape()[2]});
    std::copy(images_.data() + begin * pixels(), images_.data() + end * pixels(), part.data());
    return ImageSet(std::move(part), {labels_.begin() + begin, labels_.begin() + end}, classes_);
  }

 private:
  Images images_;
  std::vector<int> labels_;
  int classes_ = 0;
};

/// A data set as it is published: images to train on and images to test on, of the same size and classes.
struct ImageData {
  ImageSet train;
  ImageSet test;
};

/// The data set in `folder`: train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
/// t10k-labels-idx1-ubyte, each plain or with .gz. The number of classes is one more than the largest training label.
/// \throws DataError if a file is missing or bad, if the numbers of images and labels differ, if images of the two parts
///         differ in size, or if a test label does not occur in training
inline ImageData read_image_data(const std::filesystem::path& folder) {
  using detail::text;
  const auto find = [&](std::string_view name) {
    const auto plain = folder / name;
    auto gzipped = plain;
    gzipped += ".gz";
    std::error_code ignored;
    return std::filesystem::exists(gzipped, ignored) || !std::filesystem::exists(plain, ignored) ? gzipped : plain;
  };
  const auto read = [&](std::string_view images_name, std::string_view labels_name, int classes) {
    const auto images_path = find(images_name), labels_path = find(labels_name);
    const auto images = read_idx(images_path);
    const auto bytes = read_idx(labels_path);
    if (images.dimension() != 3)
      throw DataError(text(images_path.string(), ": expected images of rank 3, found rank ", images.dimension()));
    if (bytes.dimension() != 1)
      throw DataError(text(labels_path.string(), ": expected labels of rank 1, found rank ", bytes.dimension()));
    if (images.shape()[0] != bytes.size())
      throw DataError(text(labels_path.string(), ": expected ", images.shape()[0], " labels, one for each image of ",
                           images_path.filename().string(), ", found ", bytes.size()));
    if (images.size() == 0) throw DataError(text(images_path.string(), ": expected images, found none"));
    std::vector<int> labels(bytes.begin(), bytes.end());
    if (classes == 0) classes = 1 + *std::max_element(labels.begin(), labels.end());
    for (std::size_t i = 0; i < labels.size(); ++i)
      if (labels[i] >= classes)
        throw DataError(text(labels_path.string(), ": the label of image ", i, ": expected 0 to ", classes - 1,
                             ", found ", labels[i]));
    return ImageSet::from_bytes(images, std::move(labels), classes);
  };
  ImageSet train = read("train-images-idx3-ubyte", "train-labels-idx1-ubyte", 0);
  ImageSet test = read("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", train.classes());
  if (test.height() != train.height() || test.width() != train.width())
    throw DataError(text(folder.string(), ": expected test images of ", train.height(), " x ", train.width(),
                         " pixels, as in training, found ", test.height(), " x ", test.width()));
  return {std::move(train), std::move(test)};
}

/// Where Debian's package dataset-fashion-mnist puts its files.
inline const std::filesystem::path fashion_mnist_folder = "/usr/share/datasets/fashion-mnist";

/// Fashion-MNIST (Xiao, Rasul, Vollgraf 2017), or whatever data set of the same file names lies in `folder`.
/// \throws DataError as `read_image_data`; for a missing default folder it says what to install
inline ImageData fashion_mnist(const std::filesystem::path& folder = fashion_mnist_folder) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) {
    if (folder == fashion_mnist_folder)
      throw DataError(
          detail::text(folder.string(),
                       ": expected the files of Fashion-MNIST, found no such folder: install the package "
                       "dataset-fashion-mnist (apt-get install dataset-fashion-mnist), or give the folder of "
                       "its four idx files"));
    throw DataError(detail::text(folder.string(), ": expected a folder of idx files, found no such folder"));
  }
  return read_image_data(folder);
}

}  // namespace mts::data
