// Images and labels from .npy files: the layouts, the types, and every way in which a pair of files can be bad.
#include "mts/data/npy_images.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "data/support.hpp"

using namespace mts::data;
using mts::DataError;
using mts_test::TemporaryFolder;

namespace {

// Two images of 2 x 3 pixels with two channels, as bytes.
std::uint8_t value(std::size_t i, std::size_t y, std::size_t x, std::size_t c) {
  return static_cast<std::uint8_t>(100 * i + 30 * y + 7 * x + 60 * c);
}

struct Pair {
  TemporaryFolder folder;
  std::filesystem::path images = folder / "x.npy", labels = folder / "y.npy";
  Pair() { write_npy(labels, std::vector<std::int64_t>{1, 0}); }
  template <class T>
  void write(const std::vector<T>& values, const std::vector<std::size_t>& shape) const {
    write_npy<T>(images, values, shape);
  }
  ImageSet read(ImageLayout layout, int classes = 0) const { return read_npy_images(images, labels, layout, classes); }
};

}  // namespace

TEST_CASE("images from .npy: grey, channels last and channels first; bytes and float32") {
  const Pair pair;
  std::vector<std::uint8_t> last, first;
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t y = 0; y < 2; ++y)
      for (std::size_t x = 0; x < 3; ++x)
        for (std::size_t c = 0; c < 2; ++c) last.push_back(value(i, y, x, c));
    for (std::size_t c = 0; c < 2; ++c)
      for (std::size_t y = 0; y < 2; ++y)
        for (std::size_t x = 0; x < 3; ++x) first.push_back(value(i, y, x, c));
  }
  const auto check_images = [](const ImageSet& set) {
    CHECK(set.shape() == ImageShape{2, 3, 2});
    CHECK(set.size() == 2);
    CHECK(set.label(0) == 1);
    for (std::size_t i = 0; i < 2; ++i)
      for (std::size_t y = 0; y < 2; ++y)
        for (std::size_t x = 0; x < 3; ++x)
          for (std::size_t c = 0; c < 2; ++c)
            CHECK(set.images()(i, y, x, c) == static_cast<float>(value(i, y, x, c)) / 255.0f);
  };
  pair.write(last, {2, 2, 3, 2});
  check_images(pair.read(ImageLayout::channels_last));
  pair.write(first, {2, 2, 2, 3});
  check_images(pair.read(ImageLayout::channels_first));
  std::vector<float> numbers;
  for (const auto b : first) numbers.push_back(static_cast<float>(b) / 255.0f);
  pair.write(numbers, {2, 2, 2, 3});
  check_images(pair.read(ImageLayout::channels_first));

  pair.write(numbers, {2, 4, 3});
  const auto grey = pair.read(ImageLayout::grey);
  CHECK(grey.shape() == ImageShape{4, 3, 1});
  CHECK(grey.image(1)[5] == numbers[17]);
}

TEST_CASE("labels from .npy: integers of every type, N or N x 1") {
  const Pair pair;
  const auto check_type = [&]<class T>(T last) {
    const std::vector<T> values{3, 0, last};
    write_npy(pair.labels, values);
    CHECK(read_npy_labels(pair.labels) == std::vector<int>{3, 0, static_cast<int>(last)});
  };
  check_type(std::uint8_t{255});
  check_type(std::int8_t{127});
  check_type(std::int16_t{32767});
  check_type(std::uint16_t{65535});
  check_type(std::int32_t{2147483646});
  check_type(std::int64_t{2147483646});
  check_type(std::uint32_t{2147483646});
  check_type(std::uint64_t{7});
  const std::size_t column[] = {2, 1};
  write_npy<std::int32_t>(pair.labels, std::vector<std::int32_t>{4, 5}, column);
  CHECK(read_npy_labels(pair.labels) == std::vector<int>{4, 5});
}

