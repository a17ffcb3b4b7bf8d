#pragma once
/// \file
/// Several treatments (methods, or settings of one) on the same benchmarks and seeds, compared in pairs.

#include <map>
#include <string>
#include <vector>

#include "lab/runs.hpp"
#include "lab/statistics.hpp"

namespace mts::lab {

class Comparison {
 public:
  Comparison(std::vector<std::string> labels, std::vector<std::string> benchmarks, Index seeds)
      : labels_(std::move(labels)), benchmarks_(std::move(benchmarks)), seeds_(static_cast<std::size_t>(seeds)) {}
  /// To be called benchmark by benchmark and seed by seed, in the same order for all labels.
  void add(const std::string& label, const std::string& benchmark, const Kept& kept);

  bool has(const std::string& label) const { return accuracy_.count(label) > 0; }
  const std::vector<std::string>& labels() const { return labels_; }
  const std::vector<std::string>& benchmarks() const { return benchmarks_; }
  std::size_t seeds() const { return seeds_; }
  /// In %, of one benchmark.
  Mean accuracy(const std::string& label, const std::string& benchmark) const;
  /// Over the benchmarks: of each seed's mean.
  Mean accuracy(const std::string& label) const { return mean_of(by_seed(label)); }
  /// a - b in points, paired by seed after averaging over the benchmarks.
  Mean difference(const std::string& a, const std::string& b) const;
  /// Benchmarks and seeds on which a is above b.
  Index wins(const std::string& a, const std::string& b) const;
  /// Means over all runs of a label; NaN where there are none.
  double seconds(const std::string& label) const { return sums_.at(label).seconds.mean(); }
  double b_eff(const std::string& label) const { return sums_.at(label).b_eff.mean(); }
  double gsnr(const std::string& label) const { return sums_.at(label).gsnr.mean(); }

  /// A table in Markdown, the best first (`sorted`) or in the order of the labels: accuracy by benchmark and over them; above `base` and below
  /// `reference` with intervals, where they are among the labels; B_eff/N at the
  /// end and GSNR given Gamma where some run has them; seconds.
  std::string table(const std::string& what, const std::string& base, const std::string& reference, bool sorted) const;

 private:
  struct Average {
    double sum = 0, count = 0;
    void add(double x) {
      if (std::isfinite(x)) sum += x, ++count;
    }
    double mean() const { return sum / count; }
  };
  struct Sums {
    Average seconds, b_eff, gsnr;
  };
  std::vector<double> by_seed(const std::string& label) const;

  std::vector<std::string> labels_, benchmarks_;
  std::size_t seeds_;
  std::map<std::string, std::map<std::string, std::vector<double>>> accuracy_;  // in %
  std::map<std::string, Sums> sums_;
};

/// "+1.20 [+0.80, +1.60]"
std::string with_interval(const Mean& difference);
/// Three digits; "-" for what was not measured.
std::string or_dash(double x);

}  // namespace mts::lab
