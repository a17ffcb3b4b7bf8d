#include "mts/cuda/queue.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <set>
#include <vector>

#include "mts/cuda/buffer.hpp"
#include "support/emulated.hpp"

using namespace mts;
using cuda::Emulation;
using cuda::Key;
using Shared = cuda::SharedQueue<Emulation>;
using Buffer = cuda::Buffer<double, Emulation>;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

/// x_k <- a x_k + b.
struct Affine {
  double a, b;
  double* x;
  void operator()(Index k) const { x[k] = a * x[k] + b; }
};
struct Copy {
  const double* from;
  double* to;
  void operator()(Index k) const { to[k] = from[k]; }
};
struct CountCells {
  int* cells;
  Index cols;
  void operator()(Index i, Index j) const { ++cells[i * cols + j]; }
};
struct Nothing {
  void operator()(Index) const {}
  void operator()(Index, Index) const {}
  void operator()(const cuda::Lanes&, Index) const {}
};

Buffer filled(const Shared& queue, std::vector<double> values) {
  return Buffer(queue, std::span<const double>(values));
}

/// x <- 2 x + 1 by way of memory that the sequence takes and gives back; says where that was.
struct ByWayOfScratch {
  const Shared& queue;
  Buffer& x;
  int* asked;
  const double** scratch_at;

  void operator()() const {
    ++*asked;
    Buffer scratch(queue, x.size());
    if (scratch_at) *scratch_at = scratch.data();
    queue->each(x.size(), Copy{x.data(), scratch.data()});
    queue->each(x.size(), Affine{2, 1, scratch.data()});
    queue->each(x.size(), Copy{scratch.data(), x.data()});
  }
};

}  // namespace

// -------------------------------------------------------------------------------------------------------------- memory

TEST_CASE("Queue: memory that is given back is reused by whoever asks for as much") {
  auto queue = cuda::make_queue<Emulation>();
  void* first = queue->take(1000);
  const std::size_t bytes = queue->bytes();
  CHECK(bytes >= 1000);
  CHECK(bytes <= 1000 * 9 / 8 + 256);
  queue->give_back(first, 1000);
  CHECK(queue->bytes() == bytes);
  CHECK(queue->take(1001) == first);
  void* second = queue->take(1000);
  CHECK(second != first);
  CHECK(queue->bytes() == 2 * bytes);
  queue->give_back(second, 1000);
  queue->give_back(first, 1001);
  void* large = queue->take(100000);
  CHECK(large != first);
  CHECK(large != second);
  queue->give_back(large, 100000);
  queue->give_back(nullptr, 100000);  // what never was taken
}

TEST_CASE("Queue: pieces are at most an eighth, or a quarter of a KiB, larger than asked, and aligned") {
  auto queue = cuda::make_queue<Emulation>();
  for (const std::size_t asked : {1, 255, 256, 257, 2048, 2049, 4095, 4097, 1000003}) {
    const std::size_t before = queue->bytes();
    void* memory = queue->take(asked);
    const std::size_t got = queue->bytes() - before;
    CAPTURE(asked);
    CHECK(got >= asked);
    CHECK(got <= asked + std::max<std::size_t>(256, asked / 4));
    CHECK(reinterpret_cast<std::uintptr_t>(memory) % alignof(std::max_align_t) == 0);
    queue->give_back(memory, asked);
    queue->trim();  // so that no piece serves two sizes
  }
}

TEST_CASE("Queue: where there is no room it says what was asked and what is free, and stays as it was") {
  auto queue = cuda::make_queue<Emulation>(Emulation::Memory{mib});
  void* most = queue->take(mib * 3 / 4);
  CHECK_THROWS_WITH_AS(
      queue->take(mib / 2),
      "cuda: out of memory: asked for 0.5 MiB, 0.25 of 1 MiB are free; lower the workspace budget, or the batch",
      cuda::OutOfMemory);
  CHECK(queue->bytes() == mib * 3 / 4);
  void* rest = nullptr;
  CHECK_NOTHROW(rest = queue->take(mib / 4));
  queue->give_back(most, mib * 3 / 4);
  CHECK_THROWS_AS(queue->take(mib), cuda::DeviceError);
  queue->give_back(rest, mib / 4);
}

