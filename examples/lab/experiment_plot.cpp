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

/// Accuracy over the benchmarks against the seconds of a run, a point for each method.
std::string cost_script(const Section& section, const Comparison& c, const std::string& terminal) {
  std::string script = set_terminal(terminal, width, 620) + axes_style;
  script += fmt::format("set title '{}: accuracy and cost of a run'\n", text_for_gnuplot(section.title));
  script += "set logscale x\nset xlabel 'seconds of a run, on one core'\nset ylabel 'accuracy, average (%)'\n";
  script += "set offsets graph 0.05, graph 0.15, graph 0.05, graph 0.05\nunset key\n$methods << EOD\n";
  for (const auto& label : c.labels())
    script += fmt::format("'{}' {} {} {} {}\n", text_for_gnuplot(label), c.seconds(label), c.accuracy(label).mean,
                          bar(c.accuracy(label)), label == section.reference ? 1 : 0);
  script += "EOD\n";
  script += fmt::format(
      "plot $methods using 2:3:4 with yerrorbars pt 0 lc rgb '#bbbbbb', \\\n"
      "     '' using 2:($5 == 0 ? $3 : NaN) with points pt 7 ps 0.7 lc rgb '{}', \\\n"
      "     '' using 2:($5 == 1 ? $3 : NaN) with points pt 7 ps 1.1 lc rgb '{}', \\\n"
      "     '' using 2:3:1 with labels left offset 0.7,0.3 font ',10'\n",
      colours[0], colours[1]);
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
  std::vector<std::string> series;
  std::vector<bool> measured;  // whether the series has a GSNR
  for (const auto& v : section.variants) {
    if (std::find(series.begin(), series.end(), v.series) == series.end()) {
      series.push_back(v.series);
      measured.push_back(std::isfinite(c.gsnr(v.label)));
    }
  }
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
