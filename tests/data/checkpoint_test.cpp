// Checkpoints: a file and the one before it; damage anywhere, forged lengths, foreign files, a full disk, a program that is killed.
#include "mts/data/checkpoint.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <set>

#include "data/support.hpp"
#include "mts/core/random.hpp"
#include "mts/data/sampler.hpp"

using mts::DataError;
using mts::Index;
using mts::RandomStream;
using mts::ValueError;
using namespace mts::data;
using mts_test::read_plainly;
using mts_test::TemporaryFolder;
using mts_test::write_plainly;

namespace {

CheckpointContents sample_contents() {
  CheckpointContents contents(CheckpointOrigin{"a test", 3, "seed 1"});
  contents.add("first", "some bytes");
  contents.add("empty", "");
  contents.add("zeros", std::string(20, '\0'));
  return contents;
}

std::set<std::string> files_in(const std::filesystem::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.insert(entry.path().filename());
  return names;
}

void overwrite(std::string& bytes, std::size_t at, std::uint64_t x) { std::memcpy(bytes.data() + at, &x, sizeof x); }

/// A sampler and a stream that stand `k` draws from their beginning.
struct Pair {
  EpochSampler sampler{50, {.batch = 5, .seed = 1}};
  RandomStream stream{1, "pair"};
  explicit Pair(int k) {
    std::vector<Index> ids;
    for (int j = 0; j < k; ++j) {
      sampler.next(ids);
      stream();
    }
  }
  int at() const { return static_cast<int>(stream.position()); }
  bool consistent() const {
    const auto s = sampler.state();
    return s.position + 50 * static_cast<Index>(s.epoch) == 5 * at();
  }
};

}  // namespace

TEST_CASE("a checkpoint's sections are read back, and what it is of") {
  const auto contents = sample_contents();
  const auto read = read_checkpoint(checkpoint_bytes(contents), "name");
  CHECK(read.origin == contents.origin);
  CHECK(read.sections() == contents.sections());
  CHECK(read.section("first") == "some bytes");
  CHECK_REFUSED(DataError, read.section("second"), "section 'second'");
  auto twice = contents;
  CHECK_REFUSED(ValueError, twice.add("first", ""), "two sections", "'first'");
  CHECK_REFUSED(ValueError, twice.add("about", ""), "'about'");
  CheckpointContents many(contents.origin);
  for (int k = 0; k < 999; ++k) many.add(std::to_string(k), "");
  CHECK(read_checkpoint(checkpoint_bytes(many), "name").sections().size() == 999);
  CHECK_REFUSED(ValueError, many.add("one more", ""), "more than 999");
}

TEST_CASE("a checkpoint with any bit changed, cut anywhere or followed by anything is refused by name") {
  const std::string bytes = checkpoint_bytes(sample_contents());
  for (std::size_t k = 0; k < bytes.size(); ++k) {
    CAPTURE(k);
    CHECK_REFUSED(DataError, read_checkpoint(bytes.substr(0, k), "a file"), "a file: expected a checkpoint");
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[k] = static_cast<char>(damaged[k] ^ (1 << bit));
      CHECK_REFUSED(DataError, read_checkpoint(damaged, "a file"), "a file: expected a checkpoint");
    }
  }
  CHECK_REFUSED(DataError, read_checkpoint(bytes + '\0', "a file"), "1 bytes behind its last section");
  CHECK_REFUSED(DataError, read_checkpoint("", "a file"), "an empty file");
  CHECK_REFUSED(DataError, read_checkpoint("PK and so on, another format", "a file"), "begins otherwise");
}

TEST_CASE("forged numbers in a header are refused before memory is taken for them") {
  const std::string bytes = checkpoint_bytes(sample_contents());
  const std::uint64_t huge[] = {~std::uint64_t{0}, std::uint64_t{1} << 62, std::uint64_t{1} << 33};
  for (const std::uint64_t forged : huge) {
    CAPTURE(forged);
    std::string sections = bytes, name = bytes, length = bytes;
    overwrite(sections, 16, forged);
    CHECK_REFUSED(DataError, read_checkpoint(sections, "a file"), mts::detail::text("found ", forged, " sections"));
    overwrite(name, 24, forged);
    CHECK_REFUSED(DataError, read_checkpoint(name, "a file"), mts::detail::text(forged, " bytes of a section's name"));
    // a section's length under a header whose checksum is right
    overwrite(length, 24 + 8 + 5, forged);
    std::size_t header = 24;
    for (const std::size_t n : {5u, 5u, 5u, 5u}) header += 24 + n;
    overwrite(length, header, Checksum().add(std::string_view(length).substr(0, header)).value());
    CHECK_REFUSED(DataError, read_checkpoint(length, "a file"), mts::detail::text(forged, " bytes of section 'about'"));
  }
  std::string version = bytes;
  overwrite(version, 8, 2);
  CHECK_REFUSED(DataError, read_checkpoint(version, "a file"), "format version 1, found 2");
}

