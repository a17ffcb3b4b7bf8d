#pragma once
/// \file
/// A last look at what a method has learned, when its steps are done: which features the weights rest on, and whether training or
/// validation samples limit what a weight net can learn.

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mts/core/feature_batch.hpp"
#include "mts/core/random.hpp"
#include "mts/diagnostics/gsnr.hpp"
#include "mts/selection/split_half.hpp"
#include "mts/selection/weights.hpp"

namespace mts::lab {

/// A number with its standard error; both NaN where there is none.
struct Estimate {
  double value = std::numeric_limits<double>::quiet_NaN();
  double error = std::numeric_limits<double>::quiet_NaN();

  bool known() const { return std::isfinite(value); }
};

/// What becomes of the weights when a feature's values are dealt out anew.
struct FeatureImportance {
  std::string feature;
  double moved = 0;  ///< the share of all weight that goes to other samples, in [0, 1]: (1/2) sum |p - p'|
  Estimate gain;     ///< sum (p - p') a: what the feature does to lower the validation loss, to first order
};

/// Where the noise of a weight net's hypergradient comes from (law L14), at the trained classifier.
struct NoiseSplit {
  double signal = 0;      ///< |E G|^2
  double training = 0;    ///< of tr Var G, what N more training samples would halve
  double validation = 0;  ///< and what M more validation samples would

  /// Share of the noise that the validation samples make; NaN without noise.
  double validation_share() const { return validation / (training + validation); }
};

/// What a method has to show; empty where it has no features of its own.
struct Insight {
  std::vector<FeatureImportance> features;  ///< in the order of the features
  Estimate gain;                            ///< sum (p - 1/N) a: what the weights do, against uniform ones
  std::optional<NoiseSplit> noise;          ///< for weight nets with two validation samples or more
};

/// What a method saw of every sample of a pool of n.
struct PoolFeatures {
  std::vector<std::string> names;  ///< of D columns
  RowMatrix<float> values;         ///< n x D
};

/// Columns that belong together: a feature of several numbers, or a categorical one.
struct FeatureColumns {
  std::string feature;
  std::vector<Index> continuous;
  std::vector<std::size_t> categorical;
};

/// The columns of a layout by feature: "batch_z(nearest_cosine_1)" and "..._2)" are one.
std::vector<FeatureColumns> columns_by_feature(const FeatureLayout& layout);

/// Adds up the last look batch by batch.
class InsightSums {
 public:
  explicit InsightSums(const FeatureLayout& layout)
      : columns_(columns_by_feature(layout)), moved_(columns_.size()), gains_(columns_.size()) {}

  /// One batch of N samples as a weight net sees it. With a = <g_i, Gamma> at the trained classifier, p the normalised weights, p' those
  /// where the samples' values of a feature were permuted, all of its columns alike:
  ///     moved  (1/2) sum |p - p'|        gain  sum (p - p') a
  /// and of the hypergradient G, whose Gamma comes from validation halves A and B and whose samples are halves 0 and 1 of the batch,
  ///     signal <G_0(A), G_1(B)>       training |G_0 - G_1|^2/4       validation |G(A) - G(B)|^2/4, both unbiased.
  /// \param tempering  floor under B_eff/N, 0 for none
  /// \param a          alignments with the gradient of half A of the validation samples, and of half B; N each, or B empty where there is
  ///   one validation sample only: then there is no noise to tell apart
  template <class W, class A>
  void add(const W& net, const typename W::Parameters& phi, const A& activation, double tempering,
           const typename W::Features& f, const SampleVector& a, const SampleVector& b, RandomStream stream) {
    const auto z = net.linearize(phi, f);
    BatchWeights weights, permuted_weights;
    normalize(activation, z.value(), SampleVector(), tempering, weights);
    const bool halved = b.size() > 0;
    const SampleVector both = halved ? SampleVector((a + b) / 2) : a;
    gain_.push_back(weights.p.dot(both) - both.mean());
    for (std::size_t k = 0; k < columns_.size(); ++k) {
      const auto places = stream.permutation(weights.size());
      auto permuted = f;
      for (Index i = 0; i < weights.size(); ++i) {
        const Index from = places[static_cast<std::size_t>(i)];
        for (const Index c : columns_[k].continuous) permuted.continuous(i, c) = f.continuous(from, c);
        for (const std::size_t c : columns_[k].categorical)
          permuted.categorical[c][static_cast<std::size_t>(i)] = f.categorical[c][static_cast<std::size_t>(from)];
      }
      normalize(activation, net.forward(phi, permuted).value(), SampleVector(), tempering, permuted_weights);
      const SampleVector d = weights.p - permuted_weights.p;
      moved_[k].push_back(d.cwiseAbs().sum() / 2);
      gains_[k].push_back(d.dot(both));
    }
    if (!halved) return;

    SampleVector dz;
    const auto gradient = [&] {
      auto g = phi.zeros_like();
      z.pullback(dz, g);
      return g;
    };
    std::vector<typename W::Parameters> g;
    for (const SampleVector* alignments : {&a, &b}) {
      pullback_to_logits(weights, *alignments, dz);
      g.push_back(gradient());
    }
    const double validation = diagnostics::split_half(g[0], g[1]).noise;
    g.clear();
    for (int half = 0; half < 2; ++half) {
      if (!half_batch_logit_gradient(weights, both, half, dz)) return;
      g.push_back(gradient());
      half_batch_logit_gradient(weights, half == 0 ? a : b, half, dz);
      g.push_back(gradient());
    }
    noise_.signal += static_cast<double>(g[1].dot(g[3]));
    noise_.training += diagnostics::split_half(g[0], g[2]).noise;
    noise_.validation += validation;
    ++noise_batches_;
  }

  /// The means over the batches.
  /// \param validation_scale  what the validation noise of both halves together is to be multiplied by: their samples over those of a step
  Insight result(double validation_scale) const;

 private:
  std::vector<FeatureColumns> columns_;
  std::vector<std::vector<double>> moved_, gains_;  // by feature, then batch
  std::vector<double> gain_;
  NoiseSplit noise_;
  Index noise_batches_ = 0;
};

/// The same look at several runs, averaged; runs that differ in their features have none in common.
Insight average(std::span<const Insight> runs);

}  // namespace mts::lab
