// What mts-lab gsnr prints and writes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "lab/files.hpp"
#include "lab/gsnr.hpp"
#include "lab/plot.hpp"
#include "mts/data/atomic_file.hpp"
#include "mts/data/csv.hpp"

namespace mts::lab {

namespace {

constexpr std::array all_panels = {
    GsnrPanel::fixed,           GsnrPanel::real_step,     GsnrPanel::real_step_without,
    GsnrPanel::informativeness, GsnrPanel::concentration, GsnrPanel::concentration_leading};

std::string words_of(GsnrPanel panel) {
  switch (panel) {
    case GsnrPanel::fixed:
      return "(a) fixed Gamma, beside L10 and L14";
    case GsnrPanel::real_step:
      return "(a) the real step, beside L10, L14 and L14'";
    case GsnrPanel::real_step_without:
      return "(a) the real step, beside L10 and L14 without L14'";
    case GsnrPanel::informativeness:
      return "(b) one feature that knows the truth with correlation r, uniform weights, beside L11";
    case GsnrPanel::concentration:
      return "(c) w = exp(beta f), beside L10, next order";
    case GsnrPanel::concentration_leading:
      break;
  }
  return "(c) w = exp(beta f), beside L10, leading order";
}

std::vector<const GsnrPoint*> points_of(const GsnrStudy& study, GsnrPanel panel) {
  std::vector<const GsnrPoint*> points;
  for (const auto& p : study.points)
    if (p.panel == panel) points.push_back(&p);
  return points;
}

/// Measured over forecast.
std::string shown_noise(const GsnrPoint& p) {
  return std::isnan(p.forecast_noise) ? std::string() : fmt::format("{:.2f}", p.measured_noise / p.forecast_noise);
}

std::string or_nothing(double x) { return std::isnan(x) ? std::string() : fmt::format("{}", x); }

}  // namespace

const char* name_of(GsnrPanel panel) {
  switch (panel) {
    case GsnrPanel::fixed:
      return "fixed Gamma";
    case GsnrPanel::real_step:
      return "real step";
    case GsnrPanel::real_step_without:
      return "real step without L14'";
    case GsnrPanel::informativeness:
      return "informativeness";
    case GsnrPanel::concentration:
      return "concentration";
    case GsnrPanel::concentration_leading:
      break;
  }
  return "concentration leading order";
}

double GsnrStudy::critical_of(GsnrPanel panel) const {
  const auto found = std::find_if(critical.begin(), critical.end(), [&](const auto& c) { return c.first == panel; });
  check_value(found != critical.end(), "GsnrStudy", "no points of panel '", name_of(panel), "'");
  return found->second;
}

bool GsnrStudy::agrees(GsnrPanel panel) const {
  return std::all_of(points.begin(), points.end(), [&](const GsnrPoint& p) { return p.panel != panel || p.agrees; });
}

std::string table_of(const GsnrStudy& study) {
  std::string out = fmt::format(
      "\n{}: {} training and {} validation samples; the forecasts saw {} and {}, those of the real step {}.\n",
      study.benchmark, study.train_size, study.validation_size, study.pool, study.pool_validation,
      study.curvature_pool);
  out += fmt::format(
      "The frozen network is right on {:.1f} % of clean images; alignment and truth correlate with {:.3f}.\n"
      "noise: tr Var of the hypergradient, measured over forecast.\n",
      100 * study.theta_accuracy, study.effect);
  std::string sums;
  for (const GsnrPanel panel : all_panels) {
    const auto points = points_of(study, panel);
    if (points.empty()) continue;
    out += fmt::format("\n{}\n{:>6}{:>6}{:>6}{:>6}{:>6}{:>8}  {:>20}  {:>20}{:>7}{:>7}  verdict\n", words_of(panel),
                       "N", "M", "r", "beta", "eta", "B_eff/N", "forecast", "measured", "z", "noise");
    std::size_t agree = 0;
    double largest = 0;
    for (const GsnrPoint* p : points) {
      const auto shown = [](double x) { return std::isnan(x) ? std::string() : fmt::format("{:.4g}", x); };
      const auto with_error = [](double x, double error) { return fmt::format("{:.4g} +- {:.2g}", x, error); };
      out += fmt::format("{:>6}{:>6}{:>6}{:>6}{:>6}{:>8}  {:>20}  {:>20}{:>+7.2f}{:>7}  {}\n", p->n,
                         p->m == 0 ? "all" : std::to_string(p->m), shown(p->r), shown(p->beta), shown(p->eta),
                         std::isnan(p->b_eff) ? "" : fmt::format("{:.3f}", p->b_eff),
                         with_error(p->forecast, p->forecast_error), with_error(p->measured, p->measured_error), p->z,
                         shown_noise(*p), p->agrees ? "agrees" : "differs");
      agree += p->agrees;
      largest = std::max(largest, std::abs(p->z));
    }
    sums += fmt::format("{:<86}{:>3} of {:>2} agree\n", words_of(panel), agree, points.size());
    sums += fmt::format("    largest |z| {:.2f}, of {:.2f} allowed\n", largest, study.critical_of(panel));
    for (const GsnrPoint* p : points)
      if (!p->agrees)
        sums += fmt::format("    N {}{}{}: measured {:.3g}, forecast {:.3g}\n", p->n,
                            std::isnan(p->eta) ? "" : fmt::format(", eta {:.4g}", p->eta),
                            std::isnan(p->beta) ? "" : fmt::format(", beta {:.4g}", p->beta), p->measured, p->forecast);
  }
  return out + "\n" + sums;
}

std::string csv_of(const GsnrStudy& study) {
  data::CsvTable table({"panel", "N", "M", "r", "beta", "eta", "forecast", "forecast_se", "measured", "measured_se",
                        "z", "verdict", "b_eff_share", "replicates", "forecast_noise", "measured_noise"});
  for (const auto& p : study.points)
    table.row(name_of(p.panel), p.n, p.m == 0 ? std::string("all") : std::to_string(p.m), or_nothing(p.r),
              or_nothing(p.beta), or_nothing(p.eta), p.forecast, p.forecast_error, p.measured, p.measured_error, p.z,
              p.agrees ? "agrees" : "differs", or_nothing(p.b_eff), p.replicates, or_nothing(p.forecast_noise),
              p.measured_noise);
  return table.text();
}

std::string gsnr_script(const GsnrStudy& study, const std::string& terminal) {
  constexpr double least_shown = 1e-3;  // what is below is nothing on a logarithmic axis
  std::string script = set_terminal(terminal, 1160, 860);
  script += axes_style;
  script += "set style fill transparent solid 0.15 noborder\n";

  // A curve: x, forecast, its band, measured, its error.
  int blocks = 0;
  const auto block = [&](const std::vector<const GsnrPoint*>& points, auto x, bool logarithmic) {
    script += fmt::format("$d{} << END\n", blocks);
    for (const GsnrPoint* p : points) {
      const double least = logarithmic ? least_shown : -HUGE_VAL;
      const auto shown = [&](double y) { return std::max(y, least); };
      script += fmt::format("{:.6g} {:.6g} {:.6g} {:.6g} {:.6g} {:.6g} {:.6g}\n", x(*p), shown(p->forecast),
                            shown(p->forecast - p->forecast_error), shown(p->forecast + p->forecast_error),
                            shown(p->measured), shown(p->measured - p->measured_error),
                            shown(p->measured + p->measured_error));
    }
    script += "END\n";
    return blocks++;
  };
  const auto line = [&](int b, const char* colour, int dash) {
    return fmt::format("$d{} using 1:2 with lines lw 1.5 dt {} lc rgb '{}' notitle", b, dash, colour);
  };
  const auto band = [&](int b, const char* colour) {
    return fmt::format("$d{} using 1:3:4 with filledcurves lc rgb '{}' notitle", b, colour);
  };
  const auto marks = [&](int b, const char* colour, const std::string& title) {
    return fmt::format("$d{} using 1:5:6:7 with yerrorbars pt 7 ps 0.5 lw 1.3 lc rgb '{}' title '{}'", b, colour,
                       title);
  };
  const auto joined = [](const std::vector<std::string>& parts) {
    std::string all;
    for (const auto& p : parts) all += (all.empty() ? "plot " : ", ") + p;
    return all + "\n";
  };
  const auto by_n = [](const GsnrPoint& p) { return static_cast<double>(p.n); };
  const auto sorted_by_n = [](std::vector<const GsnrPoint*> points) {
    std::stable_sort(points.begin(), points.end(), [](const auto* a, const auto* b) { return a->n < b->n; });
    return points;
  };
  std::vector<std::string> fixed, real, informative, concentrated;

  std::map<Index, std::vector<const GsnrPoint*>> curves, measured;
  for (const auto& p : study.curves) curves[p.m].push_back(&p);
  for (const GsnrPoint* p : points_of(study, GsnrPanel::fixed)) measured[p->m].push_back(p);
  std::size_t k = 0;
  for (const auto& [m, curve] : curves) {
    const char* colour = colours[k++ % colours.size()];
    fixed.push_back(line(block(curve, by_n, true), colour, 1));
    if (measured.contains(m))
      fixed.push_back(marks(block(sorted_by_n(measured[m]), by_n, true), colour, fmt::format("M = {}", m)));
  }

  std::map<double, std::array<std::vector<const GsnrPoint*>, 2>> steps;
  for (const GsnrPoint* p : points_of(study, GsnrPanel::real_step)) steps[p->eta][0].push_back(p);
  for (const GsnrPoint* p : points_of(study, GsnrPanel::real_step_without)) steps[p->eta][1].push_back(p);
  k = 0;
  for (const auto& [eta, both] : steps) {
    const char* colour = colours[k++ % colours.size()];
    const int with = block(both[0], by_n, true);
    real.push_back(band(with, colour));
    real.push_back(line(with, colour, 1));
    real.push_back(line(block(both[1], by_n, true), colour, 2));
    real.push_back(marks(with, colour, fmt::format("eta = {:g}", eta)));
  }

  std::map<Index, std::vector<const GsnrPoint*>> features;
  for (const GsnrPoint* p : points_of(study, GsnrPanel::informativeness)) features[p->n].push_back(p);
  k = 0;
  for (const auto& [n, points] : features) {
    const char* colour = colours[k++ % colours.size()];
    const int b = block(
        points, [](const GsnrPoint& p) { return p.r; }, false);
    for (auto& part : {band(b, colour), line(b, colour, 1), marks(b, colour, fmt::format("N = {}", n))})
      informative.push_back(part);
  }

  const auto by_b_eff = [](const GsnrPoint& p) { return p.b_eff; };
  const int next = block(points_of(study, GsnrPanel::concentration), by_b_eff, false);
  const int leading = block(points_of(study, GsnrPanel::concentration_leading), by_b_eff, false);
  for (auto& part : {band(next, colours[0]), line(next, colours[0], 1), line(leading, colours[0], 2),
                     marks(next, colours[0], "beta from 0 (right) up")})
    concentrated.push_back(part);

  const auto panel = [&](const std::string& title, const std::string& x, const std::string& more,
                         const std::vector<std::string>& plots) {
    script +=
        fmt::format("set title '{}' offset 0,-0.5\nset xlabel '{}' offset 0,0.4\n{}{}", title, x, more, joined(plots));
  };
  script += fmt::format(
      "set multiplot layout 2,2 title 'GSNR of the hypergradient on {}: measured (points), forecast from one pool "
      "(lines)'\nset key top left samplen 0.8 spacing 0.95\n",
      text_for_gnuplot(study.benchmark));
  const std::string logarithmic =
      "set logscale x 2\nset logscale y\nset format y '10^{%L}'\nset offsets graph 0.04, graph 0.04, 0, 0\n";
  panel("(a) at fixed Gamma", "training batch N", logarithmic, fixed);
  panel("(a) in the real step: with L14'' (band), without (dashed)", "training batch N", logarithmic, real);
  panel("(b) uniform weights, one feature, beside L11", "correlation of the feature with the truth",
        "unset logscale\nset format y '%g'\nset offsets graph 0.03, graph 0.03, graph 0.03, graph 0.03\n", informative);
  panel("(c) w = exp(beta f), beside L10: next order (band), leading (dashed)", "B_{eff}/N", "", concentrated);
  return script + "unset multiplot\n";
}

bool run_gsnr(const GsnrSettings& settings, const Preparation& preparation, std::ostream& out, Progress& progress,
              const std::atomic<bool>& stop) {
  check(settings);
  const auto& folder = settings.session.out;
  check_writable(folder);
  const GsnrStudy study =
      gsnr_study(gsnr_population(settings, preparation), settings.quick ? quick_design() : default_design(),
                 settings.seed, settings.precision, progress, stop);
  out << table_of(study) << std::flush;
  data::write_atomically(folder / "gsnr.csv", csv_of(study));
  out << "Table: " << (folder / "gsnr.csv").string() << '\n' << std::flush;
  if (!settings.session.no_pictures) {
    data::write_atomically(folder / "gsnr.svg", run_gnuplot(gsnr_script(study, "svg dynamic")));
    out << "Picture: " << (folder / "gsnr.svg").string() << std::endl;
  }
  return study.agrees(GsnrPanel::fixed);
}

}  // namespace mts::lab
