// Arrays of other programs as matrices and labels: what they become, and what is refused.
#include "mts/data/arrays.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
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

TEST_CASE("read_matrix gives the rows of an array in the scalar that is asked for") {
  RowMatrix<float> features(4, 3);
  for (Index k = 0; k < 12; ++k) features.data()[k] = static_cast<float>(k);
  CHECK(read_matrix<float>(numpy_file("only.npz")) == features);
  CHECK(read_matrix<double>(numpy_file("only.npz:features")) == features.cast<double>());
  CHECK(read_matrix<float>(numpy_file("vector.npy")) == (RowMatrix<float>(3, 1) << 1.5f, -2.5f, 0.25f).finished());
  CHECK(read_matrix<double>(numpy_file("types.npz:i8_big_fortran"))(1, 2) == 0x1p63);
  CHECK(read_matrix<float>(numpy_file("types.npz:b1")) == (RowMatrix<float>(2, 3) << 0, 1, 1, 1, 0, 0).finished());
  CHECK(read_matrix<float>(numpy_file("shapes.npz:empty")).cols() == 3);
  CHECK(read_matrix<float>(numpy_file("shapes.npz:no_columns")).rows() == 4);
  CHECK_REFUSED(DataError, read_matrix<float>(numpy_file("shapes.npz:number")), "shapes.npz:number",
                "expected an array of rows, found a single number");
}

TEST_CASE("read_matrix refuses numbers that are not finite, or not in the scalar, unless any will do") {
  const auto half = numpy_file("types.npz:f2_big");
  CHECK_REFUSED(DataError, read_matrix<double>(half),
                "types.npz:f2_big: row 1, column 1: expected a finite number, found -inf");
  CHECK_REFUSED(DataError, read_matrix<float>(half), "that a float can hold, found -inf");
  CHECK(std::isnan(read_matrix<float>(half, Numbers::any)(1, 2)));
  const TemporaryFolder folder;
  write_npy(folder / "x.npy", RowMatrix<double>(RowMatrix<double>::Constant(1, 2, 1e39)));
  CHECK_REFUSED(DataError, read_matrix<float>(folder / "x.npy"), "x.npy: row 0, column 0",
                "a float can hold, found 1e+39");
  CHECK(read_matrix<double>(folder / "x.npy")(0, 1) == 1e39);
  CHECK(read_matrix<float>(folder / "x.npy", Numbers::any)(0, 1) == std::numeric_limits<float>::infinity());
  write_npy(folder / "x.npy", std::vector<float>{1, std::numeric_limits<float>::quiet_NaN()});
  CHECK_REFUSED(DataError, read_matrix<float>(folder / "x.npy"), "x.npy: row 1, column 0", "found nan");
}

TEST_CASE("read_integers gives integers of every type, and truth values as 0 and 1") {
  CHECK(read_integers(numpy_file("shapes.npz:vector")) == std::vector<int>{0, 1, 2, 3, 4});
  const TemporaryFolder folder;
  const auto check_type = [&]<class T>(T last) {
    write_npy(folder / "y.npy", std::vector<T>{3, 0, last});
    CHECK(read_integers(folder / "y.npy") == std::vector<int>{3, 0, static_cast<int>(last)});
  };
  check_type(std::uint8_t{255});
  check_type(std::int8_t{-128});
  check_type(std::int16_t{-32768});
  check_type(std::uint16_t{65535});
  check_type(std::int32_t{-2147483647 - 1});
  check_type(std::int64_t{2147483647});
  check_type(std::uint32_t{2147483647});
  check_type(std::uint64_t{7});
  const std::size_t column[] = {2, 1};
  write_npy<std::int32_t>(folder / "y.npy", std::vector<std::int32_t>{4, 5}, column);
  CHECK(read_integers(folder / "y.npy") == std::vector<int>{4, 5});
  write_npy(folder / "y.npy", std::vector<std::uint8_t>{0, 1, 2});
  std::string bytes = mts_test::read_plainly(folder / "y.npy");
  mts_test::write_plainly(folder / "y.npy", bytes.replace(bytes.find("u1"), 2, "b1"));
  CHECK(read_integers(folder / "y.npy") == std::vector<int>{0, 1, 1});
}

TEST_CASE("read_integers refuses what is out of range, no integer or no vector, with file and row") {
  const TemporaryFolder folder;
  const auto path = folder / "y.npy";
  const auto refused = [&]<class T>(std::vector<T> values, const char* found) {
    write_npy(path, values);
    CHECK_REFUSED(DataError, read_integers(path), "y.npy: row 1: expected an integer from -2147483648 to 2147483647",
                  found);
  };
  refused(std::vector<std::uint32_t>{0, 2147483648u}, "found 2147483648");
  refused(std::vector<std::uint64_t>{0, std::numeric_limits<std::uint64_t>::max()}, "found 18446744073709551615");
  refused(std::vector<std::int64_t>{0, std::numeric_limits<std::int64_t>::min()}, "found -9223372036854775808");
  write_npy(path, std::vector<std::int8_t>{0, 3, -1, 4});
  CHECK_REFUSED(DataError, read_integers(path, 0), "row 2: expected an integer from 0 to 2147483647, found -1");
  CHECK_REFUSED(DataError, read_integers(path, -1, 2), "row 1: expected an integer from -1 to 2, found 3");
  CHECK(read_integers(path, -1, 4).size() == 4);
  CHECK_REFUSED(DataError, read_integers(numpy_file("vector.npy")), "expected integers, found entries of type <f4");
  CHECK_REFUSED(DataError, read_integers(numpy_file("shapes.npz:block")), "N or N x 1, found 4 x 3 x 2");
  write_npy<std::int32_t>(path, std::vector<std::int32_t>{4}, {});
  CHECK_REFUSED(DataError, read_integers(path), "N or N x 1, found no sides");
}

TEST_CASE("whole arrays of an archive are compared with its checksum") {
  const TemporaryFolder folder;
  const auto path = folder / "a.npz";
  write_npy(folder / "x.npy", std::vector<std::int32_t>{1, 2, 3});
  auto member = mts_test::zip_entry("x.npy", mts_test::read_plainly(folder / "x.npy"));
  mts_test::write_plainly(path, mts_test::zip_of({member}));
  CHECK(read_integers(path) == std::vector<int>{1, 2, 3});
  member.data.back() = 1;
  mts_test::write_plainly(path, mts_test::zip_of({member}));
  CHECK_REFUSED(DataError, read_integers(path), "a.npz:x", "damaged");
  CHECK_REFUSED(DataError, read_matrix<float>(path), "a.npz:x", "damaged");
  CHECK_REFUSED(DataError, read_npy<std::int32_t>(path), "a.npz:x", "damaged");
}
