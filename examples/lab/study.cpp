#include "lab/study.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <span>
#include <sstream>
#include <utility>

#include "lab/config.hpp"
#include "lab/interrupt.hpp"
#include "lab/training.hpp"
#include "mts/core/parallel.hpp"
#include "mts/core/state.hpp"
#include "mts/data/bytes.hpp"
#include "mts/data/checkpoint.hpp"

namespace mts::lab {

namespace {

/// The problems of the seeds, each made when first asked for and let go with its last user.
class Shelf {
 public:
  Shelf(const ProblemSource& source, const std::vector<Cell>& cells) : source_(source) {
    for (const Cell& cell : cells) ++slots_[cell.seed].users;
  }

  std::shared_ptr<const data::Problem> take(std::uint64_t seed) {
    Slot& slot = slots_.at(seed);
    const std::lock_guard lock(slot.mutex);
    if (!slot.problem) slot.problem = std::make_shared<const data::Problem>(source_.make(seed));
    auto problem = slot.problem;
    if (--slot.users == 0) slot.problem.reset();
    return problem;
  }

 private:
  struct Slot {
    std::mutex mutex;
    std::size_t users = 0;
    std::shared_ptr<const data::Problem> problem;
  };
  const ProblemSource& source_;
  std::map<std::uint64_t, Slot> slots_;
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

  void save(mts::detail::StateWriter& writer) const {
    writer.count(static_cast<Index>(last_.size()));
    for (const auto& g : last_) writer.number(g.signal).number(g.noise).count(g.steps);
  }
  void load(mts::detail::StateReader& reader) {
    const Index n = reader.count("updates of the GSNR");
    reader.check(n <= gsnr_window, "updates of the GSNR", mts::detail::text("at most ", gsnr_window), n);
    last_.resize(static_cast<std::size_t>(n));
    for (auto& g : last_) {
      g.signal = reader.number<double>("signal");
      g.noise = reader.number<double>("noise");
      g.steps = reader.count("steps");
    }
  }

 private:
  std::deque<diagnostics::Gsnr> last_;
};

/// Thrown where work stops because another run has failed.
class Abandoned : public Interrupted {};

/// A run in training: what its steps have said so far, and how far it is.
struct RunSoFar {
  Run run;
  Index preparations = 0;
  GsnrWindow gsnr;

  void save(std::ostream& out) const {
    mts::detail::StateWriter writer(out, "run: save", kind);
    writer.count(preparations).number(run.seconds_steps).count(run.warnings).words(run.warning).vector(run.dynamics);
    gsnr.save(writer);
    run.phases.save(out);
  }
  void load(std::istream& in) {
    mts::detail::StateReader reader(in, "run: load", kind);
    preparations = reader.count("preparations");
    run.seconds_steps = reader.finite("seconds");
    run.warnings = reader.count("warnings");
    run.warning = reader.words("the first warning");
    run.dynamics = reader.vector<StepRow>("steps");
    gsnr.load(reader);
    run.phases.load(in);
  }

 private:
  static constexpr mts::detail::StateKind kind = {'l', 'a', 'b', '-', 'r', 'u', 'n', '1'};
};

template <class T>
std::string bytes_of(const T& x) {
  std::ostringstream out;
  x.save(out);
  return std::move(out).str();
}
template <class T>
void load_all_of(const std::string& bytes, T& x) {
  std::istringstream in(bytes);
  x.load(in);
  if (in.peek() != std::istringstream::traits_type::eof()) throw DataError("expected the end of a section, found more");
}

/// What a run is made from, besides its settings.
std::uint64_t checksum_of(const data::Problem& problem) {
  data::Checksum sum;
  const auto add = [&](const auto& x) { sum.add(std::span(x.data(), static_cast<std::size_t>(x.size()))); };
  for (const data::LabelledSet* set :
       {static_cast<const data::LabelledSet*>(&problem.pool), &problem.validation, &problem.tuning, &problem.test}) {
    add(set->inputs);
    add(set->embeddings);
    add(set->labels);
  }
  add(problem.pool.groups);
  add(problem.pool.kinds);
  return sum.value();
}

/// Where a run is kept while it is made; nowhere, if nobody asked for it.
class KeptRun {
 public:
  KeptRun(const Cell& cell, const data::Problem& problem, const std::optional<Keeping>& keeping) {
    if (!keeping) return;
    keeping_ = *keeping;
    checkpoint_.emplace(
        keeping->path(cell),
        data::CheckpointOrigin{"a run of mts-lab", 1,
                               fmt::format("data {:016x}, {}, batch {}, seed {}: {}", checksum_of(problem), cell.method,
                                           cell.batch, cell.seed, settings_line(cell.settings))});
  }

