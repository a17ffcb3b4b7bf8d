#include "lab/warnings.hpp"

#include "lab/support.hpp"

namespace {

using namespace mts::lab;
using mts_test::contains;

const double none = std::numeric_limits<double>::quiet_NaN();

std::string text_of_warnings(const std::vector<Warning>& all) {
  std::string text;
  for (const auto& w : all) {
    CHECK(!w.advice.empty());
    text += w.what + "\n";
  }
  return text;
}

TEST_CASE("Warnings: the share of the pool that the weights really use") {
  CHECK(effective_share(mts::SampleVector::Constant(7, 3.0)) == doctest::Approx(1));
  CHECK(effective_share(mts::SampleVector::Unit(8, 2)) == doctest::Approx(0.125));
}

TEST_CASE("Warnings: weights that collapse, in a batch or over the pool") {
  CHECK(warnings_of("m", 0.101, 0.101, {}).empty());
  CHECK(warnings_of("m", 1, none, {}).empty());
  const auto batch = warnings_of("m, batch 64", 0.099, none, {});
  REQUIRE(batch.size() == 1);
  CHECK(contains(batch[0].what, "m, batch 64: the weights of a batch collapse: B_eff/N is 0.099"));
  CHECK(contains(batch[0].advice, "--b-eff-floor"));
  const auto pool = warnings_of("m", 1, 0.099, {});
  REQUIRE(pool.size() == 1);
  CHECK(contains(pool[0].what, "over the pool is 0.099"));
}

TEST_CASE("Warnings: validation samples that make more than half of the noise") {
  Insight insight;
  insight.noise = NoiseSplit{1, 1.01, 1};
  CHECK(warnings_of("m", 1, none, insight).empty());
  insight.noise = NoiseSplit{1, 1, 3};
  const auto limited = warnings_of("m", 1, none, insight);
  REQUIRE(limited.size() == 1);
  CHECK(contains(limited[0].what, "75 % of the hypergradient's noise"));
  CHECK(contains(limited[0].advice, "more validation samples"));
}

TEST_CASE("Warnings: features without signal") {
  Insight insight;
  insight.features = {{"unused", 0.009, {0, 0.1}},
                      {"harmful", 0.3, {-0.3, 0.1}},
                      {"unsure", 0.3, {0.1, 0.051}},
                      {"useful", 0.3, {0.1, 0.049}},
                      {"unknown", 0.3, {}}};
  const auto said = text_of_warnings(warnings_of("m", 1, none, insight));
  CHECK(std::count(said.begin(), said.end(), '\n') == 3);
  CHECK(contains(said, "unused is hardly used"));
  CHECK(contains(said, "harmful moves 30.0 % of the weight for no gain that can be told from chance (-0.3, "));
  CHECK(contains(said, "unsure moves"));
}

TEST_CASE("Warnings: a study's, of each method and batch") {
  Settings s;
  s.methods = {"uniform", "weight-net"};
  s.batches = {10};
  s.seeds = 3;
  Study study;
  for (const char* method : {"uniform", "weight-net"})
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
      Run run;
      run.method = method;
      run.batch = 10;
      run.seed = seed;
      const bool learns = run.method == "weight-net";
      run.accuracy = learns ? 0.5 + 0.001 * static_cast<double>(seed) : 0.6;
      run.dynamics.resize(1);
      run.dynamics[0].b_eff = learns ? 0.5 : 10;
      if (learns) {
        run.weights = mts::SampleVector::Unit(100, 3);
        run.warnings = 2;
        run.insight.features = {{"f", 0.0, {0, 0}}};
      }
      study.runs.push_back(run);
    }
  const auto all = [&] { return text_of_warnings(warnings_of(s, study, summarize(s, study))); };
  const std::string said = all();
  CAPTURE(said);
  CHECK(contains(said, "weight-net, batch 10: the weights of a batch collapse: B_eff/N is 0.050"));
  CHECK(contains(said, "over the pool is 0.010"));
  CHECK(contains(said, "feature f is hardly used"));
  CHECK(contains(said, "weight-net, batch 10: in 6 steps"));
  CHECK(contains(said, "worse than no selection, by 9.90 ["));
  CHECK(!contains(said, "uniform,"));
  CHECK(!contains(said, "one seed"));
  for (auto& run : study.runs) run.accuracy = 0.6;
  CHECK(!contains(all(), "worse"));
  s.seeds = 1;
  std::erase_if(study.runs, [](const Run& run) { return run.seed > 0; });
  CHECK(contains(all(), "one seed"));
}

}  // namespace
