#pragma once
/// \file
/// The GSNR of a hypergradient measured from independent replicates, |E G|^2 / tr Var[G], with its standard error.
///
///     GsnrAccumulator acc(P);
///     for (r...) acc.add(G_r, r);                      // or in several accumulators, then acc.merge(other)
///     acc.estimate().ratio, acc.estimate().standard_error

#include <cmath>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "mts/core/error.hpp"
#include "mts/core/state.hpp"

namespace mts::diagnostics {

/// signal and noise are unbiased; the ratio is their quotient, corrected and given a standard error by the jackknife over blocks.
struct GsnrEstimate {
  double signal = 0;          ///< |mean G|^2 - tr S/R; may be negative where there is little signal
  double noise = 0;           ///< tr S, S the sample covariance (R - 1 below)
  double plain_ratio = 0;     ///< signal / noise; infinity without noise, 0 for 0/0
  double ratio = 0;           ///< the same less its jackknifed bias
  double standard_error = 0;  ///< of the ratio; infinity where the jackknife is impossible
  Index replicates = 0;       ///< R
};

/// The same for each of P parameters.
struct GsnrPerParameter {
  SampleVector signal, noise, plain_ratio, ratio, standard_error;
};

/// Streams replicates of a hypergradient in R^P. A replicate belongs to block (number mod blocks); of each block count, mean and sum
/// of squares about it are kept, updated by Welford's rule, so nothing is lost to cancellation. Memory: 2 P blocks numbers.
/// Bits: accumulators whose replicates are in different blocks merge to the very bits of one accumulator that was given the
/// replicates of each block in the same order, in any order and grouping of merges. Blocks that meet are merged by Chan's rule,
/// equal up to rounding. Not for simultaneous use by several threads: give each its own.
class GsnrAccumulator {
 public:
  static constexpr Index default_blocks = 32;

  /// \throws ValueError if P < 1 or blocks < 2
  explicit GsnrAccumulator(Index parameters, Index blocks = default_blocks) : parameters_(parameters) {
    check_value(parameters >= 1, "GsnrAccumulator", "expected at least 1 parameter, found ", parameters);
    check_value(blocks >= 2, "GsnrAccumulator", "expected at least 2 blocks, found ", blocks);
    blocks_.resize(static_cast<std::size_t>(blocks));
  }

  Index parameters() const { return parameters_; }
  Index blocks() const { return static_cast<Index>(blocks_.size()); }
  Index replicates() const {
    Index n = 0;
    for (const Block& b : blocks_) n += b.count;
    return n;
  }

  /// \param number  which replicate this is: it settles the block alone. By default as many as were added before.
  /// \throws ShapeError if G does not have P entries; NumericalError if one is not finite (nothing is added then); ValueError if the
  ///   number is negative
  void add(const Eigen::Ref<const SampleVector>& g, Index number) {
    check_size("GsnrAccumulator::add", "length of the hypergradient", parameters_, g.size());
    check_value(number >= 0, "GsnrAccumulator::add", "the number of a replicate must not be negative, found ", number);
    check_finite("GsnrAccumulator::add", "hypergradient", g);
    Block& b = blocks_[static_cast<std::size_t>(number) % blocks_.size()];
    if (b.count == 0) {
      b.mean = SampleVector::Zero(parameters_);
      b.squares = SampleVector::Zero(parameters_);
    }
    ++b.count;
    const double share = 1 / static_cast<double>(b.count);
    for (Index m = 0; m < parameters_; ++m) {
      const double before = g[m] - b.mean[m];
      b.mean[m] += before * share;
      b.squares[m] += before * (g[m] - b.mean[m]);
    }
  }
  void add(const Eigen::Ref<const SampleVector>& g) { add(g, replicates()); }
  /// For one number. \throws as above
  void add(double g, Index number) { add(SampleVector::Constant(1, g), number); }

