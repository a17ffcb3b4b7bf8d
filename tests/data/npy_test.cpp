// .npy files: what is read back, the bytes that NumPy writes, and every way in which a file can be bad.
#include "mts/data/npy.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <numeric>
#include <string>
#include <variant>
#include <vector>

#include "data/support.hpp"

using mts::DataError;
using namespace mts::data;
using mts_test::read_plainly;
using mts_test::TemporaryFolder;
using mts_test::write_plainly;

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

TEST_CASE("a npy file of one of several types is read as what it is") {
  const TemporaryFolder folder;
  const auto path = folder / "a.npy";
  const auto read = [&] { return read_npy_of<std::uint8_t, float, std::int16_t>(path); };
  write_npy(path, std::vector<float>{1.5f, 2.5f});
  CHECK(std::get<NpyArray<float>>(read()).values == std::vector<float>{1.5f, 2.5f});
  write_npy(path, std::vector<std::int16_t>{-7});
  CHECK(std::get<NpyArray<std::int16_t>>(read()).values == std::vector<std::int16_t>{-7});
  CHECK(std::get<NpyArray<std::int16_t>>(read()).shape == std::vector<std::size_t>{1});
  write_npy(path, std::vector<std::uint16_t>{7});
  CHECK_REFUSED(DataError, read(), "expected entries of type |u1 or <f4 or <i2", "found <u2");
}

TEST_CASE("a npy file of another byte order or in Fortran order is read in C order, as is a member of an npz file") {
  using mts_test::numpy_file;
  const auto fortran = read_npy<std::int64_t>(numpy_file("fortran.npy"));  // big-endian
  CHECK(fortran.shape == std::vector<std::size_t>{2, 3});
  CHECK(fortran.values == std::vector<std::int64_t>{0, 1, 2, 3, 4, 5});
  const auto block = read_npy<std::int32_t>(numpy_file("shapes.npz:block_fortran"));
  CHECK(block.shape == std::vector<std::size_t>{4, 3, 2});
  std::vector<std::int32_t> counted(24);
  std::iota(counted.begin(), counted.end(), 0);
  CHECK(block.values == counted);
  CHECK_REFUSED(DataError, read_npy<std::int32_t>(numpy_file("fortran.npy")), "type <i4, found >i8");
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
  refused_with(good.substr(0, 6) + "\x04" + good.substr(7), "found 4.0");
  refused_with(good.substr(0, 100), "truncated");
  refused_with(good.substr(0, good.size() - 1), "expected 24 bytes after the header, found 23: truncated");
  refused_with(good + "x", "found 25: too many");
  refused_with(changed("(2, 3)", "(2, 4)"), "expected 32 bytes");
  refused_with(changed("(2, 3), }   ", "(2, 999999, 999999999), }").substr(0, good.size()), "found");
  refused_with(changed("'shape'", "'shapo'"), "descr, fortran_order and shape");
  refused_with(changed("(2, 3)", "(2, -)"), "expected sides from 0");
  refused_with(changed("(2, 3), }", "(2, 3) ; "), "descr, fortran_order and shape");
  CHECK_REFUSED(mts::ShapeError, write_npy<float>(path, std::span<const float>(values).first(5), shape), "expected 6",
                "found 5");
}
