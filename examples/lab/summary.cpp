#include "lab/summary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace mts::lab {

std::vector<const Run*> runs_of(const Study& study, const std::string& method, Index batch) {
  std::vector<const Run*> runs;
  for (const auto& run : study.runs)
    if (run.method == method && run.batch == batch) runs.push_back(&run);
  return runs;
}

std::string accuracy_text(const Mean& m) {
  return m.n < 2 ? fmt::format("{:.1f}", 100 * m.mean)
                 : fmt::format("{:.1f} ± {:.1f}", 100 * m.mean, 100 * m.deviation);
}

std::string auc_text(const SummaryRow& row) {
  if (!row.auc) return "-";
  const double low = row.alone ? row.alone->low : std::max(0.0, row.auc->low());
  const double high = row.alone ? row.alone->high : std::min(1.0, row.auc->high());
  return fmt::format("{:.3f} [{:.3f}, {:.3f}]", row.auc->mean, low, high);
}

namespace {

SummaryRow row_of(const std::string& method, Index batch, const std::vector<const Run*>& runs) {
  SummaryRow row;
  row.method = method;
  row.batch = batch;
  std::vector<double> accuracy, auc, b_eff;
  for (const Run* run : runs) {
    accuracy.push_back(run->accuracy);
    if (run->found) auc.push_back(run->found->auc);
    row.seconds += run->seconds() / static_cast<double>(runs.size());
    for (const double fraction : end_b_eff_fractions(*run)) b_eff.push_back(fraction);
  }
  row.accuracy = mean_of(accuracy);
  if (!auc.empty()) row.auc = mean_of(auc);
  if (auc.size() == 1) row.alone = runs.front()->found;
  row.b_eff_fraction = median(b_eff);
  return row;
}

/// Wins and mean of differences, one a seed.
Difference difference_of(const std::string& method, Index batch, const std::vector<double>& d) {
  return {method, batch, mean_of(d), std::count_if(d.begin(), d.end(), [](double x) { return x > 0; })};
}

std::vector<Difference> differences_of(const Settings& s, const Study& study, const std::string& method) {
  std::vector<Difference> out;
  std::vector<double> over_all(static_cast<std::size_t>(s.seeds), 0.0);
  for (const Index batch : s.batches) {
    const auto ours = runs_of(study, method, batch), theirs = runs_of(study, "uniform", batch);
    std::vector<double> d;
    for (std::size_t k = 0; k < ours.size(); ++k) {
      d.push_back(ours[k]->accuracy - theirs[k]->accuracy);
      over_all[k] += d.back() / static_cast<double>(s.batches.size());
    }
    out.push_back(difference_of(method, batch, d));
  }
  if (s.batches.size() > 1) out.push_back(difference_of(method, 0, over_all));
  return out;
}

Trend trend_of(const Settings& s, const Study& study, const std::string& method) {
  Trend trend;
  trend.method = method;
  trend.batches = s.batches;
  std::sort(trend.batches.begin(), trend.batches.end());
  for (const Index batch : trend.batches) {
    std::vector<double> b_eff, max_p;
    for (const Run* run : runs_of(study, method, batch))
      for (const auto& row : run->dynamics)
        if (row.step >= s.uniform_steps) {
          b_eff.push_back(row.b_eff);
          max_p.push_back(row.max_p);
        }
    trend.b_eff.push_back(median(b_eff));
    trend.max_p.push_back(median(max_p));
  }
  trend.holds = true;
  for (std::size_t k = 1; k < trend.batches.size(); ++k)
    trend.holds = trend.holds && trend.b_eff[k] > trend.b_eff[k - 1] && trend.max_p[k] < trend.max_p[k - 1];
  return trend;
}

/// Pads on the left to a width in columns; of the letters used here only ± is longer than a byte.
std::string right(const std::string& s, std::size_t width) {
  std::size_t columns = 0;
  for (const char c : s) columns += (static_cast<unsigned char>(c) & 0xC0u) != 0x80u;
  return std::string(columns < width ? width - columns : 0, ' ') + s;
}

}  // namespace

Summary summarize(const Settings& s, const Study& study) {
  Summary summary;
  const bool has_uniform = std::find(s.methods.begin(), s.methods.end(), "uniform") != s.methods.end();
  for (const auto& method : s.methods) {
    for (const Index batch : s.batches) summary.rows.push_back(row_of(method, batch, runs_of(study, method, batch)));
    if (has_uniform && method != "uniform") {
      const auto d = differences_of(s, study, method);
      summary.differences.insert(summary.differences.end(), d.begin(), d.end());
    }
    if (method_named(method).weighs && s.batches.size() > 1) summary.trends.push_back(trend_of(s, study, method));
  }
  return summary;
}

std::string text_of(const Settings& s, const Summary& summary) {
  const std::string seeds = s.seeds == 1 ? fmt::format("seed {}", s.first_seed)
                                         : fmt::format("seeds {} to {}", s.first_seed,
                                                       s.first_seed + static_cast<std::uint64_t>(s.seeds) - 1);
  std::string out =
      fmt::format("\n{}, {}, {}, {} steps; accuracy on the {} set; AUC: real or good against the rest\n\n", s.benchmark,
                  trained(s), seeds, s.steps, name_of_choice(s.evaluate_on));
  std::size_t width = 6;
  for (const auto& method : s.methods) width = std::max(width, method.size());
  out += fmt::format("{:<{}}  batch   accuracy %   AUC of weights [95 %]   end B_eff/N   seconds\n", "method", width);
  for (const auto& row : summary.rows)
    out += fmt::format("{:<{}}  {:>5}  {}   {:>21}   {:>11.3f}   {:>7.1f}\n", row.method, width, row.batch,
                       right(accuracy_text(row.accuracy), 11), auc_text(row), row.b_eff_fraction, row.seconds);

  if (std::any_of(summary.rows.begin(), summary.rows.end(), [](const SummaryRow& row) { return row.auc.has_value(); }))
    out +=
        "\nAn AUC near one half does not contradict a gain: what one step rewards is not whether a sample is real or "
        "good\n"
        "(docs/benchmarks.md, \"What one step rewards\"). End: the last tenth of the steps.\n";

  if (!summary.differences.empty()) {
    out += "\nAccuracy minus that of uniform, in points, paired by seed [95 %]\n\n";
    for (const auto& d : summary.differences) {
      const std::string name = d.batch > 0 ? fmt::format("batch {}", d.batch) : std::string("over all batches");
      const std::string interval =
          d.points.n < 2 ? std::string("(one seed: no interval)")
                         : fmt::format("[{:+6.2f}, {:+6.2f}]", 100 * d.points.low(), 100 * d.points.high());
      out += fmt::format("{:<{}}  {:<16}  {:+6.2f} {}  above 0 on {} of {} seeds\n", d.method, width, name,
                         100 * d.points.mean, interval, d.wins, d.points.n);
    }
  }
  for (const auto& trend : summary.trends) {
    out += fmt::format("\nWeights of {}, median over the steps after the first {} and the seeds\n\n", trend.method,
                       s.uniform_steps);
    out += "batch     B_eff      max p\n";
    for (std::size_t k = 0; k < trend.batches.size(); ++k)
      out += fmt::format("{:>5}  {:>8.1f}  {:>9.5f}\n", trend.batches[k], trend.b_eff[k], trend.max_p[k]);
    out += fmt::format("B_eff rises and max p falls with the batch, as in Figure 2 of the paper: {}\n",
                       trend.holds ? "holds" : "does not hold");
  }
  return out;
}

}  // namespace mts::lab
