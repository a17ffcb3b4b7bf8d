#pragma once
/// \file
/// Gzip in memory, and files that may be gzipped.

#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

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

/// The contents of the file at `path`, gzipped or not: gzip is recognised by its first two bytes.
/// \param what   what the file should be, in words, for the messages ("an idx file")
/// \param limit  the most bytes of contents that are taken out of a gzipped file
/// \throws DataError if it can't be read, holds damaged or truncated gzip data or more than `limit` bytes of contents, or if its
///         name ends in .gz and it is no gzip data
inline std::string read_bytes_or_gzip(const std::filesystem::path& path, std::string_view what,
                                      std::uint64_t limit = largest_file) {
  std::string bytes = read_bytes(path, what);
  const bool gzipped = detail::begins_as_gzip(bytes);
  if (path.extension() == ".gz" && !gzipped)
    throw DataError(detail::text(path.string(), ": expected gzip data, as the name says, found ", bytes.size(),
                                 " bytes that do not begin with 1f 8b"));
  return gzipped ? detail::gunzip(bytes, path, limit) : bytes;
}

/// `folder`/`name`.gz where it exists or nothing of that name does, else `folder`/`name`.
inline std::filesystem::path gzipped_or_plain(const std::filesystem::path& folder, std::string_view name) {
  const auto plain = folder / name;
  auto gzipped = plain;
  gzipped += ".gz";
  std::error_code ignored;
  return std::filesystem::exists(gzipped, ignored) || !std::filesystem::exists(plain, ignored) ? gzipped : plain;
}

}  // namespace mts::data
