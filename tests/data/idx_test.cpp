// The idx reader: what it reads back, and every way in which a file can be bad.
#include "mts/data/idx.hpp"

#include <doctest/doctest.h>

#include <string>

#include "data/support.hpp"

using mts::DataError;
using mts::data::read_idx;
using mts::data::write_idx;
using mts_test::read_plainly;
using mts_test::TemporaryFolder;
using mts_test::write_plainly;

namespace {

xt::xarray<std::uint8_t> ramp(std::vector<std::size_t> shape) {
  xt::xarray<std::uint8_t> a = xt::xarray<std::uint8_t>::from_shape(shape);
  for (std::size_t k = 0; k < a.size(); ++k) a.data()[k] = static_cast<std::uint8_t>(k * 7 + 3);
  return a;
}

// An idx header with the given type and sizes.
std::string header(int type, std::vector<std::uint32_t> sizes) {
  std::string bytes{'\0', '\0', static_cast<char>(type), static_cast<char>(sizes.size())};
  for (const std::uint32_t n : sizes)
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>((n >> shift) & 0xff);
  return bytes;
}

}  // namespace

TEST_CASE("idx files are read back as written, plain and gzipped, of rank 1 to 4, empty ones too") {
  const TemporaryFolder folder;
  const std::vector<std::vector<std::size_t>> shapes{{5},          {300}, {2, 3},      {4, 3, 2},
                                                     {2, 2, 2, 3}, {0},   {0, 28, 28}, {70, 90, 90}};
  for (const auto& shape : shapes)
    for (const char* name : {"a-idx", "a-idx.gz"}) {
      const auto a = ramp(shape);
      write_idx(folder / name, a);
      const auto b = read_idx(folder / name);
      CHECK(std::vector<std::size_t>(b.shape().begin(), b.shape().end()) == shape);
      CHECK(a == b);
    }
}

TEST_CASE("an idx file is laid out as published") {
  const TemporaryFolder folder;
  write_idx(folder / "a", xt::xarray<std::uint8_t>({{1, 2, 255}, {4, 5, 6}}));
  CHECK(read_plainly(folder / "a") == std::string("\0\0\x08\x02\0\0\0\x02\0\0\0\x03\x01\x02\xff\x04\x05\x06", 18));
}

TEST_CASE("a gzipped file is recognised without its ending; several gzip members are one file") {
  const TemporaryFolder folder;
  const auto a = ramp({4, 5});
  write_idx(folder / "a.gz", a);
  std::filesystem::rename(folder / "a.gz", folder / "a");
  CHECK(read_idx(folder / "a") == a);
  const std::string bytes = header(8, {4, 5}) + std::string(reinterpret_cast<const char*>(a.data()), a.size());
  write_plainly(folder / "b.gz",
                mts::data::detail::gzip(bytes.substr(0, 7)) + mts::data::detail::gzip(bytes.substr(7)));
  CHECK(read_idx(folder / "b.gz") == a);
}

TEST_CASE("a missing file, a folder and an unreadable place are named") {
  const TemporaryFolder folder;
  CHECK_REFUSED(DataError, read_idx(folder / "nowhere"), (folder / "nowhere").string(), "idx", "No such file");
  CHECK_REFUSED(DataError, read_idx(folder.path), folder.path.string(), "no regular file");
}

TEST_CASE("a truncated plain file is refused with expected and found") {
  const TemporaryFolder folder;
  write_plainly(folder / "a", header(8, {2, 3}) + "12345");
  CHECK_REFUSED(DataError, read_idx(folder / "a"), (folder / "a").string(), "expected 6 entries", "2 x 3", "found 5",
                "truncated");
  write_plainly(folder / "a", header(8, {2, 3}).substr(0, 9));
  CHECK_REFUSED(DataError, read_idx(folder / "a"), "header of 12 bytes", "9 bytes");
  write_plainly(folder / "a", std::string("\0\0\x08", 3));
  CHECK_REFUSED(DataError, read_idx(folder / "a"), "header of 4 bytes", "3 bytes");
  write_plainly(folder / "a", "");
  CHECK_REFUSED(DataError, read_idx(folder / "a"), "0 bytes");
}

