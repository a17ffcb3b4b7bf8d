// The manual's commands. Those of the lab are run, in the order of the pages and in one folder, so that a page may use what an earlier
// command of it has left: on a small data set, for a few steps. Whatever else is named must exist.
#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "docs/pages.hpp"
#include "lab/cli.hpp"
#include "lab/support.hpp"
#include "lab/verify.hpp"

namespace {

using namespace mts_test;
using namespace mts_test::docs;

const bool has_gnuplot = std::system("gnuplot --version > /dev/null 2>&1") == 0;
const bool has_numpy = std::system("/usr/bin/python3 -c 'import numpy' > /dev/null 2>&1") == 0;

/// A command line as words; what stands in quotes is one of them. What begins with # is a comment.
std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  bool open = false;
  char quote = 0;
  for (const char c : line) {
    if (quote != 0) {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '"' || c == '\'') {
      quote = c;
      open = true;
    } else if (c == ' ') {
      if (open) words.push_back(std::exchange(word, {}));
      open = false;
    } else if (c == '#' && !open) {
      break;
    } else {
      word += c;
      open = true;
    }
  }
  if (open) words.push_back(word);
  return words;
}

struct CommandLine {
  Place place;
  std::vector<std::string> words;
};
/// Every line of the page's sh blocks that is a command; one that ends in a backslash goes on in the next.
std::vector<CommandLine> commands_of(const Page& page) {
  std::vector<CommandLine> commands;
  for (const auto& block : page.blocks) {
    if (block.language != "sh") continue;
    std::string line;
    for (std::size_t k = 0; k < block.lines.size(); ++k) {
      line += block.lines[k];
      if (line.ends_with("\\")) {
        line.pop_back();
        continue;
      }
      auto words = words_of(line);
      line.clear();
      if (!words.empty())
        commands.push_back({{page.name, block.place.line + 1 + static_cast<int>(k)}, std::move(words)});
    }
  }
  return commands;
}

/// The arguments of mts-lab if that is what a command calls, itself or by `./run lab`.
std::optional<std::vector<std::string>> lab_arguments(const std::vector<std::string>& words) {
  if (words[0] == "mts-lab") return std::vector(words.begin() + 1, words.end());
  if (words.size() >= 2 && words[0] == "./run" && words[1] == "lab") return std::vector(words.begin() + 2, words.end());
  return std::nullopt;
}

/// What `./run help` says.
const std::string& run_help() {
  static const std::string text = [] {
    const TemporaryFolder folder;
    Child child({(root() / "run").string(), "help"}, folder);
    REQUIRE(child.wait() == 0);
    return child.out();
  }();
  return text;
}

/// "" for a command of ./run that its help knows, with the options that it tells there.
std::string unknown_to_run(const std::vector<std::string>& words) {
  if (words.size() < 2) return "";
  const std::string usage = "./run " + words[1];
  const auto at = run_help().find("\n" + usage + " ");
  if (at == std::string::npos && !run_help().starts_with(usage + " ")) return "no command of ./run";
  const auto from = at == std::string::npos ? 0 : at + 1;
  auto to = run_help().find("\n./run ", from);
  const std::string said = run_help().substr(from, to == std::string::npos ? to : to - from);
  for (std::size_t k = 2; k < words.size(); ++k)
    if (said.find(words[k]) == std::string::npos) return "./run help says nothing of " + words[k];
  return "";
}

/// What a long command is told besides, so that it takes a second: of an option given twice the last one counts. The small data set has the
/// four classes of spurious alone.
std::vector<std::string> quickly(const std::string& job) {
  if (job == "score") return words_of("--steps 20 --cross-validation 2");
  const std::string shorter =
      job == "run"     ? "--benchmark spurious --steps 4 --uniform-steps 1 --seeds 1 --first-seed 0 --hidden 8"
      : job == "tune"  ? "--quick --seeds 1 --benchmark spurious --model mlp --method small-loss"
      : job == "study" ? "--quick --seeds 1 --benchmark spurious --model mlp --section methods --method uniform,l2rw"
      : job == "gsnr"  ? "--quick --precision 1"
                       : "";
  if (shorter.empty()) return {};
  return words_of(shorter + " --data data --cache cache --generator-epochs 1");
}

