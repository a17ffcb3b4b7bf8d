#pragma once
/// \file
/// CIFAR-10 and CIFAR-100 (Krizhevsky 2009) in their binary version, as https://www.cs.toronto.edu/~kriz/cifar.html offers it:
/// 32 x 32 images in colour.
///
/// Layout: records without header. A record is the label, one byte (CIFAR-10), or the coarse and the fine label, two bytes
/// (CIFAR-100), then 3072 bytes, channels first: 1024 of red, 1024 of green, 1024 of blue, each row by row.

#include <array>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mts/data/gzip.hpp"
#include "mts/data/image_set.hpp"

namespace mts::data {

/// What a binary CIFAR file's labels say.
enum class CifarLabels {
  cifar10,         ///< 10 classes; records of 1 + 3072 bytes
  cifar100_fine,   ///< 100 classes; records of 2 + 3072 bytes
  cifar100_coarse  ///< the 20 superclasses of the same files
};

/// The classes of a set: 10, 100 or 20.
constexpr int cifar_classes(CifarLabels labels) {
  return labels == CifarLabels::cifar10 ? 10 : labels == CifarLabels::cifar100_fine ? 100 : 20;
}

inline constexpr ImageShape cifar_shape{32, 32, 3};

/// The images of several files, one after another, channels last.
/// \param files  each plain or gzipped
/// \throws ValueError if there are no files; DataError that names the file if one is missing, empty or damaged, if its size is no
///         multiple of the record's, or the record if a label is out of range (of CIFAR-100 both labels are checked)
inline ImageSet read_cifar(std::span<const std::filesystem::path> files, CifarLabels which) {
  using detail::text;
  check_value(!files.empty(), "read_cifar", "expected at least one file, found none");
  const std::size_t labels_of_record = which == CifarLabels::cifar10 ? 1 : 2;
  const auto pixels = static_cast<std::size_t>(cifar_shape.pixels());
  const std::size_t record = labels_of_record + 3 * pixels;
  // one out of range of these is refused; the label that is taken is the one of `which`
  const std::array<std::pair<std::string_view, int>, 2> columns =
      which == CifarLabels::cifar10
          ? std::array<std::pair<std::string_view, int>, 2>{{{"label", 10}, {"", 0}}}
          : std::array<std::pair<std::string_view, int>, 2>{{{"coarse label", 20}, {"fine label", 100}}};
  const std::size_t taken = which == CifarLabels::cifar100_fine ? 1 : 0;

  std::vector<std::string> contents;
  std::size_t n = 0;
  for (const auto& path : files) {
    const std::string& bytes = contents.emplace_back(read_bytes_or_gzip(path, "a CIFAR binary file"));
    if (bytes.empty()) throw DataError(text(path.string(), ": expected records of ", record, " bytes, found none"));
    if (bytes.size() % record != 0)
      throw DataError(text(path.string(), ": expected records of ", record, " bytes, found ", bytes.size(),
                           " bytes, which are ", bytes.size() / record, " records and ", bytes.size() % record,
                           " bytes more"));
    n += bytes.size() / record;
  }

  ImageSet::Images images(std::array<std::size_t, 4>{n, 32, 32, 3});
  std::vector<int> labels;
  labels.reserve(n);
  float* out = images.data();
  for (std::size_t f = 0; f < contents.size(); ++f) {
    const auto byte = [&](std::size_t k) { return static_cast<std::uint8_t>(contents[f][k]); };
    for (std::size_t at = 0; at < contents[f].size(); at += record) {
      for (std::size_t k = 0; k < labels_of_record; ++k)
        if (byte(at + k) >= columns[k].second)
          throw DataError(text(files[f].string(), ": the ", columns[k].first, " of record ", at / record,
                               ": expected 0 to ", columns[k].second - 1, ", found ", int{byte(at + k)}));
      labels.push_back(byte(at + taken));
      for (std::size_t p = 0; p < pixels; ++p)
        for (std::size_t c = 0; c < 3; ++c)
          *out++ = detail::unit_from_byte(byte(at + labels_of_record + c * pixels + p));
    }
    std::string().swap(contents[f]);
  }
  return ImageSet(std::move(images), std::move(labels), cifar_classes(which));
}

/// The data set in `folder`: data_batch_1.bin to data_batch_5.bin and test_batch.bin of CIFAR-10, train.bin and test.bin of
/// CIFAR-100, each plain or with .gz.
/// \throws as `read_cifar`
inline ImageData read_cifar_data(const std::filesystem::path& folder, CifarLabels which) {
  const auto read = [&](std::initializer_list<std::string_view> names) {
    std::vector<std::filesystem::path> files;
    for (const auto name : names) files.push_back(gzipped_or_plain(folder, name));
    return read_cifar(files, which);
  };
  if (which == CifarLabels::cifar10)
    return {read({"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"}),
            read({"test_batch.bin"})};
  return {read({"train.bin"}), read({"test.bin"})};
}

}  // namespace mts::data