  /// The training as it was kept, and what it had said; nothing if there is none that can be used. Files that can't be are named.
  std::unique_ptr<Training> resume(Task& task, const Method& method, RunSoFar& so_far, Progress& progress) {
    std::unique_ptr<Training> training;
    if (!checkpoint_) return training;
    try {
      const auto resumed = checkpoint_->read([&](const data::CheckpointContents& contents) {
        RunSoFar kept = so_far;
        load_all_of(contents.section("run"), kept);
        task.prepared = std::make_shared<Prepared>();
        load_all_of(contents.section("prepared"), *task.prepared);
        auto started = method.start(task);
        load_all_of(contents.section("training"), *started);
        if (kept.preparations > started->preparations() ||
            static_cast<Index>(kept.run.dynamics.size()) > task.settings.steps)
          throw DataError("expected a run that is not longer than its settings say, found a longer one");
        so_far = std::move(kept);
        training = std::move(started);
      });
      if (!resumed.refused.empty()) progress.note(resumed.refused + "; the one before it is used");
    } catch (const DataError& error) {
      progress.note(fmt::format("{}; this run begins anew", error.what()));
      task.prepared = std::make_shared<Prepared>();
    }
    saved_ = Progress::steady_seconds();
    return training;
  }
  bool is_time() const { return checkpoint_ && Progress::steady_seconds() - saved_ >= keeping_.every; }
  void save(const RunSoFar& so_far, const Task& task, const Training& training) {
    if (!checkpoint_) return;
    data::CheckpointContents contents;
    contents.add("run", bytes_of(so_far));
    contents.add("prepared", bytes_of(*task.prepared));
    contents.add("training", bytes_of(training));
    checkpoint_->write(std::move(contents));
    saved_ = Progress::steady_seconds();
  }
  /// The run was handed on.
  void hand_on() {
    if (checkpoint_ && !keeping_.keeps_trained) checkpoint_->remove();
  }

 private:
  Keeping keeping_;
  std::optional<data::Checkpoint> checkpoint_;
  double saved_ = 0;
};

}  // namespace

double work_of(const Cell& cell) {
  return static_cast<double>(cell.settings.steps) * method_named(cell.method).cost *
         static_cast<double>(cell.batch + 64) * (cell.settings.model == ModelKind::mlp ? 1.0 : 20.0);
}

namespace {

Run carry_out(const Cell& cell, const data::Problem& problem, Progress& progress,
              const std::function<void()>& stop_if_asked, KeptRun& kept) {
  const Settings& settings = cell.settings;
  RunSoFar so_far;
  Run& run = so_far.run;
  run.method = cell.method;
  run.batch = cell.batch;
  run.seed = cell.seed;
  const auto now = Progress::steady_seconds;
  double begun = now();
  const auto since = [&] {
    const double before = begun;
    begun = now();
    return begun - before;
  };
  const Method& method = method_named(run.method);
  Task task(settings, problem, run.batch, run.seed);
  auto training = kept.resume(task, method, so_far, progress);
  const bool resumed = training != nullptr;
  if (!resumed) training = method.start(task);
  const Index preparations = training->preparations();
  const double work = work_of(cell) / static_cast<double>(preparations + settings.steps);
  const auto steps = [&] { return static_cast<Index>(run.dynamics.size()); };
  if (resumed) progress.skip(work * static_cast<double>(so_far.preparations + steps()));
  run.dynamics.reserve(static_cast<std::size_t>(settings.steps));
  bool moved = false;
  const auto keep = [&] {
    run.seconds_steps += since();
    kept.save(so_far, task, *training);
    moved = false;
  };
  while (so_far.preparations < preparations || steps() < settings.steps) {
    try {
      stop_if_asked();
    } catch (const Abandoned&) {
      throw;
    } catch (const Interrupted&) {
      if (moved) keep();
      throw;
    }
    if (so_far.preparations < preparations) {
      training->prepare();
      ++so_far.preparations;
    } else {
      const StepReport r = training->step();
      run.dynamics.push_back({r.step, r.mean_w, r.max_p, r.var_p, r.b_eff, so_far.gsnr.add(r), r.gamma_norm,
                              r.train_loss, r.validation_loss});
      run.phases += r.seconds;
      if (!r.warning.empty() && run.warnings++ == 0) run.warning = r.warning;
    }
    moved = true;
    progress.advance(work);
    if (kept.is_time()) keep();
  }
  if (moved)
    keep();
  else
    run.seconds_steps += since();

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
  run.accuracy = set.size() > 0 ? training->accuracy(set) : StepReport::none;
  run.seconds_accuracy = since();

  if (cell.look) run.insight = training->insight();
  if (cell.features) run.features = training->pool_features();
  if (cell.extremes && run.weights) run.extremes = extremes_of(*run.weights, problem);
  return std::move(run);
}

}  // namespace

Run carry_out(const Cell& cell, const data::Problem& problem, Progress& progress,
              const std::function<void()>& stop_if_asked) {
  KeptRun nowhere(cell, problem, std::nullopt);
  return carry_out(cell, problem, progress, stop_if_asked, nowhere);
}

std::vector<double> end_b_eff_fractions(const Run& run) {
  const std::size_t end = run.dynamics.size(), begin = end - (end + 9) / 10;
  std::vector<double> fractions;
  for (std::size_t k = begin; k < end; ++k) fractions.push_back(run.dynamics[k].b_eff / static_cast<double>(run.batch));
  return fractions;
}

void check_batches(const Settings& s, const Benchmark& benchmark) {
  const bool learns =
      std::any_of(s.methods.begin(), s.methods.end(), [](const auto& m) { return method_named(m).weighs; });
  const Index share = learns && s.disjoint ? 2 : 1;
  for (const Index n : s.batches)
    if (n > benchmark.pool_size / share)
      throw UsageError(fmt::format(
          "--batch {}: the pool of '{}' has {} samples{}: expected at most {}", n, benchmark.name, benchmark.pool_size,
          share == 2 ? ", of which --disjoint takes two batches a step" : "", benchmark.pool_size / share));
  const Index validation = s.validation > 0 ? s.validation : benchmark.validation_size;
  if (s.validation_batch > validation)
    throw UsageError(
        fmt::format("--validation-batch {}: the validation set of '{}' has {} samples: expected at most {}",
                    s.validation_batch, benchmark.name, validation, validation));
}

void run_cells(const std::vector<Cell>& cells, const ProblemSource& source, Progress& progress,
               const std::atomic<bool>& stop, const std::function<void(std::size_t, Run, const data::Problem&)>& done,
               const std::optional<Keeping>& keeping) {
  // Seed by seed, so that few problems are in memory at a time; within a seed the long runs first.
  std::vector<std::size_t> order(cells.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return cells[a].seed != cells[b].seed ? cells[a].seed < cells[b].seed : work_of(cells[a]) > work_of(cells[b]);
  });
  const double work = std::accumulate(cells.begin(), cells.end(), 0.0,
                                      [](double sum, const Cell& cell) { return sum + work_of(cell); });

