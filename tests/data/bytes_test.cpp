// Whole files and checksums.
#include "mts/data/bytes.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "data/support.hpp"

using mts::DataError;
using namespace mts::data;
using mts_test::TemporaryFolder;
using mts_test::write_plainly;

TEST_CASE("read_bytes refuses what is larger than its limit") {
  const TemporaryFolder folder;
  write_plainly(folder / "file", "12345");
  CHECK_REFUSED(DataError, read_bytes(folder / "file", "a thing", 4), "a thing", "5 bytes", "limit of 4");
}

TEST_CASE("the checksum tells order, length and padding apart, and any single changed byte") {
  const auto of = [](auto... x) {
    Checksum c;
    (c.add(x), ...);
    return c.value();
  };
  using namespace std::string_view_literals;
  CHECK(of("ab"sv) != of("ba"sv));
  CHECK(of("a"sv) != of("a\0"sv));
  CHECK(of("a"sv, "b"sv) != of("ab"sv));
  CHECK(of(""sv) != of());
  CHECK(of(std::uint64_t{1}, std::uint64_t{2}) != of(std::uint64_t{2}, std::uint64_t{1}));
  std::string s(1000, 'x');
  const auto whole = of(std::string_view(s));
  for (std::size_t k = 0; k < s.size(); ++k) {
    std::string t = s;
    t[k] ^= 1;
    CHECK(of(std::string_view(t)) != whole);
  }
}
