#include "lab/png.hpp"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace mts::lab {

namespace {

void append_big_endian(std::string& out, std::uint32_t x) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(x >> shift & 0xffu);
}

/// Length, type, data and checksum, as section 5.3 of the PNG specification has them.
void append_chunk(std::string& out, const std::string& type, const std::string& data) {
  append_big_endian(out, static_cast<std::uint32_t>(data.size()));
  const std::string body = type + data;
  out += body;
  append_big_endian(out, static_cast<std::uint32_t>(
                             ::crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()))));
}

char byte_of(float x) {
  return static_cast<char>(x > 0 ? static_cast<unsigned char>(std::lround(255 * std::min(x, 1.0f))) : 0);
}

}  // namespace

std::string png_of(const autodiff::ImageShape& shape, std::span<const float> values) {
  check_value(can_be_png(shape) && shape.pixels() > 0, "png_of", "expected an image of 1 or 3 channels, found ",
              in_words(shape));
  check_size("png_of", "values", shape.size(), static_cast<Index>(values.size()));
  std::string rows;  // each after a byte that says it is not filtered
  const auto width = static_cast<std::size_t>(shape.width * shape.channels);
  for (std::size_t y = 0; y < static_cast<std::size_t>(shape.height); ++y) {
    rows += '\0';
    for (const float x : values.subspan(y * width, width)) rows += byte_of(x);
  }
  uLongf size = ::compressBound(static_cast<uLong>(rows.size()));
  std::string packed(size, '\0');
  const int failed = ::compress2(reinterpret_cast<Bytef*>(packed.data()), &size,
                                 reinterpret_cast<const Bytef*>(rows.data()), static_cast<uLong>(rows.size()), 9);
  check_value(failed == Z_OK, "png_of", "zlib could not compress ", rows.size(), " bytes");
  packed.resize(size);

  std::string header;
  append_big_endian(header, static_cast<std::uint32_t>(shape.width));
  append_big_endian(header, static_cast<std::uint32_t>(shape.height));
  header += {'\x08', shape.channels == 3 ? '\x02' : '\x00', '\0', '\0', '\0'};
  std::string out = "\x89PNG\r\n\x1a\n";
  append_chunk(out, "IHDR", header);
  append_chunk(out, "IDAT", packed);
  append_chunk(out, "IEND", "");
  return out;
}

}  // namespace mts::lab
