#include "lab/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace mts::lab {

void Comparison::add(const std::string& label, const std::string& benchmark, const Kept& kept) {
  accuracy_[label][benchmark].push_back(100 * kept.accuracy);
  auto& sums = sums_[label];
  sums.seconds.add(kept.seconds);
  sums.b_eff.add(kept.b_eff);
  sums.gsnr.add(kept.gsnr);
}

Mean Comparison::accuracy(const std::string& label, const std::string& benchmark) const {
  return mean_of(accuracy_.at(label).at(benchmark));
}

std::vector<double> Comparison::by_seed(const std::string& label) const {
  std::vector<double> means(seeds_, 0.0);
  for (const auto& benchmark : benchmarks_)
    for (std::size_t k = 0; k < seeds_; ++k)
      means[k] += accuracy_.at(label).at(benchmark)[k] / static_cast<double>(benchmarks_.size());
  return means;
}

Mean Comparison::difference(const std::string& a, const std::string& b) const {
  auto x = by_seed(a);
  const auto y = by_seed(b);
  for (std::size_t k = 0; k < x.size(); ++k) x[k] -= y[k];
  return mean_of(x);
}

Index Comparison::wins(const std::string& a, const std::string& b) const {
  Index n = 0;
  for (const auto& benchmark : benchmarks_)
    for (std::size_t k = 0; k < seeds_; ++k) n += accuracy_.at(a).at(benchmark)[k] > accuracy_.at(b).at(benchmark)[k];
  return n;
}

std::string with_interval(const Mean& d) {
  return fmt::format("{:+.2f} [{:+.2f}, {:+.2f}]", d.mean, d.low(), d.high());
}

std::string or_dash(double x) { return std::isfinite(x) ? fmt::format("{:.3g}", x) : std::string("-"); }

std::string Comparison::table(const std::string& what, const std::string& base, const std::string& reference,
                              bool sorted) const {
  const bool from_base = has(base), compared = has(reference);
  std::string out = fmt::format("| {} |", what), line = "|---|";
  const auto column = [&](const std::string& title) {
    out += fmt::format(" {} |", title);
    line += "---|";
  };
  for (const auto& benchmark : benchmarks_) column(benchmark);
  column("average");
  if (from_base) column(fmt::format("above {}", base));
  if (compared) {
    column(fmt::format("{} above it", reference));
    column(fmt::format("{} wins", reference));
  }
  const auto any = [&](double (Comparison::*of_label)(const std::string&) const) {
    return std::any_of(labels_.begin(), labels_.end(),
                       [&](const auto& label) { return std::isfinite((this->*of_label)(label)); });
  };
  const bool with_b_eff = any(&Comparison::b_eff), with_gsnr = any(&Comparison::gsnr);
  if (with_b_eff) column("B_eff/N");
  if (with_gsnr) column("GSNR");
  column("seconds");
  out += '\n';
  out += line;
  out += '\n';
  std::vector<std::string> order = labels_;
  if (sorted)
    std::stable_sort(order.begin(), order.end(),
                     [&](const auto& a, const auto& b) { return accuracy(a).mean > accuracy(b).mean; });
  for (const auto& label : order) {
    out += fmt::format("| {} |", label);
    for (const auto& benchmark : benchmarks_) {
      const Mean m = accuracy(label, benchmark);
      out += fmt::format(" {:.1f} ± {:.1f} |", m.mean, m.deviation);
    }
    out += fmt::format(" {:.2f} |", accuracy(label).mean);
    const auto interval = [&](const std::string& a, const std::string& b) {
      out += a == b ? std::string(" - |") : fmt::format(" {} |", with_interval(difference(a, b)));
    };
    if (from_base) interval(label, base);
    if (compared) {
      interval(reference, label);
      out += label == reference ? std::string(" - |")
                                : fmt::format(" {} of {} |", wins(reference, label), benchmarks_.size() * seeds_);
    }
    if (with_b_eff) out += fmt::format(" {} |", or_dash(b_eff(label)));
    if (with_gsnr) out += fmt::format(" {} |", or_dash(gsnr(label)));
    out += fmt::format(" {:.1f} |\n", seconds(label));
  }
  return out;
}

}  // namespace mts::lab
