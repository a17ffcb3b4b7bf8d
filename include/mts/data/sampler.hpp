#pragma once
/// \file
/// The order in which a pool is visited.

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mts/core/random.hpp"
#include "mts/core/state.hpp"
#include "mts/core/types.hpp"

namespace mts::data {

/// Batches of a pool without replacement within an epoch; every epoch has an order of its own.
///
/// The order of epoch e is a function of (seed, purpose, e) alone, so the state is (epoch, position) and a run goes on from
/// it exactly. `drop_last` as in PyTorch's samplers: if true (the default here), the samples left at the end of an
/// epoch that do not fill a batch are skipped; if false, they make a smaller batch. Epoch here means one pass over the pool.
/// Not to be shared between threads.
class EpochSampler {
 public:
  struct Options {
    Index batch = 64;
    std::uint64_t seed = 0;
    std::string purpose = "batch order";  ///< samplers of different purposes visit in unrelated orders
    bool drop_last = true;
  };
  /// Where a sampler stands.
  struct State {
    std::uint64_t epoch = 0;
    Index position = 0;  ///< places of this epoch's order that are behind us
    friend bool operator==(const State&, const State&) = default;
  };

  /// \throws ValueError if the pool is empty, the batch is below 1, or the batch is larger than the pool
  EpochSampler(Index pool_size, Options options) : pool_size_(pool_size), options_(std::move(options)) {
    check_value(pool_size >= 1, "EpochSampler", "expected a pool of at least 1 sample, found ", pool_size);
    check_value(options_.batch >= 1, "EpochSampler", "expected batches of at least 1 sample, found ", options_.batch);
    check_value(options_.batch <= pool_size, "EpochSampler", "a batch of ", options_.batch,
                " samples is larger than the pool of ", pool_size);
    order_.reserve(static_cast<std::size_t>(pool_size));
    excluded_.assign(static_cast<std::size_t>(pool_size), 0);
    make_order();
  }

  /// The next batch's places in the pool. Allocates nothing once `out` has held a batch.
  void next(std::vector<Index>& out) { next(out, {}); }

  /// The next batch without the samples `excluded` (a selector batch disjoint from a classifier batch). Excluded samples that
  /// come up are passed over for this epoch. If what is left of the epoch does not do, the next epoch begins. A function of the
  /// state and of `excluded`.
  /// \throws ValueError if one is no place of the pool, or if fewer than a batch would be left of the whole pool; nothing has
  ///         changed then
  void next(std::vector<Index>& out, std::span<const Index> excluded) {
    Index barred = 0;
    for (std::size_t k = 0; k < excluded.size(); ++k) {
      const Index i = excluded[k];
      if (i < 0 || i >= pool_size_) {
        clear(excluded.first(k));
        throw ValueError(
            mts::detail::text("EpochSampler: excluded samples: expected places in [0, ", pool_size_, "), found ", i));
      }
      barred += excluded_[static_cast<std::size_t>(i)] == 0;
      excluded_[static_cast<std::size_t>(i)] = 1;
    }
    if (pool_size_ - barred < options_.batch) {
      clear(excluded);
      throw ValueError(mts::detail::text("EpochSampler: a batch of ", options_.batch,
                                         " samples is larger than the pool of ", pool_size_, " without ", barred,
                                         " excluded samples"));
    }
    while (!fill(out)) {
      ++state_.epoch;
      state_.position = 0;
      make_order();
    }
    clear(excluded);
  }

  State state() const { return state_; }
  /// Goes to a state, of this sampler or of another of the same pool size and options.
  /// \throws ValueError if its position is outside the pool
  void restore(State state) {
    check_value(state.position >= 0 && state.position <= pool_size_, "EpochSampler::restore",
                "expected a position in [0, ", pool_size_, "], found ", state.position);
    state_ = state;
    make_order();
  }

  /// Writes the state, and what it is one of: pool size and options.
  void save(std::ostream& out) const {
    mts::detail::StateWriter(out, "EpochSampler::save", kind)
        .count(pool_size_)
        .count(options_.batch)
        .number(options_.seed)
        .words(options_.purpose)
        .number(options_.drop_last)
        .number(state_.epoch)
        .count(state_.position);
  }
  /// \throws DataError if the stream ends early, or holds the state of a sampler of another pool size or other options; then
  ///         nothing has changed
  void load(std::istream& in) {
    mts::detail::StateReader reader(in, "EpochSampler::load", kind);
    reader.same("pool size", std::int64_t{pool_size_});
    reader.same("batch", std::int64_t{options_.batch});
    reader.same("seed", options_.seed);
    const std::string purpose = reader.words("purpose");
    reader.check(purpose == options_.purpose, "purpose", options_.purpose, purpose);
    reader.check(reader.flag("drop_last") == options_.drop_last, "drop_last", options_.drop_last, !options_.drop_last);
    State state;
    state.epoch = reader.number<std::uint64_t>("epoch");
    state.position = reader.count("position");
    reader.check(state.position <= pool_size_, "position", mts::detail::text("at most ", pool_size_), state.position);
    restore(state);
  }

  Index pool_size() const { return pool_size_; }
  const Options& options() const { return options_; }
  /// Batches in an epoch (without exclusions).
  Index batches_per_epoch() const {
    return (pool_size_ + (options_.drop_last ? 0 : options_.batch - 1)) / options_.batch;
  }

 private:
  static constexpr mts::detail::StateKind kind = {'m', 't', 's', '-', 's', 'm', 'p', '1'};

  void make_order() {
    RandomStream stream(options_.seed, options_.purpose, state_.epoch);
    order_.resize(static_cast<std::size_t>(pool_size_));
    for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = static_cast<Index>(i);
    for (std::size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[stream.below(i)]);
  }
  /// Takes a batch from what is left of the epoch; false if that does not make one.
  bool fill(std::vector<Index>& out) {
    out.clear();
    Index position = state_.position;
    for (; position < pool_size_ && static_cast<Index>(out.size()) < options_.batch; ++position) {
      const Index i = order_[static_cast<std::size_t>(position)];
      if (!excluded_[static_cast<std::size_t>(i)]) out.push_back(i);
    }
    const auto found = static_cast<Index>(out.size());
    if (found == 0 || (found < options_.batch && options_.drop_last)) return false;
    state_.position = position;
    return true;
  }
  void clear(std::span<const Index> excluded) {
    for (const Index i : excluded) excluded_[static_cast<std::size_t>(i)] = 0;
  }

  Index pool_size_;
  Options options_;
  State state_;
  std::vector<Index> order_;
  std::vector<char> excluded_;
};

}  // namespace mts::data
