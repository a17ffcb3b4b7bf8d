// mts-lab verify: the order of laws, what it prints and writes, and its exit status, on laws made for the purpose.
#include "lab/verify.hpp"

#include <sstream>

#include "lab/cli.hpp"
#include "lab/interrupt.hpp"
#include "lab/plot.hpp"
#include "lab/support.hpp"
#include "laws/registry.hpp"

namespace {

using namespace mts::lab;
using namespace mts_test;
using mts::theory::Case;
using mts::theory::Claim;
using mts::theory::Exact;
using mts::theory::Simulation;

const bool has_gnuplot = std::system("gnuplot --version > /dev/null 2>&1") == 0;

Claim doubled_angle(std::string law) {
  return {.law = std::move(law),
          .name = "doubled angle",
          .order = "exact",
          .source = "here",
          .grid = {Case{{"x", 0.25}}},
          .prediction = [](const Case& at) { return std::vector{2 * std::sin(at["x"]) * std::cos(at["x"])}; },
          .check = Exact{.measured = [](const Case& at) { return std::vector{std::sin(2 * at["x"])}; }}};
}

/// Predicts `factor` times the second moment of s times a normal number, measured through much noise.
Claim second_moment(std::string law, double factor) {
  return {.law = std::move(law),
          .name = "second moment",
          .order = "exact",
          .source = "here",
          .grid = {Case{{"s", 1}, {"t", 2}}, Case{{"s", 3}, {"t", 2}}},
          .prediction = [factor](const Case& at) { return std::vector{factor * at["s"] * at["s"]}; },
          .check = Simulation{.simulator = [](const Case& at) -> Simulation::Replicate {
            return [s = at["s"]](mts::RandomStream& random, std::span<double> observed) {
              const double x = s * random.normal();
              observed[0] = x * x + 5 * s * s * random.normal();
            };
          }}};
}

// Registered as a law's file does it, in no order, one of them in two places.
const laws::Register second("Toy2", [] { return std::vector{second_moment("Toy2", 1)}; });
const laws::Register tenth("Toy10", [] { return std::vector{second_moment("Toy10", 1.3)}; });
const laws::Register first("Toy2'", [] { return std::vector{doubled_angle("Toy2'")}; });
const laws::Register again("Toy2", [] { return std::vector{doubled_angle("Toy2")}; });

struct Outcome {
  bool holds;
  std::string out, progress;
};
Outcome verified(const VerifySettings& settings, bool stop = false) {
  std::ostringstream out, told;
  const std::atomic<bool> asked{stop};
  Progress progress(told, false);
  const bool holds = verify_laws(settings, out, progress, asked);
  return {holds, out.str(), told.str()};
}

TEST_CASE("Verify: laws come in the order of their numbers") {
  const std::vector<std::string> ordered = {"L1", "L2", "L3", "L3'", "L4", "L14", "L14'", "L16", "other"};
  for (std::size_t i = 0; i < ordered.size(); ++i)
    for (std::size_t j = 0; j < ordered.size(); ++j) CHECK(law_before(ordered[i], ordered[j]) == (i < j));
  std::vector<std::string> toys;
  for (const auto& law : laws_in_order()) {
    if (!law.name.starts_with("Toy")) continue;
    toys.push_back(law.name);
    CHECK(law.claims.size() == (law.name == "Toy2" ? 2 : 1));
  }
  CHECK(toys == std::vector<std::string>{"Toy2", "Toy2'", "Toy10"});
}

TEST_CASE("Verify: the command line, its refusals and its help") {
  const auto parsed = [](std::vector<std::string> words) {
    words.insert(words.begin(), "verify");
    return parse(words);
  };
  auto command = parsed({});
  CHECK(command.job == Job::verify);
  CHECK(command.verify.laws.empty());
  CHECK(command.verify.precision == 0.015);
  CHECK(command.verify.out.empty());
  command = parsed(
      {"--laws", "Toy2',Toy10", "--precision", "0.03", "--seed", "7", "--out", "x", "--threads", "2", "--no-pictures"});
  CHECK(command.verify.laws == std::vector<std::string>{"Toy2'", "Toy10"});
  CHECK(command.verify.precision == 0.03);
  CHECK(command.verify.seed == 7);
  CHECK(command.verify.out == "x");
  CHECK(command.verify.threads == 2);
  CHECK(command.verify.no_pictures);

  CHECK_REFUSED(UsageError, parsed({"--laws", "toy10"}), "unknown law 'toy10'", "did you mean 'Toy10'", "Toy2'");
  CHECK_REFUSED(UsageError, parsed({"--laws", "gravitation"}), "unknown law 'gravitation'", "expected", "Toy2");
  CHECK_REFUSED(UsageError, parsed({"--laws", "Toy2,Toy2"}), "--laws: Toy2 is given twice");
  CHECK_REFUSED(UsageError, parsed({"--laws", ""}), "unknown law ''");
  CHECK_REFUSED(UsageError, parsed({"--precision", "0"}), "--precision: expected a number above 0, found 0");
  CHECK_REFUSED(UsageError, parsed({"--precison", "1"}), "mts-lab verify: unknown option '--precison'",
                "did you mean '--precision'");
  CHECK_REFUSED(UsageError, parsed({"--threads=-1"}), "--threads: expected at least 0");
  CHECK(contains(parsed({"--help"}).help, "--precision P"));
  CHECK(contains(help(), "mts-lab verify"));
  std::istringstream lines(help_of(Job::verify));
  for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 100);
  CHECK(contains(listing(), "Toy2                        second moment; doubled angle"));
}

