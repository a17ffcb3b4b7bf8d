#include "report/results.hpp"

#include <fmt/format.h>

#include <fstream>
#include <set>
#include <stdexcept>

namespace bench {

namespace {

using Json = nlohmann::ordered_json;

std::optional<Json> read(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) return std::nullopt;
  try {
    return Json::parse(in);
  } catch (const nlohmann::json::exception& error) {
    throw std::runtime_error(fmt::format("{}: {}", file.string(), error.what()));
  }
}

/// The name without what Google Benchmark appends to it.
std::string plain_name(std::string name) {
  for (const char* end : {"/manual_time", "/iterations:1"})
    if (name.ends_with(end)) name.resize(name.size() - std::char_traits<char>::length(end));
  return name;
}

std::string processor() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown processor";
}

}  // namespace

Results::Results(const std::filesystem::path& folder) {
  machine["processor"] = processor();
  for (const char* program : {"kernels", "step", "eigen_step", "peer_tuned", "peer_untuned", "adapters"})
    read_program(folder / (std::string(program) + ".json"), program);
  machine["compiler"] = MTS_BENCH_COMPILER;
  machine["architecture"] = MTS_BENCH_ARCH;
  if (const auto j = read(folder / "memory.json")) {
    raw["memory"] = *j;
    for (const auto& m : *j)
      memory.push_back({m["net"], m["activations"], m["samples"], m["peak_mib"], m["batches_mib"]});
  }
  if (const auto j = read(folder / "compile_times.json")) {
    raw["compile_times"] = *j;
    for (const auto& c : *j) compile_times.push_back({c["file"], c["seconds"]});
  }
}

void Results::read_program(const std::filesystem::path& file, const std::string& program) {
  const auto j = read(file);
  if (!j) return;
  raw[program] = (*j)["benchmarks"];
  const auto& context = (*j)["context"];
  for (const char* key : {"date", "num_cpus", "caches", "peer"})
    if (context.contains(key)) machine[key] = context[key];
  machine["load before " + program] = context["load_avg"];
  // What Google Benchmark says of a benchmark beside its counters.
  static const std::set<std::string> not_counters = {"family_index",     "per_family_instance_index",
                                                     "repetitions",      "threads",
                                                     "repetition_index", "iterations",
                                                     "real_time",        "cpu_time"};
  auto& into = programs_[program];
  for (const auto& b : (*j)["benchmarks"]) {
    const auto name = plain_name(b["run_name"]);
    if (b.value("error_occurred", false))
      throw std::runtime_error(fmt::format("{}: {}: {}", file.string(), name, b["error_message"].get<std::string>()));
    const std::string aggregate = b.value("aggregate_name", "median");
    if (aggregate != "median" && aggregate != "max") continue;
    const std::string prefix = aggregate == "max" ? "max " : "";
    auto [at, first] = into.benchmarks.try_emplace(name);
    if (first) into.order.push_back(name);
    const double to_ms = b["time_unit"] == "ns"   ? 1e-6
                         : b["time_unit"] == "us" ? 1e-3
                         : b["time_unit"] == "s"  ? 1e3
                                                  : 1;
    const bool wall = name.find("real_time") != std::string::npos ||
                      b["run_name"].get<std::string>().find("manual_time") != std::string::npos;
    at->second[prefix + "time_ms"] = to_ms * b[wall ? "real_time" : "cpu_time"].get<double>();
    for (const auto& [key, number] : b.items())
      if (number.is_number() && !not_counters.contains(key)) at->second[prefix + key] = number.get<double>();
  }
}

std::optional<double> Results::value(const std::string& program, const std::string& benchmark,
                                     const std::string& counter) const {
  const auto p = programs_.find(program);
  if (p == programs_.end()) return std::nullopt;
  const auto b = p->second.benchmarks.find(benchmark);
  if (b == p->second.benchmarks.end()) return std::nullopt;
  const auto c = b->second.find(counter);
  return c == b->second.end() ? std::nullopt : std::optional(c->second);
}

std::vector<std::string> Results::names(const std::string& program, const std::string& prefix) const {
  std::vector<std::string> found;
  const auto p = programs_.find(program);
  if (p == programs_.end()) return found;
  for (const auto& name : p->second.order)
    if (name.starts_with(prefix)) found.push_back(name);
  return found;
}

const Counters& Results::counters(const std::string& program, const std::string& benchmark) const {
  return programs_.at(program).benchmarks.at(benchmark);
}

}  // namespace bench
