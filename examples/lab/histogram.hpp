#pragma once
/// \file
/// Histograms of weights, of real and of synthetic samples.

#include <span>
#include <string>
#include <vector>

namespace mts::lab {

/// Shares of samples by weight, in bins of equal width from 0 on; the last one takes what lies above, too.
struct Histogram {
  double bin = 1;              ///< width
  std::vector<double> shares;  ///< sum to 1; zeros where there are no samples
};

/// \param weights  not negative, finite    \param bin  > 0    \param bins  >= 1
Histogram histogram_of(std::span<const double> weights, double bin, std::size_t bins);

/// The widths of `bins` bins from 0 that all but the largest hundredth of the weights fit into; 1 where all weights are 0.
double bin_width(std::vector<double> weights, std::size_t bins);

/// An SVG element: bars of real samples beside those of synthetic ones, by weight. Either may be empty.
/// \param title  what it shows, in words
std::string weight_histogram_svg(std::span<const double> real, std::span<const double> synthetic,
                                 const std::string& title);

}  // namespace mts::lab