TEST_CASE("Verify: true laws hold; the table and laws.csv say so case by case") {
  const TemporaryFolder folder;
  const auto [holds, out, progress] = verified({.laws = {"Toy2", "Toy2'"}, .out = folder / "a", .no_pictures = true});
  CHECK(holds);
  for (const char* words :
       {"doubled angle", "second moment", "s 3, t 2", "holds", "4 cases of 2 laws: all hold", "all refuted"}) {
    CAPTURE(words);
    CHECK(contains(out, words));
  }
  CHECK(!contains(out, "fails"));
  CHECK(contains(progress, "4 cases ..."));
  CHECK(contains(progress, "Toy2': holds"));

  std::vector<std::string> lines;
  std::istringstream file(read_plainly(folder / "a/laws.csv"));
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  REQUIRE(lines.size() == 5);
  CHECK(lines[0] == "law,case,predicted,measured,standard_error,z,verdict");
  CHECK(lines[1].starts_with("Toy2,\"second moment: s 1, t 2\",1,"));
  CHECK(lines[2].starts_with("Toy2,\"second moment: s 3, t 2\",9,"));
  CHECK(lines[3].starts_with("Toy2,doubled angle: x 0.25,0.479425538604203"));
  CHECK(lines[3].ends_with(",,,holds"));
  CHECK(lines[4].starts_with("Toy2',doubled angle: x 0.25,"));

  // The same bytes with other numbers of threads, others with another seed.
  const mts::ThreadLimit one(1);
  const auto csv = [&](std::uint64_t seed) {
    verified({.laws = {"Toy2'", "Toy2"}, .seed = seed, .out = folder / "b", .no_pictures = true});
    return read_plainly(folder / "b/laws.csv");
  };
  CHECK(csv(0) == read_plainly(folder / "a/laws.csv"));
  CHECK(csv(1) != read_plainly(folder / "a/laws.csv"));
}

TEST_CASE("Verify: a wrong law fails, and so does the whole") {
  const TemporaryFolder folder;
  const auto [holds, out, progress] = verified({.laws = {"Toy2", "Toy10"}, .out = folder / "a", .no_pictures = true});
  CHECK(!holds);
  CHECK(contains(out, "5 cases of 2 laws: 2 fail"));
  CHECK(contains(out, "the deviation "));
  CHECK(contains(progress, "Toy10: 2 fail"));
  const auto csv = read_plainly(folder / "a/laws.csv");
  CHECK(contains(csv, ",fails\n"));
  CHECK(contains(csv, ",holds\n"));
}

TEST_CASE("Verify: at a coarse precision wrong versions survive, and are named") {
  const auto [holds, out, progress] = verified({.laws = {"Toy2"}, .precision = 0.05});
  CHECK(holds);
  CHECK(contains(out, "1 not refuted at this precision"));
  CHECK(contains(out, "Toy2, second moment: times 1.1"));
}

TEST_CASE("Verify: stopped, it writes nothing; a folder that can't be written to is refused first") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(verified({.laws = {"Toy2"}, .out = folder / "a"}, true), Interrupted);
  CHECK(!std::filesystem::exists(folder / "a/laws.csv"));
  write_plainly(folder / "file", "");
  CHECK_REFUSED(mts::DataError, verified({.laws = {"Toy2"}, .out = folder / "file"}), "need a folder");
}

TEST_CASE("Verify: pictures of all laws and of each simulated one" * doctest::skip(!has_gnuplot)) {
  const TemporaryFolder folder;
  const auto [holds, out, progress] = verified({.laws = {"Toy2", "Toy2'", "Toy10"}, .out = folder.path});
  CHECK(!holds);
  for (const char* name : {"laws.svg", "Toy2.svg", "Toy10.svg"}) {
    CAPTURE(name);
    const auto svg = read_plainly(folder / name);
    CHECK(contains(svg, "</svg>"));
    CHECK(contains(out, name));
  }
  CHECK(!std::filesystem::exists(folder / "Toy2p.svg"));  // nothing simulated
  const auto all = read_plainly(folder / "laws.svg");
  for (const char* words : {"Toy2'", "Toy10", "exact check", "simulation", "fails", "predicted"}) {
    CAPTURE(words);
    CHECK(contains(all, words));
  }
  for (const char* words : {"second moment", "s 3, t 2", "measured", "predicted"}) {
    CAPTURE(words);
    CHECK(contains(read_plainly(folder / "Toy2.svg"), words));
  }

  // Nothing but zeros, and nothing allowed.
  mts::theory::Report report;
  report.findings.push_back({.law = "L0", .name = "nothing_{x}", .parameters = "N 1", .exact = true});
  CHECK(contains(run_gnuplot(laws_script(report, "svg")), "L0"));
  CHECK(law_script(report, "L0", "svg") == "");
  CHECK(text_for_gnuplot("a_b'{c}") == "a\\_b''\\{c\\}");
}

}  // namespace