TEST_CASE("Queue: before it gives up it frees what is idle") {
  auto queue = cuda::make_queue<Emulation>(Emulation::Memory{mib});
  std::vector<void*> quarters;
  for (int k = 0; k < 4; ++k) quarters.push_back(queue->take(mib / 4));
  for (int k = 0; k < 3; ++k) queue->give_back(quarters[static_cast<std::size_t>(k)], mib / 4);
  CHECK(queue->bytes() == mib);
  void* half = nullptr;
  CHECK_NOTHROW(half = queue->take(mib / 2));
  CHECK(queue->bytes() == mib * 3 / 4);
  CHECK(half != quarters[3]);
  queue->give_back(half, mib / 2);
  queue->give_back(quarters[3], mib / 4);
}

TEST_CASE("Buffer: owns, moves, gives back, and has no number in it at first") {
  auto queue = cuda::make_queue<Emulation>();
  const double* at = nullptr;
  {
    Buffer a(queue, 10);
    at = a.data();
    CHECK(std::isnan(a.to_host()[9]));
    Buffer b = std::move(a);
    CHECK(b.data() == at);
    CHECK(b.size() == 10);
    CHECK(a.size() == 0);
    CHECK(a.data() == nullptr);
    a = Buffer(queue, 3);
    CHECK(a.data() != at);
    a = std::move(b);
    CHECK(a.data() == at);
  }
  CHECK(Buffer(queue, 10).data() == at);
  CHECK(filled(queue, {1, 2, 3}).to_host() == std::vector<double>{1, 2, 3});
  CHECK(Buffer(queue, 0).to_host().empty());
  CHECK(Buffer().to_host().empty());
}

// ------------------------------------------------------------------------------------------------------------ launches

TEST_CASE("Queue: a launch visits every entry and every cell once; none of none") {
  auto queue = cuda::make_queue<Emulation>();
  std::vector<int> cells(3 * 7, 0);
  queue->grid(3, 7, CountCells{cells.data(), 7});
  CHECK(cells == std::vector<int>(3 * 7, 1));
  auto x = filled(queue, {1, 2, 3});
  queue->each(3, Affine{2, 1, x.data()});
  CHECK(x.to_host() == std::vector<double>{3, 5, 7});
  CHECK(queue->launches() == 2);
  queue->each(0, Nothing{});
  queue->grid(0, 5, Nothing{});
  queue->grid(5, 0, Nothing{});
  queue->rows(0, Nothing{});
  CHECK(queue->launches() == 2);
}

TEST_CASE("Queue: refuses launches of 2^31 threads or more, in words") {
  auto queue = cuda::make_queue<Emulation>();
  const char* message =
      "cuda: expected a launch of fewer than 2^31 threads, found 2147483648; lower the workspace budget, or the batch";
  CHECK_THROWS_WITH_AS(queue->each(Index{1} << 31, Nothing{}), message, ShapeError);
  CHECK_THROWS_WITH_AS(queue->grid(Index{1} << 11, Index{1} << 20, Nothing{}), message, ShapeError);
  CHECK_THROWS_WITH_AS(queue->rows(Index{1} << 26, Nothing{}), message, ShapeError);
  CHECK(queue->launches() == 0);
}

TEST_CASE("Queue: copies and clears, also nothing") {
  auto queue = cuda::make_queue<Emulation>();
  auto x = filled(queue, {1, 2, 3}), y = filled(queue, {4, 5, 6});
  queue->copy(y.data(), x.data(), 2);
  queue->clear(x.data() + 1, 2);
  queue->copy(x.data(), y.data(), 0);
  queue->clear(y.data(), 0);
  CHECK(x.to_host() == std::vector<double>{1, 0, 0});
  CHECK(y.to_host() == std::vector<double>{1, 2, 6});
}

// -------------------------------------------------------------------------------------------------------------- replay

TEST_CASE("Queue: a sequence is launched at first, then recorded, and from then on replayed without being asked") {
  auto queue = cuda::make_queue<Emulation>();
  auto x = filled(queue, {0, 10});
  int asked = 0;
  for (int round = 1; round <= 6; ++round) {
    queue->replay(Key(1).add(x.data()), ByWayOfScratch{queue, x, &asked, nullptr});
    CAPTURE(round);
    CHECK(asked == std::min(round, 2));
    CHECK(queue->launches() == 3 * round);
    CHECK(queue->replays() == std::max(0, round - 2));
    const double factor = std::pow(2, round);
    CHECK(x.to_host() == std::vector<double>{factor - 1, 11 * factor - 1});
  }
}

