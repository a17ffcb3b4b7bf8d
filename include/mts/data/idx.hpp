#pragma once
/// \file
/// The idx format of the MNIST family, plain or gzipped, arrays of unsigned bytes.
///
/// Layout: two zero bytes, a type (8 = unsigned byte), the rank r, r sizes as big-endian 32-bit numbers, then the
/// entries in C order. Nothing of a header is believed before it has been compared with what is there.

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>
#include <xtensor/xarray.hpp>

#include "mts/data/atomic_file.hpp"
#include "mts/data/gzip.hpp"

namespace mts::data {

/// Reads the idx file at `path`: unsigned bytes of rank 1 to 4, in C order. A gzipped file is recognised by its
/// first bytes; one whose name ends in .gz must be gzipped.
/// \throws DataError that names the path, what was expected and what was found, if the file is missing, truncated,
///         followed by further bytes, no gzip in spite of its name, of another magic number, type or rank, or announces
///         more than `limit` entries
inline xt::xarray<std::uint8_t> read_idx(const std::filesystem::path& path, std::uint64_t limit = largest_file) {
  using detail::text;
  constexpr std::uint64_t largest_header = 4 + 4 * 4;
  const std::string bytes = read_bytes_or_gzip(path, "an idx file", limit + largest_header);

  const auto byte = [&](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(bytes[i])}; };
  const auto check_header = [&](std::size_t expected) {
    if (bytes.size() < expected)
      throw DataError(text(path.string(), ": expected an idx header of ", expected, " bytes, found a file of ",
                           bytes.size(), " bytes"));
  };
  check_header(4);
  if (byte(0) != 0 || byte(1) != 0)
    throw DataError(text(path.string(), ": expected the magic number of idx, which begins with the bytes 0 0, found ",
                         byte(0), " ", byte(1)));
  if (byte(2) != 8)
    throw DataError(text(path.string(), ": expected idx entries of type 8 (unsigned byte), found type ", byte(2)));
  const std::size_t rank = byte(3);
  if (rank < 1 || rank > 4)
    throw DataError(text(path.string(), ": expected an idx array of rank 1 to 4, found rank ", rank));
  const std::size_t header = 4 + 4 * rank;
  check_header(header);

  std::vector<std::size_t> shape(rank);
  std::string words;
  std::uint64_t entries = 1, hidden = 1;  // the second without sides of 0, which hide what strides are made of
  for (std::size_t d = 0; d < rank; ++d) {
    const std::size_t at = 4 + 4 * d;
    shape[d] = byte(at) << 24 | byte(at + 1) << 16 | byte(at + 2) << 8 | byte(at + 3);
    words += (d ? " x " : "") + std::to_string(shape[d]);
    if (shape[d] != 0 && hidden > limit / shape[d])
      throw DataError(text(path.string(), ": expected an idx array of at most ", limit, " entries, found a header of ",
                           words, d + 1 < rank ? " x ..." : ""));
    entries *= shape[d];
    hidden *= std::max<std::uint64_t>(shape[d], 1);
  }
  if (bytes.size() - header != entries)
    throw DataError(text(path.string(), ": expected ", entries, " entries after the header (", words, "), found ",
                         bytes.size() - header, bytes.size() - header < entries ? ": truncated" : ": too many"));
  xt::xarray<std::uint8_t> array = xt::xarray<std::uint8_t>::from_shape(shape);
  std::copy(bytes.begin() + static_cast<std::ptrdiff_t>(header), bytes.end(), array.begin());
  return array;
}

/// Writes `array` (rank 1 to 4) as an idx file, gzipped if the name ends in .gz.
/// \throws ShapeError for another rank or a side of 2^32 and more; DataError if the file can't be written
inline void write_idx(const std::filesystem::path& path, const xt::xarray<std::uint8_t>& array) {
  using detail::text;
  if (array.dimension() < 1 || array.dimension() > 4)
    throw ShapeError(text("write_idx: expected an array of rank 1 to 4, found rank ", array.dimension()));
  std::string bytes{'\0', '\0', '\x08', static_cast<char>(array.dimension())};
  for (const std::size_t n : array.shape()) {
    if (n > 0xffffffffu) throw ShapeError(text("write_idx: expected sides below 2^32, found ", n));
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>((n >> shift) & 0xff);
  }
  bytes.append(reinterpret_cast<const char*>(array.data()), array.size());
  write_atomically(path, path.extension() == ".gz" ? detail::gzip(bytes) : bytes);
}

}  // namespace mts::data
