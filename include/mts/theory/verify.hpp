#pragma once
/// \file
/// Judges claims (`claim.hpp`): predicted against measured, with a verdict that could have been the other one.
///
///     const auto report = mts::theory::verify({claim}, {.precision = 0.01});
///     return report.holds() ? 0 : 1;
///
/// **Exact claims** hold iff the largest deviation is within the tolerance.
///
/// **Simulated claims.** Replicates come in `blocks` blocks of equal size, block b from the random stream (seed; law, name and
/// case in words; b), computed in parallel. With m_b the means without block b, the measured quantity and its standard error
/// are the delete-one-block jackknife of the statistic f of the means m,
///     measured = B f(m) - (B-1) avg_b f(m_b),   se^2 = (B-1)/B sum_b (f(m_b) - avg)^2,
/// which takes away f's bias of first order (of ratios such as a GSNR). Blocks grow until se <= precision * scale, where
/// scale = max(|predicted|, 16 allowance): a prediction of 0 has no scale but its allowance, and at the default precision the
/// noise then adds about as much as that allowance. The number of replicates depends on what was measured and on nothing else,
/// so a finding has the same bits for any number of threads.
///
/// **Verdict.** A simulated point holds iff |measured - predicted| <= allowance + critical * se and the standard error has come
/// down to what was asked: a measurement that is not precise enough never "holds". `critical` is the point of Student's
/// distribution (B - 1 degrees of freedom: se is an estimate) that each of the n simulated points of a run exceeds with
/// probability error_rate/n, both sides together (Bonferroni). So a run in which all claims are true fails at any of its points
/// with probability at most error_rate, however the points depend on one another. Bonferroni rather than Holm, because a
/// verdict is then final when its point is done.
///
/// **Mutants.** Every wrong version that a claim lists, and "times 1.1", is judged by the same measurement. One that no case
/// refutes has survived: then the measurement could not have told right from wrong.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <functional>
#include <initializer_list>
#include <limits>
#include <optional>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "mts/core/parallel.hpp"
#include "mts/theory/claim.hpp"
#include "mts/theory/quantiles.hpp"

namespace mts::theory {

struct VerifyOptions {
  std::uint64_t seed = 0;
  double precision = 0.015;           ///< standard error relative to the prediction
  double error_rate = 1e-3;           ///< of the whole run: probability that true claims fail anywhere
  Index max_replicates = 20'000'000;  ///< of one case; where they are not enough, the case fails
  Index blocks = 128;
};

enum class Verdict { holds, fails };
inline const char* name_of(Verdict verdict) { return verdict == Verdict::holds ? "holds" : "fails"; }

/// What was found of one claim at one case.
struct Finding {
  std::string law = {}, name = {}, parameters = {};  ///< parameters: `Case::text`
  bool exact = false;
  /// Of a prediction with several components, the one that deviates most.
  double predicted = 0, measured = 0;
  double deviation = 0;  ///< |measured - predicted|
  double allowed = 0;    ///< what it may be: tolerance * scale, or allowance + critical * standard error
  /// Simulated claims only, else NaN. z = (measured - predicted) / standard error: with an allowance it may be large.
  double standard_error = std::numeric_limits<double>::quiet_NaN();
  double z = std::numeric_limits<double>::quiet_NaN();
  Verdict verdict = Verdict::fails;
  std::string reason = {};  ///< why it fails; empty if it holds
  Index replicates = 0;     ///< 0 for exact claims
  double seconds = 0;
};

/// A wrong version of a claim, and whether any case has refuted it.
struct JudgedMutant {
  std::string law, claim, name;
  bool refuted = false;
};

struct Report {
  std::vector<Finding> findings;      ///< claim by claim, case by case
  std::vector<JudgedMutant> mutants;  ///< of the claims all of whose cases were judged
  Index simulated_points = 0;         ///< of the whole run
  double critical = 0;                ///< standard errors that a deviation may have; 0 where nothing is simulated
  bool stopped = false;               ///< by the progress callback, before all was judged

