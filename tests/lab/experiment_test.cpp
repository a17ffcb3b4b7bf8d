#include "lab/experiment.hpp"

#include <atomic>
#include <fstream>
#include <set>
#include <sstream>

#include "lab/cli.hpp"
#include "lab/comparison.hpp"
#include "lab/experiment_plot.hpp"
#include "lab/interrupt.hpp"
#include "lab/plot.hpp"
#include "lab/sections.hpp"
#include "lab/support.hpp"
#include "mts/core/parallel.hpp"
#include "mts/data/pool.hpp"

namespace {

using namespace mts::lab;
using mts::Index;
using mts_test::contains;
using mts_test::read_plainly;
using mts_test::TemporaryFolder;
using mts_test::write_plainly;

class SmallSource final : public ProblemSource {
 public:
  explicit SmallSource(std::atomic<int>& made) : made_(made) {}
  mts::data::Problem make(std::uint64_t seed) const override {
    ++made_;
    return mts_test::small_problem(seed);
  }

 private:
  std::atomic<int>& made_;
};

/// An experiment on small problems, a short one.
struct Experiment {
  explicit Experiment(const TemporaryFolder& folder) {
    settings.benchmarks = {"spurious", "domain"};
    settings.methods = {"uniform", "rho-loss", "rho-ensemble", "oracle"};
    settings.batch = 16;
    settings.quick = true;
    settings.sections = {"methods"};
    settings.session.no_pictures = true;
    settings.tuned = folder / "tuned.json";
    settings.session.out = folder / "out";
  }
  /// What it says. `made` counts the problems that were made.
  std::string operator()(bool tuning, int threads = 2) {
    const mts::ThreadLimit limit(threads);
    std::ostringstream out, said;
    Progress progress(said, false);
    const auto open = [&](const std::string&, Index) { return std::make_unique<SmallSource>(made); };
    if (tuning)
      tune(settings, open, out, progress, stop);
    else
      study(settings, open, out, progress, stop);
    return out.str();
  }
  ExperimentSettings settings = study_defaults();
  std::atomic<bool> stop{false};
  std::atomic<int> made{0};
};

std::vector<std::filesystem::path> runs_in(const std::filesystem::path& out) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(out / "runs")) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

TEST_CASE("Tune: every candidate is tried once, the best by the mean over benchmarks and seeds is written") {
  const TemporaryFolder folder;
  Experiment e(folder);
  e.settings.methods = {"rho-loss"};
  e.settings.models = {"mlp"};
  const std::string said = e(true);
  CHECK(contains(said, "48 runs, 0 of them done before"));  // 12 candidates, 2 benchmarks, 2 seeds
  CHECK(contains(said, "12 candidates in "));
  const std::string csv = read_plainly(e.settings.session.out / "tuning.csv");
  CHECK(csv.starts_with("model,method,options,benchmark,accuracy\n"));
  // the best of the table, worked out from it
  std::map<std::string, double> sums;
  std::istringstream lines(csv);
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    const auto quoted = line.find('"'), end = line.find('"', quoted + 1);
    REQUIRE(quoted != std::string::npos);
    sums[line.substr(quoted + 1, end - quoted - 1)] += std::stod(line.substr(line.rfind(',') + 1));
  }
  CHECK(sums.size() == 12);
  const auto chosen = TunedSettings::read(e.settings.tuned).of("mlp", "rho-loss");
  REQUIRE(chosen.size() == 2);
  const std::string words = chosen[0].first + " " + chosen[0].second + ", " + chosen[1].first + " " + chosen[1].second;
  REQUIRE(sums.count(words) == 1);
  for (const auto& [options, sum] : sums) CHECK(sum <= sums.at(words));
  // an ensemble and another model take it over
  CHECK(TunedSettings::read(e.settings.tuned).of("cnn", "rho-ensemble") == chosen);
  CHECK(TunedSettings::read(e.settings.tuned).of("mlp", "uniform").empty());
}

TEST_CASE("Study: a bound on gradients holds in every run, and its runs are not taken for those without") {
  const TemporaryFolder folder;
  Experiment e(folder);
  e.settings.models = {"mlp"};
  e.settings.methods = {"uniform", "rho-ensemble"};
  TunedSettings{}.save(e.settings.tuned);
  const auto results = [&](double clip) {
    e.settings.clip = clip;
    CHECK(contains(e(false), "8 runs, 0 of them done before"));
    return read_plainly(e.settings.session.out / "results.csv");
  };
  const std::string without = results(0);
  CHECK(results(1e-9) != without);  // no run goes anywhere
  CHECK(results(1e9) == without);   // none is touched
}

