#include "lab/png.hpp"

#include <zlib.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "lab/support.hpp"

namespace {

using namespace mts::lab;

std::uint32_t big_endian(const std::string& bytes, std::size_t at) {
  std::uint32_t x = 0;
  for (std::size_t k = 0; k < 4; ++k) x = x << 8 | static_cast<unsigned char>(bytes.at(at + k));
  return x;
}

/// The header and the unpacked rows of a PNG, whose chunks and checksums are checked on the way.
struct Png {
  std::string header, rows;
  explicit Png(const std::string& bytes) {
    REQUIRE(bytes.starts_with("\x89PNG\r\n\x1a\n"));
    std::string types, packed;
    for (std::size_t at = 8; at < bytes.size();) {
      const std::size_t length = big_endian(bytes, at);
      const std::string type = bytes.substr(at + 4, 4), data = bytes.substr(at + 8, length);
      const std::string body = type + data;
      CHECK(big_endian(bytes, at + 8 + length) ==
            ::crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size())));
      types += type + " ";
      if (type == "IHDR") header = data;
      if (type == "IDAT") packed += data;
      at += 12 + length;
    }
    CHECK(types == "IHDR IDAT IEND ");
    rows.resize(1000);
    uLongf size = rows.size();
    REQUIRE(::uncompress(reinterpret_cast<Bytef*>(rows.data()), &size, reinterpret_cast<const Bytef*>(packed.data()),
                         packed.size()) == Z_OK);
    rows.resize(size);
  }
};

TEST_CASE("PNG: a grey image, row by row, clamped to [0, 1]") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float values[] = {0, 0.5f, 1, -1, 2, nan};
  const Png png(png_of({2, 3, 1}, values));
  CHECK(png.header == std::string("\0\0\0\x03\0\0\0\x02\x08\0\0\0\0", 13));  // width 3, height 2, 8 bits, grey
  CHECK(png.rows == std::string("\0\0\x80\xff\0\0\xff\0", 8));
}

TEST_CASE("PNG: colours") {
  const float values[] = {1, 0, 0, 0, 0.2f, 0.4f};
  const Png png(png_of({1, 2, 3}, values));
  CHECK(png.header[9] == 2);
  CHECK(png.rows == std::string("\0\xff\0\0\0\x33\x66", 7));
}

TEST_CASE("PNG: what is no image is refused") {
  const float values[] = {1, 0};
  CHECK_REFUSED(mts::ValueError, png_of({1, 1, 2}, values), "1 or 3 channels", "1 x 1 x 2");
  CHECK_REFUSED(mts::ValueError, png_of({0, 1, 1}, {}), "0 x 1 x 1");
  CHECK_REFUSED(mts::ShapeError, png_of({1, 3, 1}, values), "expected 3, found 2");
}

}  // namespace