TEST_CASE("Queue: keys tell sequences apart by number, address and order") {
  const double a[2] = {};
  const std::vector<Key> keys = {Key(1),
                                 Key(2),
                                 Key(1).add(a),
                                 Key(1).add(a + 1),
                                 Key(1).add(Index{7}),
                                 Key(1).add(a).add(Index{7}),
                                 Key(1).add(Index{7}).add(a),
                                 Key(1).add(Index{7}).add(Index{0})};
  CHECK(std::set<Key>(keys.begin(), keys.end()).size() == keys.size());
  CHECK(Key(1).add(a).add(Index{7}) == Key(1).add(a).add(Index{7}));

  auto queue = cuda::make_queue<Emulation>();
  auto x = filled(queue, {0});
  std::vector<int> asked(keys.size(), 0);
  for (int round = 0; round < 4; ++round)
    for (std::size_t k = 0; k < keys.size(); ++k)
      queue->replay(keys[k], [&] {
        ++asked[k];
        queue->each(1, Affine{1, std::pow(10, k), x.data()});
      });
  CHECK(asked == std::vector<int>(keys.size(), 2));
  CHECK(x.to_host() == std::vector<double>{44444444});
}

TEST_CASE("Queue: what a replayed sequence took and gave back is handed to nobody else") {
  auto queue = cuda::make_queue<Emulation>();
  auto x = filled(queue, {1, 2, 3});
  int asked = 0;
  const double* scratch = nullptr;
  const auto round = [&] { queue->replay(Key(1), ByWayOfScratch{queue, x, &asked, &scratch}); };
  round();
  const double* launched = scratch;
  {
    Buffer next(queue, 3);  // what was only launched did not keep it
    CHECK(next.data() == launched);
  }
  round();
  std::vector<Buffer> others;
  for (int k = 0; k < 10; ++k) {
    others.push_back(filled(queue, {7, 7, 7}));
    CHECK(others.back().data() != scratch);
  }
  round();
  CHECK(asked == 2);
  CHECK(x.to_host() == std::vector<double>{15, 23, 31});
  for (const auto& other : others) CHECK(other.to_host() == std::vector<double>{7, 7, 7});
}

TEST_CASE("Queue: within a sequence what is given back is used again, recorded as launched") {
  auto queue = cuda::make_queue<Emulation>();
  auto x = filled(queue, {1, 2, 3});
  const std::size_t in_use = queue->bytes();
  int asked = 0;
  for (int round = 0; round < 3; ++round)
    queue->replay(Key(1), [&] {
      for (int k = 0; k < 4; ++k) ByWayOfScratch{queue, x, &asked, nullptr}();
    });
  CHECK(asked == 8);
  CHECK(queue->bytes() == in_use + 256);  // one piece, which the first launch left idle and the recording took
}

TEST_CASE("Queue: before it gives up it forgets what it has recorded") {
  auto queue = cuda::make_queue<Emulation>(Emulation::Memory{4096});
  auto x = filled(queue, {0});
  int asked = 0;
  const auto round = [&] {
    queue->replay(Key(1), [&] {
      ++asked;
      Buffer scratch(queue, 100);
      queue->each(1, Copy{x.data(), scratch.data()});
      queue->each(1, Affine{1, 1, scratch.data()});
      queue->each(1, Copy{scratch.data(), x.data()});
    });
  };
  for (int k = 0; k < 3; ++k) round();
  CHECK(asked == 2);
  { const Buffer much(queue, 420); }  // takes all the room there is
  for (int k = 0; k < 3; ++k) round();
  CHECK(asked == 5);  // the launch that freed the idle piece forgot itself too
  CHECK(x.to_host() == std::vector<double>{6});
}

