#pragma once
/// \file
/// The idx format of the MNIST family, plain or gzipped, arrays of unsigned bytes.
///
/// Layout: two zero bytes, a type (8 = unsigned byte), the rank r, r sizes as big-endian 32-bit numbers, then the
/// entries in C order. Nothing of a header is believed before it has been compared with what is there.

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>
#include <xtensor/xarray.hpp>

#include "mts/data/atomic_file.hpp"
#include "mts/data/bytes.hpp"

namespace mts::data {

namespace detail {

inline bool begins_as_gzip(std::string_view bytes) {
  return bytes.size() >= 2 && bytes[0] == '\x1f' && bytes[1] == '\x8b';
}

/// The contents of a gzip file (one member or several), at most `limit` bytes. Memory grows with what is really there.
/// \throws DataError if the bytes are damaged, truncated, followed by something else, or hold more than that
inline std::string gunzip(std::string_view compressed, const std::filesystem::path& path, std::uint64_t limit) {
  z_stream z{};
  if (inflateInit2(&z, 15 + 16) != Z_OK) throw DataError(text(path.string(), ": zlib could not be started"));
  struct End {
    z_stream& z;
    ~End() { inflateEnd(&z); }
  } end{z};
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  z.avail_in = static_cast<uInt>(compressed.size());  // largest_file < 2^32
  std::string out;
  std::vector<char> chunk(std::size_t{1} << 18);
  for (;;) {
    z.next_out = reinterpret_cast<Bytef*>(chunk.data());
    z.avail_out = static_cast<uInt>(chunk.size());
    const int status = inflate(&z, Z_NO_FLUSH);
    out.append(chunk.data(), chunk.size() - z.avail_out);
    if (out.size() > limit)
      throw DataError(text(path.string(), ": expected at most ", limit, " bytes of contents, found more"));
    if (status == Z_BUF_ERROR)
      throw DataError(
          text(path.string(), ": the gzip data is truncated: it ends after ", out.size(), " bytes of contents"));
    if (status != Z_OK && status != Z_STREAM_END)
      throw DataError(text(path.string(), ": the gzip data is damaged after ", out.size(),
                           " bytes of contents: ", z.msg ? z.msg : "zlib says no more"));
    if (status == Z_STREAM_END) {
      if (z.avail_in == 0) return out;
      if (!begins_as_gzip({reinterpret_cast<const char*>(z.next_in), z.avail_in}))
        throw DataError(text(path.string(), ": expected the end of the gzip data, found ", z.avail_in, " bytes more"));
      inflateReset(&z);
    }
  }
}

inline std::string gzip(std::string_view bytes) {
  z_stream z{};
  if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw DataError("gzip: zlib could not be started");
  std::string out(deflateBound(&z, static_cast<uLong>(bytes.size())), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  const int status = deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  if (status != Z_STREAM_END) throw DataError("gzip: zlib could not compress the bytes");
  return out;
}

}  // namespace detail

/// Reads the idx file at `path`: unsigned bytes of rank 1 to 4, in C order. A gzipped file is recognised by its
/// first bytes; one whose name ends in .gz must be gzipped.
/// \throws DataError that names the path, what was expected and what was found, if the file is missing, truncated,
///         followed by further bytes, no gzip in spite of its name, of another magic number, type or rank, or announces
///         more than `limit` entries
inline xt::xarray<std::uint8_t> read_idx(const std::filesystem::path& path, std::uint64_t limit = largest_file) {
  using detail::text;
  std::string bytes = read_bytes(path, "an idx file");
  const bool gzipped = detail::begins_as_gzip(bytes);
  if (path.extension() == ".gz" && !gzipped)
    throw DataError(text(path.string(), ": expected gzip data, as the name says, found ", bytes.size(),
                         " bytes that do not begin with 1f 8b"));
  constexpr std::uint64_t largest_header = 4 + 4 * 4;
  if (gzipped) bytes = detail::gunzip(bytes, path, limit + largest_header);

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
  std::uint64_t entries = 1;
  for (std::size_t d = 0; d < rank; ++d) {
    const std::size_t at = 4 + 4 * d;
    shape[d] = byte(at) << 24 | byte(at + 1) << 16 | byte(at + 2) << 8 | byte(at + 3);
    words += (d ? " x " : "") + std::to_string(shape[d]);
    if (shape[d] != 0 && entries > limit / shape[d])
      throw DataError(text(path.string(), ": expected an idx array of at most ", limit, " entries, found a header of ",
                           words, d + 1 < rank ? " x ..." : ""));
    entries *= shape[d];
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
