// Image sets and the folders they are read from: valid ones, and each bad one refused with image and pixel.
#include "mts/data/image_set.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "data/support.hpp"

using mts::DataError;
using mts::data::ImageSet;
using mts::data::read_image_data;
using mts::data::write_idx;
using mts_test::TemporaryFolder;

namespace {

ImageSet::Images grey(std::size_t n, std::size_t h, std::size_t w, float value = 0.5f) {
  ImageSet::Images images(std::array<std::size_t, 4>{n, h, w, 1});
  images.fill(value);
  return images;
}

using Bytes = xt::xarray<std::uint8_t>;

// A folder with 6 training and 3 test images of 2 x 2 pixels in three classes.
void fill(const std::filesystem::path& folder, const char* ending = ".gz") {
  const auto path = [&](std::string name) { return folder / (name + ending); };
  write_idx(path("train-images-idx3-ubyte"), Bytes(xt::xarray<std::uint8_t>::from_shape({6, 2, 2}) * 0 + 51));
  write_idx(path("train-labels-idx1-ubyte"), Bytes{0, 1, 2, 0, 1, 2});
  write_idx(path("t10k-images-idx3-ubyte"), Bytes(xt::xarray<std::uint8_t>::from_shape({3, 2, 2}) * 0 + 255));
  write_idx(path("t10k-labels-idx1-ubyte"), Bytes{2, 1, 0});
}

}  // namespace

TEST_CASE("an image set shows its images as rows and keeps its labels") {
  auto images = grey(3, 2, 4);
  images(1, 1, 3, 0) = 0.25f;
  const ImageSet set(images, {0, 2, 1}, 3);
  CHECK(set.size() == 3);
  CHECK(set.shape() == mts::data::ImageShape{2, 4, 1});
  CHECK(set.rows().rows() == 3);
  CHECK(set.rows()(1, 7) == 0.25f);
  CHECK(set.image(1)[7] == 0.25f);
  CHECK(set.label(1) == 2);
  const ImageSet part = set.slice(1, 3);
  CHECK(part.size() == 2);
  CHECK(part.rows()(0, 7) == 0.25f);
  CHECK(part.label(1) == 1);
  CHECK_REFUSED(mts::ShapeError, set.slice(2, 4), "[0, 3)", "[2, 4)");
  CHECK(set.slice(1, 1).size() == 0);
}

TEST_CASE("the channels of a pixel are neighbours in an image's row") {
  ImageSet::Images images(std::array<std::size_t, 4>{2, 2, 4, 3});
  images.fill(0.5f);
  images(1, 1, 3, 0) = 0.25f;
  images(1, 1, 3, 2) = 0.75f;
  const ImageSet set(images, {0, 1}, 2);
  CHECK(set.shape() == mts::data::ImageShape{2, 4, 3});
  CHECK(set.rows().cols() == 24);
  CHECK(set.rows()(1, 21) == 0.25f);
  CHECK(set.image(1)[23] == 0.75f);
  CHECK(set.slice(1, 2).image(0)[23] == 0.75f);
  CHECK(set.slice(1, 2).shape() == set.shape());
}

TEST_CASE("bytes become numbers x/255, of rank 3 grey, of rank 4 with channels") {
  const Bytes grey_bytes = xt::xarray<std::uint8_t>({{{0, 51}, {102, 255}}});
  const auto a = ImageSet::from_bytes(grey_bytes, {0}, 1);
  CHECK(a.shape() == mts::data::ImageShape{2, 2, 1});
  CHECK(a.image(0)[1] == 0.2f);
  CHECK(a.image(0)[3] == 1.0f);
  const Bytes colour_bytes = xt::xarray<std::uint8_t>({{{{0, 51, 102}}, {{153, 204, 255}}}});
  const auto b = ImageSet::from_bytes(colour_bytes, {0}, 1);
  CHECK(b.shape() == mts::data::ImageShape{2, 1, 3});
  for (std::size_t k = 0; k < 6; ++k) CHECK(b.image(0)[k] == static_cast<float>(51 * k) / 255.0f);
  CHECK_REFUSED(mts::ShapeError, ImageSet::from_bytes(Bytes{1, 2}, {0, 0}, 1), "rank 3", "4", "found rank 1");
}

TEST_CASE("NaN, infinity and numbers outside [0, 1] in an image are refused with image and pixel") {
  const auto with = [](float value) {
    auto images = grey(3, 2, 4);
    images(2, 1, 3, 0) = value;
    return ImageSet(images, {0, 0, 0}, 1);
  };
  CHECK_REFUSED(mts::NumericalError, with(std::numeric_limits<float>::quiet_NaN()), "image 2", "pixel (1, 3)", "nan");
  CHECK_REFUSED(mts::NumericalError, with(std::numeric_limits<float>::infinity()), "image 2", "pixel (1, 3)", "inf");
  CHECK_REFUSED(mts::ValueError, with(1.001f), "image 2, pixel (1, 3)", "[0, 1]", "1.001");
  CHECK_REFUSED(mts::ValueError, with(-0.001f), "image 2, pixel (1, 3)", "-0.001");
  CHECK_NOTHROW(with(0.0f));
  CHECK_NOTHROW(with(1.0f));
  ImageSet::Images colour(std::array<std::size_t, 4>{3, 2, 4, 3});
  colour.fill(0.5f);
  colour(2, 1, 3, 2) = 2.0f;
  CHECK_REFUSED(mts::ValueError, ImageSet(colour, {0, 0, 0}, 1), "image 2, pixel (1, 3), channel 2", "found 2");
}