TEST_CASE("Study: results are the same for any number of threads, and after being stopped and taken up again") {
  const TemporaryFolder one, four, stopped;
  std::vector<std::string> results;
  for (const auto* folder : {&one, &four}) {
    Experiment e(*folder);
    e.settings.models = {"mlp"};
    TunedSettings tuned;
    tuned.set("mlp", "rho-loss", {{"keep", "0.5"}});
    tuned.save(e.settings.tuned);
    const std::string said = e(false, folder == &one ? 1 : 4);
    CHECK(contains(said, "16 runs, 0 of them done before"));
    CHECK(contains(said, "| rho-ensemble |"));
    results.push_back(read_plainly(e.settings.session.out / "results.csv"));
    CHECK(results.back().starts_with("benchmark,method,model,batch,seed,accuracy_last\nspurious,uniform,mlp,16,0,0."));
    CHECK(e.made == 4);  // one a benchmark and seed
    CHECK(contains(e(false), "16 runs, 16 of them done before"));
    CHECK(e.made == 4);
    CHECK(read_plainly(e.settings.session.out / "results.csv") == results.back());
  }
  CHECK(results[0] == results[1]);

  // Two runs lost, one of them damaged and one that is another's: these three are made again, nothing else.
  Experiment again(one);
  again.settings.models = {"mlp"};
  const auto files = runs_in(again.settings.session.out);
  REQUIRE(files.size() == 16);
  std::filesystem::remove(files[0]);
  write_plainly(files[1], read_plainly(files[1]).substr(0, 40));
  write_plainly(files[2], read_plainly(files[3]));
  CHECK(contains(again(false), "16 runs, 13 of them done before"));
  CHECK(read_plainly(again.settings.session.out / "results.csv") == results[0]);
  // Another setting of one method: its runs and its ensemble's are made anew.
  TunedSettings tuned;
  tuned.set("mlp", "rho-loss", {{"keep", "0.4"}});
  tuned.save(again.settings.tuned);
  CHECK(contains(again(false), "16 runs, 8 of them done before"));

  Experiment interrupted(stopped);
  interrupted.settings.models = {"mlp"};
  interrupted.stop = true;
  TunedSettings{}.save(interrupted.settings.tuned);
  CHECK_THROWS_AS(interrupted(false), Interrupted);
  CHECK(!std::filesystem::exists(interrupted.settings.session.out / "results.csv"));
}

TEST_CASE("Study: the table holds means, paired differences and wins") {
  const TemporaryFolder folder;
  Experiment e(folder);
  e.settings.models = {"mlp"};
  e.settings.methods = {"uniform", "rho-loss", "mts", "oracle"};
  TunedSettings{}.save(e.settings.tuned);
  const std::string table = e(false);
  // worked out from results.csv
  std::map<std::string, std::map<std::string, std::vector<double>>> accuracy;
  std::ifstream in(e.settings.session.out / "results.csv");
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    std::vector<std::string> f;
    std::istringstream parts(line);
    for (std::string part; std::getline(parts, part, ',');) f.push_back(part);
    accuracy[f[1]][f[0]].push_back(100 * std::stod(f[5]));
  }
  const auto seed_mean = [&](const char* method, std::size_t k) {
    return (accuracy[method]["spurious"][k] + accuracy[method]["domain"][k]) / 2;
  };
  const double d0 = seed_mean("mts", 0) - seed_mean("uniform", 0), d1 = seed_mean("mts", 1) - seed_mean("uniform", 1);
  const double half = 12.706204736 * std::abs(d0 - d1) / 2;  // t quantile for one degree of freedom
  char words[100];
  std::snprintf(words, sizeof words, "`mts` - no selection: %+.2f [%+.2f, %+.2f]", (d0 + d1) / 2, (d0 + d1) / 2 - half,
                (d0 + d1) / 2 + half);
  CAPTURE(table);
  CHECK(contains(table, words));
  int wins = 0;
  for (const char* b : {"spurious", "domain"})
    for (std::size_t k = 0; k < 2; ++k) wins += accuracy["mts"][b][k] > accuracy["rho-loss"][b][k];
  std::snprintf(words, sizeof words, " %d of 4 |", wins);
  const auto row = table.find("| rho-loss |");
  REQUIRE(row != std::string::npos);
  CHECK(contains(table.substr(row, table.find('\n', row) - row), words));
}

