// The header of .npy files: what is read of it, and every way in which it can be bad.
#include "mts/data/npy_header.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "data/support.hpp"

using mts::DataError;
using namespace mts::data;

namespace {

// A header of the given version that holds this text.
std::string header(std::string_view text, char version = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += {version, '\0', static_cast<char>(text.size() & 0xff), static_cast<char>(text.size() >> 8)};
  if (version > 1) bytes += {static_cast<char>(text.size() >> 16), '\0'};
  return bytes += text;
}
std::string of(std::string descr, std::string shape, std::string fortran = "False") {
  return "{'descr': " + descr + ", 'fortran_order': " + fortran + ", 'shape': " + shape + ", }   \n";
}
NpyHeader read(std::string_view bytes) { return read_npy_header(bytes, "a.npy"); }

}  // namespace

TEST_CASE("a .npy header tells type, order, shape and where the entries begin, in all three versions") {
  for (const char version : {1, 2, 3}) {
    const std::string bytes = header(of("'>i4'", "(3, 4)", "True"), version);
    const NpyHeader h = read(bytes + "entries");
    CHECK(h.type.name() == ">i4");
    CHECK(h.fortran);
    CHECK(h.shape == std::vector<std::size_t>{3, 4});
    CHECK(h.entries == 12);
    CHECK(h.begin == bytes.size());
    CHECK(h.bytes() == bytes.size() + 48);
  }
  CHECK(read(header(of("'|u1'", "()"))).entries == 1);
  CHECK(read(header(of("'|u1'", "(5,)"))).shape == std::vector<std::size_t>{5});
  CHECK(read(header(of("'|u1'", "(5L, 2L)"))).shape == std::vector<std::size_t>{5, 2});
  CHECK(read(header(of("'|u1'", "(7, 0, 9)"))).entries == 0);
  CHECK(read(header("{'shape':(2,),'fortran_order':False,'descr':'<f8'}")).type.name() == "<f8");
}