TEST_CASE("labels from .npy that are none are refused with file, row, expected and found") {
  const Pair pair;
  const auto refused = [&]<class T>(const std::vector<T>& values, const char* found) {
    write_npy(pair.labels, values);
    CHECK_REFUSED(DataError, read_npy_labels(pair.labels), "y.npy: row 1", "0 to 2147483646", found);
  };
  refused(std::vector<std::int8_t>{0, -1}, "found -1");
  refused(std::vector<std::int64_t>{0, std::int64_t{1} << 32}, "found 4294967296");
  refused(std::vector<std::uint64_t>{0, std::numeric_limits<std::uint64_t>::max()}, "found 18446744073709551615");
  refused(std::vector<std::int32_t>{0, 2147483647}, "found 2147483647");
  write_npy(pair.labels, std::vector<float>{0, 1});
  CHECK_REFUSED(DataError, read_npy_labels(pair.labels), "y.npy: expected integers, found entries of type <f4");
  const std::size_t matrix[] = {1, 2};
  write_npy<std::int32_t>(pair.labels, std::vector<std::int32_t>{4, 5}, matrix);
  CHECK_REFUSED(DataError, read_npy_labels(pair.labels), "N or N x 1, found 1 x 2");
  write_npy<std::int32_t>(pair.labels, std::vector<std::int32_t>{4}, {});
  CHECK_REFUSED(DataError, read_npy_labels(pair.labels), "found no sides");
}

TEST_CASE("a pair of .npy files that does not fit is refused with the file's name") {
  const Pair pair;
  CHECK_REFUSED(DataError, pair.read(ImageLayout::grey), "x.npy", "No such file");
  pair.write(std::vector<std::uint8_t>(12), {2, 2, 3});
  CHECK_REFUSED(DataError, pair.read(ImageLayout::channels_last), "x.npy", "rank 4 (N x H x W x channels)", "rank 3");
  CHECK_REFUSED(DataError, pair.read(ImageLayout::channels_first), "rank 4 (N x channels x H x W)", "rank 3");
  pair.write(std::vector<std::uint8_t>(12), {2, 2, 3, 1});
  CHECK_REFUSED(DataError, pair.read(ImageLayout::grey), "rank 3 (N x H x W)", "found rank 4");
  CHECK(pair.read(ImageLayout::channels_last).shape() == ImageShape{2, 3, 1});
  pair.write(std::vector<std::uint8_t>(18), {3, 2, 3});
  CHECK_REFUSED(DataError, pair.read(ImageLayout::grey), "y.npy: expected 3 labels", "x.npy", "found 2");
  for (const auto& shape : std::vector<std::vector<std::size_t>>{{0, 2, 3}, {2, 0, 3}}) {
    pair.write(std::vector<std::uint8_t>{}, shape);
    CHECK_REFUSED(DataError, pair.read(ImageLayout::grey), "x.npy: expected images, found none");
  }
  pair.write(std::vector<double>(12), {2, 2, 3});
  CHECK_REFUSED(DataError, pair.read(ImageLayout::grey), "x.npy: expected entries of type |u1 or <f4, found <f8");
  pair.write(std::vector<std::uint8_t>(12), {2, 2, 3});
  const std::string good = mts_test::read_plainly(pair.images);
  mts_test::write_plainly(pair.images, good.substr(0, good.size() - 1));
  CHECK_REFUSED(DataError, pair.read(ImageLayout::grey), "expected 12 bytes after the header, found 11: truncated");
  std::string forged = good;
  forged.replace(forged.find("(2, 2, 3), }        "), 20, "(2, 9000000000, 3),}");
  mts_test::write_plainly(pair.images, forged);
  CHECK_REFUSED(DataError, pair.read(ImageLayout::grey), "x.npy: expected 54000000000 bytes", "found 12: truncated");
}

TEST_CASE("images from .npy with numbers or labels out of range are refused with file and image") {
  const Pair pair;
  std::vector<float> numbers(12, 0.5f);
  numbers[10] = 255.0f;
  pair.write(numbers, {2, 2, 3});
  CHECK_REFUSED(DataError, pair.read(ImageLayout::grey), "x.npy", "image 1, pixel (1, 1)", "[0, 1]", "found 255");
  numbers[10] = std::numeric_limits<float>::quiet_NaN();
  pair.write(numbers, {2, 2, 3});
  CHECK_REFUSED(DataError, pair.read(ImageLayout::grey), "x.npy", "image 1, pixel (1, 1)", "found nan");
  pair.write(std::vector<float>(12), {2, 2, 3});
  CHECK(pair.read(ImageLayout::grey).classes() == 2);
  CHECK(pair.read(ImageLayout::grey, 5).classes() == 5);
  CHECK_REFUSED(DataError, pair.read(ImageLayout::grey, 1), "y.npy: the label of image 0", "0 to 0", "found 1");
  CHECK_REFUSED(mts::ValueError, pair.read(ImageLayout::grey, -1), "classes >= 0", "found -1");
}