  bool holds() const {
    return !stopped &&
           std::all_of(findings.begin(), findings.end(), [](const Finding& f) { return f.verdict == Verdict::holds; });
  }
  std::vector<JudgedMutant> survivors() const {
    std::vector<JudgedMutant> out;
    std::copy_if(mutants.begin(), mutants.end(), std::back_inserter(out), [](const auto& m) { return !m.refuted; });
    return out;
  }
};

/// Called by the thread that verifies, after each case with its finding and about four times a second meanwhile (with nullptr).
/// `done` of `total` cases, a fraction of the present one included. Returning false stops the run.
using VerifyProgress = std::function<bool(double done, Index total, const Finding* finding)>;

/// Judges claims with the same options. Immutable, hence thread-safe.
class Verifier {
 public:
  /// \throws ValueError for an option outside its domain: precision > 0, 0 < error_rate < 1, blocks >= 2,
  /// max_replicates >= blocks
  explicit Verifier(VerifyOptions options = {}) : options_(options) {
    const char* where = "Verifier";
    check_value(options.precision > 0 && std::isfinite(options.precision), where,
                "the precision must be positive and finite, found ", options.precision);
    check_value(options.error_rate > 0 && options.error_rate < 1, where,
                "the rate of error must lie between 0 and 1, found ", options.error_rate);
    check_value(options.blocks >= 2, where, "at least 2 blocks are needed for a standard error, found ",
                options.blocks);
    check_value(options.max_replicates >= options.blocks, where,
                "max_replicates must be at least the number of blocks, ", options.blocks, ", found ",
                options.max_replicates);
  }

  /// Judges every claim at every case.
  /// \throws ValueError if there is no claim, or for a claim that is not whole (before anything is computed); ShapeError for a
  /// prediction of the wrong length; NumericalError for one, or for a measurement, that is not finite; Error if a function of a
  /// claim throws, in whatever thread. All name law, claim and case.
  Report verify(std::span<const Claim> claims, const VerifyProgress& progress = {}) const {
    check_value(!claims.empty(), "verify", "no claims were given");
    Run run{*this, progress, {}};
    std::set<std::string> names;
    for (const Claim& claim : claims) {
      check_whole(claim);
      check_value(names.insert(label(claim)).second, label(claim), "there are two claims of this law and name");
      run.total += static_cast<Index>(claim.grid.size());
      if (std::holds_alternative<Simulation>(claim.check))
        run.report.simulated_points += static_cast<Index>(claim.grid.size());
    }
    if (run.report.simulated_points > 0)
      run.report.critical =
          student_upper_quantile(options_.error_rate / (2 * static_cast<double>(run.report.simulated_points)),
                                 static_cast<double>(options_.blocks - 1));
    for (const Claim& claim : claims) {
      run.judge(claim);
      if (run.report.stopped) break;
    }
    return std::move(run.report);
  }
  Report verify(std::initializer_list<Claim> claims, const VerifyProgress& progress = {}) const {
    return verify(std::span<const Claim>(claims.begin(), claims.size()), progress);
  }

  /// The names of those wrong versions of a claim that none of its cases refutes; empty is good.
  std::vector<std::string> refute(const Claim& claim) const {
    std::vector<std::string> names;
    for (const auto& mutant : verify({claim}).survivors()) names.push_back(mutant.name);
    return names;
  }

  const VerifyOptions& options() const { return options_; }

 private:
  static constexpr double times_mutant_factor = 1.1;
  static constexpr double zero_scale = 16;       ///< allowances that stand for a prediction of 0
  static constexpr Index pilot_per_block = 16;   ///< replicates of the first round
  static constexpr double largest_growth = 8;    ///< of a round over all before it: a pilot's se is rough
  static constexpr double growth_reserve = 1.1;  ///< over what the last se asks for, so that it is the last round
  static constexpr double hopeless = 4;          ///< times max_replicates
  static constexpr double slice_seconds = 0.25;

  /// As detail::text, with the digits that a reader of reasons wants.
  template <class... Parts>
  static std::string in_words(const Parts&... parts) {
    std::ostringstream out;
    out.precision(3);
    (out << ... << parts);
    return out.str();
  }
  static std::string label(const Claim& claim) { return claim.law + ", " + claim.name; }
  static std::string label(const Claim& claim, const Case& at) { return label(claim) + ", " + at.text(); }