TEST_CASE("Manual: command lines are read as a shell reads them") {
  CHECK(words_of("./run lab verify --laws \"L11,L14'\"  # a comment") ==
        std::vector<std::string>{"./run", "lab", "verify", "--laws", "L11,L14'"});
  CHECK(words_of("   # nothing").empty());
  const auto commands =
      commands_of(read_page("x", "```sh\n./run lab list\n\n./run lab \\\n  list\n```\n```cpp\n./no\n```\n"));
  REQUIRE(commands.size() == 2);
  CHECK(in_words(commands[0].place) == "x, line 2");
  CHECK(commands[1].words == commands[0].words);
  CHECK(lab_arguments(words_of("mts-lab list")) == std::vector<std::string>{"list"});
  CHECK(lab_arguments(words_of("./run lab list")) == std::vector<std::string>{"list"});
  CHECK(!lab_arguments(words_of("./run bench")));
}

TEST_CASE("Manual: a command of ./run that is not there is noticed") {
  CHECK(unknown_to_run({"./run", "demo"}) == "");
  CHECK(unknown_to_run({"./run", "bench", "--quick"}) == "");
  CHECK(unknown_to_run({"./run", "check", "format"}) == "");
  CHECK(unknown_to_run({"./run", "benchmark"}) == "no command of ./run");
  CHECK(unknown_to_run({"./run", "bench", "--fast"}) == "./run help says nothing of --fast");
}

TEST_CASE("Manual: every command is one that there is, with options that there are") {
  // What installs, downloads or belongs to other programs is named only; first_program is built and run by the test of that name.
  const std::set<std::string> others = {"cmake", "ctest", "git", "cd", "python3", "build/first_program"};
  for (const auto& page : pages())
    for (const auto& command : commands_of(page)) {
      CAPTURE(in_words(command.place));
      const auto& program = command.words[0];
      CAPTURE(program);
      if (const auto arguments = lab_arguments(command.words)) {
        if (std::find(arguments->begin(), arguments->end(), "--config") == arguments->end())
          CHECK_NOTHROW(mts::lab::parse(*arguments));
      } else if (program == "./run") {
        CHECK(unknown_to_run(command.words) == "");
      } else if (program.starts_with("build/release/examples/")) {
        CHECK(std::filesystem::exists(root() / "examples" / (program.substr(program.rfind('/') + 1) + ".cpp")));
      } else {
        CHECK(others.count(program) == 1);
      }
    }
}

TEST_CASE("Manual: commands within a line name jobs and options that there are") {
  for (const auto& page : pages())
    for (const auto& code : page.code) {
      if (!code.text.starts_with("./run ") && !code.text.starts_with("mts-lab ")) continue;
      CAPTURE(in_words(code.place));
      CAPTURE(code.text);
      const auto words = words_of(code.text);
      if (const auto arguments = lab_arguments(words)) {
        if (arguments->empty()) continue;
        const auto& job = arguments->front();
        std::string help;
        if (!job.starts_with("-")) CHECK_NOTHROW(help = mts::lab::parse(std::vector<std::string>{job, "--help"}).help);
        for (const auto& word : *arguments)
          if (word.starts_with("--") && word != job && word != "--help")
            CHECK(help.find(word.substr(0, word.find('=')) + " ") != std::string::npos);
      } else {
        CHECK(unknown_to_run(words) == "");
      }
    }
}

/// The folder in which the commands are run.
class Sandbox {
 public:
  Sandbox() {
    std::filesystem::create_directories(folder_ / "data");
    write_small_data(folder_ / "data");
    std::filesystem::create_directories(folder_ / "docs");
    std::filesystem::copy_file(root() / "docs/tuned.json", folder_ / "docs/tuned.json");
    const auto demo = demo_commands();
    REQUIRE(demo.size() == 2);
    for (const auto& command : demo) run(command);
  }

  /// Runs a command of the lab, shortened, or a script, unless it was run already.
  void run(const CommandLine& command) {
    if (command.words[0] == "python3" && has_numpy && done_.insert(command.words).second) {
      CAPTURE(in_words(command.place));
      REQUIRE(command.words.size() == 2);
      const auto [status, said] = python(command.words[1]);
      CAPTURE(said);
      CHECK(status == 0);
    }
    const auto arguments = lab_arguments(command.words);
    if (arguments && !arguments->empty() && arguments->front() == "score" && !has_numpy) return;  // no arrays to score
    if (!arguments || arguments->empty() || !done_.insert(*arguments).second) return;
    CAPTURE(in_words(command.place));
    if (arguments->front() == "verify")
      verify(mts::lab::parse(*arguments).verify);
    else
      run_program(*arguments);
  }
  /// Runs a shell's command line there. \return its exit status and what it says
  std::pair<int, std::string> shell(const std::string& line) {
    Child child({"/bin/sh", "-c", "cd '" + folder_.path.string() + "' && " + line}, folder_);
    const int status = child.wait();
    return {status, child.out() + child.err()};
  }
  /// Runs a script of the repository there.
  std::pair<int, std::string> python(const std::string& script) {
    return shell("exec /usr/bin/python3 '" + (root() / script).string() + "'");
  }

