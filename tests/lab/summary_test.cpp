#include "lab/summary.hpp"

#include "lab/support.hpp"

namespace {

using namespace mts::lab;

/// Two methods, two batch sizes, three seeds, four steps, with numbers that a person can follow.
struct Example {
  Settings settings;
  Study study;

  Example() {
    settings.methods = {"uniform", "weight-net"};
    settings.batches = {100, 10};
    settings.steps = 4;
    settings.uniform_steps = 1;
    for (const char* method : {"uniform", "weight-net"})
      for (const mts::Index batch : settings.batches)
        for (std::uint64_t seed = 0; seed < 3; ++seed) {
          Run run;
          run.method = method;
          run.batch = batch;
          run.seed = seed;
          const bool learns = run.method == "weight-net";
          const double gain = learns ? (batch == 100 ? 0.04 : 0.02) + 0.01 * static_cast<double>(seed) : 0;
          run.accuracy = 0.6 + 0.1 * static_cast<double>(seed) + gain;
          for (mts::Index step = 0; step < 4; ++step) {
            StepRow row;
            row.step = step;
            row.b_eff = static_cast<double>(batch) / (learns ? 1.0 + static_cast<double>(step) : 1.0);
            row.max_p = 1 / row.b_eff;
            run.dynamics.push_back(row);
          }
          if (learns) {
            run.weights = mts::SampleVector::Ones(2);
            run.found = mts::diagnostics::Separation{.auc = 0.7 + 0.05 * static_cast<double>(seed)};
          }
          run.seconds_steps = 2;
          run.seconds_accuracy = 1;
          study.runs.push_back(run);
        }
  }
};

TEST_CASE("Summary: a row for each method and batch") {
  const Example e;
  const auto summary = summarize(e.settings, e.study);
  REQUIRE(summary.rows.size() == 4);
  const auto& row = summary.rows[2];
  CHECK(row.method == "weight-net");
  CHECK(row.batch == 100);
  CHECK(row.accuracy.mean == doctest::Approx(0.75));  // .64, .75, .86
  CHECK(row.accuracy.deviation == doctest::Approx(0.11));
  REQUIRE(row.auc);
  CHECK(row.auc->mean == doctest::Approx(0.75));
  CHECK(row.auc->half_width == doctest::Approx(4.302652730 * 0.05 / std::sqrt(3.0)));
  CHECK(row.b_eff_fraction == doctest::Approx(0.25));  // last of four steps
  CHECK(row.seconds == doctest::Approx(3));
  CHECK(!summary.rows[0].auc);
  CHECK(summary.rows[0].b_eff_fraction == doctest::Approx(1));
}

TEST_CASE("Summary: differences are paired by seed; over all batches they are averaged within a seed first") {
  const Example e;
  const auto d = summarize(e.settings, e.study).differences;
  REQUIRE(d.size() == 3);
  CHECK(d[0].batch == 100);
  CHECK(d[0].points.mean == doctest::Approx(0.05));  // .04, .05, .06
  CHECK(d[0].points.deviation == doctest::Approx(0.01));
  CHECK(d[0].wins == 3);
  CHECK(d[2].batch == 0);
  CHECK(d[2].points.n == 3);
  CHECK(d[2].points.mean == doctest::Approx(0.04));  // .03, .04, .05
  CHECK(d[2].points.half_width == doctest::Approx(4.302652730 * 0.01 / std::sqrt(3.0)));
}

TEST_CASE("Summary: the trend with the batch leaves the warm start out") {
  Example e;
  auto trend = summarize(e.settings, e.study).trends;
  REQUIRE(trend.size() == 1);
  CHECK(trend[0].batches == std::vector<mts::Index>{10, 100});
  CHECK(trend[0].b_eff[0] == doctest::Approx(10.0 / 3));  // steps 1, 2, 3: 10/2, 10/3, 10/4
  CHECK(trend[0].max_p[1] == doctest::Approx(0.03));
  CHECK(trend[0].holds);
  for (auto& run : e.study.runs)
    if (run.batch == 100)
      for (auto& row : run.dynamics) row.b_eff = 1;
  CHECK(!summarize(e.settings, e.study).trends[0].holds);
}

TEST_CASE("Summary: the text says all of it, in lines that fit") {
  const Example e;
  const std::string text = text_of(e.settings, summarize(e.settings, e.study));
  CAPTURE(text);
  for (const char* part : {"75.0 ± 11.0", "0.750 [0.626, 0.874]", "0.250", "batch 100", "+5.00 [ +2.52,  +7.48]",
                           "above 0 on 3 of 3 seeds", "over all batches", "Figure 2", "holds"})
    CHECK(mts_test::contains(text, part));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 110);
}

TEST_CASE("Summary: one seed has no interval over seeds; its AUC has that of its own pool") {
  Example e;
  std::erase_if(e.study.runs, [](const Run& run) { return run.seed != 1; });
  e.settings.seeds = 1;
  e.settings.first_seed = 1;
  for (auto& run : e.study.runs)
    if (run.found) run.found->low = 0.7, run.found->high = 0.8;
  const std::string text = text_of(e.settings, summarize(e.settings, e.study));
  CAPTURE(text);
  CHECK(mts_test::contains(text, "seed 1,"));
  CHECK(mts_test::contains(text, "0.750 [0.700, 0.800]"));
  CHECK(mts_test::contains(text, "no interval"));
  CHECK(!mts_test::contains(text, "nan"));
}

TEST_CASE("Summary: without uniform there is nothing to compare with") {
  Example e;
  std::erase_if(e.study.runs, [](const Run& run) { return run.method == "uniform"; });
  e.settings.methods = {"weight-net"};
  CHECK(summarize(e.settings, e.study).differences.empty());
}

}  // namespace
