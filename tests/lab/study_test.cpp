#include "lab/study.hpp"

#include <cstring>
#include <optional>
#include <set>

#include "lab/interrupt.hpp"
#include "lab/support.hpp"
#include "mts/core/parallel.hpp"

namespace {

using namespace mts::lab;
using mts::Index;

/// Problems of a size for tests; counts how many were made.
struct SmallSource final : ProblemSource {
  mutable std::atomic<int> made{0};
  mts::data::Problem make(std::uint64_t seed) const override {
    ++made;
    return mts_test::small_problem(seed);
  }
};

Settings small_settings() {
  Settings s;
  s.methods = {"uniform", "weight-net"};
  s.batches = {8, 32};
  s.seeds = 3;
  s.first_seed = 5;
  s.steps = 20;
  s.uniform_steps = 4;
  s.hidden = {8};
  return s;
}

Study study_of(const Settings& s, const ProblemSource& source, int threads, std::atomic<bool>& stop,
               const std::optional<Keeping>& keeping = {}) {
  const mts::ThreadLimit limit(threads);
  std::ostringstream said;
  Progress progress(said, false);
  return run_study(s, source, progress, stop, keeping);
}

TEST_CASE("Study: every method with every batch on every seed, in that order; a problem is made once a seed") {
  const SmallSource source;
  std::atomic<bool> stop{false};
  const auto study = study_of(small_settings(), source, 4, stop);
  REQUIRE(study.runs.size() == 12);
  std::size_t k = 0;
  for (const char* method : {"uniform", "weight-net"})
    for (const Index batch : {8, 32})
      for (const std::uint64_t seed : {5, 6, 7}) {
        const Run& run = study.runs[k++];
        CHECK(run.method == method);
        CHECK(run.batch == batch);
        CHECK(run.seed == seed);
        CHECK(run.dynamics.size() == 20);
        CHECK(run.accuracy > 1.0 / 3);
        CHECK(run.weights.has_value() == (run.method == "weight-net"));
      }
  CHECK(source.made == 3);
  REQUIRE(study.truths.size() == 3);
  CHECK(study.truths[2].seed == 7);
  CHECK(study.truths[2].kinds.size() == 90);
}

TEST_CASE("Study: rows hold what the step reported, and sums over the last updates for the GSNR") {
  const SmallSource source;
  std::atomic<bool> stop{false};
  const auto study = study_of(small_settings(), source, 2, stop);
  const Run& run = study.runs.back();
  for (const auto& row : run.dynamics) {
    const auto n = static_cast<double>(run.batch);
    CHECK(row.var_p == doctest::Approx((1 / row.b_eff - 1 / n) / n).epsilon(1e-6));  // law L7
    CHECK(row.max_p >= 1 / row.b_eff - 1e-12);
    CHECK(std::isnan(row.gsnr) == (row.step < 4));
    CHECK(std::isnan(row.gamma_norm) == (row.step < 4));
    CHECK(std::isfinite(row.train_loss));
  }
}

TEST_CASE("Study: the same for any number of threads") {
  const SmallSource source;
  std::atomic<bool> stop{false};
  const auto one = study_of(small_settings(), source, 1, stop);
  const auto many = study_of(small_settings(), source, 4, stop);
  for (std::size_t k = 0; k < one.runs.size(); ++k) {
    CHECK(one.runs[k].accuracy == many.runs[k].accuracy);
    CHECK(one.runs[k].weights == many.runs[k].weights);
    CHECK(one.runs[k].dynamics.back().train_loss == many.runs[k].dynamics.back().train_loss);
  }
}

TEST_CASE("Study: a stop that is asked for comes") {
  const SmallSource source;
  std::atomic<bool> stop{true};
  Settings s = small_settings();
  s.steps = 100000000;
  CHECK_THROWS_AS(study_of(s, source, 2, stop), Interrupted);
}

TEST_CASE(
    "Study: runs that are kept go on after a stop with the same bits, are not trained again, and go when handed on") {
  const mts_test::TemporaryFolder folder;
  const SmallSource source;
  std::atomic<bool> stop{false};
  const auto s = small_settings();
  const auto expected = study_of(s, source, 1, stop);
  const auto files = [&] {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path)) names.insert(entry.path().filename());
    return names;
  };
  std::atomic<int> asked{0};
  Keeping keeping;
  keeping.path = [&](const Cell& cell) {
    if (++asked == 3) stop = true;
    return folder / mts::detail::text(cell.method, cell.batch, "-", cell.seed);
  };
  keeping.every = 1e9;
  CHECK_THROWS_AS(study_of(s, source, 1, stop, keeping), Interrupted);
  CHECK(files().size() == 2);  // two are trained, the third was stopped before its first step
  stop = false;
  for (const bool keeps : {true, false}) {
    keeping.keeps_trained = keeps;
    const auto study = study_of(s, source, 2, stop, keeping);
    for (std::size_t k = 0; k < study.runs.size(); ++k) {
      const Run &run = study.runs[k], &alone = expected.runs[k];
      CHECK(run.accuracy == alone.accuracy);
      CHECK(run.weights == alone.weights);
      REQUIRE(run.dynamics.size() == alone.dynamics.size());
      CHECK(std::memcmp(run.dynamics.data(), alone.dynamics.data(), run.dynamics.size() * sizeof(StepRow)) == 0);
    }
    CHECK(files().size() == (keeps ? 12 : 0));
  }
}

