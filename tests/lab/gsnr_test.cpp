// mts-lab gsnr: what it is told, what it draws from, that forecast and measurement meet on small images, what it writes.
#include "lab/gsnr.hpp"

#include <cmath>
#include <sstream>

#include "lab/cli.hpp"
#include "lab/interrupt.hpp"
#include "lab/plot.hpp"
#include "lab/support.hpp"
#include "mts/core/parallel.hpp"

namespace {

using namespace mts::lab;
using namespace mts_test;
using mts::Index;

const bool has_gnuplot = std::system("gnuplot --version > /dev/null 2>&1") == 0;

/// 16800 images of 8 x 8, made once.
const TemporaryFolder& data_folder() {
  static const TemporaryFolder folder;
  static const bool written = (write_small_data(folder.path), true);
  CHECK(written);
  return folder;
}
GsnrSettings settings_for(const std::filesystem::path& out) {
  GsnrSettings s;
  s.data = data_folder().path;
  s.session.out = out;
  return s;
}
const GsnrPopulation& population() {
  static const GsnrPopulation p = gsnr_population(settings_for("unused"), {});
  return p;
}
GsnrDesign tiny_design() {
  GsnrDesign d = quick_design();
  d.hidden = 12;
  d.training_steps = 30;
  d.batches = {32, 128, 512};
  d.validations = {32, 128};
  d.validations_for_all = {32};
  d.pool = 1536;
  d.groups = 128;
  d.real_batches = {32, 128};
  d.real_validation = 64;
  d.curvature_pool = 160;
  d.curvature_validation = 64;
  d.blocks = 16;
  d.most_small = 768;
  d.most_large = 384;
  d.most_real = 256;
  d.most_cheap = 2048;
  return d;
}
GsnrStudy studied(const GsnrPopulation& p, const GsnrDesign& design, int threads, std::uint64_t seed = 0) {
  std::ostringstream told;
  Progress progress(told, false);
  const std::atomic<bool> stop{false};
  const mts::ThreadLimit limit(threads);
  return gsnr_study(p, design, seed, 0.05, progress, stop);
}
const GsnrStudy& study() {
  static const GsnrStudy s = studied(population(), tiny_design(), 2);
  return s;
}

TEST_CASE("gsnr: the command line, its refusals and its help") {
  const auto parsed = [](std::vector<std::string> words) {
    words.insert(words.begin(), "gsnr");
    return parse(words);
  };
  auto command = parsed({"--out", "x"});
  CHECK(command.job == Job::gsnr);
  CHECK(command.gsnr.benchmark == "noisy-labels");
  CHECK(!command.gsnr.quick);
  command = parsed({"--benchmark", "spurious", "--out", "x", "--quick", "--seed", "3", "--threads", "2", "--precision",
                    "0.1", "--no-pictures", "--generator-epochs", "1"});
  CHECK(command.gsnr.benchmark == "spurious");
  CHECK(command.gsnr.quick);
  CHECK(command.gsnr.seed == 3);
  CHECK(command.gsnr.precision == 0.1);
  CHECK(command.gsnr.session.threads == 2);
  CHECK(command.gsnr.session.out == "x");
  CHECK(command.gsnr.session.no_pictures);
  CHECK(command.gsnr.generator_epochs == 1);

  CHECK_REFUSED(UsageError, parsed({"--quick"}), "mts-lab gsnr", "--out DIR");
  CHECK_REFUSED(UsageError, parsed({"--out", "x", "--benchmark", "noisy-label"}), "unknown benchmark 'noisy-label'",
                "did you mean 'noisy-labels'", "spurious");
  CHECK_REFUSED(UsageError, parsed({"--out", "x", "--precision", "0"}), "--precision: expected a number above 0");
  CHECK_REFUSED(UsageError, parsed({"--out", "x", "--benchmrk", "spurious"}), "mts-lab gsnr: unknown option",
                "did you mean '--benchmark'");
  CHECK(contains(parsed({"--help"}).help, "--quick"));
  CHECK(contains(help(), "mts-lab gsnr"));
  std::istringstream lines(help_of(Job::gsnr));
  for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 100);
}

TEST_CASE("gsnr: the populations are apart, and labels are corrupted in training alone, as often as stated") {
  const GsnrPopulation& p = population();
  CHECK(p.name == "noisy-labels");
  CHECK(p.train.size() == 11200);
  CHECK(p.validation.size() == 5600);
  CHECK(p.reference.size() == 2400);
  constexpr int by_place[] = {0, 2, 3, 8};  // the label of image i is that of i mod 4
  Index corrupted = 0;
  for (std::size_t i = 0; i < 11200; ++i) {
    REQUIRE((p.train.labels[i] == by_place[i % 4]) == (p.good[i] != 0));
    REQUIRE(p.train.labels[i] >= 0);
    REQUIRE(p.train.labels[i] < p.classes);
    corrupted += p.good[i] == 0;
  }
  CHECK(std::abs(static_cast<double>(corrupted) / 11200 - 0.4) < 5 * std::sqrt(0.24 / 11200));
  for (std::size_t i = 0; i < 5600; ++i) REQUIRE(p.validation.labels[i] == by_place[i % 4]);
  GsnrSettings other = settings_for("unused");
  other.seed = 1;
  CHECK(gsnr_population(other, {}).train.labels != p.train.labels);
}

