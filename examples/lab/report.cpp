#include "lab/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "lab/config.hpp"
#include "lab/histogram.hpp"
#include "lab/html.hpp"
#include "lab/plot.hpp"
#include "lab/summary.hpp"
#include "mts/data/atomic_file.hpp"

namespace mts::lab {

namespace {

/// "1.2 ± 0.3", three digits; "-" where it is not known.
std::string estimate_text(const Estimate& e) {
  if (!e.known()) return "-";
  return std::isfinite(e.error) ? fmt::format("{:.3g} ± {:.2g}", e.value, e.error) : fmt::format("{:.3g}", e.value);
}

std::string who(const std::string& method, Index batch) { return fmt::format("{}, batch {}", method, batch); }

std::string results_section(const Settings& s, const Summary& summary) {
  html::Table table({{"method", false},
                     {"batch"},
                     {"accuracy, %"},
                     {"95 % interval"},
                     {"AUC of weights [95 %]"},
                     {"B_eff/N at the end"}});
  for (const auto& row : summary.rows)
    table.row({row.method, fmt::format("{}", row.batch), accuracy_text(row.accuracy),
               row.accuracy.n < 2
                   ? std::string("-")
                   : fmt::format("[{:.1f}, {:.1f}]", 100 * row.accuracy.low(), 100 * row.accuracy.high()),
               auc_text(row), fmt::format("{:.3f}", row.b_eff_fraction)});
  std::string body =
      html::paragraph(fmt::format("Accuracy on the {} set after the last step, mean ± standard deviation over {} "
                                  "seed{}. AUC: how well the weights tell "
                                  "real and good samples from the rest, which no method is told; one half is chance. "
                                  "B_eff/N: the share of a batch that a "
                                  "step really uses, median of the last tenth of the steps.",
                                  name_of_choice(s.evaluate_on), s.seeds, s.seeds == 1 ? "" : "s"));
  body += table.text();
  if (summary.differences.empty()) return html::section("Results", body);
  html::Table differences({{"method", false}, {"batch", false}, {"points"}, {"95 % interval"}, {"seeds above 0"}});
  for (const auto& d : summary.differences)
    differences.row({d.method, d.batch > 0 ? fmt::format("{}", d.batch) : std::string("all"),
                     fmt::format("{:+.2f}", 100 * d.points.mean),
                     d.points.n < 2 ? std::string("-")
                                    : fmt::format("[{:+.2f}, {:+.2f}]", 100 * d.points.low(), 100 * d.points.high()),
                     fmt::format("{} of {}", d.wins, d.points.n)});
  body +=
      html::paragraph("Accuracy above that of uniform, which selects nothing, paired by seed:") + differences.text();
  return html::section("Results", body);
}

std::string dynamics_section(const std::string& svg) {
  if (svg.empty()) return {};
  return html::section(
      "Dynamics",
      html::paragraph(
          "The weights in training, by batch size N. A line of B_eff that sinks far below its N tells of weights that "
          "collapse.") +
          html::picture(
              "image/svg+xml", svg,
              "mean weight, largest normalised weight, variance of the normalised weights and effective batch "
              "size against the training step"));
}

std::string gsnr_section(const Settings& s, const Study& study, const std::string& svg) {
  html::Table table({{"method", false},
                     {"batch"},
                     {"signal"},
                     {"noise: training"},
                     {"noise: validation"},
                     {"GSNR"},
                     {"validation's share"}});
  bool opposed = false;
  for (const auto& method : s.methods)
    for (const Index batch : s.batches) {
      std::vector<Insight> insights;
      for (const Run* run : runs_of(study, method, batch)) insights.push_back(run->insight);
      const auto noise = average(insights).noise;
      if (!noise) continue;
      opposed = opposed || noise->signal < 0;
      table.row({method, fmt::format("{}", batch), fmt::format("{:.3g}", noise->signal),
                 fmt::format("{:.3g}", noise->training), fmt::format("{:.3g}", noise->validation),
                 fmt::format("{:.2g}", noise->signal / (noise->training + noise->validation)),
                 fmt::format("{:.0f} %", 100 * noise->validation_share())});
    }
  if (table.empty() && svg.empty()) return {};
  std::string body = html::paragraph(
      "GSNR: |E G|² over tr Var G, of the hypergradient G that moves the weight net. Far below 1 a single step is "
      "mostly noise, and "
      "only many steps together learn.");
  if (!svg.empty())
    body += html::picture("image/svg+xml", svg, "signal-to-noise ratio of the hypergradient against the training step");
  if (!table.empty())
    body += html::paragraph(
                "At the trained classifier, with the validation samples drawn anew as well (the picture takes them as "
                "given, and so "
                "counts their noise as signal). Larger batches lower the noise of training samples only (law L14).") +
            table.text();
  if (opposed)
    body += html::paragraph(
        "A signal below 0: halves of the validation set ask for opposite changes, so what is left to learn from them "
        "is noise.");
  return html::section("Signal and noise of the hypergradient", body);
}

std::string weights_sections(const Study& study, const Summary& summary) {
  std::string histograms, extremes;
  for (const auto& row : summary.rows) {
    const auto runs = runs_of(study, row.method, row.batch);
    if (!runs.front()->weights) continue;
    const std::string name = who(row.method, row.batch);
    SampleVector weights(0);
    std::vector<int> groups;
    for (const Run* run : runs) {
      const Index n = run->weights->size(), before = weights.size();
      weights.conservativeResize(before + n);
      weights.tail(n) = *run->weights / run->weights->mean();
      for (const auto& truth : study.truths)
        if (truth.seed == run->seed) groups.insert(groups.end(), truth.groups.begin(), truth.groups.end());
    }
    histograms += histogram_part(name, weights, groups);
    extremes += extremes_part(fmt::format("{}, seed {}", name, runs.front()->seed), runs.front()->extremes);
  }
  if (histograms.empty()) return {};
  return html::section(
             "Weights of real and synthetic samples",
             html::paragraph("The share of samples by weight, of all seeds, where the mean weight of each pool is 1.") +
                 histograms) +
         html::section(
             "The best and the worst samples",
             html::paragraph(
                 "By the weights of the first seed. Number in the pool, class, and the weight over the mean.") +
                 extremes);
}

/// The JSON of a settings file as text of one cell.
std::string value_text(const nlohmann::ordered_json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::string list;
  for (const auto& item : value) list += (list.empty() ? "" : ", ") + value_text(item);
  return list;
}

}  // namespace

std::string warnings_section(const std::vector<Warning>& warnings) {
  std::string body;
  for (const auto& w : warnings)
    body += fmt::format("<div class=\"warning\"><p>{}</p>\n<p><strong>{}</strong></p></div>\n", html::escaped(w.what),
                        html::escaped(w.advice));
  if (body.empty())
    body = html::paragraph(
        "Nothing to warn of: no weights that collapse, no validation samples that limit a weight net, no features "
        "without signal.");
  return html::section("Warnings", body);
}

std::string pictures_sections(const Settings& s, const Study& study, const ReportPictures& pictures) {
  return dynamics_section(pictures.dynamics) + gsnr_section(s, study, pictures.gsnr);
}

std::string importance_section(const std::vector<std::pair<std::string, Insight>>& insights) {
  std::string body;
  for (const auto& [name, insight] : insights) {
    if (insight.features.empty()) continue;
    const bool gains = insight.gain.known();
    std::vector<html::Table::Column> columns{{"feature", false}, {"weight that moves, %"}};
    if (gains) columns.push_back({"gain"});
    html::Table table(columns);
    auto features = insight.features;
    std::stable_sort(features.begin(), features.end(), [](const auto& a, const auto& b) { return a.moved > b.moved; });
    for (const auto& f : features) {
      std::vector<std::string> cells{f.feature, fmt::format("{:.1f}", 100 * f.moved)};
      if (gains) cells.push_back(estimate_text(f.gain));
      table.row(cells);
    }
    body += fmt::format("<h3>{}</h3>\n", html::escaped(name)) + table.text();
    if (gains)
      body += html::paragraph(fmt::format("Gain of the weights over uniform ones: {}.", estimate_text(insight.gain)));
  }
  if (body.empty()) return {};
  std::string words = html::paragraph(
      "Each feature's values are permuted among the samples. Weight that moves: the share of all weight that then goes "
      "to "
      "other samples, ½ Σ |p − p′|.");
  if (std::any_of(insights.begin(), insights.end(), [](const auto& i) { return i.second.gain.known(); }))
    words += html::paragraph(
        "Gain: Σ (p − p′) a with alignments a = ⟨g, Γ⟩, how much more of the validation loss a step takes off, per "
        "unit of "
        "learning rate, thanks to the feature; ± a standard error over the batches. The same validation samples have "
        "trained "
        "the weight net, so a gain is flattered.");
  return html::section("What the weights rest on", words + body);
}

std::string histogram_part(const std::string& who, const SampleVector& weights, const std::vector<int>& groups) {
  check_size("histogram_part", "groups", weights.size(), static_cast<Index>(groups.size()));
  const double mean = weights.mean();
  std::vector<double> real, synthetic;
  for (Index i = 0; i < weights.size(); ++i)
    (groups[static_cast<std::size_t>(i)] == data::real_group ? real : synthetic).push_back(weights[i] / mean);
  return fmt::format("<h3>{}</h3>\n{}", html::escaped(who),
                     weight_histogram_svg(real, synthetic, who + ": shares of samples by weight"));
}

std::string extremes_part(const std::string& who, const Extremes& extremes) {
  const auto side = [&](const std::vector<Extreme>& some, Index share, const char* name) {
    const auto listed = static_cast<Index>(some.size());
    std::string body = fmt::format(
        "<h3>{}: {}{}</h3>\n", html::escaped(who), name,
        share > listed ? fmt::format(" (the first {} of {} that have the same weight)", listed, share) : std::string());
    const auto group = [](const Extreme& e) { return e.group == data::real_group ? "real" : "synthetic"; };
    if (!some.empty() && !some.front().picture.empty()) {
      body += "<ul class=\"samples\">\n";
      for (const auto& e : some)
        body += fmt::format("<li>{}{}, class {}<br>{}<br>{:.3g}</li>\n",
                            html::picture("image/png", e.picture, fmt::format("sample {}", e.sample)), e.sample,
                            e.label, group(e), e.weight);
      return body + "</ul>\n";
    }
    html::Table table({{"sample"}, {"class"}, {"group", false}, {"weight"}});
    for (const auto& e : some)
      table.row({fmt::format("{}", e.sample), fmt::format("{}", e.label), group(e), fmt::format("{:.3g}", e.weight)});
    return body + table.text();
  };
  return side(extremes.best, extremes.share_best, "largest weights") +
         side(extremes.worst, extremes.share_worst, "smallest weights");
}

std::string settings_section(const std::string& settings, const std::string& defaults) {
  const auto file = nlohmann::ordered_json::parse(settings), preset = nlohmann::ordered_json::parse(defaults);
  html::Table changed({{"option", false}, {"value", false, true}, {"by default", false, true}}),
      same({{"option", false}, {"value", false, true}}), versions({{"program", false}, {"version", false, true}});
  for (const auto& [name, value] : file["options"].items()) {
    const auto by_default = preset["options"].find(name);
    if (by_default != preset["options"].end() && *by_default == value)
      same.row({"--" + name, value_text(value)});
    else
      changed.row({"--" + name, value_text(value),
                   by_default == preset["options"].end() ? std::string("-") : value_text(*by_default)});
  }
  for (const auto& [name, value] : file["versions"].items()) versions.row({name, value_text(value)});
  std::string body = html::paragraph("settings.json beside this page holds all options, for --config.");
  if (!changed.empty()) body += changed.text();
  body +=
      "<details><summary>Options as they are by default</summary>\n" + same.text() + "</details>\n" + versions.text();
  return html::section("Settings and versions", body);
}

std::string report_html(const Settings& s, const Study& study, const ReportPictures& pictures) {
  const Summary summary = summarize(s, study);
  std::vector<std::pair<std::string, Insight>> insights;
  for (const auto& row : summary.rows) {
    std::vector<Insight> runs;
    for (const Run* run : runs_of(study, row.method, row.batch)) runs.push_back(run->insight);
    insights.emplace_back(who(row.method, row.batch), average(runs));
  }
  return html::page(fmt::format("mts-lab: {}, {}, {} steps", s.benchmark, trained(s), s.steps),
                    results_section(s, summary) + warnings_section(warnings_of(s, study, summary)) +
                        pictures_sections(s, study, pictures) + importance_section(insights) +
                        weights_sections(study, summary) +
                        settings_section(settings_text(s), settings_text(Settings())));
}

ReportPictures draw_pictures(const Settings& s, const Study& study) {
  ReportPictures drawn;
  drawn.dynamics = run_gnuplot(dynamics_script(s, study, set_terminal("svg dynamic", 1000, 760, 14)));
  if (has_gsnr(study)) drawn.gsnr = run_gnuplot(gsnr_script(s, study, set_terminal("svg dynamic", 1000, 420, 14)));
  return drawn;
}

void write_report(const Settings& s, const Study& study, const std::filesystem::path& folder, bool pictures) {
  data::write_atomically(folder / "report.html",
                         report_html(s, study, pictures ? draw_pictures(s, study) : ReportPictures{}));
}

}  // namespace mts::lab
