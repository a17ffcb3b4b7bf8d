#include "report/tables.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace bench {

namespace {

using Row = std::vector<std::string>;

/// Columns as wide as their widest entry; the first to the left, the others to the right. The first row is the head.
std::string table(const std::string& title, const std::vector<Row>& rows) {
  if (rows.size() < 2) return {};
  std::vector<std::size_t> widths(rows[0].size(), 0);
  for (const auto& row : rows)
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  std::string out = "\n" + title + "\n";
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::string line;
    for (std::size_t c = 0; c < rows[r].size(); ++c)
      line += c == 0 ? fmt::format("{:<{}}", rows[r][c], widths[c]) : fmt::format("  {:>{}}", rows[r][c], widths[c]);
    while (line.ends_with(' ')) line.pop_back();
    out += line + "\n";
    if (r == 0) out += std::string(line.size(), '-') + "\n";
  }
  return out;
}

/// A counter's value, or nothing.
std::string shown(const Counters& c, const std::string& key, const char* format, double factor = 1) {
  const auto found = c.find(key);
  return found == c.end() ? "" : fmt::format(fmt::runtime(format), factor * found->second);
}

}  // namespace

std::string machine_lines(const Results& r) {
  std::string out;
  const auto& m = r.machine;
  out += fmt::format("{}, {} cores; {}", m["processor"].get<std::string>(), m.value("num_cpus", 0),
                     m["compiler"].get<std::string>());
  if (const auto arch = m["architecture"].get<std::string>(); !arch.empty()) out += ", -march=" + arch;
  if (m.contains("peer")) out += "; " + m["peer"].get<std::string>();
  if (m.contains("date")) out += "; " + m["date"].get<std::string>();
  return out + "\n";
}

std::string kernel_table(const Results& r) {
  std::vector<Row> rows{{"kernel (one thread, medians)", "ms", "GFLOP/s", "GB/s", "of peak", "best", "of roof"}};
  auto names = r.names("kernels", "");  // in the order of random interleaving
  std::sort(names.begin(), names.end());
  for (const auto& name : names) {
    const auto& c = r.counters("kernels", name);
    rows.push_back({name, shown(c, "time_ms", "{:.3f}"), shown(c, "GFLOP/s", "{:.1f}"), shown(c, "GB/s", "{:.1f}"),
                    shown(c, "of_peak", "{:.2f}"), shown(c, "max of_peak", "{:.2f}"), shown(c, "of_roof", "{:.2f}")});
  }
  return table(
      "Kernels. of peak: of one thread's multiply-adds; of roof: of what those and a triad of equal footprint allow "
      "together; both measured beside the kernel",
      rows);
}

std::string step_table(const Results& r) {
  std::vector<Row> rows{
      {"step (one thread, medians)", "plain ms", "MTS ms", "ratio", "floor", "GFLOP/s", "of peak", "allocations"}};
  for (const auto& name : r.names("step", "step/")) {
    const auto& c = r.counters("step", name);
    rows.push_back({name.substr(5), shown(c, "plain_ms", "{:.2f}"), shown(c, "mts_ms", "{:.2f}"),
                    shown(c, "ratio", "{:.2f}"), shown(c, "floor_ratio", "{:.2f}"), shown(c, "mts_GFLOP/s", "{:.1f}"),
                    shown(c, "mts_of_peak", "{:.2f}"), shown(c, "mts_allocations", "{:.0f}")});
  }
  std::string out = table("The step. floor: in flops; GFLOP/s: the floor's flops over the step's time", rows);

  // The phases that any step has, in the order in which counters list them.
  std::vector<std::string> phases;
  for (const auto& name : r.names("step", "step/"))
    for (const auto& [key, value] : r.counters("step", name)) {
      const bool other = key.starts_with("mts_") || key.starts_with("plain_") || key == "time_ms";
      if (key.ends_with("_ms") && !other && std::find(phases.begin(), phases.end(), key) == phases.end())
        phases.push_back(key);
    }
  std::vector<Row> by_phase{{"phases, ms"}};
  for (const auto& p : phases) by_phase[0].push_back(p.substr(0, p.size() - 3));
  for (const auto& name : r.names("step", "step/")) {
    Row row{name.substr(5)};
    for (const auto& p : phases) row.push_back(shown(r.counters("step", name), p, "{:.2f}"));
    by_phase.push_back(row);
  }
  out += table("Phases of a step with selection", by_phase);

  std::vector<Row> sizes{
      {"N (mlp)", "plain us/sample", "MTS us/sample", "recomputed us/sample", "MTS / plain", "floor"}};
  for (const auto& name : r.names("step", "sweep/")) {
    const auto& c = r.counters("step", name);
    sizes.push_back({shown(c, "samples", "{:.0f}"), shown(c, "plain_us_per_sample", "{:.2f}"),
                     shown(c, "mts_us_per_sample", "{:.2f}"), shown(c, "recomputed_us_per_sample", "{:.2f}"),
                     shown(c, "ratio", "{:.2f}"), shown(c, "floor_ratio", "{:.2f}")});
  }
  out += table("Batch size", sizes);

  std::vector<Row> threads{
      {"threads", "plain 1, ms", "plain 2", "speed-up", "MTS 1, ms", "MTS 2", "speed-up", "of least"}};
  for (const auto& name : r.names("step", "threads/")) {
    const auto& c = r.counters("step", name);
    threads.push_back({name.substr(8), shown(c, "plain_1_ms", "{:.2f}"), shown(c, "plain_2_ms", "{:.2f}"),
                       shown(c, "plain_speedup", "{:.2f}"), shown(c, "mts_1_ms", "{:.2f}"),
                       shown(c, "mts_2_ms", "{:.2f}"), shown(c, "mts_speedup", "{:.2f}"),
                       shown(c, "mts_speedup_of_least", "{:.2f}")});
  }
  return out + table("One thread and two, by the wall clock", threads);
}