TEST_CASE("gsnr: forecast from one pool and measurement over fresh batches meet") {
  const GsnrStudy& s = study();
  CAPTURE(table_of(s));
  CHECK(s.pool == 1536);
  CHECK(s.pool_validation == 1024);
  CHECK(s.effect > 0.1);
  std::size_t fixed = 0;
  double most = 0;
  for (const GsnrPoint& p : s.points) {
    CAPTURE(name_of(p.panel));
    CAPTURE(p.n);
    CHECK(std::isfinite(p.forecast));
    CHECK(p.forecast_error > 0);
    CHECK(std::isfinite(p.measured));
    CHECK(p.measured_error > 0);
    CHECK(p.replicates >= 64);
    CHECK(p.z == doctest::Approx((p.measured - p.forecast) / std::hypot(p.measured_error, p.forecast_error)));
    CHECK(p.agrees == (std::abs(p.z) <= s.critical_of(p.panel)));
    if (p.panel != GsnrPanel::fixed) continue;
    ++fixed;
    most = std::max(most, p.measured / p.measured_error);
  }
  CHECK(fixed == 4);
  CHECK(most > 8);  // something was measured
  CHECK(s.agrees(GsnrPanel::fixed));
  CHECK(s.agrees(GsnrPanel::real_step));
  CHECK(s.agrees(GsnrPanel::informativeness));
  // An informative feature gives signal, noise gives none; and more samples more.
  const auto at = [&](GsnrPanel panel, Index n, double r) {
    for (const GsnrPoint& p : s.points)
      if (p.panel == panel && p.n == n && p.r == r) return p;
    FAIL("no such point");
    return GsnrPoint{};
  };
  CHECK(std::abs(at(GsnrPanel::informativeness, 512, 0).measured) <
        0.01 * at(GsnrPanel::informativeness, 512, 1).measured);
  CHECK(at(GsnrPanel::informativeness, 512, 1).measured > 4 * at(GsnrPanel::informativeness, 64, 1).measured);
}

TEST_CASE(
    "gsnr: a wrong population is noticed: what is forecast for clean labels is not measured with corrupted ones") {
  GsnrPopulation clean = population();
  for (std::size_t i = 0; i < clean.train.labels.size(); ++i) {
    constexpr int by_place[] = {0, 2, 3, 8};
    clean.train.labels[i] = by_place[i % 4];
  }
  GsnrDesign d = tiny_design();
  d.validations = {32};
  d.real_batches = {32};
  const GsnrStudy other = studied(clean, d, 2);
  std::size_t apart = 0;
  for (const GsnrPoint& p : other.points)
    for (const GsnrPoint& q : study().points)
      if (p.panel == GsnrPanel::fixed && q.panel == GsnrPanel::fixed && p.n == q.n && p.m == q.m)
        apart += std::abs(p.forecast - q.measured) >
                 study().critical_of(q.panel) * std::hypot(q.measured_error, p.forecast_error);
  CHECK(apart > 0);
}

TEST_CASE("gsnr: the same bits for any number of threads, others for another seed") {
  GsnrDesign d = tiny_design();
  d.most_small = d.most_large = d.most_real = d.most_cheap = 128;
  d.curvature_pool = 64;
  const auto csv = [&](int threads, std::uint64_t seed) { return csv_of(studied(population(), d, threads, seed)); };
  const std::string one = csv(1, 0);
  CHECK(one == csv(2, 0));
  CHECK(one == csv(3, 0));
  CHECK(one != csv(2, 1));
}

TEST_CASE("gsnr: table and gsnr.csv tell of every point") {
  const std::string csv = csv_of(study()), table = table_of(study());
  std::istringstream lines(csv);
  std::string line;
  std::getline(lines, line);
  CHECK(line ==
        "panel,N,M,r,beta,eta,forecast,forecast_se,measured,measured_se,z,verdict,b_eff_share,replicates,"
        "forecast_noise,measured_noise");
  std::size_t rows = 0;
  for (; std::getline(lines, line); ++rows) {
    CHECK(std::count(line.begin(), line.end(), ',') == 15);
    CHECK((contains(line, ",agrees,") || contains(line, ",differs,")));
  }
  CHECK(rows == study().points.size());
  CHECK(contains(csv, "fixed Gamma,128,128,,,,"));
  CHECK(contains(csv, "real step,128,64,,,0.5,"));
  CHECK(contains(csv, "informativeness,512,all,0.4,,,"));
  CHECK(contains(csv, "concentration,512,all,0.7,1.5,,"));
  for (const char* words : {"11200 training and 5600 validation", "(a) fixed Gamma", "without L14'", "beside L11",
                            "next order", " of  4 agree"}) {
    CAPTURE(words);
    CHECK(contains(table, words));
  }
}

TEST_CASE("gsnr: stopped, it writes nothing; a folder that can't be written to is refused first") {
  const TemporaryFolder folder;
  std::ostringstream out, told;
  Progress progress(told, false);
  const std::atomic<bool> stop{true};
  CHECK_THROWS_AS(run_gsnr(settings_for(folder / "a"), {}, out, progress, stop), Interrupted);
  CHECK(!std::filesystem::exists(folder / "a/gsnr.csv"));
  write_plainly(folder / "file", "");
  CHECK_REFUSED(mts::DataError, run_gsnr(settings_for(folder / "file"), {}, out, progress, stop), "need a folder");
}

TEST_CASE("gsnr: one picture of all panels" * doctest::skip(!has_gnuplot)) {
  const std::string svg = run_gnuplot(gsnr_script(study(), "svg dynamic"));
  CHECK(contains(svg, "</svg>"));
  for (const char* words : {"noisy-labels", "M = 32", "eta = 0.5", "N = 512", "at fixed Gamma", "in the real step",
                            "uniform weights", "next order"}) {
    CAPTURE(words);
    CHECK(contains(svg, words));
  }
}

}  // namespace
