#include "lab/warnings.hpp"

#include <fmt/format.h>

#include <cmath>

namespace mts::lab {

double effective_share(const SampleVector& w) {
  const double sum = w.sum();
  return sum * sum / (static_cast<double>(w.size()) * w.squaredNorm());
}

std::vector<Warning> warnings_of(const std::string& who, double batch_fraction, double pool_fraction,
                                 const Insight& insight) {
  std::vector<Warning> all;
  if (batch_fraction < collapse_level)
    all.push_back(
        {fmt::format("{}: the weights of a batch collapse: B_eff/N is {:.3f} at the end, below {}: few samples "
                     "make the whole step.",
                     who, batch_fraction, collapse_level),
         "Lower --meta-lr, or hold the weights apart with --b-eff-floor or --tempering."});
  if (pool_fraction < collapse_level)
    all.push_back(
        {fmt::format("{}: few samples have nearly all the weight: (sum w)^2/(n sum w^2) over the pool is {:.3f}, "
                     "below {}.",
                     who, pool_fraction, collapse_level),
         "Look at the best samples below: are they near duplicates of validation samples? More, and more "
         "varied, validation samples help."});
  if (insight.noise && insight.noise->validation_share() > validation_level)
    all.push_back({fmt::format("{}: validation samples limit what the weight net learns: they make {:.0f} % of the "
                               "hypergradient's noise (law L14).",
                               who, 100 * insight.noise->validation_share()),
                   "Larger batches will not help. Take more validation samples, or fewer features; or use mts, which "
                   "asks the validation samples for less."});
  for (const auto& f : insight.features) {
    if (f.moved < moved_level)
      all.push_back(
          {fmt::format("{}: the feature {} is hardly used: without its values {:.1f} % of the weight would move.", who,
                       f.feature, 100 * f.moved),
           "Leave it out: every feature is a direction in which validation noise can lead."});
    else if (f.gain.value < 2 * f.gain.error)  // false where there is no error
      all.push_back(
          {fmt::format("{}: the feature {} moves {:.1f} % of the weight for no gain that can be told from chance "
                       "({:.2g}, standard error {:.1g}).",
                       who, f.feature, 100 * f.moved, f.gain.value, f.gain.error),
           "Try without it (--features); if accuracy stays, leave it out."});
  }
  return all;
}

std::vector<Warning> warnings_of(const Settings& settings, const Study& study, const Summary& summary) {
  std::vector<Warning> all;
  for (const auto& row : summary.rows) {
    const std::string who = fmt::format("{}, batch {}", row.method, row.batch);
    std::vector<double> of_pool;
    std::vector<Insight> insights;
    Index warned = 0;
    for (const Run* run : runs_of(study, row.method, row.batch)) {
      if (run->weights) of_pool.push_back(effective_share(*run->weights));
      insights.push_back(run->insight);
      warned += run->warnings;
    }
    const auto own = warnings_of(who, row.b_eff_fraction, mean_of(of_pool).mean, average(insights));
    all.insert(all.end(), own.begin(), own.end());
    if (warned > 0)
      all.push_back(
          {fmt::format("{}: in {} steps the weights of the batch had collapsed nearly to single samples.", who, warned),
           "Lower --meta-lr, or hold the weights apart with --b-eff-floor or --tempering."});
  }
  for (const auto& d : summary.differences)
    if (d.points.high() < 0)  // false for a single seed
      all.push_back(
          {fmt::format("{}, {}: worse than no selection, by {:.2f} [{:.2f}, {:.2f}] points of accuracy.", d.method,
                       d.batch > 0 ? fmt::format("batch {}", d.batch) : std::string("over all batches"),
                       -100 * d.points.mean, -100 * d.points.high(), -100 * d.points.low()),
           "Don't use it here; or look for other settings with --evaluate-on tuning and other seeds."});
  if (settings.seeds == 1)
    all.push_back({"There is one seed, so no interval: nothing here can be told from chance.",
                   "Run with --seeds 5 or more before you decide by it."});
  return all;
}

}  // namespace mts::lab
