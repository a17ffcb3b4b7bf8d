#pragma once
/// \file
/// Batches in which samples come as often as they weigh.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mts/core/error.hpp"
#include "mts/core/random.hpp"
#include "mts/core/state.hpp"
#include "mts/core/types.hpp"

namespace mts::data {

/// Batches of a pool drawn in proportion to weights w. An epoch of n draws takes sample i  floor or ceil of n w_i/sum w  times, as
/// often in the mean (systematic sampling: the cumulated weights of a random order, met by n equally spaced points from a random
/// start), in a random order. So equal weights give epochs without replacement, and the loss of a batch has less variance than by
/// independent draws, and far less than by uniform draws weighted with p_i: there B_eff is lost, here it is not.
///
/// The order of epoch e is a function of (w, seed, purpose, e) alone; a batch may span two epochs. Not to be shared between threads.
/// Source: systematic sampling, Madow and Madow, Annals of Mathematical Statistics 1944.
class WeightedSampler {
 public:
  struct Options {
    Index batch = 64;
    std::uint64_t seed = 0;
    std::string purpose = "weighted batch order";  ///< samplers of different purposes visit in unrelated orders
  };
  /// Where a sampler stands.
  struct State {
    std::uint64_t epoch = 0;
    Index position = 0;  ///< draws of this epoch that are behind us
    friend bool operator==(const State&, const State&) = default;
  };

  /// \param weights  one for each sample of the pool, finite, >= 0, not all 0
  /// \throws ValueError, NumericalError
  WeightedSampler(SampleVector weights, Options options) : weights_(std::move(weights)), options_(std::move(options)) {
    check_value(weights_.size() >= 1, "WeightedSampler", "expected a pool of at least 1 sample, found 0");
    check_value(options_.batch >= 1, "WeightedSampler", "expected batches of at least 1 sample, found ",
                options_.batch);
    check_finite("WeightedSampler", "weight", weights_);
    for (Index i = 0; i < weights_.size(); ++i)
      check_value(weights_[i] >= 0, "WeightedSampler", "weight of sample ", i, " must not be negative, found ",
                  weights_[i]);
    const double sum = weights_.sum();
    check_value(sum > 0, "WeightedSampler", "all ", weights_.size(), " weights are 0");
    check_finite("WeightedSampler", "sum of the weights", sum);
    weights_ /= sum;
    make_order();
  }

  /// The next batch's places in the pool. Allocates nothing once `out` has held a batch.
  void next(std::vector<Index>& out) {
    out.clear();
    while (static_cast<Index>(out.size()) < options_.batch) {
      if (state_.position == static_cast<Index>(order_.size())) {
        ++state_.epoch;
        state_.position = 0;
        make_order();
      }
      out.push_back(order_[static_cast<std::size_t>(state_.position++)]);
    }
  }

  State state() const { return state_; }
  /// Goes to a state, of this sampler or of another of the same weights and options.
  /// \throws ValueError if its position is outside an epoch
  void restore(State state) {
    check_value(state.position >= 0 && state.position <= weights_.size(), "WeightedSampler::restore",
                "expected a position in [0, ", weights_.size(), "], found ", state.position);
    state_ = state;
    make_order();
  }

  /// Writes the state, and what it is one of: weights and options.
  void save(std::ostream& out) const {
    mts::detail::StateWriter(out, "WeightedSampler::save", kind)
        .vector(weights_)
        .count(options_.batch)
        .number(options_.seed)
        .words(options_.purpose)
        .number(state_.epoch)
        .count(state_.position);
  }
  /// \throws DataError if the stream ends early, or holds the state of a sampler of other weights or options; then nothing has
  ///         changed
  void load(std::istream& in) {
    mts::detail::StateReader reader(in, "WeightedSampler::load", kind);
    const SampleVector weights = reader.sample_vector("weights", weights_.size());
    for (Index i = 0; i < weights.size(); ++i)
      reader.check(weights[i] == weights_[i], mts::detail::text("weight of sample ", i), weights_[i], weights[i]);
    reader.same("batch", std::int64_t{options_.batch});
    reader.same("seed", options_.seed);
    const std::string purpose = reader.words("purpose");
    reader.check(purpose == options_.purpose, "purpose", options_.purpose, purpose);
    State state;
    state.epoch = reader.number<std::uint64_t>("epoch");
    state.position = reader.count("position");
    reader.check(state.position <= pool_size(), "position", mts::detail::text("at most ", pool_size()), state.position);
    restore(state);
  }
  Index pool_size() const { return weights_.size(); }
  const Options& options() const { return options_; }

 private:
  static constexpr mts::detail::StateKind kind = {'m', 't', 's', '-', 'w', 's', 'm', '1'};

  void make_order() {
    RandomStream stream(options_.seed, options_.purpose, state_.epoch);
    const Index n = weights_.size();
    visit_.resize(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < visit_.size(); ++i) visit_[i] = static_cast<Index>(i);
    for (std::size_t i = visit_.size(); i > 1; --i) std::swap(visit_[i - 1], visit_[stream.below(i)]);
    const double start = stream.uniform();
    order_.clear();
    double cumulated = 0;
    for (Index k = 0; k < n; ++k) {
      const Index i = visit_[static_cast<std::size_t>(k)];
      cumulated += weights_[i] * static_cast<double>(n);
      // the last sample that weighs anything takes the points that round-off would leave over
      while (static_cast<Index>(order_.size()) < n && static_cast<double>(order_.size()) + start < cumulated)
        order_.push_back(i);
    }
    for (Index k = n - 1; static_cast<Index>(order_.size()) < n; --k)
      if (weights_[visit_[static_cast<std::size_t>(k)]] > 0) {
        order_.resize(static_cast<std::size_t>(n), visit_[static_cast<std::size_t>(k)]);
        break;
      }
    for (std::size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[stream.below(i)]);
  }

  SampleVector weights_;
  Options options_;
  State state_;
  std::vector<Index> visit_, order_;
};

}  // namespace mts::data
