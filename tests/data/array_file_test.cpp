// Arrays in files of NumPy's: rows of every type, order and byte order, members of archives, and what is refused.
#include "mts/data/array_file.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "data/support.hpp"
#include "data/zip_builder.hpp"
#include "mts/data/npy.hpp"

using mts::DataError;
using mts::Index;
using mts::RowMatrix;
using namespace mts::data;
using mts_test::numpy_file;
using mts_test::TemporaryFolder;
using mts_test::write_plainly;

namespace {

RowMatrix<double> all_rows(const ArrayFile& file) {
  RowMatrix<double> m;
  file.read_rows(0, file.rows(), m);
  return m;
}
RowMatrix<double> all_rows(const std::filesystem::path& where) { return all_rows(ArrayFile(where)); }

// What numpy/make.py gives an array of this type: 2 x 3.
template <class T>
RowMatrix<double> expected_of() {
  RowMatrix<double> m(2, 3);
  if constexpr (std::is_same_v<T, bool>)
    m << 0, 1, 1, 1, 0, 0;
  else if constexpr (std::is_integral_v<T>)
    m << static_cast<double>(std::numeric_limits<T>::min()), 0, 1, 2, 100,
        static_cast<double>(std::numeric_limits<T>::max());
  else {
    constexpr bool half = std::is_same_v<T, Half>;
    using F = std::conditional_t<half, float, T>;
    m << -0.0, 1.5, half ? 65504.0 : static_cast<double>(std::numeric_limits<F>::max()),
        half ? 0x1p-24 : static_cast<double>(std::numeric_limits<F>::denorm_min()),
        -std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN();
  }
  return m;
}
bool same(const RowMatrix<double>& a, const RowMatrix<double>& b) {
  if (a.rows() != b.rows() || a.cols() != b.cols()) return false;
  for (Index k = 0; k < a.size(); ++k) {
    const double x = a.data()[k], y = b.data()[k];
    if (std::isnan(x) ? !std::isnan(y) : x != y || std::signbit(x) != std::signbit(y)) return false;
  }
  return true;
}
std::string npy_bytes(std::string shape, std::string_view data) {
  const std::string text = "{'descr': '|u1', 'fortran_order': False, 'shape': " + shape + ", }";
  return "\x93NUMPY\x01" + std::string(1, '\0') + mts_test::number(text.size(), 2) + text + std::string(data);
}

}  // namespace

TEST_CASE("arrays of every type are read as NumPy wrote them: byte order, order of indices, stored and compressed") {
  for (const char* archive : {"types.npz", "types_compressed.npz"}) {
    const auto check = [&]<class T>(std::type_identity<T>, std::string type) {
      for (const char* form : {"", "_fortran", "_big", "_big_fortran"}) {
        if (sizeof(T) == 1 && std::string_view(form).starts_with("_big")) continue;
        CAPTURE(archive);
        CAPTURE(type);
        CAPTURE(form);
        const ArrayFile file(numpy_file(archive + std::string(":") + type + form));
        CHECK(file.type().name().substr(1) == type);
        CHECK(file.type().big_endian == std::string_view(form).starts_with("_big"));
        CHECK(file.mapped() == (std::string_view(archive) == "types.npz"));
        CHECK(file.name().ends_with(archive + std::string(":") + type + form));
        CHECK(same(all_rows(file), expected_of<T>()));
        file.check_crc();
      }
    };
    check(std::type_identity<bool>(), "b1");
    check(std::type_identity<std::int8_t>(), "i1");
    check(std::type_identity<std::int16_t>(), "i2");
    check(std::type_identity<std::int32_t>(), "i4");
    check(std::type_identity<std::int64_t>(), "i8");
    check(std::type_identity<std::uint8_t>(), "u1");
    check(std::type_identity<std::uint16_t>(), "u2");
    check(std::type_identity<std::uint32_t>(), "u4");
    check(std::type_identity<std::uint64_t>(), "u8");
    check(std::type_identity<Half>(), "f2");
    check(std::type_identity<float>(), "f4");
    check(std::type_identity<double>(), "f8");
  }
}

