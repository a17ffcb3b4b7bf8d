// The CIFAR reader: records written out by hand, and every way in which a file can be bad.
#include "mts/data/cifar.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "data/support.hpp"

using namespace mts::data;
using mts::DataError;
using mts_test::TemporaryFolder;
using mts_test::write_plainly;

namespace {

using Paths = std::vector<std::filesystem::path>;

// Byte of channel c at pixel (y, x) of image i.
unsigned value(std::size_t i, std::size_t y, std::size_t x, std::size_t c) {
  return (7 * i + 5 * y + 3 * x + 90 * c) % 256;
}

// n records whose labels are given record by record.
std::string records(const std::vector<std::vector<int>>& labels) {
  std::string bytes;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    for (const int label : labels[i]) bytes += static_cast<char>(label);
    for (std::size_t c = 0; c < 3; ++c)
      for (std::size_t y = 0; y < 32; ++y)
        for (std::size_t x = 0; x < 32; ++x) bytes += static_cast<char>(value(i, y, x, c));
  }
  return bytes;
}

void check_pixels(const ImageSet& set, std::size_t image, std::size_t i) {
  bool same = true;
  for (std::size_t y = 0; y < 32; ++y)
    for (std::size_t x = 0; x < 32; ++x)
      for (std::size_t c = 0; c < 3; ++c)
        same = same && set.images()(image, y, x, c) == static_cast<float>(value(i, y, x, c)) / 255.0f;
  CHECK(same);
}

}  // namespace

TEST_CASE("CIFAR-10: records become images, channels last, file after file, plain and gzipped") {
  const TemporaryFolder folder;
  write_plainly(folder / "a.bin", records({{3}, {9}}));
  write_plainly(folder / "b.bin.gz", detail::gzip(records({{0}})));
  const auto set = read_cifar(Paths{folder / "a.bin", folder / "b.bin.gz"}, CifarLabels::cifar10);
  CHECK(set.size() == 3);
  CHECK(set.shape() == ImageShape{32, 32, 3});
  CHECK(set.classes() == 10);
  CHECK(std::vector<int>(set.labels().begin(), set.labels().end()) == std::vector<int>{3, 9, 0});
  check_pixels(set, 0, 0);
  check_pixels(set, 1, 1);
  check_pixels(set, 2, 0);
}

TEST_CASE("CIFAR-100: the coarse or the fine label") {
  const TemporaryFolder folder;
  write_plainly(folder / "train.bin", records({{19, 99}, {0, 7}}));
  write_plainly(folder / "test.bin", records({{4, 20}}));
  const auto fine = read_cifar_data(folder.path, CifarLabels::cifar100_fine);
  CHECK(fine.train.classes() == 100);
  CHECK(fine.train.label(0) == 99);
  CHECK(fine.train.label(1) == 7);
  CHECK(fine.test.label(0) == 20);
  check_pixels(fine.train, 1, 1);
  const auto coarse = read_cifar_data(folder.path, CifarLabels::cifar100_coarse);
  CHECK(coarse.train.classes() == 20);
  CHECK(coarse.train.label(0) == 19);
  CHECK(coarse.test.label(0) == 4);
  CHECK(coarse.train.images() == fine.train.images());
}

TEST_CASE("CIFAR-10: a folder as it is published, batches in their order") {
  const TemporaryFolder folder;
  for (int k = 1; k <= 5; ++k) write_plainly(folder / ("data_batch_" + std::to_string(k) + ".bin"), records({{k}}));
  write_plainly(folder / "test_batch.bin.gz", detail::gzip(records({{6}, {7}})));
  const auto data = read_cifar_data(folder.path, CifarLabels::cifar10);
  CHECK(std::vector<int>(data.train.labels().begin(), data.train.labels().end()) == std::vector<int>{1, 2, 3, 4, 5});
  CHECK(data.test.size() == 2);
  std::filesystem::remove(folder / "data_batch_4.bin");
  CHECK_REFUSED(DataError, read_cifar_data(folder.path, CifarLabels::cifar10), "data_batch_4.bin", "No such file");
}

TEST_CASE("CIFAR: a file that is no whole number of records is refused, one of the other format too") {
  const TemporaryFolder folder;
  const Paths file{folder / "a.bin"};
  const auto read = [&] { return read_cifar(file, CifarLabels::cifar10); };
  CHECK_REFUSED(DataError, read(), "a.bin", "CIFAR", "No such file");
  write_plainly(file[0], "");
  CHECK_REFUSED(DataError, read(), "a.bin", "expected records of 3073 bytes, found none");
  write_plainly(file[0], records({{1}, {2}}).substr(0, 6145));
  CHECK_REFUSED(DataError, read(), "a.bin", "found 6145 bytes", "1 records and 3072 bytes more");
  write_plainly(file[0], records({{1}}) + "x");
  CHECK_REFUSED(DataError, read(), "1 records and 1 bytes more");
  write_plainly(file[0], records({{1, 2}}));
  CHECK_REFUSED(DataError, read(), "records of 3073 bytes", "found 3074");
  write_plainly(file[0], records({{1}}));
  CHECK_REFUSED(DataError, read_cifar(file, CifarLabels::cifar100_fine), "records of 3074 bytes", "found 3073");
  CHECK_REFUSED(mts::ValueError, read_cifar(Paths{}, CifarLabels::cifar10), "at least one file");
}

TEST_CASE("CIFAR: labels out of range are refused with file and record") {
  const TemporaryFolder folder;
  const Paths files{folder / "good.bin", folder / "bad.bin"};
  write_plainly(files[0], records({{1}}));
  write_plainly(files[1], records({{9}, {10}}));
  CHECK_REFUSED(DataError, read_cifar(files, CifarLabels::cifar10), "bad.bin: the label of record 1", "0 to 9",
                "found 10");
  write_plainly(files[1], records({{255}}));
  CHECK_REFUSED(DataError, read_cifar(files, CifarLabels::cifar10), "bad.bin: the label of record 0", "found 255");
  const Paths file{folder / "hundred.bin"};
  for (const auto which : {CifarLabels::cifar100_fine, CifarLabels::cifar100_coarse}) {
    write_plainly(file[0], records({{19, 99}, {20, 0}}));
    CHECK_REFUSED(DataError, read_cifar(file, which), "coarse label of record 1", "0 to 19", "found 20");
    write_plainly(file[0], records({{19, 100}}));
    CHECK_REFUSED(DataError, read_cifar(file, which), "fine label of record 0", "0 to 99", "found 100");
  }
}

TEST_CASE("CIFAR: damaged gzip, and a name that promises it, are refused") {
  const TemporaryFolder folder;
  const std::string good = detail::gzip(records({{1}, {2}}));
  const Paths file{folder / "a.bin.gz"};
  for (const std::size_t n : {std::size_t{2}, good.size() / 2, good.size() - 1}) {
    write_plainly(file[0], good.substr(0, n));
    CHECK_REFUSED(DataError, read_cifar(file, CifarLabels::cifar10), "a.bin.gz", "truncated");
  }
  write_plainly(file[0], records({{1}}));
  CHECK_REFUSED(DataError, read_cifar(file, CifarLabels::cifar10), "a.bin.gz", "expected gzip");
}