TEST_CASE("a label out of range, missing labels and no classes are refused") {
  CHECK_REFUSED(mts::ValueError, ImageSet(grey(3, 1, 1), {0, 1, 2}, 2), "label of image 2", "0 to 1", "found 2");
  CHECK_REFUSED(mts::ValueError, ImageSet(grey(3, 1, 1), {0, -1, 1}, 2), "label of image 1", "found -1");
  CHECK_REFUSED(mts::ShapeError, ImageSet(grey(3, 1, 1), {0, 1}, 2), "labels", "expected 3", "found 2");
  CHECK_REFUSED(mts::ValueError, ImageSet(grey(0, 1, 1), {}, 0), "at least one class");
  CHECK_REFUSED(mts::ValueError, ImageSet(ImageSet::Images(std::array<std::size_t, 4>{1, 2, 2, 0}), {0}, 1),
                "at least one channel");
}

TEST_CASE("a folder of idx files is a data set, gzipped or plain") {
  for (const char* ending : {"", ".gz"}) {
    const TemporaryFolder folder;
    fill(folder.path, ending);
    const auto data = read_image_data(folder.path);
    CHECK(data.train.size() == 6);
    CHECK(data.test.size() == 3);
    CHECK(data.train.classes() == 3);
    CHECK(data.test.classes() == 3);
    CHECK(data.train.rows()(5, 3) == doctest::Approx(0.2));
    CHECK(data.test.rows()(0, 0) == 1.0f);
    CHECK(data.test.label(0) == 2);
  }
}

TEST_CASE("a folder of idx files of rank 4 is a data set in colour") {
  const TemporaryFolder folder;
  fill(folder.path);
  Bytes colour = xt::xarray<std::uint8_t>::from_shape({6, 2, 2, 3});
  for (std::size_t k = 0; k < colour.size(); ++k) colour.data()[k] = static_cast<std::uint8_t>(3 * k);
  write_idx(folder / "train-images-idx3-ubyte.gz", colour);
  CHECK_REFUSED(DataError, read_image_data(folder.path), "2 x 2 x 3", "found 2 x 2 x 1");
  write_idx(folder / "t10k-images-idx3-ubyte.gz", Bytes(xt::xarray<std::uint8_t>::from_shape({3, 2, 2, 3}) * 0));
  const auto data = read_image_data(folder.path);
  CHECK(data.train.shape() == mts::data::ImageShape{2, 2, 3});
  CHECK(data.train.image(1)[4] == static_cast<float>(3 * 16) / 255.0f);
}

TEST_CASE("a folder whose files disagree is refused with the file's path") {
  const TemporaryFolder folder;
  const auto path = [&](const char* name) { return folder / (std::string(name) + ".gz"); };
  CHECK_REFUSED(DataError, read_image_data(folder.path), "train-images-idx3-ubyte", "No such file");
  fill(folder.path);
  write_idx(path("train-labels-idx1-ubyte"), Bytes{0, 1, 2, 0, 1});
  CHECK_REFUSED(DataError, read_image_data(folder.path), "train-labels", "expected 6 labels", "found 5");
  fill(folder.path);
  write_idx(path("t10k-labels-idx1-ubyte"), Bytes{2, 3, 0});
  CHECK_REFUSED(DataError, read_image_data(folder.path), "t10k-labels", "label of image 1", "0 to 2", "found 3");
  fill(folder.path);
  write_idx(path("t10k-images-idx3-ubyte"), Bytes(xt::xarray<std::uint8_t>::from_shape({3, 2, 3}) * 0));
  CHECK_REFUSED(DataError, read_image_data(folder.path), "2 x 2", "2 x 3");
  fill(folder.path);
  write_idx(path("train-images-idx3-ubyte"), Bytes{1, 2, 3, 4, 5, 6});
  CHECK_REFUSED(DataError, read_image_data(folder.path), "train-images", "rank 3", "rank 1");
  fill(folder.path);
  write_idx(path("train-labels-idx1-ubyte"), Bytes(xt::xarray<std::uint8_t>::from_shape({6, 1}) * 0));
  CHECK_REFUSED(DataError, read_image_data(folder.path), "train-labels", "rank 1", "rank 2");
  fill(folder.path);
  write_idx(path("train-images-idx3-ubyte"), Bytes(xt::xarray<std::uint8_t>::from_shape({0, 2, 2}) * 0));
  write_idx(path("train-labels-idx1-ubyte"), Bytes(xt::xarray<std::uint8_t>::from_shape({0})));
  CHECK_REFUSED(DataError, read_image_data(folder.path), "found none");
}

TEST_CASE("a missing folder is named; the default one says what to install") {
  const TemporaryFolder folder;
  CHECK_REFUSED(DataError, mts::data::fashion_mnist(folder / "absent"), (folder / "absent").string(), "no such folder");
  std::error_code ignored;
  if (std::filesystem::is_directory(mts::data::fashion_mnist_folder, ignored)) {
    const auto data = mts::data::fashion_mnist();
    CHECK(data.train.size() == 60000);
    CHECK(data.test.size() == 10000);
    CHECK(data.train.classes() == 10);
    CHECK(data.train.shape() == mts::data::ImageShape{28, 28, 1});
    CHECK(data.train.label(0) == 9);  // the first training image is an ankle boot
    CHECK(data.test.label(0) == 9);
    std::vector<int> count(10);
    for (const int label : data.train.labels()) ++count[static_cast<std::size_t>(label)];
    CHECK(count == std::vector<int>(10, 6000));
  } else {
    CHECK_REFUSED(DataError, mts::data::fashion_mnist(), "apt-get install dataset-fashion-mnist");
  }
}