TEST_CASE("a checkpoint keeps the one before it; states are read as they were saved, or not at all") {
  const TemporaryFolder folder;
  Checkpoint checkpoint(folder / "deep/run", "seed 1");
  Pair fresh(0);
  CHECK(!checkpoint.load(fresh.sampler, fresh.stream));
  for (const int k : {3, 8}) {
    Pair pair(k);
    checkpoint.save(pair.sampler, pair.stream);
  }
  CHECK(files_in(folder / "deep") == std::set<std::string>{"run", "run.previous"});
  const auto load = [&](int expected, std::initializer_list<std::string> refused) {
    Checkpoint again(folder / "deep/run", "seed 1");
    Pair pair(1);
    const Resumed resumed = again.load(pair.sampler, pair.stream);
    CHECK(resumed.found);
    CHECK(pair.at() == expected);
    CHECK(pair.consistent());
    CHECK(resumed.refused.empty() == (refused.size() == 0));
    for (const auto& part : refused) CHECK(resumed.refused.find(part) != std::string::npos);
    return again;
  };
  load(8, {});

  const auto path = folder / "deep/run";
  const std::string newest = read_plainly(path);
  write_plainly(path, newest.substr(0, newest.size() / 2));
  auto again = load(3, {path.string(), "truncated"});
  // The damaged one does not take the place of the good one before it.
  Pair later(20);
  again.save(later.sampler, later.stream);
  load(20, {});
  write_plainly(path, "nonsense");
  load(3, {path.string(), "begins otherwise"});
  std::filesystem::remove(path);  // killed between two renames
  load(3, {});

  write_plainly(path, "nonsense");
  write_plainly(folder / "deep/run.previous", "more nonsense");
  Pair pair(1);
  Checkpoint none(path, "seed 1");
  CHECK_REFUSED(DataError, none.load(pair.sampler, pair.stream), path.string() + ": ", path.string() + ".previous: ");
  CHECK(pair.at() == 1);
  none.remove();
  CHECK(files_in(folder / "deep").empty());
}

TEST_CASE("a checkpoint of something else is refused by name, and what was loaded of it is put back") {
  const TemporaryFolder folder;
  const auto path = folder / "run";
  Pair pair(7), other(2);
  Checkpoint(path, "seed 1").save(pair.sampler, pair.stream);
  CHECK_REFUSED(DataError, Checkpoint(path, "seed 2").load(other.sampler, other.stream), path.string(),
                "expected a checkpoint of 'seed 2', found one of 'seed 1'");
  CHECK_REFUSED(DataError, Checkpoint(path, CheckpointOrigin{"tuning", 1, "seed 1"}).load(other.sampler, other.stream),
                "expected a checkpoint of 'tuning', found one of 'training'");
  CHECK_REFUSED(DataError,
                Checkpoint(path, CheckpointOrigin{"training", 2, "seed 1"}).load(other.sampler, other.stream),
                "'training' version 2, found one of 'training' version 1");
  CHECK_REFUSED(DataError, Checkpoint(path, "seed 1").load(other.sampler), "expected 1 state, found 2");
  CHECK_REFUSED(DataError, Checkpoint(path, "seed 1").load(other.stream, other.sampler), "mts-rnd1");
  RandomStream another(2, "pair");
  CHECK_REFUSED(DataError, Checkpoint(path, "seed 1").load(other.sampler, another), "RandomStream::load");
  CHECK(other.at() == 2);
  CHECK(other.consistent());
  CHECK_REFUSED(ValueError, Checkpoint(path, "two\nlines"), "a line each");

  // saved over without being looked at: what can't be used does not become the previous one
  Checkpoint(path, "seed 2").save(pair.sampler, pair.stream);
  CHECK(files_in(folder.path) == std::set<std::string>{"run"});
}

TEST_CASE("a state that is followed by more is refused") {
  const TemporaryFolder folder;
  Checkpoint checkpoint(folder / "run", "seed 1");
  Pair pair(3);
  std::ostringstream out;
  pair.stream.save(out);
  CheckpointContents contents(checkpoint.origin());
  contents.add("state 1", out.str() + "more");
  checkpoint.write(contents);
  Pair other(1);
  CHECK_REFUSED(DataError, checkpoint.load(other.stream), "state 1: expected the end of the state, found more");
  CHECK(other.at() == 1);
}

TEST_CASE("a checkpoint that can't be written is an error in words, and those before it stay") {
  const TemporaryFolder folder;
  const auto path = folder / "run";
  Pair first(3), second(8);
  Checkpoint checkpoint(path, "seed 1");
  checkpoint.save(first.sampler, first.stream);
  checkpoint.save(second.sampler, second.stream);
  const std::string before = read_plainly(path);

  // A full disk, as a limit on the size of files.
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{before.size() / 2, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string said = mts_test::message_of<DataError>([&] { checkpoint.save(first.sampler, first.stream); });
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  CHECK(said.find(path.string()) != std::string::npos);
  CHECK(said.find("can't be written: write: File too large") != std::string::npos);
  CHECK(files_in(folder.path) == std::set<std::string>{"run", "run.previous"});
  CHECK(read_plainly(path) == before);

  write_plainly(folder / "file", "");
  Checkpoint nowhere(folder / "file/run", "seed 1");
  CHECK_REFUSED(DataError, nowhere.save(first.sampler), "file/run", "can't be written");
}

TEST_CASE("a program that is killed while it saves leaves a checkpoint of one moment, and no parts once it was read") {
  const TemporaryFolder folder;
  const auto path = folder / "run";
  int last = 0;
  RandomStream moment(1, "kill");
  for (int round = 0; round < 20; ++round) {
    const ::pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      try {
        Pair pair(0);
        Checkpoint checkpoint(path, "seed 1");
        checkpoint.load(pair.sampler, pair.stream);
        std::vector<Index> ids;
        for (;;) {
          pair.sampler.next(ids);
          pair.stream();
          checkpoint.save(pair.sampler, pair.stream);
        }
      } catch (...) {
        ::_exit(1);
      }
    }
    ::usleep(static_cast<::useconds_t>(500 + moment.below(40000)));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    Pair pair(0);
    Checkpoint checkpoint(path, "seed 1");
    checkpoint.load(pair.sampler, pair.stream);
    CHECK(pair.consistent());
    CHECK(pair.at() >= last);
    last = pair.at();
    for (const auto& name : files_in(folder.path))
      CHECK((name == "run" || name == "run.previous" || name == "run.next"));
  }
  CHECK(last > 0);
}