  /// Everything that can be seen of a claim without computing.
  static void check_whole(const Claim& claim) {
    check_value(!claim.law.empty() && !claim.name.empty(), "verify", "a claim needs a law and a name, found '",
                claim.law, "' and '", claim.name, "'");
    const std::string where = label(claim);
    check_value(!claim.grid.empty(), where, "the grid has no case");
    check_value(bool(claim.prediction), where, "there is no prediction");
    if (const auto* exact = std::get_if<Exact>(&claim.check)) {
      check_value(bool(exact->measured), where, "there is no measurement");
      check_value(exact->tolerance > 0 && std::isfinite(exact->tolerance), where,
                  "the tolerance must be positive and finite, found ", exact->tolerance);
    } else {
      const auto& simulation = std::get<Simulation>(claim.check);
      check_value(bool(simulation.simulator), where, "there is no simulator");
      check_value(simulation.observables >= 1, where, "a replicate must write at least 1 observable, found ",
                  simulation.observables);
    }
    check_value(claim.times_mutant || !claim.mutants.empty(), where,
                "there is no mutant: without 'times 1.1' the claim must list a wrong version of its own");
    for (const auto& mutant : claim.mutants)
      check_value(bool(mutant.prediction), where, "the mutant '", mutant.name, "' has no prediction");
    std::set<std::string> cases;
    for (const Case& at : claim.grid) {
      std::set<std::string> keys;
      for (const auto& [key, value] : at.parameters()) {
        check_value(std::isfinite(value), label(claim, at), "the parameter ", key, " must be finite");
        check_value(keys.insert(key).second, label(claim, at), "the parameter ", key, " is given twice");
      }
      check_value(cases.insert(at.text()).second, label(claim, at), "the grid has this case twice");
    }
  }

  /// Calls a function of a claim; whatever it throws becomes an Error that says whose it was.
  template <class F>
  static auto calling(const std::string& where, const char* what, F&& f) {
    try {
      return f();
    } catch (const std::exception& error) {
      throw Error(detail::text(where, ": ", what, " threw: ", error.what()));
    } catch (...) {
      throw Error(detail::text(where, ": ", what, " threw something that is no std::exception"));
    }
  }

  static std::vector<double> evaluated(const std::string& where, const char* what, const Prediction& f, const Case& at,
                                       std::optional<std::size_t> length) {
    auto values = calling(where, what, [&] { return f(at); });
    if (length && values.size() != *length)
      throw ShapeError(
          detail::text(where, ": the length of ", what, ": expected ", *length, ", found ", values.size()));
    if (values.empty()) throw ShapeError(detail::text(where, ": ", what, " is empty"));
    for (const double x : values)
      if (!std::isfinite(x)) throw NumericalError(detail::text(where, ": ", what, " is not finite: ", x));
    return values;
  }

  /// A component of a vector that deviates most from its prediction.
  struct Worst {
    std::size_t component = 0;
    double deviation = 0;
    Worst(const std::vector<double>& predicted, const std::vector<double>& measured) {
      for (std::size_t k = 0; k < predicted.size(); ++k)
        if (const double d = std::abs(measured[k] - predicted[k]); d > deviation) {
          deviation = d;
          component = k;
        }
    }
  };

  /// One block's random stream and the sums of what its replicates observed.
  struct Block {
    RandomStream stream;
    std::vector<double> sums;
    std::string error;
  };

  struct Measured {
    double value = 0, standard_error = 0;
  };

  struct Run {
    const Verifier& verifier;
    const VerifyProgress& progress;
    Report report;
    Index total = 0, done = 0;
    double share = 0;  ///< of the present case, as far as can be told

    bool tell(const Finding* finding) {
      if (progress && !progress(static_cast<double>(done) + share, total, finding)) report.stopped = true;
      return !report.stopped;
    }

    void judge(const Claim& claim) {
      std::vector<JudgedMutant> mutants;
      for (const auto& mutant : claim.mutants) mutants.push_back({claim.law, claim.name, mutant.name, false});
      if (claim.times_mutant) mutants.push_back({claim.law, claim.name, "times 1.1", false});
      for (const Case& at : claim.grid) {
        const auto begun = std::chrono::steady_clock::now();
        const std::string where = label(claim, at);
        Finding f;
        f.law = claim.law;
        f.name = claim.name;
        f.parameters = at.text();
        const auto predicted = evaluated(where, "the prediction", claim.prediction, at, std::nullopt);
        std::vector<double> measured;
        if (const auto* exact = std::get_if<Exact>(&claim.check)) {
          measured = evaluated(where, "the measurement", exact->measured, at, predicted.size());
          judge_exact(f, where, *exact, predicted, measured);
        } else {
          if (predicted.size() != 1)
            throw ShapeError(
                detail::text(where, ": the length of a simulated prediction: expected 1, found ", predicted.size()));
          if (!simulate(f, where, std::get<Simulation>(claim.check), at, predicted.front())) return;
          measured = {f.measured};
        }
        for (std::size_t m = 0; m < mutants.size(); ++m) {
          auto wrong = predicted;
          if (m < claim.mutants.size())
            wrong = evaluated(where, ("the mutant '" + mutants[m].name + "'").c_str(), claim.mutants[m].prediction, at,
                              predicted.size());
          else
            for (double& x : wrong) x *= times_mutant_factor;
          if (Worst(wrong, measured).deviation > f.allowed) mutants[m].refuted = true;
        }
        f.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
        report.findings.push_back(std::move(f));
        ++done;
        share = 0;
        if (!tell(&report.findings.back()) && done < total) return;
        report.stopped = false;  // after the last case there is nothing left to stop
      }
      report.mutants.insert(report.mutants.end(), mutants.begin(), mutants.end());
    }