/// Rows of a CSV file below its header, cut at commas outside quotes.
std::vector<std::vector<std::string>> rows_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  std::vector<std::vector<std::string>> rows;
  while (std::getline(in, line)) {
    rows.push_back({""});
    bool quoted = false;
    for (const char c : line) {
      if (c == '"')
        quoted = !quoted;
      else if (c == ',' && !quoted)
        rows.back().emplace_back();
      else
        rows.back().back() += c;
    }
  }
  return rows;
}

TEST_CASE("Study: the parts of mts, each left out in turn, are beside the whole in variants.csv and table.md") {
  const TemporaryFolder folder;
  Experiment e(folder);
  e.settings.sections = {"parts"};
  TunedSettings{}.save(e.settings.tuned);
  const std::string said = e(false);
  CHECK(contains(said, "32 runs, 0 of them done before"));  // 8 variants, 2 benchmarks, 2 seeds
  for (const char* words : {"What the parts of mts give", "| without evidence |", "| one fold |", "mts above it"})
    CHECK(contains(said, words));
  std::map<std::string, std::vector<std::string>> accuracy;
  const auto rows = rows_of(e.settings.session.out / "variants.csv");
  REQUIRE(rows.size() == 32);
  for (const auto& row : rows) {
    REQUIRE(row.size() == 11);
    CHECK(row[0] == "parts");
    accuracy[row[1]].push_back(row[8]);
  }
  CHECK(accuracy.size() == 8);
  int differ = 0;
  for (const auto& [label, values] : accuracy) differ += values != accuracy.at("mts");
  CHECK(differ >= 6);  // a part that is left out is missed on some problem
  CHECK(rows_of(e.settings.session.out / "results.csv").empty());
}

TEST_CASE("Study: of a variant's candidates the best on the tuning sets is taken; batch sizes are tabled by series") {
  const TemporaryFolder folder;
  Experiment e(folder);
  const std::vector<OptionValues> rates = {{{"lr", "1e-6"}}, {{"lr", "0.05"}}, {{"lr", "2e-6"}}};
  Section section{"sizes", "Sizes", "By batch size.", "mlp", {"spurious", "domain"}, 2, 2, "", "", {}};
  for (const Index n : {8, 32}) {
    section.variants.push_back({"plain, N = " + std::to_string(n), "uniform", n, {}, rates, "plain"});
    section.variants.push_back({"mild, N = " + std::to_string(n), "uniform", n, {{"lr", "0.02"}}, {{}}, "mild"});
  }
  TunedSettings{}.save(e.settings.tuned);
  std::ostringstream out, progress_out;
  Progress progress(progress_out, false);
  const auto open = [&](const std::string&, Index) { return std::make_unique<SmallSource>(e.made); };
  study({section}, e.settings, open, out, progress, e.stop);
  const std::string said = out.str();
  CAPTURE(said);
  CHECK(
      contains(said, "tuning: 24 runs, 0 of them done before"));  // 2 variants with 3 candidates, 2 benchmarks, 2 seeds
  CHECK(contains(said, "16 runs, 0 of them done before"));
  std::map<std::string, std::set<std::string>> chosen;
  for (const auto& row : rows_of(e.settings.session.out / "variants.csv")) chosen[row[1]].insert(row[2]);
  // steps of a millionth leave the network as it began
  CHECK(chosen.at("plain, N = 8") == std::set<std::string>{"lr 0.05"});
  CHECK(chosen.at("plain, N = 32") == std::set<std::string>{"lr 0.05"});
  CHECK(chosen.at("mild, N = 8") == std::set<std::string>{"-"});
  CHECK(contains(said, "| N | plain | mild |"));
  CHECK(contains(said, "(lr 0.05) |"));
  CHECK(contains(said, "N = 32 above N = 8, paired: plain "));
}

