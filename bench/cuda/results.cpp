#include "cuda/results.hpp"

#include <fmt/format.h>

#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <stdexcept>

#include "support/statistics.hpp"

namespace bench {

namespace {

double most(const std::vector<double>& x) { return *std::max_element(x.begin(), x.end()); }

nlohmann::json described(const Found& f, const Found& plain, const Ceilings& ceilings) {
  return {{"name", f.name},
          {"median_ms", 1e3 * median(f.seconds)},
          {"least_ms", 1e3 * least(f.seconds)},
          {"most_ms", 1e3 * most(f.seconds)},
          {"rounds", f.seconds.size()},
          {"beside_plain", median_ratio(f.seconds, plain.seconds)},
          {"launches", f.launches},
          {"replays", f.replays},
          {"floor_flops", f.floor.flops},
          {"floor_bytes", f.floor.bytes},
          {"floor_ms", 1e3 * f.floor.seconds(ceilings)},
          {"last_loss", f.last_loss}};
}

}  // namespace

bool Results::failed() const {
  return std::any_of(cases.begin(), cases.end(), [](const auto& c) { return !c.error.empty() && c.fits; });
}

void write_table(const Results& r, std::ostream& out) {
  for (const auto& [name, value] : r.where) out << name << ": " << value << '\n';
  out << fmt::format("large product: {:.3g} TFLOP/s; large copy: {:.4g} GB/s\n\n", 1e-12 * r.ceilings.flops,
                     1e-9 * r.ceilings.bytes);
  out << fmt::format("{:<12} {:<32} {:>10} {:>10} {:>10} {:>8} {:>9} {:>8} {:>10} {:>8}\n", "case", "step", "median ms",
                     "least", "most", "/ plain", "launches", "replays", "floor ms", "/ floor");
  for (const auto& c : r.cases) {
    if (!c.error.empty()) out << fmt::format("{:<12} not measured: {}\n", c.name, c.error);
    for (const auto& f : c.found) {
      const double floor = f.floor.seconds(r.ceilings), middle = median(f.seconds);
      out << fmt::format("{:<12} {:<32} {:>10.4g} {:>10.4g} {:>10.4g} {:>8.2f} {:>9.1f} {:>8.1f} {:>10.4g} {:>8.2f}\n",
                         c.name, f.name, 1e3 * middle, 1e3 * least(f.seconds), 1e3 * most(f.seconds),
                         median_ratio(f.seconds, c.found.front().seconds), f.launches, f.replays, 1e3 * floor,
                         middle / floor);
    }
  }
}

void write_json(const Results& r, const std::string& file) {
  nlohmann::ordered_json where;
  for (const auto& [name, value] : r.where) where[name] = value;
  nlohmann::json cases = nlohmann::json::array();
  for (const auto& c : r.cases) {
    nlohmann::json steps = nlohmann::json::array();
    for (const auto& f : c.found) steps.push_back(described(f, c.found.front(), r.ceilings));
    cases.push_back({{"name", c.name}, {"steps", steps}});
    if (!c.error.empty()) cases.back()["not_measured"] = c.error;
  }
  nlohmann::ordered_json all;
  all["where"] = where;
  all["ceilings"] = {{"product_flops", r.ceilings.flops}, {"copy_bytes", r.ceilings.bytes}};
  all["cases"] = cases;
  std::ofstream out(file);
  out << all.dump(2) << '\n';
  if (!out.flush()) throw std::runtime_error("cannot write " + file);
}

std::string date() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  return text;
}

}  // namespace bench
