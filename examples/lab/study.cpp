#include "lab/study.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <mutex>

#include "lab/interrupt.hpp"
#include "lab/training.hpp"
#include "mts/core/parallel.hpp"

namespace mts::lab {

namespace {

/// The problems of the seeds, each made when first asked for and let go with its last user.
class Shelf {
 public:
  Shelf(const ProblemSource& source, std::uint64_t first_seed, std::size_t seeds, std::size_t users)
      : source_(source), first_seed_(first_seed), slots_(seeds), truths_(seeds) {
    for (auto& slot : slots_) slot.users = users;
  }

  std::shared_ptr<const data::Problem> take(std::uint64_t seed) {
    const auto k = static_cast<std::size_t>(seed - first_seed_);
    Slot& slot = slots_[k];
    const std::lock_guard lock(slot.mutex);
    if (!slot.problem) {
      slot.problem = std::make_shared<const data::Problem>(source_.make(seed));
      const data::Pool& pool = slot.problem->pool;
      truths_[k] = {seed, pool.kinds, pool.groups, pool.labels, pool.attributes, pool.origins};
    }
    auto problem = slot.problem;
    if (--slot.users == 0) slot.problem.reset();
    return problem;
  }
  std::vector<PoolTruth> truths() && { return std::move(truths_); }

 private:
  struct Slot {
    std::mutex mutex;
    std::size_t users = 0;
    std::shared_ptr<const data::Problem> problem;
  };
  const ProblemSource& source_;
  std::uint64_t first_seed_;
  std::deque<Slot> slots_;
  std::vector<PoolTruth> truths_;
};

/// Signal over noise of the last updates of the weight net.
class GsnrWindow {
 public:
  double add(const StepReport& report) {
    if (report.phi_moved) {
      last_.push_back({report.gsnr_signal, report.gsnr_noise, 1});
      if (static_cast<Index>(last_.size()) > gsnr_window) last_.pop_front();
    }
    diagnostics::Gsnr sum;
    for (const auto& g : last_)
      if (std::isfinite(g.noise)) sum += g;
    return sum.steps > 0 ? sum.ratio() : StepReport::none;
  }