 private:
  /// What ./run demo calls.
  static std::vector<CommandLine> demo_commands() {
    Page demo{"run", {}, {}, {}, {{{"run", 0}, "sh", "", {}}}};
    std::istringstream script(read_plainly(root() / "run"));
    const std::string program = "build/release/examples/mts-lab ";
    for (std::string line; std::getline(script, line);) {
      const auto at = line.find(program);
      if (at == std::string::npos || line.find("stage ") == std::string::npos) continue;
      line = "mts-lab " + line.substr(at + program.size());
      for (std::string more; line.ends_with("\\") && std::getline(script, more);) {
        line.pop_back();
        line += more;
      }
      demo.blocks[0].lines.push_back(line.substr(0, line.find("\"$@\"")));
    }
    return commands_of(demo);
  }
  /// In this process, which knows the law that docs/theory.md adds; each list of laws once.
  void verify(mts::lab::VerifySettings settings) {
    if (!verified_.insert(settings.laws).second) return;
    settings.precision = 0.2;
    settings.out.clear();
    settings.brief = true;
    std::ostringstream table, told;
    mts::lab::Progress progress(told, false);
    const std::atomic<bool> stop = false;
    const bool hold = mts::lab::verify_laws(settings, table, progress, stop);
    CAPTURE(table.str());
    CHECK(hold);
  }
  void run_program(std::vector<std::string> words) {
    const std::string job = words[0];
    if (std::find(words.begin(), words.end(), "--help") == words.end())
      for (auto& word : quickly(job)) words.push_back(std::move(word));
    std::string line = "exec '" + std::string(MTS_LAB_PROGRAM) + "'";
    for (const auto& word : words) line += " '" + word + "'";
    const auto [status, said] = shell(line);
    CAPTURE(line);
    CAPTURE(said);
    CHECK(status == 0);
  }

  TemporaryFolder folder_;
  std::set<std::vector<std::string>> done_, verified_;
};
Sandbox& sandbox() {
  static Sandbox s;
  return s;
}

TEST_CASE("Manual: the law that docs/theory.md adds holds, and its wrong version is refuted") {
  const auto laws = mts::lab::laws_in_order();
  const auto l17 = std::find_if(laws.begin(), laws.end(), [](const auto& law) { return law.name == "L17"; });
  REQUIRE(l17 != laws.end());
  const auto report = mts::theory::verify(l17->claims, {});
  CHECK(report.holds());
  CHECK(report.survivors().empty());
}

TEST_CASE("Manual: the lab's commands run" * doctest::skip(!has_gnuplot)) {
  for (const auto& page : pages())
    for (const auto& command : commands_of(page)) sandbox().run(command);
}

TEST_CASE("Manual: NumPy reads what ./run demo leaves, as docs/lab.md shows" *
          doctest::skip(!has_gnuplot || !has_numpy)) {
  const auto [status, said] = sandbox().python("examples/weights_by_kind.py");
  CAPTURE(said);
  CHECK(status == 0);
  for (const char* kind : {"real 0.", "good 0.", "unchanged 0.", "content 0.", "destroyed 0."}) {
    CAPTURE(kind);
    CHECK(contains(said, kind));
  }
}

TEST_CASE("Manual: scripts that need what is not here are Python at least" * doctest::skip(!has_numpy)) {
  for (const auto& entry : std::filesystem::directory_iterator(root() / "examples")) {
    if (entry.path().extension() != ".py") continue;
    const TemporaryFolder folder;
    Child child({"/usr/bin/python3", "-c", "import sys; compile(open(sys.argv[1]).read(), sys.argv[1], 'exec')",
                 entry.path().string()},
                folder);
    const int status = child.wait();
    CAPTURE(child.err());
    CHECK(status == 0);
  }
}

}  // namespace