  Shelf shelf(source, cells);
  std::atomic<bool> failed{false};
  const auto stop_if_asked = [&] {
    if (failed.load()) throw Abandoned();
    if (stop.load()) throw Interrupted();
  };
  progress.begin(fmt::format("{} runs", cells.size()), work);
  std::mutex first, one_at_a_time;
  std::size_t finished = 0;
  std::exception_ptr error;
  parallel_tasks(static_cast<Index>(order.size()), [&](Index i) {
    const std::size_t place = order[static_cast<std::size_t>(i)];
    const Cell& cell = cells[place];
    const auto fail = [&](std::exception_ptr e) {
      const std::lock_guard lock(first);
      if (!failed.exchange(true)) error = e;
    };
    const auto name = fmt::format("{}, batch {}, seed {}", cell.method, cell.batch, cell.seed);
    try {
      stop_if_asked();
      naming(name, [&] {
        const auto problem = shelf.take(cell.seed);
        KeptRun kept(cell, *problem, keeping);
        Run run = carry_out(cell, *problem, progress, stop_if_asked, kept);
        const std::lock_guard lock(one_at_a_time);
        progress.detail(
            fmt::format("{}: accuracy {:.1f} % ({} of {} runs)", name, 100 * run.accuracy, ++finished, cells.size()));
        done(place, std::move(run), *problem);
        kept.hand_on();
      });
    } catch (const Interrupted&) {
      if (!failed.load()) fail(std::current_exception());
    } catch (...) {
      fail(std::current_exception());
    }
  });
  progress.end();
  if (error) std::rethrow_exception(error);
}

Study run_study(const Settings& s, const ProblemSource& source, Progress& progress, const std::atomic<bool>& stop,
                const std::optional<Keeping>& keeping) {
  std::vector<Cell> cells;
  for (const auto& method : s.methods)
    for (const Index batch : s.batches)
      for (Index k = 0; k < s.seeds; ++k)
        cells.push_back({s, method, batch, s.first_seed + static_cast<std::uint64_t>(k), true, k == 0});
  Study study;
  study.runs.resize(cells.size());
  study.truths.resize(static_cast<std::size_t>(s.seeds));
  run_cells(
      cells, source, progress, stop,
      [&](std::size_t place, Run run, const data::Problem& problem) {
        const data::Pool& pool = problem.pool;
        study.truths[static_cast<std::size_t>(run.seed - s.first_seed)] = {run.seed,    pool.kinds,      pool.groups,
                                                                           pool.labels, pool.attributes, pool.origins};
        study.runs[place] = std::move(run);
      },
      keeping);
  return study;
}

}  // namespace mts::lab
