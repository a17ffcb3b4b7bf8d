#pragma once
// Zip archives made byte by byte, so that each of their numbers can be forged.

#include <zlib.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mts/data/gzip.hpp"

namespace mts_test {

inline std::string number(std::uint64_t x, int bytes) {
  std::string s;
  for (int i = 0; i < bytes; ++i) s += static_cast<char>(x >> (8 * i));
  return s;
}

/// Deflate without header: what gzip has between its header of 10 bytes and its end of 8.
inline std::string deflated(std::string_view contents) {
  const std::string gzipped = mts::data::detail::gzip(contents);
  return gzipped.substr(10, gzipped.size() - 18);
}

/// What the two headers of a member say, and what lies between them.
struct ZipEntry {
  std::string name, data;
  std::uint64_t size = 0, stored = 0;
  std::uint32_t crc = 0;
  unsigned method = 0, flags = 0;
  std::uint64_t local_size = 0;  // the member's own header may lie apart
  std::string local_name;
  bool zip64 = false, local_zip64 = false;
  std::int64_t moved = 0;  // added to the place of the header
};

inline ZipEntry zip_entry(std::string name, std::string_view contents, bool deflate = false) {
  ZipEntry e;
  e.local_name = name;
  e.name = std::move(name);
  e.data = deflate ? deflated(contents) : std::string(contents);
  e.size = e.local_size = contents.size();
  e.stored = e.data.size();
  e.crc = static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(contents.data()), static_cast<uInt>(contents.size())));
  e.method = deflate ? 8 : 0;
  return e;
}

/// What the end says.
struct ZipEnd {
  bool zip64 = false;
  std::int64_t begin = 0, size = 0, count = 0;  // added to what is so
  std::string comment = {};
};

inline std::string zip_of(const std::vector<ZipEntry>& entries, const ZipEnd& end = {}) {
  const std::uint64_t ones = 0xffffffff;
  std::string bytes, directory;
  for (const auto& e : entries) {
    const std::uint64_t at = bytes.size() + static_cast<std::uint64_t>(e.moved);
    const std::string wide =
        e.local_zip64 ? number(1, 2) + number(16, 2) + number(e.local_size, 8) + number(e.stored, 8) : "";
    const bool later = e.flags & 8;  // crc and sizes
    bytes += "PK\3\4" + number(45, 2) + number(e.flags, 2) + number(e.method, 2) + number(0, 4) +
             number(later ? 0 : e.crc, 4) +
             number(later           ? 0
                    : e.local_zip64 ? ones
                                    : e.stored,
                    4) +
             number(later           ? 0
                    : e.local_zip64 ? ones
                                    : e.local_size,
                    4) +
             number(e.local_name.size(), 2) + number(wide.size(), 2) + e.local_name + wide + e.data;
    // A field of another kind comes first: it has to be passed over.
    const std::string wide64 = e.zip64 ? number(0x5455, 2) + number(24, 2) + std::string(24, 'x') + number(1, 2) +
                                             number(24, 2) + number(e.size, 8) + number(e.stored, 8) + number(at, 8)
                                       : "";
    directory += "PK\1\2" + number(45, 2) + number(45, 2) + number(e.flags, 2) + number(e.method, 2) + number(0, 4) +
                 number(e.crc, 4) + number(e.zip64 ? ones : e.stored, 4) + number(e.zip64 ? ones : e.size, 4) +
                 number(e.name.size(), 2) + number(wide64.size(), 2) + number(0, 2) + number(0, 2) + number(0, 2) +
                 number(0, 4) + number(e.zip64 ? ones : at, 4) + e.name + wide64;
  }
  const std::uint64_t begin = bytes.size() + static_cast<std::uint64_t>(end.begin),
                      size = directory.size() + static_cast<std::uint64_t>(end.size),
                      count = entries.size() + static_cast<std::uint64_t>(end.count);
  bytes += directory;
  if (end.zip64) {
    const std::uint64_t at = bytes.size();
    bytes += "PK\6\6" + number(44, 8) + number(45, 2) + number(45, 2) + number(0, 4) + number(0, 4) + number(count, 8) +
             number(count, 8) + number(size, 8) + number(begin, 8);
    bytes += "PK\6\7" + number(0, 4) + number(at, 8) + number(1, 4);
  }
  bytes += "PK\5\6" + number(0, 2) + number(0, 2) + number(end.zip64 ? 0xffff : count, 2) +
           number(end.zip64 ? 0xffff : count, 2) + number(end.zip64 ? ones : size, 4) +
           number(end.zip64 ? ones : begin, 4) + number(end.comment.size(), 2) + end.comment;
  return bytes;
}

}  // namespace mts_test