TEST_CASE("Study: a stop that is asked for between two checkpoints loses no step") {
  const mts_test::TemporaryFolder folder;
  const SmallSource source;
  std::atomic<bool> stop{false};
  auto s = small_settings();
  s.methods = {"weight-net"};
  s.batches = {8};
  s.seeds = 1;
  const auto alone = study_of(s, source, 1, stop);
  const Keeping keeping{[&](const Cell&) { return folder / "run"; }, 1e9, true};
  std::ostringstream said;
  int looks = 0;  // at the clock: when the progress begins, and after each step
  Progress progress(said, false, [&] {
    if (++looks == 8) stop = true;
    return 0.0;
  });
  CHECK_THROWS_AS(run_study(s, source, progress, stop, keeping), Interrupted);
  CHECK(std::filesystem::exists(folder / "run"));
  stop = false;
  Progress rest(said, false, [&] {
    ++looks;
    return 0.0;
  });
  const auto study = run_study(s, source, rest, stop, keeping);
  CHECK(looks == 1 + 20 + 1 + 1);  // two beginnings, twenty steps in all, and one for those that were done before
  CHECK(std::memcmp(study.runs[0].dynamics.data(), alone.runs[0].dynamics.data(), 20 * sizeof(StepRow)) == 0);
  CHECK(study.runs[0].weights == alone.runs[0].weights);
}

TEST_CASE("Study: data that have changed since are another run") {
  const mts_test::TemporaryFolder folder;
  const SmallSource source;
  std::atomic<bool> stop{false};
  auto s = small_settings();
  s.methods = {"uniform"};
  s.batches = {8};
  s.seeds = 1;
  const Keeping keeping{[&](const Cell&) { return folder / "run"; }, 1e9, true};
  const auto study = study_of(s, source, 1, stop, keeping);
  struct Other final : ProblemSource {
    mts::data::Problem make(std::uint64_t seed) const override {
      auto problem = mts_test::small_problem(seed);
      problem.pool.labels[7] = (problem.pool.labels[7] + 1) % 3;
      return problem;
    }
  };
  const auto alone = study_of(s, Other(), 1, stop), after = study_of(s, Other(), 1, stop, keeping);
  CHECK(after.runs[0].dynamics.back().train_loss == alone.runs[0].dynamics.back().train_loss);
  CHECK(after.runs[0].dynamics.back().train_loss != study.runs[0].dynamics.back().train_loss);
}

TEST_CASE("Study: a run that fails is named, and ends the others") {
  const SmallSource source;
  std::atomic<bool> stop{false};
  Settings s = small_settings();
  s.steps = 1000000;
  s.methods = {"uniform"};
  s.learning_rate = 1e30;
  CHECK_REFUSED(mts::NumericalError, study_of(s, source, 4, stop), "uniform, batch", "seed", "finite");
}

TEST_CASE("Study: accuracy on the tuning set where that is asked for") {
  const SmallSource source;
  std::atomic<bool> stop{false};
  Settings s = small_settings();
  const auto on_test = study_of(s, source, 2, stop);
  s.evaluate_on = EvaluationSet::tuning;
  const auto on_tuning = study_of(s, source, 2, stop);
  bool differs = false;
  for (std::size_t k = 0; k < on_test.runs.size(); ++k) {
    differs = differs || on_test.runs[k].accuracy != on_tuning.runs[k].accuracy;
    CHECK(std::abs(30 * on_tuning.runs[k].accuracy - std::round(30 * on_tuning.runs[k].accuracy)) < 1e-9);
  }
  CHECK(differs);
}

TEST_CASE("Study: batches that the pool can't fill are refused before anything is computed") {
  Settings s = small_settings();
  const auto& benchmark = benchmark_named("spurious");
  s.batches = {64, benchmark.pool_size};
  CHECK_NOTHROW(check_batches(s, benchmark));
  s.batches = {64, benchmark.pool_size + 1};
  CHECK_REFUSED(UsageError, check_batches(s, benchmark), "--batch", "expected at most");
  s.batches = {benchmark.pool_size};
  s.mode = Mode::crossed;
  s.disjoint = true;
  CHECK_REFUSED(UsageError, check_batches(s, benchmark), "--disjoint");
  s.methods = {"uniform"};
  CHECK_NOTHROW(check_batches(s, benchmark));
}

}  // namespace
