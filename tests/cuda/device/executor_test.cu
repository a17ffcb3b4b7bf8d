// The executor itself, on a device.
#include <cstring>

#include "cuda/device/device.hpp"
#include "mts/core/check_parameters.hpp"
#include "mts/cuda/parameters.hpp"

using namespace mts;
using namespace mts::testing;
using cuda::Device;

namespace {

/// 1 where this is a device's code, 2 where it is the host's.
struct Where {
  int* out;
  MTS_HOST_DEVICE void operator()(Index i) const {
#if defined(__CUDA_ARCH__)
    out[i] = 1;
#else
    out[i] = 2;
#endif
  }
};
struct Place {
  Index cols;
  double* out;
  MTS_HOST_DEVICE void operator()(Index i, Index j) const { out[i * cols + j] = static_cast<double>(1000 * i + j); }
};
struct RowSum {
  const float* x;
  Index cols;
  float* out;
  MTS_HOST_DEVICE void operator()(const cuda::Lanes& lanes, Index i) const {
    const float sum = lanes.sum<float>(cols, [&](Index j) { return x[i * cols + j]; });
    lanes.once([&] { out[i] = sum; });
  }
};

}  // namespace

TEST_CASE("device: without one the error says what to do" * doctest::skip(cuda::device_count() > 0)) {
  std::string words;
  try {
    Device device;
  } catch (const cuda::NoDevice& error) {
    words = error.what();
  }
  CHECK(words.find("cuda: no device") != std::string::npos);
  CHECK(words.find("Use the CPU") != std::string::npos);
}

TEST_CASE("device: a number that no device has is refused" * needs_device()) {
  CHECK_THROWS_AS(Device(cuda::device_count()), cuda::NoDevice);
  CHECK_THROWS_AS(Device(-1), cuda::NoDevice);
}

TEST_CASE("device: kernels run on it, once for every entry" * needs_device()) {
  const auto queue = device_queue();
  for (const Index n : std::array<Index, 5>{1, 31, 256, 257, 100001}) {
    cuda::Buffer<int, Device> where(queue, n);
    queue->clear(where.data(), n);
    const Index before = queue->launches();
    queue->each(n, Where{where.data()});
    CHECK(queue->launches() == before + 1);
    for (const int x : where.to_host()) REQUIRE(x == 1);
  }
  for (const Index cols : std::array<Index, 4>{1, 3, 256, 1000}) {
    const Index rows = 77;
    cuda::Buffer<double, Device> out(queue, rows * cols);
    queue->grid(rows, cols, Place{cols, out.data()});
    const auto found = out.to_host();
    for (Index i = 0; i < rows; ++i)
      for (Index j = 0; j < cols; ++j)
        REQUIRE(found[static_cast<std::size_t>(i * cols + j)] == static_cast<double>(1000 * i + j));
  }
}

TEST_CASE("device: lanes sum in the order that the host's emulation has" * needs_device()) {
  const auto queue = device_queue();
  for (const Index cols : std::array<Index, 7>{1, 2, 31, 32, 33, 64, 1000}) {
    const Index rows = 37;
    std::vector<float> x(static_cast<std::size_t>(rows * cols)), expected(static_cast<std::size_t>(rows));
    RandomStream stream(3, "lanes");
    for (float& value : x) value = static_cast<float>(stream.normal());
    for (Index i = 0; i < rows; ++i) RowSum{x.data(), cols, expected.data()}(cuda::Lanes{}, i);
    cuda::Buffer<float, Device> in(queue, std::span<const float>(x)), out(queue, rows);
    queue->rows(rows, RowSum{in.data(), cols, out.data()});
    const auto found = out.to_host();
    CHECK(std::memcmp(found.data(), expected.data(), sizeof(float) * expected.size()) == 0);
  }
}

TEST_CASE("device: products are those of the emulation's BLAS" * needs_device()) {
  const auto queue = device_queue();
  RandomStream stream(5, "products");
  const Index rows = 7, cols = 5, depth = 11, count = 3, room = 13;  // room: a stride above every width
  const auto random = [&] {
    std::vector<double> x(static_cast<std::size_t>(count * room * room));
    for (double& value : x) value = stream.normal();
    return x;
  };
  const auto a = random(), b = random(), c = random();
  for (const bool transpose_a : std::array{false, true})
    for (const bool transpose_b : std::array{false, true})
      for (const bool accumulate : std::array{false, true})
        for (const Index products : std::array<Index, 2>{1, count}) {
          cuda::Buffer<double, Device> da(queue, std::span<const double>(a)), db(queue, std::span<const double>(b)),
              dc(queue, std::span<const double>(c));
          queue->multiply<double>({.rows = rows,
                                   .cols = cols,
                                   .depth = depth,
                                   .a = {da.data(), room, transpose_a, room * room},
                                   .b = {db.data(), room, transpose_b, room * room},
                                   .to = dc.data(),
                                   .stride = room,
                                   .accumulate = accumulate,
                                   .count = products,
                                   .step = room * room});
          auto expected = c;
          for (Index q = 0; q < products; ++q)
            for (Index i = 0; i < rows; ++i)
              for (Index j = 0; j < cols; ++j) {
                const auto at = [&](Index r, Index s) {
                  return static_cast<std::size_t>(q * room * room + r * room + s);
                };
                double sum = accumulate ? c[at(i, j)] : 0;
                for (Index k = 0; k < depth; ++k)
                  sum += a[transpose_a ? at(k, i) : at(i, k)] * b[transpose_b ? at(j, k) : at(k, j)];
                expected[at(i, j)] = sum;
              }
          const auto found = dc.to_host();
          for (std::size_t k = 0; k < found.size(); ++k) REQUIRE(std::abs(found[k] - expected[k]) <= 1e-12);
        }
}

TEST_CASE("device: parameter vectors keep their promises" * needs_device()) {
  const auto queue = device_queue();
  DenseParameters<float> host({{"weight", 0, 3000, true}, {"bias", 3000, 77, false}});
  RandomStream stream(7, "parameters");
  for (Index k = 0; k < host.size(); ++k) host.values()[k] = static_cast<float>(stream.normal());
  check_parameter_vector(cuda::Parameters<float, Device>(queue, host));
}

TEST_CASE("device: no room is an error that says how much was asked; the queue goes on" * needs_device()) {
  const auto queue = device_queue();
  std::string words;
  try {
    cuda::Buffer<double, Device> much(queue, Index{1} << 45);
  } catch (const cuda::OutOfMemory& error) {
    words = error.what();
  }
  CHECK(words.find("asked for") != std::string::npos);
  CHECK(words.find("lower the workspace budget") != std::string::npos);
  cuda::Buffer<int, Device> where(queue, 10);
  queue->each(10, Where{where.data()});
  CHECK(where.to_host()[9] == 1);
}

TEST_CASE("device: a sequence is launched, captured and replayed with the same results" * needs_device()) {
  const auto queue = device_queue();
  cuda::Buffer<int, Device> where(queue, 1000);
  for (int round = 0; round < 4; ++round) {
    queue->clear(where.data(), 1000);
    queue->replay(cuda::Key(99).add(where.data()), [&] { queue->each(1000, Where{where.data()}); });
    for (const int x : where.to_host()) REQUIRE(x == 1);
  }
  CHECK(queue->replays() == 2);
}