TEST_CASE("Queue: a sequence within a sequence is part of it") {
  auto queue = cuda::make_queue<Emulation>();
  auto x = filled(queue, {0});
  int outer = 0, inner = 0;
  for (int round = 0; round < 5; ++round)
    queue->replay(Key(1), [&] {
      ++outer;
      queue->each(1, Affine{1, 1, x.data()});
      queue->replay(Key(2), [&] {
        ++inner;
        queue->each(1, Affine{10, 0, x.data()});
      });
    });
  CHECK(outer == 2);
  CHECK(inner == 2);
  CHECK(x.to_host() == std::vector<double>{111110});
}

TEST_CASE("Queue: a sequence that throws while it is recorded leaves the queue as it was") {
  auto queue = cuda::make_queue<Emulation>();
  auto x = filled(queue, {0, 1});
  bool fails = false;
  int asked = 0;
  const auto round = [&] {
    queue->replay(Key(1), [&] {
      ByWayOfScratch{queue, x, &asked, nullptr}();
      if (fails) throw ValueError("planted");
    });
  };
  round();
  const std::size_t bytes = queue->bytes();
  fails = true;
  for (int k = 0; k < 3; ++k) CHECK_THROWS_WITH_AS(round(), "planted", ValueError);
  CHECK(queue->bytes() == bytes);
  fails = false;
  asked = 0;
  round();
  CHECK(asked == 1);
  round();
  CHECK(asked == 1);
  CHECK(queue->replays() == 1);
  CHECK(x.to_host() == std::vector<double>{63, 127});  // six times, the three that threw included
  CHECK_NOTHROW(queue->upload(x.data(), x.data(), 2));
  CHECK_NOTHROW(queue->trim());
}

TEST_CASE("Queue: a sequence must not move numbers between host and device, nor trim") {
  auto queue = cuda::make_queue<Emulation>();
  auto x = filled(queue, {1});
  double host = 5;
  const char* message = "cuda::Queue: no transfer between host and device within a replayed sequence";
  const auto refused = [&](Key key, auto&& f, const char* words) {  // when it is launched, and when it is recorded
    for (int round = 0; round < 2; ++round) CHECK_THROWS_WITH_AS(queue->replay(key, f), words, ValueError);
  };
  refused(
      Key(1), [&] { queue->upload(x.data(), &host, 1); }, message);
  refused(
      Key(2), [&] { queue->download(&host, x.data(), 1); }, message);
  refused(
      Key(3), [&] { queue->trim(); }, "cuda::Queue::trim: not within a replayed sequence");
  CHECK(host == 5);
  CHECK(x.to_host() == std::vector<double>{1});
}

TEST_CASE("Queue: keeps the 256 sequences last used, and gives up the memory of the others") {
  auto queue = cuda::make_queue<Emulation>();
  auto x = filled(queue, {0});
  std::vector<int> asked(400, 0);
  const auto use = [&](std::size_t k) {
    queue->replay(Key(k), [&] {
      ++asked[k];
      Buffer scratch(queue, 100);
      queue->each(1, Copy{x.data(), scratch.data()});
      queue->each(1, Affine{1, 1, scratch.data()});
      queue->each(1, Copy{scratch.data(), x.data()});
    });
  };
  std::size_t full = 0;
  for (std::size_t k = 0; k < asked.size(); ++k) {
    use(k);
    use(k);
    use(0);  // in use all the time
    if (k == 256) full = queue->bytes();
  }
  CHECK(queue->bytes() == full);
  CHECK(asked == std::vector<int>(asked.size(), 2));
  use(399);
  use(400 - 255);
  CHECK(asked[399] == 2);
  CHECK(asked[400 - 255] == 2);
  use(1);
  CHECK(asked[1] == 3);  // forgotten, and so asked again
  CHECK(asked[0] == 2);
  CHECK(x.to_host() == std::vector<double>{1203});
}

TEST_CASE("Queue: trim frees what is idle and forgets all sequences") {
  auto queue = cuda::make_queue<Emulation>();
  auto x = filled(queue, {0});
  const std::size_t in_use = queue->bytes();
  int asked = 0;
  const auto round = [&] { queue->replay(Key(1), ByWayOfScratch{queue, x, &asked, nullptr}); };
  round();
  round();
  { Buffer idle(queue, 5000); }
  CHECK(queue->bytes() > in_use);
  queue->trim();
  CHECK(queue->bytes() == in_use);
  round();
  CHECK(asked == 3);
  CHECK(x.to_host() == std::vector<double>{7});
}