  /// \throws ShapeError if the other has another number of parameters or blocks
  void merge(const GsnrAccumulator& other) {
    check_size("GsnrAccumulator::merge", "parameters", parameters_, other.parameters_);
    check_size("GsnrAccumulator::merge", "blocks", blocks(), other.blocks());
    for (std::size_t k = 0; k < blocks_.size(); ++k) {
      const Block& from = other.blocks_[k];
      Block& to = blocks_[k];
      if (from.count == 0) continue;
      if (to.count == 0) {
        to = from;
        continue;
      }
      const auto n = static_cast<double>(to.count), m = static_cast<double>(from.count);
      const SampleVector gap = from.mean - to.mean;
      to.mean += gap * (m / (n + m));
      to.squares += from.squares + gap.cwiseAbs2() * (n * m / (n + m));
      to.count += from.count;
    }
  }

  /// Writes the blocks.
  void save(std::ostream& out) const {
    mts::detail::StateWriter writer(out, "GsnrAccumulator::save", kind);
    writer.count(parameters_).count(blocks());
    for (const Block& b : blocks_) writer.count(b.count).vector(b.mean).vector(b.squares);
  }
  /// \throws DataError if the stream ends early, or holds something else or another number of parameters or blocks; then nothing
  ///   has changed
  void load(std::istream& in) {
    mts::detail::StateReader reader(in, "GsnrAccumulator::load", kind);
    reader.same("parameters", std::int64_t{parameters_});
    reader.same("blocks", std::int64_t{blocks()});
    std::vector<Block> loaded(blocks_.size());
    for (Block& b : loaded) {
      b.count = reader.count("replicates of a block");
      b.mean = reader.sample_vector("mean of a block", b.count > 0 ? parameters_ : 0);
      b.squares = reader.sample_vector("squares of a block", b.count > 0 ? parameters_ : 0);
    }
    blocks_ = std::move(loaded);
  }

  /// The mean of all replicates. \throws ValueError if there are none
  SampleVector mean() const {
    check_value(replicates() > 0, "GsnrAccumulator::mean", "there are no replicates");
    const SampleVector origin = first_mean();
    SampleVector shift = SampleVector::Zero(parameters_);
    for (const Block& b : blocks_)
      if (b.count > 0) shift += (b.mean - origin) * static_cast<double>(b.count);
    return origin + shift / static_cast<double>(replicates());
  }

  /// Aggregated over parameters: |E G|^2 / tr Var[G]. Jackknife: leave out one block at a time (Busing, Meijer, van der Leeden 1999
  /// for blocks that differ in size); with R of at least 2 blocks filled, and 2 replicates left. Cost: O(P blocks).
  /// \throws ValueError if there are fewer than 2 replicates
  GsnrEstimate estimate() const {
    const Left all = everything();
    GsnrEstimate e;
    e.replicates = replicates();
    const auto [signal, noise] = parts(all.mean, all.squares, all.count);
    e.signal = signal.sum();
    e.noise = noise.sum();
    e.plain_ratio = quotient(e.signal, e.noise);
    Jackknife jackknife(e.plain_ratio, all.count);
    for (const Block& b : blocks_) {
      if (b.count == 0) continue;
      const Left left = all.without(b);
      if (left.count < 2) return impossible(e);
      const auto [s, v] = parts(left.mean, left.squares, left.count);
      jackknife.leave_out(static_cast<double>(b.count), quotient(s.sum(), v.sum()));
    }
    std::tie(e.ratio, e.standard_error) = jackknife.result();
    return e;
  }