TEST_CASE(
    "Sections: labels are their own, options are known, series are whole, grids ask for what benchmarks can give") {
  for (const bool quick : {false, true}) {
    ExperimentSettings e = study_defaults();
    e.quick = quick;
    std::set<std::string> names;
    for (const auto& section : sections_of(e)) {
      CAPTURE(section.name);
      CHECK(names.insert(section.name).second);
      std::set<std::string> labels;
      std::map<std::string, std::set<Index>> series;
      for (const auto& v : section.variants) {
        CAPTURE(v.label);
        CHECK(labels.insert(v.label).second);
        series[v.series].insert(v.batch);
        CHECK_NOTHROW((void)method_named(v.method));
        REQUIRE(!v.candidates.empty());
        CHECK((v.candidates.size() == 1 || section.tuning_seeds > 0));
        for (const auto& candidate : v.candidates) {
          Settings s;
          for (const auto* values : {&v.options, &candidate})
            for (const auto& [name, value] : *values) CHECK_NOTHROW(set_option(s, name, value));
          for (const auto& b : section.benchmarks) CHECK(v.batch <= benchmark_named(b).pool_size);
          CHECK(s.validation % 16 == 0);  // spurious is balanced so
        }
      }
      for (const auto& [name, batches] : series) CHECK(batches == series.begin()->second);
      for (const auto& name : {section.base, section.reference}) CHECK((name.empty() || labels.count(name) == 1));
    }
    CHECK(names == std::set<std::string>{"methods-mlp", "methods-cnn", "parts", "features", "batches", "grid"});
  }
  ExperimentSettings e = study_defaults();
  e.sections = {"grid", "partz"};
  CHECK_REFUSED(UsageError, check(e), "unknown section 'partz'", "did you mean 'parts'");
}

TEST_CASE("Comparison: means over benchmarks, paired differences, wins; what was not measured is left out") {
  Comparison c({"a", "b"}, {"x", "y"}, 2);
  const double nan = std::nan("");
  const double a[2][2] = {{.5, .7}, {.9, .8}}, b[2][2] = {{.4, .7}, {.8, .9}};
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t k = 0; k < 2; ++k) {
      c.add("a", i == 0 ? "x" : "y", {a[i][k], 2, nan, k == 0 ? nan : 0.5, nan});
      c.add("b", i == 0 ? "x" : "y", {b[i][k], 4, nan, nan, 3});
    }
  CHECK(c.accuracy("a").mean == doctest::Approx(72.5));
  CHECK(c.accuracy("a", "x").deviation == doctest::Approx(20 / std::sqrt(2.0)));
  CHECK(c.difference("a", "b").mean == doctest::Approx(2.5));
  CHECK(c.difference("a", "b").half_width == doctest::Approx(12.706204736 * 7.5));
  CHECK(c.wins("a", "b") == 2);
  CHECK(c.seconds("b") == 4);
  CHECK(c.b_eff("a") == 0.5);
  CHECK(std::isnan(c.gsnr("a")));
  CHECK(c.gsnr("b") == 3);
  const std::string table = c.table("what", "b", "a", true);
  CAPTURE(table);
  CHECK(contains(table,
                 "| what | x | y | average | above b | a above it | a wins | B_eff/N | GSNR | seconds "
                 "|\n|---|---|---|---|---|---|---|---|---|---|"));
  CHECK(contains(table, "| 72.50 | +2.50 [-92.80, +97.80] | - | - | 0.5 | - | 2.0 |"));
  CHECK(
      contains(table, "| b | 55.0 ± 21.2 | 85.0 ± 7.1 | 70.00 | - | +2.50 [-92.80, +97.80] | 2 of 4 | - | 3 | 4.0 |"));
  CHECK(table.find("| a |") < table.find("| b |"));
  CHECK(contains(c.table("what", "none", "none", false), "| what | x | y | average | B_eff/N | GSNR | seconds |"));
}

const bool has_gnuplot = std::system("gnuplot --version > /dev/null 2>&1") == 0;