TEST_CASE("the types of .npy entries are those that visit_npy_type names") {
  for (const char* name : {"|b1", "|i1", "<i2", ">i2", "<i4", ">i4", "<i8", ">i8", "|u1", "<u2", ">u2",
                           "<u4", ">u4", "<u8", ">u8", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8"}) {
    const NpyType type = read(header(of("'" + std::string(name) + "'", "(1,)"))).type;
    CHECK(type.name() == name);
    visit_npy_type(type, [&]<class T>(std::type_identity<T>) {
      CAPTURE(name);
      CHECK(sizeof(T) == type.size);
      CHECK(std::is_same_v<T, bool> == (name[1] == 'b'));
      CHECK((std::is_floating_point_v<T> || std::is_same_v<T, Half>) == (name[1] == 'f'));
      CHECK((std::is_signed_v<T> && std::is_integral_v<T>) == (name[1] == 'i'));
    });
  }
  CHECK(read(header(of("'<i1'", "(1,)"))).type.name() == "|i1");
  CHECK(read(header(of("'>u1'", "(1,)"))).type.name() == "|u1");
  CHECK(!read(header(of("'>u1'", "(1,)"))).type.big_endian);
}

TEST_CASE("types that are no numbers, or numbers of another size, are refused by what they are") {
  const auto refused = [](std::string descr, const char* part) {
    CHECK_REFUSED(DataError, read(header(of(descr, "(1,)"))), "a.npy", "float16, 32 or 64", part);
  };
  refused("'|O'", "found |O: Python objects");
  refused("'<U5'", "found <U5: texts");
  refused("'|S9'", "found |S9: texts");
  refused("[('a', '<i4'), ('b', '<f8')]", "found [('a', '<i4'), ('b', '<f8')]: a structured type");
  refused("'<c8'", "found <c8");
  refused("'<f1'", "found <f1");
  refused("'<f16'", "found <f16");
  refused("'<i3'", "found <i3");
  refused("'|b2'", "found |b2");
  refused("'|f4'", "found |f4: of unknown byte order");
  refused("'=f4'", "byte order");
  refused("''", "found");
  refused("'<'", "found <");
  refused("'<f4\x01'", "found <f4?");
}

TEST_CASE("a .npy header that is truncated at any byte is refused") {
  for (const char version : {1, 2, 3}) {
    const std::string bytes = header(of("'<f4'", "(3, 4)"), version);
    read(bytes);
    for (std::size_t n = 0; n < bytes.size(); ++n) CHECK_REFUSED(DataError, read(bytes.substr(0, n)), "a.npy");
  }
}

TEST_CASE("a malformed .npy header is refused with expected and found") {
  const auto refused = [](std::string bytes, const char* part) {
    CHECK_REFUSED(DataError, read(bytes), "a.npy", part);
  };
  refused("", "found no bytes");
  refused("\x93NUMPX" + header(of("'<f4'", "(3,)")).substr(6), "magic number");
  refused(header(of("'<f4'", "(3,)"), '\0'), "1.0, 2.0 or 3.0, found 0.0");
  refused(header(of("'<f4'", "(3,)"), 4), "found 4.0");
  std::string minor = header(of("'<f4'", "(3,)"));
  minor[7] = 1;
  refused(minor, "found 1.1");
  refused(header(of("'<f4'", "(3,)") + std::string(65536, ' '), 2), "at most 65535 bytes, found one of 655");
  const char* const keys = "descr, fortran_order and shape, found {";
  refused(header("{'descr': '<f4', 'shape': (3,), }"), keys);
  refused(header("{'descr': '<f4', 'fortran_order': False, }"), keys);
  refused(header("{'fortran_order': False, 'shape': (3,), }"), keys);
  refused(header("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (3,), }"), keys);
  refused(header("{'descr': '<f4', 'fortran_order': False, 'fortran_order': True, 'shape': (3,), }"), keys);
  refused(header("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'shape': (4,), }"), keys);
  refused(header("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'more': 1, }"), keys);
  refused(header(of("'<f4'", "(3,)", "Maybe")), keys);
  refused(header(of("'<f4'", "(3 4)")), keys);
  refused(header(of("'<f4'", "(x,)")), keys);
  refused(header(of("'<f4'", "3")), keys);
  refused(header("{'descr': '<f4, }"), keys);
  refused(header(of("'<f4'", "(3,)") + "}"), keys);
  refused(header("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)"), keys);
  refused(header("{'descr'; "), keys);
  refused(header(""), "found ");
  refused(header(of("'<f4'", "(3, -4)")), "expected sides from 0 to 2^64 - 1 in the shape, found -4");
  refused(header(of("'<f4'", "(99999999999999999999, 4)")), "found 99999999999999999999");
  std::string sides;
  for (int d = 0; d < 65; ++d) sides += "1, ";
  refused(header(of("'<f4'", "(" + sides + ")")), "at most 64 sides");
}

TEST_CASE("a shape whose product overflows is refused, behind a side of 0 too") {
  const std::string most = "a shape of at most 2^63 bytes";
  for (const char* shape :
       {"(9223372036854775807,)", "(18446744073709551615,)", "(4294967296, 4294967296)", "(0, 18446744073709551615)",
        "(4294967296, 0, 4294967296)", "(4294967296, 4294967296, 0)", "(3, 6148914691236517206)"})
    CHECK_REFUSED(DataError, read(header(of("'<f8'", shape))), "a.npy", most);
  CHECK(read(header(of("'|u1'", "(0, 9223372036854000000)"))).entries == 0);
}

TEST_CASE("a file of another length than its .npy header announces is refused") {
  const NpyHeader h = read(header(of("'<f4'", "(3, 4)")));
  check_npy_length(h, h.begin + 48, "a.npy");
  CHECK_REFUSED(DataError, check_npy_length(h, h.begin + 47, "a.npy"), "a.npy",
                "expected 48 bytes after the header, found 47: truncated");
  CHECK_REFUSED(DataError, check_npy_length(h, h.begin + 49, "a.npy"), "found 49: too many");
  CHECK_REFUSED(DataError, check_npy_length(h, h.begin, "a.npy"), "found 0: truncated");
}
