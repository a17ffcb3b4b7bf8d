// No allocation in steady state, and none by what a forged file claims.
#include <doctest/doctest.h>

#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "data/support.hpp"
#include "data/zip_builder.hpp"
#include "mts/data/arrays.hpp"
#include "mts/data/augment.hpp"
#include "mts/data/idx.hpp"
#include "mts/data/npy.hpp"
#include "mts/data/weighted_sampler.hpp"
#include "support/allocations.hpp"

#if defined(MTS_COUNTS_ALLOCATIONS)

using namespace mts::data;
using mts::Index;
using mts::RowMatrix;

TEST_CASE("augmentation allocates nothing once sizes repeat") {
  const mts::ThreadLimit limit(1);
  const ImageShape shape{32, 32, 3};
  const Augmentation<float> a(shape, {.padding = 4, .flip = 0.5}, 5);
  std::vector<Index> ids(70);
  std::iota(ids.begin(), ids.end(), Index{0});
  RowMatrix<float> images = RowMatrix<float>::Random(70, shape.size()), out(70, shape.size());
  const auto step = [&](std::uint64_t k) {
    a.in_place(mts::rows_of(images), ids, k);
    a.into(mts::rows_of(std::as_const(images)), ids, k, mts::rows_of(out));
  };
  step(0);
  CHECK(mts_test::allocations_of([&] { step(1); }) == 0);
  std::unique_ptr<int> proof;
  CHECK(mts_test::allocations_of([&] { proof = std::make_unique<int>(1); }) == 1);  // that it does count
}

TEST_CASE("WeightedSampler allocates nothing once it has filled a batch, when an epoch begins neither") {
  WeightedSampler sampler(mts::SampleVector::LinSpaced(50, 0, 3), {.batch = 20, .seed = 1});
  std::vector<Index> ids;
  sampler.next(ids);
  CHECK(mts_test::allocations_of([&] {
          for (int k = 0; k < 10; ++k) sampler.next(ids);
        }) == 0);
  CHECK(sampler.state().epoch == 4);
}

TEST_CASE("rows of an array in C order are read without an allocation once sizes repeat") {
  const mts_test::TemporaryFolder folder;
  write_npy(folder / "x.npy", RowMatrix<double>(RowMatrix<double>::Random(100, 7)));
  const ArrayFile file(folder / "x.npy");
  RowMatrix<float> out;
  file.read_rows(0, 20, out);
  CHECK(mts_test::allocations_of([&] { file.read_rows(50, 70, out); }) == 0);
}

TEST_CASE("forged files take no memory by what they claim") {
  const mts_test::TemporaryFolder folder;
  const auto path = folder / "forged";
  const auto bytes_for = [&](auto&& read) {
    return mts_test::allocations_of_all_threads([&] { CHECK(mts_test::message_of<mts::DataError>(read) != ""); }).bytes;
  };
  const auto npy = [](std::string shape) {
    std::string text = "{'descr': '|u1', 'fortran_order': False, 'shape': " + shape + ", }";
    return "\x93NUMPY\x01" + std::string(1, '\0') + mts_test::number(text.size(), 2) + text;
  };
  const auto matrix = [&] { (void)read_matrix<float>(path); };
  const auto integers = [&] { (void)read_integers(path); };
  const auto bytes = [&] { (void)read_npy<std::uint8_t>(path); };
  const auto check_small = [&](std::string_view contents) {
    mts_test::write_plainly(path, contents);
    CHECK(bytes_for(matrix) < 400'000);  // zlib's window and what messages are made of
    CHECK(bytes_for(integers) < 400'000);
    CHECK(bytes_for(bytes) < 400'000);
  };
  for (const char* shape : {"(10000000,)", "(9000000000000,)", "(1000000, 1000000)", "(0, 9999999999, 9999999999)"})
    check_small(npy(shape) + "1234");
  check_small("\x93NUMPY\x02" + std::string(1, '\0') + "\xff\xff\xff\x7f" + std::string(100, ' '));

  // A member whose .npy announces 10 MB that are there, in a directory that knows of 10 bytes; and the other way round.
  const std::size_t large = 10'000'000;
  const std::string bomb = npy("(10000000,)") + std::string(large, '\1');
  auto member = mts_test::zip_entry("x.npy", bomb, true);
  member.size = member.local_size = bomb.size() - large + 10;
  check_small(mts_test::zip_of({member}));
  member = mts_test::zip_entry("x.npy", npy("(10,)") + std::string(large, '\1'), true);
  check_small(mts_test::zip_of({member}));
  // Both say 10 bytes, and 10 MB would come.
  member.size = member.local_size = npy("(10,)").size() + 10;
  check_small(mts_test::zip_of({member}));
  // Both say 10 MB, and 4 bytes come.
  member = mts_test::zip_entry("x.npy", npy("(10000000,)") + "1234", true);
  member.size = member.local_size = bomb.size();
  check_small(mts_test::zip_of({member}));
  // An honest one that is larger than the limit.
  mts_test::write_plainly(path, mts_test::zip_of({mts_test::zip_entry("x.npy", bomb, true)}));
  CHECK(bytes_for([&] { ArrayFile(path, large); }) < 400'000);
  CHECK(ArrayFile(path, bomb.size()).rows() == static_cast<Index>(large));

  mts_test::write_plainly(path, std::string("\0\0\x08\x02\0\x98\x96\x80\0\0\0\1", 12) + "1234");
  CHECK(bytes_for([&] { (void)read_idx(path); }) < 400'000);
}

#endif
