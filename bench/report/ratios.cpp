#include "report/ratios.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace bench {

namespace {

using Value = std::optional<double>;

/// Overhead: one step with selection against one without.
void add_overhead(const Results& r, std::vector<Ratio>& rows) {
  const auto add = [&](const char* name, double required, double aim) {
    const std::string b = std::string("step/") + name + "/per-sample dot";
    std::string note;
    if (const auto floor = r.value("step", b, "floor_ratio"))
      note = fmt::format("of least times {:.2f}; in flops {:.2f}", r.value("step", b, "ratio_of_least").value_or(0),
                         *floor);
    rows.push_back({fmt::format("MTS / plain, {}", name), true, required, aim, r.value("step", b, "ratio"), note});
  };
  add("mlp/128", 5.5, 5.1);
  add("mlp/1024", 2.7, 2.5);
  add("mlp/4096", 2.4, 2.2);
  add("cnn/256", 3.5, 3.2);
}

void add_peer(const Results& r, std::vector<Ratio>& rows) {
  const auto add = [&](const char* what, const std::string& name, const char* counter, double required, double aim) {
    const auto value = [&](const std::string& which) {
      return r.value("peer_tuned", "peer/tuned malloc/" + name, which);
    };
    std::string note = "malloc tuned";
    if (const auto least = value(std::string(counter) + "_of_least"))
      note += fmt::format("; of least times {:.2f}", *least);
    rows.push_back({fmt::format("LibTorch {} / ours, {}", what, name), false, required, aim, value(counter), note});
  };
  for (const char* name : {"mlp/1024", "mlp/4096"}) add("MTS", name, "central_difference_ratio", 2.0, 2.3);
  add("MTS", "cnn/256/nchw", "central_difference_ratio", 3.0, 3.8);
  add("plain step", "mlp/1024", "plain_ratio", 1.10, 1.3);
  add("plain step", "cnn/256/nchw", "plain_ratio", 1.8, 2.1);
}

/// The least of the three products of a linear layer, over its large shapes.
void add_products(const Results& r, std::vector<Ratio>& rows) {
  Value least;
  std::string which;
  for (const char* role : {"forward", "input delta", "weight gradient"})
    for (const char* shape : {"1024x784x256", "1024x256x256"}) {
      const auto name = fmt::format("product/{}/{}", role, shape);
      const auto v = r.value("kernels", name + "/mts", "of_peak");
      if (v && (!least || *v < *least)) least = v, which = name;
    }
  rows.push_back({"our matrix product / FMA peak, the least of six", false, 0.85, 0.95, least, which});
}

void add_threads(const Results& r, std::vector<Ratio>& rows) {
  for (const char* name : {"mlp/1024", "mlp/4096"}) {
    const auto b = std::string("threads/") + name;
    std::string note;
    if (const auto best = r.value("step", b, "mts_speedup_of_least"))
      note = fmt::format("of least times {:.2f}", *best);
    rows.push_back({fmt::format("1 thread / 2 threads, MTS, {}", name), false, 1.7, 1.85,
                    r.value("step", b, "mts_speedup"), note});
  }
}

void add_resources(const Results& r, std::vector<Ratio>& rows) {
  Value allocations, error;
  std::string where;
  for (const char* name : {"mlp/128", "mlp/1024", "mlp/4096", "cnn/256"}) {
    if (const auto a = r.value("step", std::string("step/") + name + "/per-sample dot", "mts_allocations"))
      allocations = std::max(allocations.value_or(0), *a);
    const auto e = r.value("step", std::string("error/") + name, "per_sample_dot");
    if (e && (!error || *e > *error)) error = e, where = name;
  }
  rows.push_back({"allocations in a steady-state step, the most of four cases", true, 0, {}, allocations, ""});
  Value peak;
  for (const auto& m : r.memory)
    if (m.net == "mlp" && m.samples == 1024 && m.activations == "kept") peak = m.peak_mib;
  rows.push_back({"peak of a process without LibTorch, mlp/1024, MiB", true, 64, {}, peak, ""});
  rows.push_back({"error of the alignments against double, largest/largest", true, 1e-5, {}, error, where});
}

/// Time per sample within a regime: the greatest over the least, from N = 1024 on.
Value spread(const Results& r, const char* counter) {
  Value least, most;
  for (const auto& name : r.names("step", "sweep/mlp/")) {
    const auto v = r.value("step", name, counter);
    if (!v || *r.value("step", name, "samples") < 1024) continue;
    least = std::min(least.value_or(*v), *v);
    most = std::max(most.value_or(*v), *v);
  }
  return least ? Value(*most / *least) : std::nullopt;
}

void add_scale(const Results& r, std::vector<Ratio>& rows) {
  rows.push_back(
      {"time per sample, greatest/least, N = 1024 to 65536, kept", true, 1.15, {}, spread(r, "mts_us_per_sample"), ""});
  rows.push_back({"the same, recomputed", true, 1.15, {}, spread(r, "recomputed_us_per_sample"), ""});
  Value slower;
  for (const auto& name : r.names("step", "sweep/mlp/"))
    if (*r.value("step", name, "samples") >= 1024)
      slower = std::max(slower.value_or(0), r.value("step", name, "recomputed_to_kept").value_or(0));
  rows.push_back({"recomputed / kept step, N >= 1024", true, 1.7, {}, slower, ""});
  const Results::Memory *small = nullptr, *large = nullptr;
  for (const auto& m : r.memory)
    if (m.net == "mlp" && m.activations == "recomputed") {
      if (!small || m.samples < small->samples) small = &m;
      if (!large || m.samples > large->samples) large = &m;
    }
  Value growth;
  if (small && large && small != large)
    growth = ((large->peak_mib - large->batches_mib) - (small->peak_mib - small->batches_mib)) * (1 << 20) /
             (large->samples - small->samples);
  rows.push_back({"memory beside the batch, recomputed, bytes a sample", true, 64, {}, growth, ""});
}

void add_builds(const Results& r, std::vector<Ratio>& rows) {
  Value slower;
  std::string where;
  for (const char* name : {"mlp/128", "mlp/1024", "mlp/4096", "cnn/256"}) {
    const auto b = std::string("step/") + name + "/per-sample dot";
    const auto ours = r.value("step", b, "mts_least_ms"), eigen = r.value("eigen_step", b, "mts_least_ms");
    if (ours && eigen && (!slower || *eigen / *ours > *slower)) slower = *eigen / *ours, where = name;
  }
  rows.push_back({"step by Eigen's products alone / by ours, the most of four", true, 1.6, {}, slower, where});
  Value seconds;
  for (const auto& c : r.compile_times)
    if (c.file == "examples/bring_your_own_model.cpp") seconds = c.seconds;
  rows.push_back({"compile time of the 60-line example, -O2, CPU seconds", true, 15, {}, seconds, ""});
}

}  // namespace

std::vector<Ratio> ratios(const Results& r) {
  std::vector<Ratio> rows;
  add_overhead(r, rows);
  add_peer(r, rows);
  add_products(r, rows);
  add_threads(r, rows);
  add_resources(r, rows);
  add_scale(r, rows);
  add_builds(r, rows);
  return rows;
}

}  // namespace bench
