#include "lab/histogram.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lab/html.hpp"
#include "lab/plot.hpp"

namespace mts::lab {

Histogram histogram_of(std::span<const double> weights, double bin, std::size_t bins) {
  Histogram h{bin, std::vector<double>(bins, 0.0)};
  for (const double w : weights) {
    const auto place = std::min(std::floor(w / bin), static_cast<double>(bins - 1));
    h.shares[static_cast<std::size_t>(place)] += 1 / static_cast<double>(weights.size());
  }
  return h;
}

double bin_width(std::vector<double> weights, std::size_t bins) {
  if (weights.empty()) return 1;
  const auto at = weights.begin() + std::llround(0.99 * static_cast<double>(weights.size() - 1));
  std::nth_element(weights.begin(), at, weights.end());
  const double high = *at > 0 ? *at : *std::max_element(at, weights.end());
  return high > 0 ? high / static_cast<double>(bins) : 1;
}

std::string weight_histogram_svg(std::span<const double> real, std::span<const double> synthetic,
                                 const std::string& title) {
  constexpr std::size_t bins = 24;
  constexpr double width = 640, height = 220, left = 52, right = 12, top = 30, bottom = 40;
  std::vector<double> all(real.begin(), real.end());
  all.insert(all.end(), synthetic.begin(), synthetic.end());
  const double bin = bin_width(all, bins);

  struct Series {
    const char* name;
    Histogram histogram;
    const char* colour;
  };
  std::vector<Series> series;
  if (!real.empty()) series.push_back({"real", histogram_of(real, bin, bins), colours[0]});
  if (!synthetic.empty()) series.push_back({"synthetic", histogram_of(synthetic, bin, bins), colours[1]});
  double most = 0;
  for (const auto& s : series)
    most = std::max(most, *std::max_element(s.histogram.shares.begin(), s.histogram.shares.end()));
  if (most == 0) most = 1;

  std::string svg = fmt::format(
      "<svg viewBox=\"0 0 {} {}\" width=\"{}\" height=\"{}\" role=\"img\" aria-label=\"{}\" font-size=\"12\" "
      "font-family=\"Helvetica,Arial,sans-serif\">\n",
      width, height, width, height, html::escaped(title));
  const double x0 = left, y0 = height - bottom, plot_width = width - left - right, plot_height = y0 - top;
  const auto label = [&](double x, double y, const char* anchor, const std::string& text) {
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" fill=\"#222\">{}</text>\n", x, y, anchor,
                       html::escaped(text));
  };
  for (const double part : {0.0, 0.5, 1.0}) {
    const double y = y0 - part * plot_height;
    svg += fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\"/>\n", x0, y,
                       x0 + plot_width, y, part == 0 ? "#555" : "#e4e4e4");
    label(x0 - 6, y + 4, "end", fmt::format("{:.3g} %", 100 * part * most));
  }
  const double slot = plot_width / bins,
               bar = 0.84 * slot / static_cast<double>(std::max<std::size_t>(1, series.size()));
  for (std::size_t s = 0; s < series.size(); ++s) {
    for (std::size_t k = 0; k < bins; ++k) {
      const double share = series[s].histogram.shares[k];
      if (share == 0) continue;
      const double h = share / most * plot_height;
      svg += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"/>\n",
                         x0 + (static_cast<double>(k) + 0.08) * slot + static_cast<double>(s) * bar, y0 - h, bar, h,
                         series[s].colour);
    }
    const double at = x0 + 110 * static_cast<double>(s);
    svg += fmt::format("<rect x=\"{:.1f}\" y=\"8\" width=\"11\" height=\"11\" fill=\"{}\"/>\n", at, series[s].colour);
    label(at + 16, 18, "start", series[s].name);
  }
  for (std::size_t k = 0; k <= bins; k += bins / 4)
    label(x0 + static_cast<double>(k) * slot, y0 + 16, "middle", fmt::format("{:.2g}", bin * static_cast<double>(k)));
  label(x0 + plot_width / 2, height - 6, "middle", "weight over the mean weight; the last bar has all above, too");
  return svg + "</svg>\n";
}

}  // namespace mts::lab
