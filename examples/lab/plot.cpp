#include "lab/plot.hpp"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "lab/statistics.hpp"
#include "mts/data/atomic_file.hpp"

namespace mts::lab {

namespace {

struct CloseFile {
  void operator()(std::FILE* f) const { std::fclose(f); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

/// A nameless file that goes away by itself.
File scratch_file() {
  File f(std::tmpfile());
  if (!f) throw DataError(fmt::format("gnuplot: no temporary file could be made: {}", std::strerror(errno)));
  return f;
}

std::string contents(std::FILE* f) {
  std::string all;
  std::rewind(f);
  std::array<char, 65536> part;
  for (std::size_t n; (n = std::fread(part.data(), 1, part.size(), f)) > 0;) all.append(part.data(), n);
  return all;
}

struct Panel {
  const char* title;
  double StepRow::*value;
  bool log;
};
constexpr std::array dynamics_panels = {Panel{"mean raw weight, mean w", &StepRow::mean_w, false},
                                        Panel{"largest normalised weight, max p", &StepRow::max_p, true},
                                        Panel{"variance of the normalised weights, Var p", &StepRow::var_p, true},
                                        Panel{"effective batch size, B_{eff} (samples)", &StepRow::b_eff, true}};
constexpr std::array gsnr_panels = {Panel{"GSNR of a step", &StepRow::gsnr, true}};

/// One line of each panel.
struct Line {
  std::string title;
  std::vector<const Run*> runs;
};

std::vector<Line> lines_of(const Settings& s, const Study& study) {
  std::vector<std::string> methods;
  for (const auto& m : s.methods)
    if (method_named(m).weighs) methods.push_back(m);
  if (methods.empty()) methods = s.methods;
  std::vector<Index> batches = s.batches;
  std::sort(batches.begin(), batches.end());
  std::vector<Line> lines;
  for (const auto& method : methods)
    for (const Index batch : batches) {
      Line line{fmt::format("{}N = {}", methods.size() > 1 ? method + ", " : "", batch), {}};
      for (const auto& run : study.runs)
        if (run.method == method && run.batch == batch) line.runs.push_back(&run);
      lines.push_back(std::move(line));
    }
  return lines;
}

/// Below it a variance is round-off: weights that are all the same.
double smallest_shown(const Panel& panel, const Run& run) {
  if (!panel.log) return -HUGE_VAL;
  const double n = static_cast<double>(run.batch);
  return panel.value == &StepRow::var_p ? 1e-12 / (n * n) : 0;
}

/// Whether a panel's axis is logarithmic: not where it would have nothing to show, as uniform weights have no variance.
bool is_logarithmic(const Panel& panel, const std::vector<Line>& lines) {
  if (!panel.log) return false;
  for (const auto& line : lines)
    for (const Run* run : line.runs)
      for (const auto& row : run->dynamics)
        if (row.*panel.value > smallest_shown(panel, *run)) return true;
  return false;
}

}  // namespace

std::string text_for_gnuplot(const std::string& s) {
  std::string out;
  for (const char c : s) {
    if (std::string_view("_^{}@&~\\").find(c) != std::string_view::npos) out += '\\';
    out += c == '\'' ? std::string("''") : std::string(1, c);
  }
  return out;
}

std::string run_gnuplot(const std::string& script, const std::string& program) {
  const File in = scratch_file(), out = scratch_file(), err = scratch_file();
  if (std::fwrite(script.data(), 1, script.size(), in.get()) != script.size() || std::fflush(in.get()) != 0)
    throw DataError(fmt::format("gnuplot: its script could not be written: {}", std::strerror(errno)));
  std::rewind(in.get());

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, ::fileno(in.get()), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, ::fileno(out.get()), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, ::fileno(err.get()), STDERR_FILENO);
  std::string name = program, defaults = "-d";
  char* arguments[] = {name.data(), defaults.data(), nullptr};
  ::pid_t child = 0;
  const int failed = ::posix_spawnp(&child, program.c_str(), &files, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&files);
  if (failed == ENOENT)
    throw DataError(
        fmt::format("{} was not found, so there is no picture: install it (Debian: apt-get install gnuplot-nox), or "
                    "leave pictures out with --no-pictures",
                    program));
  if (failed != 0) throw DataError(fmt::format("{} could not be started: {}", program, std::strerror(failed)));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw DataError(fmt::format("{} failed: {}", program, contents(err.get())));
  return contents(out.get());
}

std::string set_terminal(const std::string& name, int width, int height, int points) {
  return fmt::format("set terminal {} size {},{} enhanced background '#ffffff' font 'Helvetica,Arial,sans-serif,{}'\n",
                     name, width, height, points);
}

namespace {

/// One block of numbers a line: step, then median, least and greatest over the seeds for each panel.
std::string number_blocks(const std::vector<Line>& lines, std::span<const Panel> panels,
                          const std::vector<bool>& logarithmic) {
  std::string script;
  for (std::size_t l = 0; l < lines.size(); ++l) {
    script += fmt::format("$line{} << END\n", l);
    const auto& runs = lines[l].runs;
    for (std::size_t k = 0; k < runs.front()->dynamics.size(); ++k) {
      script += fmt::format("{}", runs.front()->dynamics[k].step);
      for (std::size_t p = 0; p < panels.size(); ++p) {
        std::vector<double> values;
        for (const Run* run : runs) {
          const double x = run->dynamics[k].*panels[p].value;
          if (std::isfinite(x) && (!logarithmic[p] || x > smallest_shown(panels[p], *run))) values.push_back(x);
        }
        if (values.empty())
          script += " NaN NaN NaN";
        else
          script +=
              fmt::format(" {:.6g} {:.6g} {:.6g}", median(values), *std::min_element(values.begin(), values.end()),
                          *std::max_element(values.begin(), values.end()));
      }
      script += '\n';
    }
    script += "END\n";
  }
  return script;
}

/// Panels one below the other or two abreast, a colour for each line.
/// \param layout  the options of gnuplot's multiplot
/// \param key     the height at which the lines are named, of 1
std::string panels_script(const Settings& s, const Study& study, std::span<const Panel> panels,
                          const std::string& layout, double key, const std::string& terminal) {
  const auto lines = lines_of(s, study);
  std::vector<bool> logarithmic;
  for (const Panel& panel : panels) logarithmic.push_back(is_logarithmic(panel, lines));
  std::string script = terminal + number_blocks(lines, panels, logarithmic);

  const std::string seeds = s.seeds == 1 ? fmt::format("seed {}", s.first_seed)
                                         : fmt::format("median of {} seeds, band from least to greatest", s.seeds);
  std::string names;
  for (const auto& m : s.methods)
    if (method_named(m).weighs) names += (names.empty() ? "" : ", ") + m;
  const Index first = names.empty() ? 0 : s.uniform_steps;  // before it all weights are the same
  if (names.empty()) names = s.methods.front();
  script += fmt::format("set multiplot {} title '{} on {}, {}: {}' offset 0,-0.3\n", layout, text_for_gnuplot(names),
                        text_for_gnuplot(s.benchmark), text_for_gnuplot(trained(s)), seeds);
  script += axes_style;
  script +=
      "set datafile missing 'NaN'\n"
      "set style fill transparent solid 0.16 noborder\n";
  script += fmt::format("set key at screen 0.53,{} center top horizontal samplen 2.2 spacing 1.1 maxrows 2\n", key);
  script += fmt::format("set xrange [{}:{}]\n", first, s.steps);
  for (std::size_t p = 0; p < panels.size(); ++p) {
    script += fmt::format("set title '{}' offset 0,-0.6\n", panels[p].title);
    script += p + 2 >= panels.size() ? "set xlabel 'training step' offset 0,0.4\n" : "unset xlabel\n";
    script += logarithmic[p] ? "set logscale y\nset format y '10^{%L}'\n" : "unset logscale y\nset format y '%g'\n";
    std::string plots;
    const std::size_t column = 2 + 3 * p;
    for (std::size_t l = 0; l < lines.size(); ++l) {
      const char* colour = colours[l % colours.size()];
      if (lines[l].runs.size() > 1)
        plots += fmt::format("{}$line{} using 1:{}:{} with filledcurves lc rgb '{}' notitle", plots.empty() ? "" : ", ",
                             l, column + 1, column + 2, colour);
    }
    for (std::size_t l = 0; l < lines.size(); ++l)
      plots += fmt::format("{}$line{} using 1:{} with lines lw 1.6 dt {} lc rgb '{}' {}", plots.empty() ? "" : ", ", l,
                           column, l < colours.size() ? 1 : 2, colours[l % colours.size()],
                           p == 0 ? fmt::format("title '{}'", text_for_gnuplot(lines[l].title)) : "notitle");
    script += "plot " + plots + "\n";
  }
  script += "unset multiplot\n";
  return script;
}

}  // namespace

std::string dynamics_script(const Settings& s, const Study& study, const std::string& terminal) {
  return panels_script(s, study, dynamics_panels,
                       "layout 2,2 margins screen 0.085,0.98,0.085,0.84 spacing screen 0.095,0.115", 0.945, terminal);
}

bool has_gsnr(const Study& study) {
  for (const auto& run : study.runs)
    for (const auto& row : run.dynamics)
      if (row.gsnr > 0) return true;
  return false;
}

std::string gsnr_script(const Settings& settings, const Study& study, const std::string& terminal) {
  Settings own = settings;
  std::erase_if(own.methods, [&](const std::string& method) {
    return std::none_of(study.runs.begin(), study.runs.end(), [&](const Run& run) {
      return run.method == method && std::any_of(run.dynamics.begin(), run.dynamics.end(),
                                                 [](const StepRow& row) { return std::isfinite(row.gsnr); });
    });
  });
  check_value(!own.methods.empty(), "gsnr_script", "expected a run with a GSNR, found none");
  return panels_script(own, study, gsnr_panels, "layout 1,1 margins screen 0.085,0.98,0.14,0.74", 0.91, terminal);
}

void write_pictures(const Settings& settings, const Study& study, const std::filesystem::path& folder) {
  const auto write = [&](const char* name, const std::string& terminal) {
    data::write_atomically(folder / name, run_gnuplot(dynamics_script(settings, study, terminal)));
  };
  write("dynamics.svg", set_terminal("svg dynamic", 1000, 760, 14));
  write("dynamics.png",
        "set terminal pngcairo size 1500,1140 enhanced background '#ffffff' font 'Sans,10' fontscale 1.5 linewidth "
        "1.5\n");
}

}  // namespace mts::lab
