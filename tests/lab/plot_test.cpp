#include "lab/plot.hpp"

#include "lab/support.hpp"
#include "mts/selection/step_report.hpp"

namespace {

using namespace mts::lab;

const bool has_gnuplot = std::system("gnuplot --version > /dev/null 2>&1") == 0;

TEST_CASE("Gnuplot: what it writes comes back" * doctest::skip(!has_gnuplot)) {
  CHECK(run_gnuplot("set print '-'\nprint 6*7\n") == "42\n");
}

TEST_CASE("Gnuplot: a script that fails is an error with gnuplot's words" * doctest::skip(!has_gnuplot)) {
  CHECK_REFUSED(mts::DataError, run_gnuplot("plot nonsense(\n"), "gnuplot failed", "invalid expression");
}

TEST_CASE("Gnuplot: a missing program says what to install and how to do without") {
  CHECK_REFUSED(mts::DataError, run_gnuplot("", "gnuplot-that-is-not-there"), "gnuplot-that-is-not-there was not found",
                "gnuplot-nox", "--no-pictures");
}

TEST_CASE("Dynamics: four panels, a line for each batch size of the method that learns" * doctest::skip(!has_gnuplot)) {
  Settings settings;
  settings.methods = {"uniform", "weight-net"};
  settings.batches = {256, 64};
  settings.seeds = 2;
  settings.steps = 6;
  settings.uniform_steps = 2;
  Study study;
  for (const char* method : {"uniform", "weight-net"})
    for (const mts::Index batch : settings.batches)
      for (std::uint64_t seed = 0; seed < 2; ++seed) {
        Run run;
        run.method = method;
        run.batch = batch;
        run.seed = seed;
        for (mts::Index step = 0; step < 6; ++step) {
          const double n = static_cast<double>(batch), shift = step >= 2 ? 0.1 * static_cast<double>(seed + 1) : 0;
          run.dynamics.push_back({step, 0.5 - shift, 1 / n + shift, shift / n / n, n * (1 - shift), 1, 1, 1, 1});
        }
        study.runs.push_back(run);
      }
  const std::string svg = run_gnuplot(dynamics_script(settings, study, set_terminal("svg", 1000, 760)));
  CHECK(mts_test::contains(svg, "<svg"));
  CHECK(mts_test::contains(svg, "</svg>"));
  for (const std::string words :
       {"mean raw weight", "largest normalised weight", "variance of", "effective batch size", "training step",
        "N = 64", "N = 256", "weight-net on spurious, mlp: median of 2 seeds"}) {
    CAPTURE(words);
    CHECK(mts_test::contains(svg, words));
  }
  CHECK(!mts_test::contains(svg, "uniform"));

  settings.model = ModelKind::cnn;
  settings.augmentation = AugmentationKind::shift_flip;
  CHECK(mts_test::contains(run_gnuplot(dynamics_script(settings, study, set_terminal("svg", 600, 400))),
                           "weight-net on spurious, cnn with augmentation shift-flip: median of 2 seeds"));

  settings.methods = {"uniform"};
  std::erase_if(study.runs, [](const Run& run) { return run.method != "uniform"; });
  CHECK(mts_test::contains(run_gnuplot(dynamics_script(settings, study, "set terminal svg\n")), "uniform on spurious"));
}

TEST_CASE("GSNR: lines of the methods that have one; where none has, that is an error") {
  Settings settings;
  settings.methods = {"small-loss", "weight-net"};
  settings.batches = {64};
  settings.seeds = 1;
  settings.steps = 3;
  settings.uniform_steps = 1;
  Study study;
  for (const auto& method : settings.methods) {
    Run run;
    run.method = method;
    run.batch = 64;
    for (mts::Index step = 0; step < 3; ++step) {
      StepRow row;
      row.step = step;
      row.gsnr = method == "weight-net" && step > 0 ? 2.0 * static_cast<double>(step) : mts::StepReport::none;
      run.dynamics.push_back(row);
    }
    study.runs.push_back(run);
  }
  CHECK(has_gsnr(study));
  const std::string script = gsnr_script(settings, study, "set terminal svg\n");
  CHECK(mts_test::contains(script, "title 'weight-net on spurious, mlp: seed 0'"));
  CHECK(mts_test::contains(script, "title 'N = 64'"));
  CHECK(mts_test::contains(script, "0 NaN NaN NaN\n1 2 2 2\n2 4 4 4\n"));
  study.runs.pop_back();
  CHECK(!has_gsnr(study));
  CHECK_REFUSED(mts::ValueError, gsnr_script(settings, study, ""), "a run with a GSNR");
}

}  // namespace