std::string peer_table(const Results& r) {
  std::vector<Row> rows{{"one thread, medians, ms", "plain", "LibTorch", "ratio", "MTS", "LibTorch CD", "ratio",
                         "LibTorch DB", "ratio", "agree to"}};
  for (const char* program : {"peer_untuned", "peer_tuned"})
    for (const auto& name : r.names(program, "peer/")) {
      const auto& c = r.counters(program, name);
      rows.push_back({name.substr(5), shown(c, "plain_ms", "{:.2f}"), shown(c, "torch_plain_ms", "{:.2f}"),
                      shown(c, "plain_ratio", "{:.2f}"), shown(c, "mts_ms", "{:.2f}"),
                      shown(c, "torch_central_difference_ms", "{:.1f}"), shown(c, "central_difference_ratio", "{:.2f}"),
                      shown(c, "torch_double_backward_ms", "{:.1f}"), shown(c, "double_backward_ratio", "{:.2f}"),
                      shown(c, "error_alignments", "{:.1e}")});
    }
  return table(
      "The same steps in LibTorch, by turns in one process. CD: central differences as the reference implementation; "
      "DB: double backward",
      rows);
}

std::string adapter_table(const Results& r) {
  std::vector<Row> rows{
      {"one thread, medians", "plain, ms", "MTS, ms", "MTS / plain", "plain / built in", "MTS / built in", "agree to"}};
  for (const auto& name : r.names("adapters", "adapters/")) {
    const auto& c = r.counters("adapters", name);
    const std::string end = "_overhead";
    for (const auto& [key, overhead] : c) {
      if (!key.ends_with(end)) continue;
      const auto model = key.substr(0, key.size() - end.size());
      rows.push_back({model, shown(c, model + "_plain_ms", "{:.1f}"), shown(c, model + "_mts_ms", "{:.1f}"),
                      fmt::format("{:.2f}", overhead), shown(c, model + "_plain_to_built_in", "{:.2f}"),
                      shown(c, model + "_mts_to_built_in", "{:.2f}"), shown(c, model + "_error", "{:.1e}")});
    }
  }
  return table("The same MLP brought in each way, N = 1024, by turns in one process", rows);
}

std::string compile_table(const Results& r) {
  if (r.compile_times.empty()) return {};
  std::vector<Row> rows{{"compile time, CPU seconds at -O2", "s"}};
  auto slowest = r.compile_times;
  const auto headers = std::stable_partition(slowest.begin(), slowest.end(),
                                             [](const auto& c) { return !c.file.starts_with("include/"); });
  std::stable_sort(headers, slowest.end(), [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  const auto count = slowest.end() - headers;
  for (auto c = slowest.begin(); c != headers + std::min<std::ptrdiff_t>(count, 8); ++c)
    rows.push_back({c->file, fmt::format("{:.2f}", c->seconds)});
  double sum = 0;
  for (auto c = headers; c != slowest.end(); ++c) sum += c->seconds;
  if (count > 0)
    rows.push_back(
        {fmt::format("mean of {} headers alone", count), fmt::format("{:.2f}", sum / static_cast<double>(count))});
  return table("Compile times: examples, and the slowest headers", rows);
}

std::string ratio_table(const std::vector<Ratio>& ratios) {
  std::vector<Row> rows{{"ratio", "required", "aim", "measured", "", "note"}};
  for (const auto& r : ratios) {
    const auto number = [](double x) {
      return x != 0 && x < 1e-3 ? fmt::format("{:.1e}", x) : fmt::format("{:.4g}", x);
    };
    const char* sign = r.at_most ? "<= " : ">= ";
    rows.push_back({r.what, sign + number(r.required), r.aim ? sign + number(*r.aim) : "",
                    r.measured ? (*r.measured >= 1e-3 && *r.measured < 100 ? fmt::format("{:.2f}", *r.measured)
                                                                           : number(*r.measured))
                               : "",
                    r.verdict(), r.note});
  }
  return table("Ratios to reach", rows);
}

}  // namespace bench