TEST_CASE("Pictures of sections: methods by cost, variants in a list, batch sizes in series" *
          doctest::skip(!has_gnuplot)) {
  const auto filled = [](const Section& s, bool with_gsnr) {
    std::vector<std::string> labels;
    for (const auto& v : s.variants) labels.push_back(v.label);
    Comparison c(labels, s.benchmarks, s.seeds);
    double at = 0.5;
    for (const auto& label : labels)
      for (const auto& b : s.benchmarks)
        for (Index k = 0; k < s.seeds; ++k)
          c.add(label, b, {at += 0.001, 1 + at, 0.5, 0.5, with_gsnr ? at : std::nan("")});
    return c;
  };
  ExperimentSettings e = study_defaults();
  e.models = {"mlp"};
  for (const auto& section : sections_of(e)) {
    CAPTURE(section.name);
    const bool series = !section.variants.front().series.empty();
    const std::string svg = run_gnuplot(section_script(section, filled(section, series), "svg dynamic"));
    CHECK(contains(svg, "</svg>"));
    CHECK(contains(svg, section.title));
    CHECK(contains(svg, "accuracy, average (%)"));
    CHECK(contains(svg, "GSNR") == series);
    for (const auto& v : section.variants) {
      CAPTURE(v.label);
      CHECK(contains(svg, series ? v.series : v.label));
    }
  }
  const TemporaryFolder folder;
  const Section parts = sections_of(e)[1];
  write_picture(parts, filled(parts, false), folder.path);
  CHECK(contains(read_plainly(folder / "parts.svg"), "without evidence"));
}

TEST_CASE("Settings of methods: a file that is none, damaged, or names what is unknown is refused in words") {
  const TemporaryFolder folder;
  const auto file = folder / "tuned.json";
  CHECK_REFUSED(mts::DataError, TunedSettings::read(file), "tuned.json", "mts-lab tune");
  const std::vector<std::pair<const char*, std::vector<std::string>>> cases = {
      {"{", {"tuned.json", "JSON object"}},
      {"[]", {"JSON object"}},
      {R"({"mlb": {}})", {"mlp and cnn", "mlb"}},
      {R"({"mlp": []})", {"mlp", "methods"}},
      {R"({"mlp": {"roh-loss": {}}})", {"roh-loss", "did you mean 'rho-loss'"}},
      {R"({"mlp": {"rho-loss": 1}})", {"rho-loss", "object of options"}},
      {R"({"mlp": {"rho-loss": {"keeep": "0.5"}}})", {"keeep", "did you mean 'keep'"}},
      {R"({"mlp": {"rho-loss": {"keep": 0.5}}})", {"keep", "string"}},
      {R"({"mlp": {"rho-loss": {"keep": "2"}}})", {"--keep", "at most 1"}},
  };
  for (const auto& tried : cases) {
    const std::string text = tried.first;
    CAPTURE(text);
    write_plainly(file, text);
    const std::string said = mts_test::message_of<mts::DataError>([&] { (void)TunedSettings::read(file); });
    for (const auto& part : tried.second) {
      CAPTURE(said);
      CHECK(contains(said, part));
    }
  }
}

TEST_CASE("Grids: at most 12 candidates a method, each of known options within their domains") {
  for (const auto& method : methods()) {
    CAPTURE(method.name);
    std::size_t candidates = 1;
    for (const auto& [option, values] : method.grid) {
      candidates *= values.size();
      CHECK(std::set<std::string>(values.begin(), values.end()).size() == values.size());
      for (const auto& value : values) {
        Settings s;
        CHECK_NOTHROW(set_option(s, option, value));
      }
    }
    CHECK(candidates <= 12);
    if (!method.member.empty()) CHECK_NOTHROW((void)method_named(method.member));
  }
}

TEST_CASE("Options by name: what is set is what has changed") {
  Settings s;
  CHECK(changed_options(s).empty());
  set_option(s, "keep", "0.5");
  set_option(s, "keep-hard", "true");
  set_option(s, "features", "loss,class");
  set_option(s, "model", "cnn");
  const OptionValues expected = {{"model", "cnn"}, {"keep", "0.5"}, {"keep-hard", "true"}, {"features", "loss,class"}};
  CHECK(changed_options(s) == expected);
  CHECK(s.keep == 0.5);
  CHECK(s.keep_hard);
  CHECK_REFUSED(UsageError, set_option(s, "kep", "0.5"), "kep", "did you mean 'keep'");
  CHECK_REFUSED(UsageError, set_option(s, "keep", "0"), "--keep", "above 0");
  CHECK_REFUSED(UsageError, set_option(s, "keep-hard", "yes"), "true or false", "yes");
}

}  // namespace