    static void judge_exact(Finding& f, const std::string& where, const Exact& exact,
                            const std::vector<double>& predicted, const std::vector<double>& measured) {
      double scale = 1;
      if (!exact.absolute) {
        scale = 0;
        for (const double x : predicted) scale = std::max(scale, std::abs(x));
        check_value(scale > 0, where, "a prediction of 0 has no scale: make the tolerance absolute");
      }
      const Worst worst(predicted, measured);
      f.exact = true;
      f.predicted = predicted[worst.component];
      f.measured = measured[worst.component];
      f.deviation = worst.deviation;
      f.allowed = exact.tolerance * scale;
      f.verdict = f.deviation <= f.allowed ? Verdict::holds : Verdict::fails;
      if (f.verdict == Verdict::fails) f.reason = in_words("the deviation ", f.deviation, " is more than ", f.allowed);
    }

    /// False if it was stopped.
    bool simulate(Finding& f, const std::string& where, const Simulation& simulation, const Case& at,
                  double predicted) {
      const auto& options = verifier.options_;
      double allowance = 0;
      if (simulation.allowance) allowance = calling(where, "the allowance", [&] { return simulation.allowance(at); });
      check_value(allowance >= 0 && std::isfinite(allowance), where, "the allowance must not be negative, found ",
                  allowance);
      const double target = options.precision * std::max(std::abs(predicted), zero_scale * allowance);
      check_value(target > 0, where, "a prediction of 0 has no scale: state an allowance");
      const auto replicate = calling(where, "the simulator", [&] { return simulation.simulator(at); });
      check_value(bool(replicate), where, "the simulator returned no replicate");

      std::vector<Block> blocks;
      for (Index b = 0; b < options.blocks; ++b)
        blocks.push_back({RandomStream(options.seed, where, static_cast<std::uint64_t>(b)),
                          std::vector<double>(static_cast<std::size_t>(simulation.observables), 0.0),
                          {}});
      const Index largest = options.max_replicates / options.blocks;
      Index drawn = 0, wanted = std::min(pilot_per_block, largest), forecast = largest;  // per block
      share = 0;
      Measured found;
      bool precise = false;
      for (;;) {
        if (!draw(blocks, replicate, where, drawn, wanted, forecast)) return false;
        found = jackknife(blocks, simulation, at, where, drawn);
        precise = found.standard_error <= target;
        const double lack = found.standard_error / target, n = static_cast<double>(drawn);
        if (precise || drawn == largest || n * lack * lack > hopeless * static_cast<double>(largest)) break;
        const double needed = n * std::max(lack * lack, 1.0) * growth_reserve;
        const double next = std::min(needed, n * largest_growth);
        forecast = std::min(largest, static_cast<Index>(std::ceil(needed)));
        wanted = std::min(largest, static_cast<Index>(std::ceil(next)));
      }

      f.predicted = predicted;
      f.measured = found.value;
      f.standard_error = found.standard_error;
      f.replicates = drawn * options.blocks;
      f.deviation = std::abs(f.measured - predicted);
      f.allowed = allowance + report.critical * f.standard_error;
      f.z = (f.measured - predicted) / f.standard_error;
      if (f.deviation > f.allowed)
        f.reason = in_words("the deviation ", f.deviation, " is more than ", f.allowed, ": ", report.critical,
                            " standard errors and an allowance of ", allowance);
      else if (!precise)
        f.reason = in_words("not precise enough: standard error ", f.standard_error, " after ", f.replicates,
                            " replicates, ", target, " was asked for");
      f.verdict = f.reason.empty() ? Verdict::holds : Verdict::fails;
      return true;
    }