  /// For each parameter by itself. \throws ValueError if there are fewer than 2 replicates
  GsnrPerParameter per_parameter() const {
    const Left all = everything();
    GsnrPerParameter e;
    std::tie(e.signal, e.noise) = parts(all.mean, all.squares, all.count);
    e.plain_ratio.resize(parameters_);
    std::vector<Jackknife> jackknives;
    for (Index m = 0; m < parameters_; ++m) {
      e.plain_ratio[m] = quotient(e.signal[m], e.noise[m]);
      jackknives.emplace_back(e.plain_ratio[m], all.count);
    }
    bool possible = true;
    for (const Block& b : blocks_) {
      if (b.count == 0) continue;
      const Left left = all.without(b);
      if (left.count < 2) {
        possible = false;
        break;
      }
      const auto [s, v] = parts(left.mean, left.squares, left.count);
      for (Index m = 0; m < parameters_; ++m)
        jackknives[static_cast<std::size_t>(m)].leave_out(static_cast<double>(b.count), quotient(s[m], v[m]));
    }
    e.ratio = e.plain_ratio;
    e.standard_error = SampleVector::Constant(parameters_, std::numeric_limits<double>::infinity());
    if (possible)
      for (Index m = 0; m < parameters_; ++m)
        std::tie(e.ratio[m], e.standard_error[m]) = jackknives[static_cast<std::size_t>(m)].result();
    return e;
  }

 private:
  static constexpr mts::detail::StateKind kind = {'m', 't', 's', '-', 'g', 's', 'n', '1'};

  struct Block {
    Index count = 0;
    SampleVector mean, squares;  ///< empty while count = 0; squares: sum of squares about the mean
  };

  /// Sums of what is left: means from an origin of the size of the data, squares about the mean.
  struct Left {
    double count = 0;
    SampleVector mean, squares;

    Left without(const Block& b) const {
      const auto n_b = static_cast<double>(b.count);
      Left l;
      l.count = count - n_b;
      if (l.count < 1) return l;
      const SampleVector gap = b.mean - mean;
      l.mean = mean - gap * (n_b / l.count);
      l.squares = (squares - b.squares - gap.cwiseAbs2() * (n_b * count / l.count)).cwiseMax(0);
      return l;
    }
  };

  /// The delete-one-block jackknife of one ratio.
  class Jackknife {
   public:
    Jackknife(double value, double count) : value_(value), count_(count) {}
    void leave_out(double n, double without) {
      const double h = count_ / n;
      pseudo_.emplace_back(h, h * value_ - (h - 1) * without);
    }
    /// The corrected value and its standard error; infinite error where a value left out was infinite, or there is one block.
    std::pair<double, double> result() const {
      double corrected = 0, variance = 0;
      for (const auto& [h, pseudo] : pseudo_) corrected += pseudo / h;
      for (const auto& [h, pseudo] : pseudo_) variance += (pseudo - corrected) * (pseudo - corrected) / (h - 1);
      variance /= static_cast<double>(pseudo_.size());
      if (pseudo_.size() < 2 || !std::isfinite(variance)) return {value_, std::numeric_limits<double>::infinity()};
      return {corrected, std::sqrt(variance)};
    }

   private:
    double value_, count_;
    std::vector<std::pair<double, double>> pseudo_;
  };

  static double quotient(double signal, double noise) {
    if (noise > 0) return signal / noise;
    return signal > 0 ? std::numeric_limits<double>::infinity() : 0.0;
  }
  static std::pair<SampleVector, SampleVector> parts(const SampleVector& mean, const SampleVector& squares,
                                                     double count) {
    SampleVector noise = squares / (count - 1);
    SampleVector signal = mean.cwiseAbs2() - noise / count;
    return {std::move(signal), std::move(noise)};
  }
  static GsnrEstimate impossible(GsnrEstimate e) {
    e.ratio = e.plain_ratio;
    e.standard_error = std::numeric_limits<double>::infinity();
    return e;
  }

  const SampleVector& first_mean() const {
    std::size_t k = 0;
    while (blocks_[k].count == 0) ++k;
    return blocks_[k].mean;
  }
  Left everything() const {
    Left l;
    l.count = static_cast<double>(replicates());
    check_value(l.count >= 2, "GsnrAccumulator", "expected at least 2 replicates, found ", replicates());
    l.mean = mean();
    l.squares = SampleVector::Zero(parameters_);
    for (const Block& b : blocks_)
      if (b.count > 0) l.squares += b.squares + (b.mean - l.mean).cwiseAbs2() * static_cast<double>(b.count);
    return l;
  }

  Index parameters_;
  std::vector<Block> blocks_;
};

}  // namespace mts::diagnostics
