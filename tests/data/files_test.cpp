// Atomic files, checksums, .npy and CSV.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "data/support.hpp"
#include "mts/data/atomic_file.hpp"
#include "mts/data/bytes.hpp"
#include "mts/data/csv.hpp"
#include "mts/data/npy.hpp"

using mts::DataError;
using namespace mts::data;
using mts_test::read_plainly;
using mts_test::TemporaryFolder;
using mts_test::write_plainly;

namespace {
std::size_t entries_of(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}
}  // namespace

TEST_CASE("write_atomically makes folders, replaces whole files and leaves no other file behind") {
  const TemporaryFolder folder;
  const auto path = folder / "new/deep/file";
  write_atomically(path, "first, and longer");
  write_atomically(path, "second");
  CHECK(read_plainly(path) == "second");
  CHECK(entries_of(path.parent_path()) == 1);
  CHECK(read_bytes(path, "a test file") == "second");
  write_atomically(path, "");
  CHECK(read_plainly(path) == "");
}

TEST_CASE("a write that fails says why, leaves the old contents and no part") {
  const TemporaryFolder folder;
  write_plainly(folder / "file", "old");
  CHECK_REFUSED(DataError, write_atomically(folder / "file/below", "new"), (folder / "file/below").string(),
                "can't be written");
  CHECK(read_plainly(folder / "file") == "old");
  std::filesystem::create_directories(folder / "taken/by");
  CHECK_REFUSED(DataError, write_atomically(folder / "taken", "new"), "rename", "taken");
  CHECK(entries_of(folder.path) == 2);
  CHECK_REFUSED(DataError, write_atomically(folder.path / "", "new"), "name of a file");
}

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

TEST_CASE("npy files are read back as written") {
  const TemporaryFolder folder;
  const std::vector<float> f{1.5f, -0.0f, std::numeric_limits<float>::infinity(), 1e-45f};
  write_npy(folder / "f", f);
  CHECK(read_npy<float>(folder / "f").values == f);
  CHECK(read_npy<float>(folder / "f").shape == std::vector<std::size_t>{4});
  const std::vector<std::int64_t> i{-1, std::numeric_limits<std::int64_t>::min()};
  write_npy(folder / "i", i);
  CHECK(read_npy<std::int64_t>(folder / "i").values == i);
  const mts::RowMatrix<double> m = mts::RowMatrix<double>::Random(5, 3);
  write_npy(folder / "m", m);
  const auto back = read_npy<double>(folder / "m");
  CHECK(back.shape == std::vector<std::size_t>{5, 3});
  CHECK(back.values == std::vector<double>(m.data(), m.data() + m.size()));
  write_npy(folder / "e", std::vector<std::uint8_t>{});
  CHECK(read_npy<std::uint8_t>(folder / "e").shape == std::vector<std::size_t>{0});
  const std::vector<std::int32_t> one{7};
  write_npy<std::int32_t>(folder / "s", one, {});
  CHECK(read_npy<std::int32_t>(folder / "s").values == one);
  CHECK(read_npy<std::int32_t>(folder / "s").shape.empty());
}

TEST_CASE("a npy file has the bytes that numpy.save writes") {
  // python3 -c "import numpy as np; np.save('a.npy', np.array([[1,2],[3,4],[5,6]], dtype='<i4'))"
  const TemporaryFolder folder;
  const std::vector<std::int32_t> values{1, 2, 3, 4, 5, 6};
  const std::size_t shape[] = {3, 2};
  write_npy<std::int32_t>(folder / "a.npy", values, shape);
  std::string expected("\x93NUMPY\x01\0v\0{'descr': '<i4', 'fortran_order': False, 'shape': (3, 2), }", 69);
  expected += std::string(127 - expected.size(), ' ') + "\n";
  for (const char v : {1, 2, 3, 4, 5, 6}) expected += std::string{v, '\0', '\0', '\0'};
  CHECK(read_plainly(folder / "a.npy") == expected);
}

TEST_CASE("a bad npy file is refused with expected and found") {
  const TemporaryFolder folder;
  const auto path = folder / "a.npy";
  const std::size_t shape[] = {2, 3};
  const std::vector<float> values(6, 1.0f);
  write_npy<float>(path, values, shape);
  const std::string good = read_plainly(path);
  const auto refused_with = [&](std::string bytes, const char* part) {
    write_plainly(path, bytes);
    CHECK_REFUSED(DataError, read_npy<float>(path), path.string(), part);
  };
  const auto changed = [&](std::string from, std::string to) {
    std::string bytes = good;
    return bytes.replace(bytes.find(from), from.size(), to);
  };
  CHECK_REFUSED(DataError, read_npy<float>(folder / "nowhere"), "No such file");
  CHECK_REFUSED(DataError, read_npy<double>(path), "type <f8", "found <f4");
  refused_with("", "magic");
  refused_with("\x93NUMPX" + good.substr(6), "magic");
  refused_with(good.substr(0, 8), "header");
  refused_with(std::string(good).replace(6, 1, "\x03"), "found 3.0");
  refused_with(good.substr(0, 100), "truncated");
  refused_with(good.substr(0, good.size() - 1), "expected 24 bytes after the header, found 23: truncated");
  refused_with(good + "x", "found 25: too many");
  refused_with(changed("False", "True "), "Fortran");
  refused_with(changed("(2, 3)", "(2, 4)"), "expected 32 bytes");
  refused_with(changed("(2, 3), }   ", "(2, 999999, 999999999), }").substr(0, good.size()), "found");
  refused_with(changed("'shape'", "'shapo'"), "descr, fortran_order and shape");
  refused_with(changed("(2, 3)", "(2, -)"), "descr, fortran_order and shape");
  refused_with(changed("(2, 3), }", "(2, 3) ; "), "descr, fortran_order and shape");
  CHECK_REFUSED(mts::ShapeError, write_npy<float>(path, std::span<const float>(values).first(5), shape), "expected 6",
                "found 5");
}

TEST_CASE("a CSV table quotes by RFC 4180 and writes numbers that read back as the same bits") {
  CsvTable table({"name", "x", "n, of all"});
  table.row("plain", 0.1, 3);
  table.row("a \"quoted\", one\nin two lines", 1.0f / 3.0f, -1);
  table.row(std::string("inf"), std::numeric_limits<double>::infinity(), true);
  CHECK(table.text() ==
        "name,x,\"n, of all\"\nplain,0.1,3\n\"a \"\"quoted\"\", one\nin two lines\",0.33333334,-1\ninf,inf,1\n");
  CHECK_REFUSED(mts::ShapeError, table.row(1, 2), "expected 3", "found 2");
  CHECK_REFUSED(mts::ValueError, CsvTable(std::vector<std::string>{}), "at least one column");
  const TemporaryFolder folder;
  table.save(folder / "t.csv");
  CHECK(read_plainly(folder / "t.csv") == table.text());
  for (const double x : {0.1, 1e300, 5e-324, 123456.789, -1.0 / 3.0}) {
    CsvTable t({"x"});
    t.row(x);
    CHECK(std::strtod(t.text().c_str() + 2, nullptr) == x);
  }
}