TEST_CASE("an array's rows are its first index, whatever its rank and order; all header versions are read") {
  const ArrayFile vector(numpy_file("shapes.npz:vector"));
  CHECK(vector.shape() == std::vector<std::size_t>{5});
  CHECK(same(all_rows(vector), RowMatrix<double>::NullaryExpr(5, 1, [](Index i) { return static_cast<double>(i); })));
  const auto counted = [](Index n, Index d) {
    RowMatrix<double> m(n, d);
    for (Index k = 0; k < m.size(); ++k) m.data()[k] = static_cast<double>(k);
    return m;
  };
  CHECK(same(all_rows(numpy_file("shapes.npz:block")), counted(4, 6)));
  CHECK(same(all_rows(numpy_file("shapes.npz:block_fortran")), counted(4, 6)));
  CHECK(same(all_rows(numpy_file("shapes.npz:view")), (RowMatrix<double>(2, 2) << 1, 3, 11, 13).finished()));
  CHECK(same(all_rows(numpy_file("shapes.npz:number")), RowMatrix<double>::Constant(1, 1, 2.5)));
  CHECK(same(all_rows(numpy_file("shapes.npz:empty")), RowMatrix<double>(0, 3)));
  CHECK(same(all_rows(numpy_file("shapes.npz:no_columns")), RowMatrix<double>(4, 0)));
  CHECK(same(all_rows(numpy_file("fortran.npy")), counted(2, 3)));
  for (const char* version : {"version_1.npy", "version_2.npy", "version_3.npy"})
    CHECK(same(all_rows(numpy_file(version)), counted(2, 3)));
}

TEST_CASE("ranges of rows are those of the whole, into a view of wider rows too") {
  const TemporaryFolder folder;
  const Index n = 700, side = 3, cols = 15;  // more than a tile of rows
  const RowMatrix<float> m = RowMatrix<float>::Random(n, cols);
  const std::vector<std::size_t> shape{700, 3, 5};
  write_npy<float>(folder / "c.npy", std::span<const float>(m.data(), static_cast<std::size_t>(m.size())), shape);
  std::vector<float> turned(static_cast<std::size_t>(m.size()));
  for (Index i = 0; i < n; ++i)
    for (Index a = 0; a < side; ++a)
      for (Index b = 0; b < 5; ++b) turned[static_cast<std::size_t>(i + n * (a + side * b))] = m(i, a * 5 + b);
  write_npy<float>(folder / "f.npy", turned, shape);
  std::string bytes = mts_test::read_plainly(folder / "f.npy");
  write_plainly(folder / "f.npy", bytes.replace(bytes.find("False"), 5, "True "));
  for (const char* name : {"c.npy", "f.npy"}) {
    const ArrayFile file(folder / name);
    CHECK(file.cols() == cols);
    for (const auto& [begin, end] :
         std::vector<std::pair<Index, Index>>{{0, 700}, {0, 1}, {100, 300}, {699, 700}, {9, 9}}) {
      RowMatrix<float> out;
      file.read_rows(begin, end, out);
      CHECK(out == m.middleRows(begin, end - begin));
    }
    RowMatrix<double> wide = RowMatrix<double>::Constant(200, 20, 7);
    file.read_rows(300, mts::Rows<double>(wide.data() + 2, 200, cols, Eigen::OuterStride<>(20)));
    CHECK(wide.middleCols(2, cols) == m.middleRows(300, 200).cast<double>());
    CHECK((wide.leftCols(2).array() == 7).all());
    CHECK((wide.rightCols(3).array() == 7).all());
    RowMatrix<float> out;
    CHECK_REFUSED(mts::ValueError, file.read_rows(-1, 3, out), name, "its 700 rows, found -1 to 3");
    CHECK_REFUSED(mts::ValueError, file.read_rows(0, 701, out), "found 0 to 701");
    CHECK_REFUSED(mts::ValueError, file.read_rows(5, 4, out), "found 5 to 4");
    CHECK_REFUSED(mts::ShapeError, file.read_rows(0, mts::rows_of(wide)), name, "columns", "expected 15", "found 20");
  }
}