 private:
  std::deque<diagnostics::Gsnr> last_;
};

double work_of(const Settings& settings, const Run& run) {
  return static_cast<double>(settings.steps) * method_named(run.method).cost * static_cast<double>(run.batch + 64);
}

void carry_out(const Settings& settings, const data::Problem& problem, Run& run, Progress& progress,
               const std::function<void()>& stop_if_asked) {
  const auto now = Progress::steady_seconds;
  double begun = now();
  const auto since = [&] {
    const double before = begun;
    begun = now();
    return begun - before;
  };
  const auto training = method_named(run.method).start({settings, problem, run.batch, run.seed});
  const Index preparations = training->preparations();
  const double work = work_of(settings, run) / static_cast<double>(preparations + settings.steps);
  GsnrWindow gsnr;
  run.dynamics.reserve(static_cast<std::size_t>(settings.steps));
  for (Index k = 0; k < preparations; ++k) {
    stop_if_asked();
    training->prepare();
    progress.advance(work);
  }
  for (Index k = 0; k < settings.steps; ++k) {
    stop_if_asked();
    const StepReport r = training->step();
    run.dynamics.push_back(
        {r.step, r.mean_w, r.max_p, r.var_p, r.b_eff, gsnr.add(r), r.gamma_norm, r.train_loss, r.validation_loss});
    run.phases += r.seconds;
    if (!r.warning.empty() && run.warnings++ == 0) run.warning = r.warning;
    progress.advance(work);
  }
  run.seconds_steps = since();

  run.weights = training->pool_weights();
  if (run.weights) {
    check_finite("learned weights", "weight", *run.weights);
    std::vector<bool> good;
    for (const auto kind : problem.pool.kinds) good.push_back(data::helps(kind));
    const auto of_one_kind = std::adjacent_find(good.begin(), good.end(), std::not_equal_to<>()) == good.end();
    if (!of_one_kind) run.found = diagnostics::separation(*run.weights, good);
  }
  run.seconds_weights = since();

  const auto& set = settings.evaluate_on == EvaluationSet::test ? problem.test : problem.tuning;
  nn::ClassificationBatch<float> batch;
  data::gather_all(set, batch);
  run.accuracy = nn::accuracy(training->model(), training->theta(), batch);
  run.seconds_accuracy = since();
}

}  // namespace

void check_batches(const Settings& s, const Benchmark& benchmark) {
  const bool learns =
      std::any_of(s.methods.begin(), s.methods.end(), [](const auto& m) { return method_named(m).weighs; });
  const Index share = learns && s.disjoint ? 2 : 1;
  for (const Index n : s.batches)
    if (n > benchmark.pool_size / share)
      throw UsageError(fmt::format(
          "--batch {}: the pool of '{}' has {} samples{}: expected at most {}", n, benchmark.name, benchmark.pool_size,
          share == 2 ? ", of which --disjoint takes two batches a step" : "", benchmark.pool_size / share));
  if (s.validation_batch > benchmark.validation_size)
    throw UsageError(
        fmt::format("--validation-batch {}: the validation set of '{}' has {} samples: expected at most {}",
                    s.validation_batch, benchmark.name, benchmark.validation_size, benchmark.validation_size));
}

Study run_study(const Settings& s, const ProblemSource& source, Progress& progress, const std::atomic<bool>& stop) {
  Study study;
  for (const auto& method : s.methods)
    for (const Index batch : s.batches)
      for (Index k = 0; k < s.seeds; ++k) {
        Run run;
        run.method = method;
        run.batch = batch;
        run.seed = s.first_seed + static_cast<std::uint64_t>(k);
        study.runs.push_back(std::move(run));
      }

  // Seed by seed, so that few problems are in memory at a time; within a seed the long runs first.
  std::vector<Run*> order;
  double work = 0;
  for (auto& run : study.runs) {
    order.push_back(&run);
    work += work_of(s, run);
  }
  std::stable_sort(order.begin(), order.end(), [&](const Run* a, const Run* b) {
    return a->seed != b->seed ? a->seed < b->seed : work_of(s, *a) > work_of(s, *b);
  });

  Shelf shelf(source, s.first_seed, static_cast<std::size_t>(s.seeds), s.methods.size() * s.batches.size());
  std::atomic<bool> failed{false};
  std::atomic<std::size_t> done{0};
  const auto stop_if_asked = [&] {
    if (stop.load() || failed.load()) throw Interrupted();
  };
  progress.begin(fmt::format("{} runs", order.size()), work);
  std::mutex first;
  std::exception_ptr error;
  parallel_tasks(static_cast<Index>(order.size()), [&](Index i) {
    Run& run = *order[static_cast<std::size_t>(i)];
    const auto fail = [&](std::exception_ptr e) {
      const std::lock_guard lock(first);
      if (!failed.exchange(true)) error = e;
    };
    const auto name = [&] { return fmt::format("{}, batch {}, seed {}", run.method, run.batch, run.seed); };
    try {
      stop_if_asked();
      const auto problem = shelf.take(run.seed);
      carry_out(s, *problem, run, progress, stop_if_asked);
      progress.detail(
          fmt::format("{}: accuracy {:.1f} % ({} of {} runs)", name(), 100 * run.accuracy, ++done, order.size()));
    } catch (const Interrupted&) {
      if (!failed.load()) fail(std::current_exception());
    } catch (const NumericalError& e) {
      fail(std::make_exception_ptr(NumericalError(fmt::format("{}: {}", name(), e.what()))));
    } catch (const Error& e) {
      fail(std::make_exception_ptr(Error(fmt::format("{}: {}", name(), e.what()))));
    } catch (...) {
      fail(std::current_exception());
    }
  });
  progress.end();
  if (error) std::rethrow_exception(error);
  study.truths = std::move(shelf).truths();
  return study;
}

}  // namespace mts::lab