TEST_CASE("trailing bytes are refused") {
  const TemporaryFolder folder;
  write_plainly(folder / "a", header(8, {2, 3}) + "1234567");
  CHECK_REFUSED(DataError, read_idx(folder / "a"), "expected 6 entries", "found 7", "too many");
  write_idx(folder / "b.gz", ramp({2, 3}));
  write_plainly(folder / "b.gz", read_plainly(folder / "b.gz") + "tail");
  CHECK_REFUSED(DataError, read_idx(folder / "b.gz"), "end of the gzip data", "4 bytes more");
}

TEST_CASE("a file named .gz that is no gzip is refused in words") {
  const TemporaryFolder folder;
  write_plainly(folder / "a.gz", header(8, {3}) + "123");
  CHECK_REFUSED(DataError, read_idx(folder / "a.gz"), (folder / "a.gz").string(), "expected gzip");
  write_plainly(folder / "a.gz", "");
  CHECK_REFUSED(DataError, read_idx(folder / "a.gz"), "expected gzip", "0 bytes");
}

TEST_CASE("gzip data truncated at any byte, or with any byte changed, is refused or gives the same array") {
  const TemporaryFolder folder;
  const auto a = ramp({9, 31});
  write_idx(folder / "a.gz", a);
  const std::string good = read_plainly(folder / "a.gz");
  for (std::size_t n = 2; n < good.size(); ++n) {
    write_plainly(folder / "a.gz", good.substr(0, n));
    CHECK_REFUSED(DataError, read_idx(folder / "a.gz"), "truncated");
  }
  int refused = 0;
  for (std::size_t k = 0; k < good.size(); ++k) {
    std::string bad = good;
    bad[k] = static_cast<char>(bad[k] ^ 0x41);
    write_plainly(folder / "a.gz", bad);
    bool same = true;
    refused += mts_test::message_of<DataError>([&] { same = read_idx(folder / "a.gz") == a; }) != "";
    CHECK(same);
  }
  CHECK(refused >=
        static_cast<int>(good.size()) - 8);  // time stamp, extra flags and system of a gzip header mean nothing
}

TEST_CASE("wrong magic number, type and rank are refused with what was found") {
  const TemporaryFolder folder;
  write_plainly(folder / "a", "PNG and more");
  CHECK_REFUSED(DataError, read_idx(folder / "a"), "magic number", "80 78");
  write_plainly(folder / "a", header(13, {1}) + "1234");
  CHECK_REFUSED(DataError, read_idx(folder / "a"), "type 8", "found type 13");
  write_plainly(folder / "a", header(8, {}));
  CHECK_REFUSED(DataError, read_idx(folder / "a"), "rank 1 to 4", "rank 0");
  write_plainly(folder / "a", header(8, {1, 1, 1, 1, 1}) + "1");
  CHECK_REFUSED(DataError, read_idx(folder / "a"), "rank 5");
}

TEST_CASE("a forged header takes no memory: sizes are compared with the limit and with what is there") {
  const TemporaryFolder folder;
  write_plainly(folder / "a", header(8, {0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu}) + "1234");
  CHECK_REFUSED(DataError, read_idx(folder / "a"), "at most", "4294967295 x");
  write_plainly(folder / "a", header(8, {60000, 28, 28}) + "1234");
  CHECK_REFUSED(DataError, read_idx(folder / "a"), "expected 47040000 entries", "found 4");
  write_plainly(folder / "a", header(8, {10, 10}) + std::string(100, 'x'));
  CHECK_REFUSED(DataError, read_idx(folder / "a", 99), "at most 99");
  // a side of 0 makes no entries; the strides would still overflow
  write_plainly(folder / "a", header(8, {0, 0xffffffffu, 0xffffffffu, 0xffffffffu}));
  CHECK_REFUSED(DataError, read_idx(folder / "a"), "at most", "0 x 4294967295 x");
  write_plainly(folder / "a", header(8, {0xffffffffu, 0, 0xffffffffu, 0xffffffffu}));
  CHECK_REFUSED(DataError, read_idx(folder / "a"), "at most", "4294967295");
  // 64 MiB of zeros in 64 KiB of gzip
  write_plainly(folder / "b.gz",
                mts::data::detail::gzip(header(8, {1u << 26}) + std::string(std::size_t{1} << 26, '\0')));
  CHECK_REFUSED(DataError, read_idx(folder / "b.gz", 1 << 20), "at most", "found more");
}

TEST_CASE("write_idx refuses what the format can't hold") {
  const TemporaryFolder folder;
  CHECK_REFUSED(mts::ShapeError, write_idx(folder / "a", ramp({1, 1, 1, 1, 1})), "rank 5");
}