TEST_CASE("an array larger than memory is scanned by ranges of rows") {
  const TemporaryFolder folder;
  const auto path = folder / "large.npy";
  const std::size_t rows = std::size_t{1} << 38;  // 256 GiB, a hole but for the last row
  std::string header = npy_bytes("(" + std::to_string(rows) + ", 1)", "");
  write_plainly(path, header);
  std::filesystem::resize_file(path, header.size() + rows - 1);
  std::ofstream(path, std::ios::binary | std::ios::app) << '\x2a';
  const ArrayFile file(path);
  RowMatrix<float> out;
  file.read_rows(file.rows() - 2, file.rows(), out);
  CHECK(out == (RowMatrix<float>(2, 1) << 0, 42).finished());
}

TEST_CASE("numbers that the target can't hold become infinite, integers the nearest") {
  const TemporaryFolder folder;
  write_npy(folder / "d.npy", std::vector<double>{1e300, -1e300, 1e-300, 0.1});
  RowMatrix<float> out;
  ArrayFile(folder / "d.npy").read_rows(0, 4, out);
  CHECK(out(0, 0) == std::numeric_limits<float>::infinity());
  CHECK(out(1, 0) == -std::numeric_limits<float>::infinity());
  CHECK(out(2, 0) == 0);
  CHECK(out(3, 0) == 0.1f);
  write_npy(folder / "i.npy", std::vector<std::int32_t>{16777217, 16777219});
  ArrayFile(folder / "i.npy").read_rows(0, 2, out);
  CHECK(out(0, 0) == 16777216.0f);
  CHECK(out(1, 0) == 16777220.0f);
}

TEST_CASE("a member is found by its name, with .npy too; without one the only array is taken") {
  CHECK(ArrayFile(numpy_file("only.npz")).name().ends_with("only.npz:features"));
  CHECK(ArrayFile(numpy_file("only.npz:features")).rows() == 4);
  CHECK(ArrayFile(numpy_file("only.npz:features.npy")).rows() == 4);
  const TemporaryFolder folder;
  const std::string array = npy_bytes("(3,)", "abc");
  write_plainly(folder / "a.npz",
                mts_test::zip_of({mts_test::zip_entry("readme", "text"), mts_test::zip_entry("x.npy", array)}));
  CHECK(ArrayFile(folder / "a.npz").name() == (folder / "a.npz").string() + ":x");
  std::filesystem::rename(folder / "a.npz", folder / "a");  // what it is, its bytes say
  CHECK(ArrayFile(folder / "a").rows() == 3);
  CHECK_REFUSED(DataError, ArrayFile(numpy_file("shapes.npz")),
                "shapes.npz: expected a single array, or the name of one", "found 7 arrays: vector, number, empty");
  CHECK_REFUSED(DataError, ArrayFile(numpy_file("only.npz:labels")), "only.npz: expected an array called labels",
                "found 1 array: features");
  CHECK_REFUSED(DataError, ArrayFile(numpy_file("types.npz:x")), "found 42 arrays: i1, ", ", ...");
  write_plainly(folder / "empty.npz", mts_test::zip_of({}));
  CHECK_REFUSED(DataError, ArrayFile(folder / "empty.npz"), "empty.npz: expected a single array", "found 0 arrays");
  write_plainly(folder / "no.npz", array);
  CHECK_REFUSED(DataError, ArrayFile(folder / "no.npz:x"), "expected an .npz archive with an array x, found no zip");
}

TEST_CASE("what NumPy can write and no matrix can hold is refused by what it is") {
  CHECK_REFUSED(DataError, ArrayFile(numpy_file("structured.npy")), "structured.npy",
                "[('id', '<i4'), ('score', '<f8')]", "a structured type");
  CHECK_REFUSED(DataError, ArrayFile(numpy_file("objects.npy")), "objects.npy", "found |O: Python objects");
  CHECK_REFUSED(DataError, ArrayFile(numpy_file("texts.npy")), "texts.npy", "found <U5: texts");
  CHECK_REFUSED(DataError, ArrayFile(numpy_file("complex.npy")), "complex.npy", "found <c8");
}

