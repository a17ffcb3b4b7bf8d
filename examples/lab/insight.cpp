#include "lab/insight.hpp"

#include "lab/statistics.hpp"

namespace mts::lab {

namespace {

/// "batch_z(nearest_cosine_2)" -> "nearest_cosine": the feature without its normaliser and its column's number.
std::string feature_of(std::string column) {
  if (const auto open = column.rfind('('); open != std::string::npos && column.ends_with(')'))
    column = column.substr(open + 1, column.find(')') - open - 1);
  const auto last = column.find_last_not_of("0123456789");
  if (last != std::string::npos && last + 1 < column.size() && column[last] == '_') column.resize(last);
  return column;
}

/// Of independent batches; no error where there is one only.
Estimate estimate_of(const std::vector<double>& x) {
  const Mean m = mean_of(x);
  return {m.mean, m.deviation / std::sqrt(static_cast<double>(m.n))};
}

/// The mean of estimates that are independent.
Estimate average_of(const std::vector<Estimate>& all) {
  Estimate mean{0, 0};
  for (const auto& e : all) {
    mean.value += e.value;
    mean.error += e.error * e.error;
  }
  const auto n = static_cast<double>(all.size());
  return {mean.value / n, std::sqrt(mean.error) / n};
}

}  // namespace

std::vector<FeatureColumns> columns_by_feature(const FeatureLayout& layout) {
  std::vector<FeatureColumns> all;
  const auto named = [&](const std::string& name) -> FeatureColumns& {
    const auto at = std::find_if(all.begin(), all.end(), [&](const auto& f) { return f.feature == name; });
    return at != all.end() ? *at : all.emplace_back(FeatureColumns{name, {}, {}});
  };
  for (std::size_t k = 0; k < layout.continuous.size(); ++k)
    named(feature_of(layout.continuous[k])).continuous.push_back(static_cast<Index>(k));
  for (std::size_t k = 0; k < layout.categorical.size(); ++k)
    named(layout.categorical[k].name).categorical.push_back(k);
  return all;
}

Insight InsightSums::result(double validation_scale) const {
  Insight insight;
  insight.gain = estimate_of(gain_);
  for (std::size_t k = 0; k < columns_.size(); ++k)
    insight.features.push_back({columns_[k].feature, mean_of(moved_[k]).mean, estimate_of(gains_[k])});
  if (noise_batches_ > 0) {
    const auto n = static_cast<double>(noise_batches_);
    insight.noise = {noise_.signal / n, noise_.training / n, validation_scale * noise_.validation / n};
  }
  return insight;
}

Insight average(std::span<const Insight> runs) {
  Insight mean;
  if (runs.empty()) return mean;
  const auto collect = [&](auto&& f) {
    std::vector<Estimate> all;
    for (const auto& run : runs) all.push_back(f(run));
    return average_of(all);
  };
  mean.gain = collect([](const Insight& i) { return i.gain; });
  const auto& first = runs.front().features;
  const bool same = std::all_of(runs.begin(), runs.end(), [&](const Insight& run) {
    return std::equal(first.begin(), first.end(), run.features.begin(), run.features.end(),
                      [](const auto& a, const auto& b) { return a.feature == b.feature; });
  });
  for (std::size_t k = 0; same && k < first.size(); ++k) {
    FeatureImportance f{first[k].feature, 0, collect([k](const Insight& i) { return i.features[k].gain; })};
    for (const auto& run : runs) f.moved += run.features[k].moved / static_cast<double>(runs.size());
    mean.features.push_back(std::move(f));
  }
  if (std::all_of(runs.begin(), runs.end(), [](const Insight& run) { return run.noise.has_value(); })) {
    mean.noise.emplace();
    const auto n = static_cast<double>(runs.size());
    for (const auto& run : runs) {
      mean.noise->signal += run.noise->signal / n;
      mean.noise->training += run.noise->training / n;
      mean.noise->validation += run.noise->validation / n;
    }
  }
  return mean;
}

}  // namespace mts::lab
