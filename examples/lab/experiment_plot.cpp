#include "lab/experiment_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lab/plot.hpp"
#include "mts/data/atomic_file.hpp"

namespace mts::lab {

namespace {

constexpr int width = 900;

/// Half an interval; 0 of a single seed, which has none.
double bar(const Mean& m) { return std::isfinite(m.half_width) ? m.half_width : 0; }

/// Accuracy over the benchmarks against the seconds of a run, a point for each method. Names stand in a column on the right, so that they do not
/// cover one another.
std::string cost_script(const Section& section, const Comparison& c, const std::string& terminal) {
  std::vector<std::string> labels = c.labels();
  std::sort(labels.begin(), labels.end(),
            [&](const auto& a, const auto& b) { return c.accuracy(a).mean > c.accuracy(b).mean; });
  double low = 100, high = 0, slowest = 0, fastest = HUGE_VAL;
  for (const auto& label : labels) {
    low = std::min(low, c.accuracy(label).mean - bar(c.accuracy(label)));
    high = std::max(high, c.accuracy(label).mean + bar(c.accuracy(label)));
    slowest = std::max(slowest, c.seconds(label));
    fastest = std::min(fastest, c.seconds(label));
  }
  const double line = (high - low) / static_cast<double>(std::max<std::size_t>(24, labels.size()));  // height of a name
  const double edge = slowest * 1.15, column = edge * std::pow(slowest / fastest * 2, 0.12);
  std::string script = set_terminal(terminal, width, 660) + axes_style;
  script += fmt::format("set title '{}: accuracy and cost of a run'\n", text_for_gnuplot(section.title));
  script += "set logscale x\nset xlabel 'seconds of a run'\nset ylabel 'accuracy, average (%)'\nunset key\n";
  script += fmt::format("set xrange [{}:{}]\nset yrange [{}:{}]\n$methods << EOD\n", fastest / 1.15,
                        column * std::pow(slowest / fastest * 2, 0.35), low - line, high + line);
  // Names as near to their points as their height allows, from the top down; then up again from the lower edge.
  std::vector<double> name_at;
  for (const auto& label : labels)
    name_at.push_back(std::min(c.accuracy(label).mean, name_at.empty() ? high : name_at.back() - line));
  double lowest = low;
  for (std::size_t k = labels.size(); k-- > 0; lowest = name_at[k] + line) name_at[k] = std::max(name_at[k], lowest);
  for (std::size_t k = 0; k < labels.size(); ++k) {
    const auto& label = labels[k];
    const Mean m = c.accuracy(label);
    script += fmt::format("\"{}\" {} {} {} {} {}\n", text_for_gnuplot(label), c.seconds(label), m.mean, bar(m),
                          label == section.reference ? 1 : 0, name_at[k]);
  }
  script += "EOD\n";
  script += fmt::format(
      "plot $methods using 2:3:({0}-$2):(0) with vectors nohead lc rgb '#dddddd', \\\n"
      "     '' using ({0}):3:({1}):($6-$3) with vectors nohead lc rgb '#dddddd', \\\n"
      "     '' using 2:3:4 with yerrorbars pt 0 lc rgb '#999999', \\\n"
      "     '' using 2:($5 == 0 ? $3 : NaN) with points pt 7 ps 0.7 lc rgb '{2}', \\\n"
      "     '' using 2:($5 == 1 ? $3 : NaN) with points pt 7 ps 1.1 lc rgb '{3}', \\\n"
      "     '' using ({4}):6:1 with labels left offset 0.4,0 font ',11'\n",
      edge, column - edge, colours[0], colours[1], column);
  return script;
}

/// A line for each variant, with the interval of its accuracy over the benchmarks.
std::string list_script(const Section& section, const Comparison& c, const std::string& terminal) {
  const auto& labels = c.labels();
  std::string script = set_terminal(terminal, width, 120 + 26 * static_cast<int>(labels.size())) + axes_style;
  script +=
      fmt::format("set title '{}'\nunset key\nset xlabel 'accuracy, average (%)'\n", text_for_gnuplot(section.title));
  script += "set grid xtics lc rgb '#e4e4e4' lt 1 lw 0.7\nset ytics (";
  for (std::size_t k = 0; k < labels.size(); ++k)
    script += fmt::format("{}'{}' {}", k == 0 ? "" : ", ", text_for_gnuplot(labels[k]), labels.size() - k);
  script += fmt::format(")\nset yrange [0.3:{}]\n$variants << EOD\n", static_cast<double>(labels.size()) + 0.7);
  for (std::size_t k = 0; k < labels.size(); ++k) {
    const Mean m = c.accuracy(labels[k]);
    script += fmt::format("{} {} {}\n", m.mean, labels.size() - k, bar(m));
  }
  script += fmt::format("EOD\nplot $variants using 1:2:3 with xerrorbars pt 7 ps 0.8 lc rgb '{}'\n", colours[0]);
  return script;
}

/// Accuracy and GSNR against the batch size, a line for each series.
std::string series_script(const Section& section, const Comparison& c, const std::string& terminal) {
  const auto series = series_of(section);
  std::vector<bool> measured;  // whether the series has a GSNR
  for (const auto& name : series)
    measured.push_back(std::any_of(section.variants.begin(), section.variants.end(), [&](const Variant& v) {
      return v.series == name && std::isfinite(c.gsnr(v.label));
    }));
  const bool learns = std::find(measured.begin(), measured.end(), true) != measured.end();
  std::string script = set_terminal(terminal, learns ? 1160 : width, 520) + axes_style;
  for (std::size_t s = 0; s < series.size(); ++s) {
    script += fmt::format("$s{} << EOD\n", s);
    for (const auto& v : section.variants)
      if (v.series == series[s]) {
        const double gsnr = c.gsnr(v.label);
        script += fmt::format("{} {} {} {}\n", v.batch, c.accuracy(v.label).mean, bar(c.accuracy(v.label)),
                              std::isfinite(gsnr) ? fmt::format("{}", gsnr) : "NaN");
      }
    script += "EOD\n";
  }
  const auto lines = [&](const char* columns, const char* style, bool all) {
    std::string plot;
    for (std::size_t s = 0; s < series.size(); ++s)
      if (all || measured[s])
        plot += fmt::format("{}$s{} using {} with {} pt 7 lw 1.5 lc rgb '{}' title '{}'", plot.empty() ? "plot " : ", ",
                            s, columns, style, colours[s % colours.size()], text_for_gnuplot(series[s]));
    plot += '\n';
    return plot;
  };
  script += fmt::format("set multiplot layout 1,{} title '{}'\n", learns ? 2 : 1, text_for_gnuplot(section.title));
  script += "set logscale x 2\nset xlabel 'batch size N'\nset key bottom right\nset ylabel 'accuracy, average (%)'\n";
  script += lines("1:2:3", "yerrorlines", true);
  if (learns) {
    script += "set logscale y\nset ylabel 'GSNR of the hypergradient, given Gamma'\nset key top left\n";
    script += lines("1:4", "linespoints", false);
  }
  return script + "unset multiplot\n";
}

}  // namespace

std::string section_script(const Section& section, const Comparison& comparison, const std::string& terminal) {
  if (section.name.starts_with("methods")) return cost_script(section, comparison, terminal);
  if (!section.variants.front().series.empty()) return series_script(section, comparison, terminal);
  return list_script(section, comparison, terminal);
}

void write_picture(const Section& section, const Comparison& comparison, const std::filesystem::path& folder) {
  data::write_atomically(folder / (section.name + ".svg"),
                         run_gnuplot(section_script(section, comparison, "svg dynamic")));
}

}  // namespace mts::lab
