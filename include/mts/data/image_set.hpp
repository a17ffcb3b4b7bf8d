#pragma once
/// \file
/// Labelled images, checked once when they are put together, and the folders of idx files they come from.

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

#include "mts/autodiff/image.hpp"
#include "mts/core/types.hpp"
#include "mts/data/gzip.hpp"
#include "mts/data/idx.hpp"

namespace mts::data {

namespace detail {
inline float unit_from_byte(std::uint8_t b) { return static_cast<float>(b) / 255.0f; }
}  // namespace detail

using autodiff::ImageShape;

/// N images of H x W pixels with one or more channels, numbers in [0, 1], each image with a label in {0, ..., classes - 1}.
/// Immutable. Channels last, as the networks take them: number (y W + x) channels + c of an image's row is channel c of pixel
/// (y, x). A grey image is one of one channel.
class ImageSet {
 public:
  using Images = xt::xtensor<float, 4>;

  /// \param images   N x H x W x channels
  /// \param labels   N
  /// \throws ShapeError if the numbers of images and labels differ; NumericalError that names image, pixel and channel if a
  ///         number is not finite; ValueError that names them if it is outside [0, 1], or the image whose label is outside
  ///         {0, ..., classes - 1}, or if classes < 1 or there is no channel
  ImageSet(Images images, std::vector<int> labels, int classes)
      : images_(std::move(images)), labels_(std::move(labels)), classes_(classes) {
    check_size("ImageSet", "labels", static_cast<Index>(images_.shape()[0]), static_cast<Index>(labels_.size()));
    check_value(classes >= 1, "ImageSet", "expected at least one class, found ", classes);
    check_value(channels() >= 1, "ImageSet", "expected at least one channel, found ", channels());
    for (std::size_t i = 0; i < labels_.size(); ++i)
      check_value(labels_[i] >= 0 && labels_[i] < classes, "ImageSet", "the label of image ", i, ": expected 0 to ",
                  classes - 1, ", found ", labels_[i]);
    const auto place = [&](Index k) {
      const Index pixel = k % shape().size() / channels();
      const auto channel = channels() == 1 ? std::string() : detail::text(", channel ", k % channels());
      return detail::text("image ", k / shape().size(), ", pixel (", pixel / width(), ", ", pixel % width(), ")",
                          channel);
    };
    const float* x = images_.data();
    for (Index k = 0; k < size() * shape().size(); ++k) {
      if (!std::isfinite(x[k]))
        throw NumericalError(detail::text("ImageSet: ", place(k), ": expected a finite number, found ", x[k]));
      if (!(x[k] >= 0.0f && x[k] <= 1.0f))
        throw ValueError(detail::text("ImageSet: ", place(k), ": expected a number in [0, 1], found ", x[k]));
    }
  }

  /// Bytes 0 to 255 as numbers x/255.
  /// \param bytes  N x H x W (grey) or N x H x W x channels
  /// \throws ShapeError for another rank; else as the constructor
  static ImageSet from_bytes(const xt::xarray<std::uint8_t>& bytes, std::vector<int> labels, int classes) {
    if (bytes.dimension() != 3 && bytes.dimension() != 4)
      throw ShapeError(detail::text(
          "ImageSet: images: expected rank 3 (N x H x W) or 4 (N x H x W x channels), found rank ", bytes.dimension()));
    const auto& n = bytes.shape();
    Images images(std::array<std::size_t, 4>{n[0], n[1], n[2], n.size() == 4 ? n[3] : 1});
    std::transform(bytes.data(), bytes.data() + bytes.size(), images.data(), detail::unit_from_byte);
    return ImageSet(std::move(images), std::move(labels), classes);
  }

  Index size() const { return static_cast<Index>(labels_.size()); }          ///< N
  Index height() const { return static_cast<Index>(images_.shape()[1]); }    ///< H
  Index width() const { return static_cast<Index>(images_.shape()[2]); }     ///< W
  Index channels() const { return static_cast<Index>(images_.shape()[3]); }  ///< of a pixel: 1 if grey
  ImageShape shape() const { return {height(), width(), channels()}; }       ///< of every image
  int classes() const { return classes_; }
  const Images& images() const { return images_; }
  std::span<const int> labels() const { return labels_; }
  int label(Index i) const { return labels_[static_cast<std::size_t>(i)]; }

  /// The images as rows, N x (H W channels). Valid while this set lives.
  ConstRows<float> rows() const {
    return {images_.data(), size(), shape().size(), Eigen::OuterStride<>(shape().size())};
  }
  /// Image i as a row. Valid while this set lives.
  std::span<const float> image(Index i) const {
    return {images_.data() + i * shape().size(), static_cast<std::size_t>(shape().size())};
  }

  /// The images [begin, end) as a set of their own. \throws ShapeError unless 0 <= begin <= end <= N
  ImageSet slice(Index begin, Index end) const {
    if (begin < 0 || begin > end || end > size())
      throw ShapeError(
          detail::text("ImageSet::slice: expected a part of [0, ", size(), "), found [", begin, ", ", end, ")"));
    auto extents = images_.shape();
    extents[0] = static_cast<std::size_t>(end - begin);
    Images part(extents);
    std::copy(images_.data() + begin * shape().size(), images_.data() + end * shape().size(), part.data());
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
/// t10k-labels-idx1-ubyte, each plain or with .gz. Images of rank 3 are grey; of rank 4, N x H x W x channels. The number of
/// classes is one more than the largest training label.
/// \throws DataError if a file is missing or bad, if the numbers of images and labels differ, if images of the two parts
///         differ in shape, or if a test label does not occur in training
inline ImageData read_image_data(const std::filesystem::path& folder) {
  using detail::text;
  const auto read = [&](std::string_view images_name, std::string_view labels_name, int classes) {
    const auto images_path = gzipped_or_plain(folder, images_name), labels_path = gzipped_or_plain(folder, labels_name);
    const auto images = read_idx(images_path);
    const auto bytes = read_idx(labels_path);
    if (images.dimension() != 3 && images.dimension() != 4)
      throw DataError(text(images_path.string(), ": expected images of rank 3 (grey) or 4 (channels last), found rank ",
                           images.dimension()));
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
  if (test.shape() != train.shape())
    throw DataError(text(folder.string(), ": expected test images of ", in_words(train.shape()),
                         " numbers, as in training, found ", in_words(test.shape())));
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
