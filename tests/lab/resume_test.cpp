// Runs that are stopped go on with the same bits: every method at any step; the program when it is killed, interrupted, finds damaged
// or foreign checkpoints, other options, a full disk, or no data.
#include <chrono>
#include <cmath>
#include <csignal>
#include <functional>
#include <map>
#include <thread>

#include "lab/registry.hpp"
#include "lab/small_run.hpp"
#include "lab/support.hpp"
#include "lab/training.hpp"
#include "support/sanitized.hpp"
#include "support/state.hpp"

namespace {

using namespace mts_test;
using mts::Index;

// --------------------------------------------------------------------------------------------------------------- methods

/// A training, and what it was started on.
struct Walk {
  mts::lab::Task task;
  std::unique_ptr<mts::lab::Training> training;

  Walk(const std::string& method, const mts::lab::Settings& settings, const mts::data::Problem& problem,
       const std::string& prepared = {})
      : task(settings, problem, 16, 3) {
    if (!prepared.empty()) load(*task.prepared, prepared);
    training = mts::lab::method_named(method).start(task);
  }
  Index length() const { return training->preparations() + task.settings.steps; }
  /// Preparation or step number k, and what it said.
  std::vector<double> go(Index k) {
    if (k < training->preparations()) {
      training->prepare();
      return {};
    }
    const auto r = training->step();
    const auto number = [](double x) { return std::isnan(x) ? -1 : x; };
    return {static_cast<double>(r.step), r.train_loss, number(r.validation_loss), number(r.gsnr), r.b_eff};
  }
};

/// Stopped before preparation or step number `stop`, saved, loaded into a training that was just started: the same reports, theta,
/// weights and accuracy as of one left alone.
void check_goes_on(const std::string& method, const mts::lab::Settings& settings, const mts::data::Problem& problem) {
  CAPTURE(method);
  Walk alone(method, settings, problem);
  const Index length = alone.length(), preparations = alone.training->preparations();
  std::vector<std::vector<double>> said;
  std::vector<std::string> states, prepared;
  for (Index k = 0; k <= length; ++k) {
    states.push_back(saved(*alone.training));
    prepared.push_back(saved(*alone.task.prepared));
    if (k < length) said.push_back(alone.go(k));
  }
  const auto weights = alone.training->pool_weights();
  for (const Index stop : {Index{0}, preparations / 3, preparations, preparations + 3, length - 1, length}) {
    CAPTURE(stop);
    const auto at = static_cast<std::size_t>(stop);
    Walk walk(method, settings, problem, prepared[at]);
    load(*walk.training, states[at]);
    CHECK(saved(*walk.training) == states[at]);
    for (Index k = stop; k < length; ++k) CHECK(walk.go(k) == said[static_cast<std::size_t>(k)]);
    CHECK(walk.training->theta().values() == alone.training->theta().values());
    CHECK(walk.training->pool_weights() == weights);
    CHECK(walk.training->accuracy(problem.test) == alone.training->accuracy(problem.test));
  }
  // what is cut short is refused
  for (const std::size_t parts : {1, 2, 3}) {
    Walk walk(method, settings, problem, prepared.back());
    const std::string& whole = states.back();
    CHECK_THROWS_AS(load(*walk.training, whole.substr(0, whole.size() * parts / 4)), mts::DataError);
  }
}

mts::lab::Settings short_settings() {
  mts::lab::Settings s;
  s.steps = 8;
  s.uniform_steps = 2;
  s.hidden = {5};
  s.folds = 2;
  s.members = 2;
  s.validation_batch = 5;
  s.weight_net_hidden = {6};
  s.features = {"alignment-history", "nearest-validation-cosine", "real-centre-cosine", "class"};
  return s;
}

TEST_CASE("Resume: every method goes on from where it was saved as if it had been left alone") {
  const auto problem = small_problem();
  for (const auto& method : mts::lab::methods()) check_goes_on(method.name, short_settings(), problem);
}

TEST_CASE("Resume: so does a weight net in crossed mode, a table, validation rows, folds by another method, images") {
  using namespace mts::lab;
  const auto problem = small_problem();
  auto crossed = short_settings();
  crossed.mode = Mode::crossed;
  crossed.disjoint = true;
  crossed.update_every = 2;
  check_goes_on("weight-net", crossed, problem);
  auto tabular = short_settings();
  tabular.weight_net = WeightNetKind::tabular;
  tabular.validation_rows = 0.2;
  check_goes_on("weight-net", tabular, problem);
  auto folds = short_settings();
  folds.fold_method = "el2n";
  check_goes_on("mts", folds, problem);
  auto images = short_settings();
  images.augmentation = AugmentationKind::shift;
  check_goes_on("soft-gate", images, small_image_problem());
}

TEST_CASE("Resume: what was prepared is not made again") {
  const auto problem = small_problem();
  for (const std::string method : {"rho-loss", "grand"}) {
    CAPTURE(method);
    Walk walk(method, short_settings(), problem);
    // what is found there is believed, so that a longer preparation would show
    auto longer = short_settings();
    longer.steps = 12;
    Walk other(method, longer, problem), same(method, longer, problem, saved(*walk.task.prepared));
    CHECK(saved(*other.task.prepared) != saved(*walk.task.prepared));
    CHECK(saved(*same.task.prepared) == saved(*walk.task.prepared));
  }
}

// --------------------------------------------------------------------------------------------------------------- program

using Words = std::vector<std::string>;

/// Methods with folds, members, a weight net that remembers; a checkpoint after every step.
Words a_run(const std::filesystem::path& out, Words more = {}) {
  Words words = small_run(out, {"--method",
                                "weight-net,mts,soft-gate-ensemble",
                                "--batch",
                                "16",
                                "--seeds",
                                "1",
                                "--steps",
                                "16",
                                "--members",
                                "2",
                                "--folds",
                                "2",
                                "--features",
                                "alignment-history,class",
                                "--validation-batch",
                                "8",
                                "--no-pictures",
                                "--threads",
                                "2",
                                "--checkpoint-every",
                                "0"});
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

/// What a run leaves but for its times.
using Files = std::map<std::string, std::string>;
Files contents_of(const std::filesystem::path& folder) {
  Files files;
  for (const auto& name : files_in(folder))
    if (name != "timings.csv")
      files[name] = std::filesystem::is_directory(folder / name) ? "" : read_plainly(folder / name);
  return files;
}
/// Those of a run that was left alone, and kept nothing on its way.
const Files& alone() {
  static const Files files = [] {
    const TemporaryFolder folder;
    Child child(a_run(folder / "out", {"--checkpoint-every", "1e9"}), folder);
    const int status = child.wait();
    CAPTURE(child.err());
    REQUIRE(status == 0);
    return contents_of(folder / "out");
  }();
  return files;
}

bool within_a_minute(const std::function<bool()>& holds) {
  for (int k = 0; k < 6000; ++k) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}
/// Begins a run, waits until each of its runs that are made first has a checkpoint and the one before it, and interrupts it.
std::string interrupt_a_run(const std::filesystem::path& out, const TemporaryFolder& folder, Words more = {}) {
  more.insert(more.end(), {"--steps", "100000"});
  Child child(a_run(out, more), folder);
  const auto kept = [&] {
    int n = 0;
    for (const auto& name : files_in(out / "checkpoints")) n += name.ends_with(".checkpoint.previous");
    return n;
  };
  REQUIRE(within_a_minute([&] { return kept() >= 2; }));
  child.interrupt();
  CHECK(child.wait() == 130);
  return child.err();
}

TEST_CASE("Resume: a run that is killed at 20 random moments ends with the same bits as one left alone") {
  REQUIRE(alone().size() == 6);  // results, dynamics, weights, truth, settings, report
  const TemporaryFolder folder;
  const auto out = folder / "out";
  int killed = 0, resumed = 0;
  const auto check_finished = [&](Child& child, int status) {
    const std::string said = child.err();
    CAPTURE(said);
    REQUIRE(status == 0);
    CHECK(contents_of(out) == alone());
    std::filesystem::remove_all(out);
  };
  const auto has_begun = [](const Child& child) { return contains(child.err(), "3 runs"); };
  const auto now = [] { return std::chrono::steady_clock::now(); };

  // How long a run takes once it has begun: the moments are drawn from that time, early ones more often, so that one run is killed
  // often; every fourth from before.
  Child whole(a_run(out), folder);
  REQUIRE(within_a_minute([&] { return has_begun(whole); }));
  const auto begun = now();
  check_finished(whole, whole.wait());
  const std::chrono::duration<double> length = now() - begun;
#if defined(MTS_SANITIZED)
  constexpr int kills = 4;  // each costs ten times as much there
#else
  constexpr int kills = 20;
#endif
  mts::RandomStream moment(20261128, "moments");
  // More kills where a busy machine makes most of them too early to say anything.
  for (int round = 0; killed < kills || resumed <= kills / 4; ++round) {
    REQUIRE(round < 10 * kills);
    resumed += std::filesystem::exists(out / "checkpoints");
    Child child(a_run(out), folder);
    if (round % 4 != 0) REQUIRE(within_a_minute([&] { return has_begun(child); }));
    const double u = moment.uniform();
    std::this_thread::sleep_for(1.1 * u * u * length);
    child.kill();
    const int status = child.wait();
    if (status == 128 + SIGKILL)
      ++killed;
    else
      check_finished(child, status);
  }
  Child last(a_run(out), folder);
  check_finished(last, last.wait());
}

TEST_CASE("Resume: Ctrl-C finishes the step, keeps it and says how to go on; the command does") {
  const TemporaryFolder folder;
  const auto out = folder / "out with 'quotes'";
  const std::string said = interrupt_a_run(out, folder, {"--fresh"});
  CAPTURE(said);
  CHECK(contains(said, "interrupted; what was done is kept in " + (out / "checkpoints").string() + ". To go on:\n  "));
  CHECK(files_in(out) == std::set<std::string>{"checkpoints"});
  const std::string command = said.substr(said.find("To go on:\n  ") + 12);
  CHECK(!contains(command, "--fresh"));
  // the command as a shell takes it, but for its length, which the run would not survive
  const auto before = contents_of(out / "checkpoints");
  Child again({"/bin/sh", "-c", "exec " + command}, folder);
  REQUIRE(within_a_minute([&] { return contents_of(out / "checkpoints") != before; }));
  again.interrupt();
  CHECK(again.wait() == 130);
  CHECK(!contains(again.err(), "anew"));
}

/// The checkpoints in a folder that have the one before them.
std::vector<std::filesystem::path> checkpoints_in(const std::filesystem::path& out) {
  std::vector<std::filesystem::path> found;
  for (const auto& name : files_in(out / "checkpoints"))
    if (std::filesystem::exists(out / "checkpoints" / (name + ".previous")))
      found.push_back(out / "checkpoints" / name);
  return found;
}

/// A folder with an unfinished run of the options of `a_run`: killed once two runs have a checkpoint and the one before it. The kill may
/// come too late, when the run is done; then with another run.
void leave_unfinished(const std::filesystem::path& out, const TemporaryFolder& folder) {
  for (int attempt = 0; checkpoints_in(out).size() < 2; ++attempt) {
    REQUIRE(attempt < 50);
    std::filesystem::remove_all(out);
    Child child(a_run(out), folder);
    REQUIRE(within_a_minute([&] { return checkpoints_in(out).size() >= 2 || files_in(out).contains("results.csv"); }));
    child.kill();
    child.wait();
  }
}

TEST_CASE(
    "Resume: damaged and foreign checkpoints are named; the one before is used, or the run begins anew; same bits") {
  const TemporaryFolder folder;
  const auto out = folder / "out";
  leave_unfinished(out, folder);
  const auto files = checkpoints_in(out);
  REQUIRE(files.size() >= 2);
  // one is cut short; one is another run's, and so is the one before it
  std::filesystem::resize_file(files[0], std::filesystem::file_size(files[0]) - 3);
  std::filesystem::copy_file(files[0].string() + ".previous", files[1],
                             std::filesystem::copy_options::overwrite_existing);
  write_plainly(files[1].string() + ".previous", "of something else");
  Child child(a_run(out), folder);
  const int status = child.wait();
  const std::string said = child.err();
  CAPTURE(said);
  REQUIRE(status == 0);
  CHECK(contains(said, files[0].string() + ": expected a checkpoint"));
  CHECK(contains(said, "the one before it is used"));
  CHECK(contains(said, files[1].string() + ": expected a checkpoint of"));
  CHECK(contains(said, files[1].string() + ".previous: expected a checkpoint, found a file that begins otherwise"));
  CHECK(contains(said, "this run begins anew"));
  CHECK(contents_of(out) == alone());
}

TEST_CASE("Resume: with other options it is refused by their names, with --fresh begun anew; two at once are refused") {
  const TemporaryFolder folder;
  const auto out = folder / "out";
  leave_unfinished(out, folder);
  const auto kept = contents_of(out / "checkpoints");
  Child other(a_run(out, {"--steps", "17", "--lr", "0.1"}), folder);
  CHECK(other.wait() == 2);
  const std::string said = other.err();
  CAPTURE(said);
  for (const char* part : {"unfinished run that was begun otherwise", "steps: 16 there, 17 here",
                           "lr: 0.05 there, 0.1 here", "--fresh", "another --out"})
    CHECK(contains(said, part));
  CHECK(contents_of(out / "checkpoints") == kept);

  Child busy(a_run(out, {"--fresh", "--steps", "100000"}), folder);
  REQUIRE(within_a_minute([&] { return contains(busy.err(), "3 runs"); }));
  Child second(a_run(out), folder);
  CHECK(second.wait() == 1);
  CHECK(contains(second.err(), "another mts-lab is at work in this folder"));
  busy.kill();
  busy.wait();

  Child fresh(a_run(out, {"--fresh"}), folder);
  CHECK(fresh.wait() == 0);
  CHECK(contents_of(out) == alone());
}

TEST_CASE(
    "Resume: a full disk and a folder in the way are errors in words, nothing is half-written, and it goes on later") {
  const TemporaryFolder folder;
  const auto out = folder / "out";
  static_cast<void>(alone());  // the generators are in the cache from here on
  const Words run = a_run(out);
  Words words = {"/bin/sh", "-c", "trap '' XFSZ; ulimit -f 16; exec \"$@\"", "sh"};  // 8 KiB a file
  words.insert(words.end(), run.begin(), run.end());
  Child full(words, folder);
  const int status = full.wait();
  const std::string said = full.err();
  CAPTURE(said);
  CHECK(status == 1);
  CHECK(contains(said, ".checkpoint"));
  CHECK(contains(said, "can't be written: write: File too large"));
  CHECK(files_in(out / "checkpoints").empty());

  std::filesystem::create_directories(out);
  write_plainly(out / "checkpoints", "in the way");
  Child blocked(run, folder);
  CHECK(blocked.wait() == 1);
  CHECK(contains(blocked.err(), (out / "checkpoints").string() + ": checkpoints need a folder"));
  std::filesystem::remove(out / "checkpoints");

  Child later(run, folder);
  CHECK(later.wait() == 0);
  CHECK(contents_of(out) == alone());
}

TEST_CASE(
    "Resume: data that vanish during a run are not missed; when it goes on without them they are, and nothing is "
    "lost") {
  const TemporaryFolder folder;
  const auto out = folder / "out", data = folder / "data", away = folder / "away";
  std::filesystem::copy(shared().data, data);
  const Words here = {"--data", data};
  Child child(a_run(out, here), folder);
  REQUIRE(within_a_minute([&] { return !checkpoints_in(out).empty(); }));
  std::filesystem::rename(data, away);
  child.kill();
  REQUIRE(child.wait() == 128 + SIGKILL);
  const auto kept = contents_of(out / "checkpoints");

  Child without(a_run(out, here), folder);
  CHECK(without.wait() == 1);
  CHECK(contains(without.err(), data.string()));
  CHECK(contents_of(out / "checkpoints") == kept);

  std::filesystem::rename(away, data);
  Child again(a_run(out, here), folder);
  REQUIRE(within_a_minute([&] { return contains(again.err(), "3 runs"); }));
  std::filesystem::remove_all(data);
  const int status = again.wait();
  CAPTURE(again.err());
  CHECK(status == 0);
  auto files = contents_of(out), expected = alone();
  for (const char* name : {"settings.json", "report.html"}) {  // they name the folder of the data
    CHECK(files.erase(name) == 1);
    expected.erase(name);
  }
  CHECK(files == expected);
}

}  // namespace