    /// Brings every block from `drawn` to `wanted` replicates, in slices of time so that the caller hears of it. How it is
    /// sliced changes no bit: a block draws its replicates in order. False if it was stopped.
    bool draw(std::vector<Block>& blocks, const Simulation::Replicate& replicate, const std::string& where,
              Index& drawn, Index wanted, Index forecast) {
      Index slice = progress ? 1 : wanted - drawn;
      while (drawn < wanted) {
        const Index count = std::min(slice, wanted - drawn);
        const auto begun = std::chrono::steady_clock::now();
        parallel_tasks(static_cast<Index>(blocks.size()), [&](Index b) {
          Block& block = blocks[static_cast<std::size_t>(b)];
          try {
            std::vector<double> observed(block.sums.size()), sums = block.sums;
            RandomStream stream = block.stream;
            for (Index r = 0; r < count; ++r) {
              std::fill(observed.begin(), observed.end(), std::numeric_limits<double>::quiet_NaN());
              replicate(stream, observed);
              for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += observed[k];
            }
            block.sums = std::move(sums);
            block.stream = stream;
          } catch (const std::exception& error) {
            block.error = error.what();
            if (block.error.empty()) block.error = "an exception without words";
          } catch (...) {
            block.error = "something that is no std::exception";
          }
        });
        for (std::size_t b = 0; b < blocks.size(); ++b)
          if (!blocks[b].error.empty())
            throw Error(detail::text(where, ": a replicate of block ", b, " threw: ", blocks[b].error));
        drawn += count;
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
        const double fitting = static_cast<double>(count) * slice_seconds / std::max(seconds, 1e-9);
        slice = std::max<Index>(1, static_cast<Index>(std::min(fitting, 2.0 * static_cast<double>(slice))));
        const double now = static_cast<double>(drawn) / static_cast<double>(std::max(forecast, drawn));
        share = std::max(share, std::min(now, 0.999));  // a forecast may grow, what is told may not shrink
        if (drawn < wanted && !tell(nullptr)) return false;
      }
      return true;
    }

    static Measured jackknife(const std::vector<Block>& blocks, const Simulation& simulation, const Case& at,
                              const std::string& where, Index drawn) {
      const std::size_t observables = blocks.front().sums.size();
      const double count = static_cast<double>(blocks.size()), n = static_cast<double>(drawn);
      std::vector<double> sums(observables, 0.0), means(observables);
      for (const Block& block : blocks)
        for (std::size_t k = 0; k < observables; ++k) sums[k] += block.sums[k];
      const auto statistic = [&](const char* what) {
        const double value = simulation.statistic
                                 ? calling(where, "the statistic", [&] { return simulation.statistic(at, means); })
                                 : means.front();
        if (!std::isfinite(value))
          throw NumericalError(detail::text(where, ": the statistic ", what, " is ", value, " after ",
                                            drawn * static_cast<Index>(blocks.size()), " replicates"));
        return value;
      };
      for (std::size_t k = 0; k < observables; ++k) {
        means[k] = sums[k] / (n * count);
        if (!std::isfinite(means[k]))
          throw NumericalError(detail::text(where, ": the mean of observable ", k, " is ", means[k],
                                            ": a replicate wrote no finite number, or nothing"));
      }
      const double all = statistic("of all blocks");
      std::vector<double> without;
      double average = 0;
      for (const Block& block : blocks) {
        for (std::size_t k = 0; k < observables; ++k) means[k] = (sums[k] - block.sums[k]) / (n * (count - 1));
        without.push_back(statistic("without one block"));
        average += without.back() / count;
      }
      double squares = 0;
      for (const double x : without) squares += (x - average) * (x - average);
      Measured found{count * all - (count - 1) * average, std::sqrt(squares * (count - 1) / count)};
      // Where nothing varies, rounding does: the difference above magnifies it by the number of blocks.
      found.standard_error =
          std::max({found.standard_error, count * std::numeric_limits<double>::epsilon() * std::abs(all),
                    std::numeric_limits<double>::min()});
      return found;
    }
  };

  VerifyOptions options_;
};

/// `Verifier(options).verify(claims, progress)`.
inline Report verify(std::span<const Claim> claims, const VerifyOptions& options = {},
                     const VerifyProgress& progress = {}) {
  return Verifier(options).verify(claims, progress);
}
inline Report verify(std::initializer_list<Claim> claims, const VerifyOptions& options = {},
                     const VerifyProgress& progress = {}) {
  return Verifier(options).verify(claims, progress);
}

}  // namespace mts::theory
