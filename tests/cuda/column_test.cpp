#include "mts/cuda/column.hpp"

#include <doctest/doctest.h>

#include "mts/cuda/classifier.hpp"
#include "mts/cuda/feature_batch.hpp"
#include "support/emulated.hpp"

using namespace mts;
using cuda::Emulation;
using Column = cuda::Column<Emulation>;

namespace {
std::vector<int> on_host(const cuda::SharedQueue<Emulation>& queue, const Column& column) {
  std::vector<int> values(static_cast<std::size_t>(column.size()));
  queue->download(values.data(), column.data(), column.size());
  return values;
}
nn::ClassificationBatch<float> batch(Index n, Index width, float x, int classes) {
  nn::ClassificationBatch<float> b{RowMatrix<float>::Constant(n, width, x), {}};
  for (Index i = 0; i < n; ++i) b.labels.push_back(static_cast<int>(i % classes));
  return b;
}
}  // namespace

TEST_CASE("cuda::Column: names the sample whose value is out of range, on either side") {
  const auto queue = cuda::make_queue<Emulation>();
  const auto words = [&](const std::vector<int>& values, int cardinality) -> std::string {
    try {
      Column(queue, values).check("here", "label", cardinality);
    } catch (const ValueError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(words({0, 1, 2}, 3).empty());
  CHECK(words({2, 0, 3, 1}, 3) == "here: label of sample 2: expected 0 to 2, found 3");
  CHECK(words({2, 0, 1, -1}, 3) == "here: label of sample 3: expected 0 to 2, found -1");
  CHECK(words({5}, 5) == "here: label of sample 0: expected 0 to 4, found 5");
  CHECK(words({}, 1).empty());
  Column column(queue, std::vector<int>{7, 0});
  column.assign(queue, std::vector<int>{0, 1});  // what was out of range before is forgotten
  CHECK_NOTHROW(column.check("here", "label", 2));
  column.assign(queue, {});
  CHECK_NOTHROW(column.check("here", "label", 1));
}

TEST_CASE("cuda::Column: holds what it was given, and the same memory while the length is the same") {
  const auto queue = cuda::make_queue<Emulation>();
  Column column(queue, std::vector<int>{3, 1, 2});
  const int* at = column.data();
  CHECK(on_host(queue, column) == std::vector<int>{3, 1, 2});
  column.assign(queue, std::vector<int>{4, 5, 6});
  CHECK(column.data() == at);
  CHECK(on_host(queue, column) == std::vector<int>{4, 5, 6});
  column.assign(queue, std::vector<int>(1000, 9));
  CHECK(on_host(queue, column) == std::vector<int>(1000, 9));
}

TEST_CASE("cuda::ClassificationBatch: holds inputs and labels, and refuses labels of another number") {
  const auto queue = cuda::make_queue<Emulation>();
  auto host = batch(3, 4, 0, 2);
  for (Index k = 0; k < 12; ++k) host.inputs.data()[k] = static_cast<float>(k);
  cuda::ClassificationBatch<float, Emulation> b(queue, host);
  CHECK(b.size() == 3);
  CHECK(b.inputs().cols == 4);
  RowMatrix<float> back(3, 4);
  queue->download(back.data(), b.inputs().data, 12);
  CHECK(back == host.inputs);
  CHECK(on_host(queue, b.labels()) == host.labels);
  host.labels.pop_back();
  CHECK_THROWS_WITH_AS(b.assign(host), "cuda::ClassificationBatch: labels: expected 3, found 2", ShapeError);
  CHECK_THROWS_WITH_AS(b.set_labels(std::vector<int>(4, 0)), "cuda::ClassificationBatch: labels: expected 3, found 4",
                       ShapeError);
}

TEST_CASE("cuda::ClassificationBatch: a steady loop takes no more memory, whatever sizes come in turn") {
  const auto queue = cuda::make_queue<Emulation>();
  cuda::ClassificationBatch<float, Emulation> b(queue);
  std::size_t bytes = 0;
  for (int round = 0; round < 20; ++round) {
    for (const Index n : {100, 37, 64}) b.assign(batch(n, 50, 1, 3));
    if (round == 2) bytes = queue->bytes();
    if (round > 2) CHECK(queue->bytes() == bytes);
  }
  const float* at = b.inputs().data;
  b.assign(batch(64, 50, 2, 3));
  CHECK(b.inputs().data == at);
}

TEST_CASE("cuda::FeatureBatch: has room for the layout's columns, and keeps it") {
  const auto queue = cuda::make_queue<Emulation>();
  cuda::FeatureBatch<float, Emulation> f;
  f.resize(queue, 10, {{"a", "b"}, {{"class", 3}}});
  CHECK(f.size() == 10);
  CHECK(f.rows().rows == 10);
  CHECK(f.rows().cols == 2);
  CHECK(f.categorical.size() == 1);
  const float* at = f.rows().data;
  f.resize(queue, 10, {{"a", "b"}, {}});
  CHECK(f.rows().data == at);
  CHECK(f.categorical.empty());
  f.resize(queue, 20, {{"a"}, {}});
  CHECK(f.rows().rows == 20);
  CHECK(f.rows().cols == 1);
}
