#pragma once
/// \file
/// `Extraction`: one forming of features in a device's memory. What the host knows is checked and uploaded at once;
/// what is launched is told to it, and done at the end as one sequence; then one small download says whether all
/// numbers are finite.

#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "mts/cuda/buffer.hpp"

namespace mts::cuda {

/// rows x cols numbers in a device's memory, `stride` of them from row to row.
template <class T>
struct Strided {
  T* data = nullptr;
  Index rows = 0, cols = 0, stride = 0;

  Index size() const { return rows * cols; }
  Strided columns(Index first, Index count) const { return Strided{data + first, rows, count, stride}; }
  Strided rows_from(Index first, Index count) const { return Strided{data + first * stride, count, cols, stride}; }
  MTS_HOST_DEVICE T& at(Index i, Index d) const { return data[i * stride + d]; }
  /// Entry k, row by row.
  MTS_HOST_DEVICE T& entry(Index k) const { return at(k / cols, k % cols); }
};
/// Columns of the N x D matrix in which features are formed, in double as on the host.
using FeatureColumns = Strided<double>;

/// The first entry that is not finite, and what is there; none where `place` is negative.
struct Finding {
  Index place;
  double value;
};

namespace kernels {

/// Entries of a matrix that one warp goes through.
inline constexpr Index entries_of_warp = 1024;
inline Index warps_for(Index entries) { return (entries + entries_of_warp - 1) / entries_of_warp; }

/// first_b <- the first entry of block b that is not finite in As, or -1.
template <class As, class T>
struct FirstOfBlock {
  Strided<const T> x;
  Index size;
  Index* first;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index b) const {
    const Index begin = b * entries_of_warp, rest = size - begin;
    const Index n = rest < entries_of_warp ? rest : entries_of_warp;
    // The largest of n, n - 1, ... is the first.
    const Index found = lanes.largest<Index>(n, Index{0}, [&](Index k) {
      const As value = static_cast<As>(x.entry(begin + k));
      return value - value == As{0} ? Index{0} : n - k;
    });
    lanes.once([&] { first[b] = found > 0 ? begin + n - found : Index{-1}; });
  }
};
/// The first of all blocks.
template <class T>
struct FirstOfAll {
  Strided<const T> x;
  const Index* first;
  Index blocks;
  Finding* to;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index) const {
    const Index found =
        lanes.largest<Index>(blocks, Index{0}, [&](Index b) { return first[b] < 0 ? Index{0} : blocks - b; });
    lanes.once([&] {
      const Index place = found > 0 ? first[blocks - found] : Index{-1};
      *to = Finding{place, place < 0 ? 0.0 : static_cast<double>(x.entry(place))};
    });
  }
};

}  // namespace kernels

/// In which order findings are complained of: as on the host, where all features are formed before any is normalised.
enum class Stage : std::size_t { formed, normalised, rounded };

/// Lives for one extraction of N samples. Not to be shared between threads.
template <class E>
class Extraction {
 public:
  using Launch = std::function<void()>;
  /// Throws; Finding::place counts entries row by row.
  using Refuse = std::function<void(const Finding&)>;

  /// \param features  a number that belongs to these features alone, since what is replayed depends on all that they
  /// hold
  Extraction(SharedQueue<E> queue, Index features) : queue_(std::move(queue)), key_(what) { key_.add(features); }
  Extraction(const Extraction&) = delete;
  Extraction& operator=(const Extraction&) = delete;

  const SharedQueue<E>& queue() const { return queue_; }

  /// What the launches depend on besides the features: every address and every size that may differ from step to step.
  template <class... T>
  void depends_on(const T&... numbers_and_addresses) {
    (key_.add(numbers_and_addresses), ...);
  }
  /// The same values in the device's memory, until the extraction ends.
  template <class T>
  const T* upload(std::span<const T> values) {
    const auto bytes = std::as_bytes(values);
    uploaded_.emplace_back(queue_, bytes);
    const void* data = uploaded_.back().data();
    depends_on(static_cast<const T*>(data), static_cast<Index>(values.size()));
    return static_cast<const T*>(data);
  }
  /// The samples' places in the pool, uploaded when first asked for.
  const Index* ids(const Samples& samples) {
    if (!ids_) ids_ = upload(std::span<const Index>(samples.ids));
    return *ids_;
  }

  /// To be launched, after what was told before. It may take memory of the queue, but neither upload nor download.
  void then(Launch launch) { launches_.push_back(std::move(launch)); }
  /// A check whose finding a launch leaves at `finding(number)`.
  std::size_t check(Stage stage, Refuse refuse) {
    checks_.push_back({stage, std::move(refuse)});
    return checks_.size() - 1;
  }
  /// Within a launch: finding(number) <- the first entry of x that is not finite in As.
  template <class As, class T>
  void find_not_finite(std::size_t number, Strided<T> x) {
    using Entry = std::remove_const_t<T>;
    const Strided<const Entry> read{x.data, x.rows, x.cols, x.stride};
    const Index blocks = kernels::warps_for(x.size());
    Buffer<Index, E> first(queue_, blocks);
    queue_->rows(blocks, kernels::FirstOfBlock<As, Entry>{read, x.size(), first.data()});
    queue_->rows(1, kernels::FirstOfAll<Entry>{read, first.data(), blocks, findings_.data() + number});
  }
  /// That all entries of x are finite in As, once what was told before is done.
  template <class As, class T>
  void check_finite(Stage stage, Strided<T> x, Refuse refuse) {
    if (x.size() == 0) return;
    const std::size_t number = check(stage, std::move(refuse));
    then([this, number, x] { find_not_finite<As>(number, x); });
  }

  /// Launches, waits for the findings, and complains of the first.
  void run() {
    if (launches_.empty()) return;
    const auto count = static_cast<Index>(checks_.size());
    findings_ = Buffer<Finding, E>(queue_, count);
    key_.add(findings_.data());
    queue_->replay(key_, [&] {
      for (const Launch& launch : launches_) launch();
    });
    const auto found = findings_.to_host();
    for (const Stage stage : std::array<Stage, 3>{Stage::formed, Stage::normalised, Stage::rounded})
      for (std::size_t c = 0; c < found.size(); ++c)
        if (checks_[c].stage == stage && found[c].place >= 0) checks_[c].refuse(found[c]);
  }

 private:
  static constexpr std::uint64_t what = 0x6665617475726573;  ///< "features"; a network's sequences have small numbers

  struct Check {
    Stage stage;
    Refuse refuse;
  };
  SharedQueue<E> queue_;
  Key key_;
  std::vector<Buffer<std::byte, E>> uploaded_;
  std::optional<const Index*> ids_;
  std::vector<Launch> launches_;
  std::vector<Check> checks_;
  Buffer<Finding, E> findings_;
};

}  // namespace mts::cuda
