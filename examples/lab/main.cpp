// mts-lab: runs selection methods side by side on the benchmarks and shows what happened; verifies the laws of the theory, on
// toys and on a real network.
// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <thread>

#include "lab/cli.hpp"
#include "lab/files.hpp"
#include "lab/interrupt.hpp"
#include "lab/plot.hpp"
#include "lab/summary.hpp"
#include "mts/core/parallel.hpp"
#include "mts/data/generator.hpp"

namespace {

using namespace mts::lab;

int machine_threads(int asked) {
  return asked == 0 ? static_cast<int>(std::max(1u, std::thread::hardware_concurrency())) : asked;
}

/// Tells of the training of generative models.
Preparation telling(Progress& progress) {
  Preparation preparation;
  preparation.note = [&](std::string_view words) { progress.note(words); };
  preparation.progress = [&, training = std::string()](const mts::data::GeneratorProgress& p) mutable {
    if (interrupted) throw Interrupted();
    if (training != p.what) {
      training = p.what;
      progress.begin("training " + training, static_cast<double>(p.steps));
    }
    progress.reach(static_cast<double>(p.step));
  };
  return preparation;
}

void run(const Settings& settings, const Session& session) {
  const auto& benchmark = benchmark_named(settings.benchmark);
  check_batches(settings, benchmark);
  check_writable(session.out);
  const mts::ThreadLimit limit(machine_threads(session.threads));
  listen_for_interrupts();
  Progress progress(std::cerr, ::isatty(STDERR_FILENO) == 1);

  const auto source = benchmark.open(settings, session, telling(progress));
  const Study study = run_study(settings, *source, progress, interrupted);

  write_files(settings, study, session.out);
  for (const auto& r : study.runs)
    if (r.warnings > 0)
      std::cerr << r.method << ", batch " << r.batch << ", seed " << r.seed << ": " << r.warnings
                << " steps warned; the first: " << r.warning << '\n';
  std::cout << text_of(settings, summarize(settings, study)) << std::endl;
  std::cout << "Tables: " << (session.out / "results.csv").string()
            << ", dynamics.csv, timings.csv, truth.csv, weights.npy\n"
            << std::flush;
  if (session.no_pictures) return;
  write_pictures(settings, study, session.out);
  std::cout << "Pictures: " << (session.out / "dynamics.svg").string() << ", dynamics.png" << std::endl;
}

void experiment(const ExperimentSettings& settings, bool tuning) {
  check_writable(settings.session.out);
  const mts::ThreadLimit limit(machine_threads(settings.session.threads));
  listen_for_interrupts();
  Progress progress(std::cerr, ::isatty(STDERR_FILENO) == 1);
  const auto open = [&](const std::string& name, mts::Index validation) {
    Settings s;
    s.validation = validation;
    s.benchmark = name;
    s.data = settings.data;
    s.generator_epochs = settings.generator_epochs;
    return benchmark_named(name).open(s, settings.session, telling(progress));
  };
  (tuning ? tune : study)(settings, open, std::cout, progress, interrupted);
}

/// Returns whether all laws hold.
bool verify(const VerifySettings& settings) {
  const mts::ThreadLimit limit(machine_threads(settings.threads));
  listen_for_interrupts();
  Progress progress(std::cerr, ::isatty(STDERR_FILENO) == 1);
  return verify_laws(settings, std::cout, progress, interrupted);
}

/// Returns whether the forecast meets what is measured at fixed Gamma.
bool gsnr(const GsnrSettings& settings) {
  const mts::ThreadLimit limit(machine_threads(settings.session.threads));
  listen_for_interrupts();
  Progress progress(std::cerr, ::isatty(STDERR_FILENO) == 1);
  return run_gsnr(settings, telling(progress), std::cout, progress, interrupted);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Command command = parse(std::vector<std::string>(argv + 1, argv + argc));
    if (command.job == Job::help) std::cout << command.help;
    if (command.job == Job::list) std::cout << listing();
    if (command.job == Job::run) {
      for (const auto& difference : command.differences)
        std::cerr << "mts-lab: " << command.config.string()
                  << " was made by another version, so bits may differ: " << difference << '\n';
      run(command.settings, command.session);
    }
    if (command.job == Job::tune) experiment(command.tune, true);
    if (command.job == Job::study) experiment(command.study, false);
    if (command.job == Job::verify) return verify(command.verify) ? 0 : 1;
    if (command.job == Job::gsnr) return gsnr(command.gsnr) ? 0 : 1;
    return 0;
  } catch (const UsageError& error) {
    std::cerr << "mts-lab: " << error.what() << '\n';
    return 2;
  } catch (const Interrupted&) {
    std::cerr
        << "mts-lab: interrupted; nothing was written, but for the runs of tune and study, which go on from there\n";
    return 130;
  } catch (const std::exception& error) {
    std::cerr << "mts-lab: " << error.what() << '\n';
    return 1;
  }
}