TEST_CASE("files of arrays that are missing, or truncated at any byte, are refused by name") {
  const TemporaryFolder folder;
  CHECK_REFUSED(DataError, ArrayFile(folder / "nowhere.npy"), "nowhere.npy", "an array", "No such file");
  CHECK_REFUSED(DataError, ArrayFile(folder / "nowhere.npz:x"), "nowhere.npz: expected an array", "No such file");
  CHECK_REFUSED(DataError, ArrayFile(folder.path), "no regular file");
  for (const char* name : {"fortran.npy", "version_2.npy", "only.npz", "shapes.npz"}) {
    const std::string good = mts_test::read_plainly(numpy_file(name));
    for (std::size_t n = 0; n < good.size(); ++n) {
      write_plainly(folder / name, good.substr(0, n));
      CHECK_REFUSED(DataError, ArrayFile(folder / name), (folder / name).string(), "expected");
    }
    write_plainly(folder / name, good + "x");
    CHECK_REFUSED(DataError, ArrayFile(folder / name), (folder / name).string());
  }
}

TEST_CASE("a member whose .npy and directory disagree on its length is refused before it is inflated") {
  const TemporaryFolder folder;
  const auto path = folder / "a.npz";
  for (const bool deflate : {false, true}) {
    write_plainly(path, mts_test::zip_of({mts_test::zip_entry("x.npy", npy_bytes("(3,)", "abcd"), deflate)}));
    CHECK_REFUSED(DataError, ArrayFile(path), "a.npz:x: expected 3 bytes after the header, found 4: too many");
    write_plainly(path, mts_test::zip_of({mts_test::zip_entry("x.npy", npy_bytes("(5,)", "abcd"), deflate)}));
    CHECK_REFUSED(DataError, ArrayFile(path), "a.npz:x: expected 5 bytes after the header, found 4: truncated");
    write_plainly(path, mts_test::zip_of({mts_test::zip_entry("x.npy", npy_bytes("(5,)", "").substr(0, 40), deflate)}));
    CHECK_REFUSED(DataError, ArrayFile(path), "a.npz:x: expected a .npy header of", "truncated");
    write_plainly(path, mts_test::zip_of({mts_test::zip_entry("x.npy", "text", deflate)}));
    CHECK_REFUSED(DataError, ArrayFile(path), "a.npz:x: expected the magic number");
  }
  auto shorter = mts_test::zip_entry("x.npy", npy_bytes("(3,)", "abc"), true);
  shorter.size = shorter.local_size = 40;  // less than the header that comes
  write_plainly(path, mts_test::zip_of({shorter}));
  CHECK_REFUSED(DataError, ArrayFile(path), "a.npz:x: expected a .npy header of", "truncated");
  write_plainly(path,
                mts_test::zip_of({mts_test::zip_entry("x.npy", npy_bytes("(500,)", std::string(500, 'x')), true)}));
  CHECK_REFUSED(DataError, ArrayFile(path, 500), "a.npz:x: expected a compressed array of at most 500 bytes, found 5");
}

TEST_CASE("a damaged member is refused: compressed when it is opened, mapped when its checksum is asked for") {
  const TemporaryFolder folder;
  const auto path = folder / "a.npz";
  auto member = mts_test::zip_entry("x.npy", npy_bytes("(3,)", "abc"));
  member.data.back() = 'd';
  write_plainly(path, mts_test::zip_of({member}));
  CHECK_REFUSED(DataError, ArrayFile(path).check_crc(), "a.npz:x: expected contents of the CRC", "damaged");
  member = mts_test::zip_entry("x.npy", npy_bytes("(3,)", "abc"), true);
  member.crc ^= 1;
  write_plainly(path, mts_test::zip_of({member}));
  CHECK_REFUSED(DataError, ArrayFile(path), "member x.npy: expected contents of the CRC", "damaged");
}

TEST_CASE("an array whose file is shortened meanwhile is refused; one that is replaced keeps its numbers") {
  const TemporaryFolder folder;
  const auto path = folder / "a.npy";
  write_npy(path, std::vector<float>(10000, 1.5f));
  const ArrayFile first(path);
  write_npy(path, std::vector<float>(10000, 2.5f));
  const ArrayFile second(path);
  std::filesystem::resize_file(path, 4096);
  RowMatrix<float> out;
  first.read_rows(0, 10000, out);
  CHECK(out == RowMatrix<float>::Constant(10000, 1, 1.5f));
  CHECK_REFUSED(DataError, second.read_rows(0, 1, out), path.string(), "found 4096", "truncated meanwhile");
}
