// mts-lab: runs selection methods side by side on the benchmarks and shows what happened; verifies the laws of the theory, on
// toys and on a real network.
// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "lab/checkpoints.hpp"
#include "lab/cli.hpp"
#include "lab/device.hpp"
#include "lab/files.hpp"
#include "lab/interrupt.hpp"
#include "lab/plot.hpp"
#include "lab/report.hpp"
#include "lab/score.hpp"
#include "lab/summary.hpp"
#include "mts/core/parallel.hpp"
#include "mts/data/generator.hpp"
#if defined(MTS_LAB_CUDA)
#include "lab/cuda.hpp"
#endif

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

/// A word as a shell takes it.
std::string quoted(const std::string& word) {
  if (!word.empty() &&
      word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./,=:+%@") ==
          std::string::npos)
    return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}
/// What goes on with this run: the same words, without --fresh.
std::string command_to_go_on(std::span<const std::string> words) {
  std::string command;
  for (const auto& word : words)
    if (word != "--fresh") command += (command.empty() ? "" : " ") + quoted(word);
  return command;
}

void say_interrupted(const std::string& what_is_left, std::span<const std::string> words) {
  std::cerr << "mts-lab: interrupted; " << what_is_left << ". To go on:\n  " << command_to_go_on(words) << std::endl;
}

/// \param words  of the command line
void run(const Settings& settings, const Session& session, std::span<const std::string> words) {
  const auto& benchmark = benchmark_named(settings.benchmark);
  check_batches(settings, benchmark);
  check_writable(session.out);
  if (const auto* device = device_of(settings)) {
    const std::string which = device->description();  // or there is none
    std::cerr << "steps on " << which << '\n';
  }
  RunFolder folder(settings, session);
  const mts::ThreadLimit limit(machine_threads(session.threads));
  listen_for_interrupts();
  Progress progress(std::cerr, ::isatty(STDERR_FILENO) == 1);

  const Study study = [&] {
    try {
      const auto source = benchmark.open(settings, session, telling(progress));
      return run_study(settings, *source, progress, interrupted, folder.keeping());
    } catch (const Interrupted&) {
      progress.end();
      say_interrupted(folder.keeps() ? "what was done is kept in " + folder.checkpoints().string()
                                     : std::string("nothing was done yet"),
                      words);
      throw;
    }
  }();

  write_files(settings, study, session.out);
  for (const auto& r : study.runs)
    if (r.warnings > 0)
      std::cerr << r.method << ", batch " << r.batch << ", seed " << r.seed << ": " << r.warnings
                << " steps warned; the first: " << r.warning << '\n';
  std::cout << text_of(settings, summarize(settings, study)) << std::endl;
  std::cout << "Tables: " << (session.out / "results.csv").string()
            << ", dynamics.csv, timings.csv, truth.csv, weights.npy\n"
            << std::flush;
  if (!session.no_pictures) {
    write_pictures(settings, study, session.out);
    std::cout << "Pictures: " << (session.out / "dynamics.svg").string() << ", dynamics.png\n" << std::flush;
  }
  write_report(settings, study, session.out, !session.no_pictures);
  std::cout << "Report: " << (session.out / "report.html").string() << std::endl;
  folder.remove();
}

void score_pool(const ScoreSettings& settings, const Session& session) {
  check_writable(session.out);
  const mts::ThreadLimit limit(machine_threads(session.threads));
  listen_for_interrupts();
  Progress progress(std::cerr, ::isatty(STDERR_FILENO) == 1);
  const Score result = score(settings, progress, interrupted);
  if (result.run.warnings > 0)
    std::cerr << settings.method << ": " << result.run.warnings << " steps warned; the first: " << result.run.warning
              << '\n';
  std::cout << text_of(settings, result) << std::flush;
  write_score(settings, result, session.out, !session.no_pictures);
  std::cout << "Weights: " << (session.out / "weights.npy").string()
            << ", selected.csv\nReport: " << (session.out / "report.html").string() << std::endl;
}

void experiment(const ExperimentSettings& settings, bool tuning, std::span<const std::string> words) {
  check_writable(settings.session.out);
  const FolderLock folder(settings.session.out);
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
  try {
    (tuning ? tune : study)(settings, open, std::cout, progress, interrupted);
  } catch (const Interrupted&) {
    progress.end();
    say_interrupted("what was done is kept in " + (settings.session.out / "runs").string(), words);
    throw;
  }
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
  const std::vector<std::string> words(argv, argv + argc);
  Job job = Job::help;
  try {
#if defined(MTS_LAB_CUDA)
    offer_cuda();
#endif
    const Command command = parse(std::span(words).subspan(words.empty() ? 0 : 1));
    job = command.job;
    if (command.job == Job::help) std::cout << command.help;
    if (command.job == Job::list) std::cout << listing();
    for (const auto& difference : command.differences)
      std::cerr << "mts-lab: " << command.config.string()
                << " was made by another version, so bits may differ: " << difference << '\n';
    if (command.job == Job::run) run(command.settings, command.session, words);
    if (command.job == Job::score) score_pool(command.score, command.session);
    if (command.job == Job::tune) experiment(command.tune, true, words);
    if (command.job == Job::study) experiment(command.study, false, words);
    if (command.job == Job::verify) return verify(command.verify) ? 0 : 1;
    if (command.job == Job::gsnr) return gsnr(command.gsnr) ? 0 : 1;
    return 0;
  } catch (const UsageError& error) {
    std::cerr << "mts-lab: " << error.what() << '\n';
    return 2;
  } catch (const Interrupted&) {
    if (job == Job::score || job == Job::verify || job == Job::gsnr)
      std::cerr << "mts-lab: interrupted; nothing was written\n";
    return 130;
  } catch (const std::exception& error) {
    std::cerr << "mts-lab: " << error.what() << '\n';
    return 1;
  }
}
