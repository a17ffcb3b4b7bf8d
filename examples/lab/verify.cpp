#include "lab/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <tuple>

#include "lab/files.hpp"
#include "lab/interrupt.hpp"
#include "lab/plot.hpp"
#include "laws/registry.hpp"
#include "mts/data/atomic_file.hpp"
#include "mts/data/csv.hpp"

namespace mts::lab {

namespace {

using theory::Claim;
using theory::Finding;
using theory::Report;
using theory::Verdict;

/// What a case counts for the time left: an exact check is over before a simulation has begun.
double work_of(const Claim& claim) { return std::holds_alternative<theory::Simulation>(claim.check) ? 1.0 : 0.1; }

std::string short_number(double x) { return fmt::format("{:.5g}", x); }

/// The laws that a report tells of, in its order.
std::vector<std::string> laws_of(const Report& report) {
  std::vector<std::string> laws;
  for (const auto& f : report.findings)
    if (laws.empty() || laws.back() != f.law) laws.push_back(f.law);
  return laws;
}

std::string counted(std::size_t n, const char* what, const char* plural) {
  return fmt::format("{} {}", n, n == 1 ? what : plural);
}

/// "L3'" as part of a file's name.
std::string file_name(std::string law) {
  for (char& c : law)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = c == '\'' ? 'p' : '-';
  return law;
}

}  // namespace

bool law_before(const std::string& a, const std::string& b) {
  const auto key = [](const std::string& name) {
    const std::size_t first = std::min(name.find_first_of("0123456789"), name.size());
    int number = 0;
    const auto [end, error] = std::from_chars(name.data() + first, name.data() + name.size(), number);
    const bool numbered = error == std::errc();
    return std::tuple(!numbered, numbered ? number : 0, numbered ? std::string(end) : name, name);
  };
  return key(a) < key(b);
}

std::vector<NamedLaw> laws_in_order() {
  std::vector<NamedLaw> laws;
  for (const auto& registered : laws::registered()) {
    auto law = std::find_if(laws.begin(), laws.end(), [&](const auto& l) { return l.name == registered.name; });
    if (law == laws.end()) law = laws.insert(laws.end(), {registered.name, {}});
    for (auto& claim : registered.claims()) law->claims.push_back(std::move(claim));
  }
  std::sort(laws.begin(), laws.end(), [](const auto& a, const auto& b) { return law_before(a.name, b.name); });
  return laws;
}

void check(const VerifySettings& settings) {
  std::vector<std::string> known;
  for (const auto& law : laws::registered())
    if (std::find(known.begin(), known.end(), law.name) == known.end()) known.push_back(law.name);
  std::sort(known.begin(), known.end(), law_before);
  for (auto name = settings.laws.begin(); name != settings.laws.end(); ++name) {
    if (std::find(known.begin(), known.end(), *name) == known.end()) throw unknown("law", *name, known);
    if (std::find(settings.laws.begin(), name, *name) != name)
      throw UsageError(fmt::format("--laws: {} is given twice", *name));
  }
}

namespace {

std::string brief_rows(const Report& report) {
  std::string out = "\nlaw     cases  largest share of what a case may deviate by\n";
  for (const auto& law : laws_of(report)) {
    std::size_t cases = 0;
    double share = 0;
    std::string failures;
    for (const auto& f : report.findings) {
      if (f.law != law) continue;
      ++cases;
      if (f.allowed > 0) share = std::max(share, f.deviation / f.allowed);
      if (f.verdict == Verdict::fails)
        failures += fmt::format("        fails: {}, {}: {}\n", f.name, f.parameters, f.reason);
    }
    out += fmt::format("{:<6}  {:>5}  {:.2g}\n", law, cases, share) + failures;
  }
  return out;
}

std::string rows(const Report& report) {
  constexpr std::size_t widest = 27;  // a longer case has a line of its own
  std::size_t width = 4;
  for (const auto& f : report.findings) width = std::max(width, std::min(f.parameters.size(), widest));
  std::string out = fmt::format("\n{:<6}{:<{}}  {:>11}  {:>11}  {:>22}  {:>6}  verdict\n", "law", "case", width,
                                "predicted", "measured", "standard error", "z");
  const Finding* before = nullptr;
  for (const auto& f : report.findings) {
    if (!before || before->law != f.law || before->name != f.name) out += fmt::format("{:<6}{}\n", f.law, f.name);
    before = &f;
    const std::string sure = f.exact ? fmt::format("off {:.1e} of {:.1e}", f.deviation, f.allowed)
                                     : fmt::format("+- {:.2g}", f.standard_error);
    const bool fits = f.parameters.size() <= width;
    if (!fits) out += fmt::format("      {}\n", f.parameters);
    out += fmt::format("      {:<{}}  {:>11}  {:>11}  {:>22}  {:>6}  {}\n", fits ? f.parameters : "", width,
                       short_number(f.predicted), short_number(f.measured), sure,
                       f.exact ? "" : fmt::format("{:+.2f}", f.z), name_of(f.verdict));
    if (f.verdict == Verdict::fails) out += fmt::format("        {}\n", f.reason);
  }
  return out;
}

}  // namespace

std::string table_of(const Report& report, bool brief) {
  std::string out = brief ? brief_rows(report) : rows(report);
  double seconds = 0;
  std::size_t failed = 0;
  for (const auto& f : report.findings) {
    failed += f.verdict == Verdict::fails;
    seconds += f.seconds;
  }
  const auto laws = laws_of(report);
  out += fmt::format("\n{} of {}: ", counted(report.findings.size(), "case", "cases"),
                     counted(laws.size(), "law", "laws"));
  out += failed == 0 ? "all hold" : fmt::format("{} fail{}", failed, failed == 1 ? "s" : "");
  out += fmt::format(" ({} at work)\n", clock_text(seconds));
  if (report.simulated_points > 0)
    out += fmt::format("A simulated case may deviate by {:.2f} standard errors (and what its derivation drops).\n",
                       report.critical);
  const auto survivors = report.survivors();
  out += counted(report.mutants.size(), "wrong version", "wrong versions") + " of these claims judged likewise: ";
  if (survivors.empty()) return out + "all refuted\n";
  out += fmt::format("{} not refuted at this precision\n", survivors.size());
  for (const auto& m : survivors) out += fmt::format("  {}, {}: {}\n", m.law, m.claim, m.name);
  return out;
}

std::string csv_of(const Report& report) {
  data::CsvTable table({"law", "case", "predicted", "measured", "standard_error", "z", "verdict"});
  const auto or_nothing = [](double x) { return std::isnan(x) ? std::string() : fmt::format("{}", x); };
  for (const auto& f : report.findings)
    table.row(f.law, f.name + ": " + f.parameters, f.predicted, f.measured, or_nothing(f.standard_error),
              or_nothing(f.z), name_of(f.verdict));
  return table.text();
}

std::string laws_script(const Report& report, const std::string& terminal) {
  constexpr double least_share = 1e-8;  // what is shown of a deviation that is 0 or nearly so
  const char* titles[] = {"exact check", "simulation", "fails"};
  const auto kind = [](const Finding& f) { return f.verdict == Verdict::fails ? 2 : f.exact ? 0 : 1; };
  std::string script = set_terminal(terminal, 1160, 520);

  // Laws side by side, the cases of a law within a unit of width.
  const auto laws = laws_of(report);
  std::map<std::string, std::size_t> cases, seen;
  for (const auto& f : report.findings) ++cases[f.law];
  std::string data[3], tics;
  for (std::size_t l = 0; l < laws.size(); ++l)
    tics += fmt::format("{}'{}' {}", l == 0 ? "" : ", ", text_for_gnuplot(laws[l]), l);
  for (const auto& f : report.findings) {
    const auto l = static_cast<double>(std::find(laws.begin(), laws.end(), f.law) - laws.begin());
    const double within = (static_cast<double>(seen[f.law]++) + 0.5) / static_cast<double>(cases[f.law]) - 0.5;
    const double share = f.allowed > 0 ? f.deviation / f.allowed : f.deviation > 0 ? HUGE_VAL : 0;
    const auto logarithm = [](double x) { return x != 0 ? fmt::format("{:.17g}", std::abs(x)) : std::string("NaN"); };
    data[kind(f)] += fmt::format("{:.6g} {:.6g} {} {}\n", l + 0.7 * within, std::clamp(share, least_share, 10.0),
                                 logarithm(f.predicted), logarithm(f.measured));
  }
  for (int k = 0; k < 3; ++k)
    script += fmt::format("$kind{} << END\n{}END\n", k, data[k].empty() ? "NaN NaN NaN NaN\n" : data[k]);

  const auto plots = [&](const char* columns, bool with_titles) {
    constexpr const char* of_kind[] = {"#56B4E9", "#0072B2", "#D55E00"};
    constexpr int points[] = {6, 7, 9};
    std::string out;
    for (int k = 0; k < 3; ++k) {
      if (data[k].empty()) continue;
      out += fmt::format(", $kind{} using {} with points pt {} ps 0.55 lc rgb '{}' {}", k, columns, points[k],
                         of_kind[k], with_titles ? fmt::format("title '{}'", titles[k]) : "notitle");
    }
    return out;
  };
  script += axes_style;
  script += "set datafile missing 'NaN'\n";
  script += "set multiplot\nset logscale y\nset format y '10^{%L}'\nset key top left samplen 0.5\n";
  script +=
      "set lmargin at screen 0.065\nset rmargin at screen 0.37\nset bmargin at screen 0.13\nset tmargin at screen 0.9\n"
      "set title 'measured against predicted, size' offset 0,-0.5\nset logscale x\nset format x '10^{%L}'\n"
      "set xlabel 'predicted'\nset ylabel 'measured' offset 1.5,0\n";
  const bool any_value = std::any_of(report.findings.begin(), report.findings.end(),
                                     [](const Finding& f) { return f.predicted != 0 && f.measured != 0; });
  // Where every prediction is 0 there is nothing to show on logarithmic axes.
  if (any_value) script += "plot x with lines lc rgb '#aaaaaa' notitle" + plots("3:4", true) + "\n";
  script += fmt::format(
      "set lmargin at screen 0.45\nset rmargin at screen 0.985\nunset logscale x\nunset xlabel\nunset ylabel\nunset "
      "key\n"
      "set title 'deviation as a share of what is allowed: above 1 a case fails' offset 0,-0.5\n"
      "set xtics ({}) font ',10'\nset xrange [-0.7:{}]\nset yrange [{}:20]\n"
      "plot 1 with lines lc rgb '#D55E00' notitle{}\nunset multiplot\n",
      tics, static_cast<double>(laws.size()) - 0.3, least_share / 2, plots("1:2", false));
  return script;
}

std::string law_script(const Report& report, const std::string& law, const std::string& terminal) {
  std::vector<std::vector<const Finding*>> claims;
  for (const auto& f : report.findings) {
    if (f.law != law || f.exact) continue;
    if (claims.empty() || claims.back().front()->name != f.name) claims.emplace_back();
    claims.back().push_back(&f);
  }
  if (claims.empty()) return "";
  const std::size_t columns = claims.size() == 1 ? 1 : 2, rows = (claims.size() + columns - 1) / columns;
  std::string script = set_terminal(terminal, columns == 1 ? 640 : 1160, 60 + 400 * static_cast<int>(rows));
  for (std::size_t c = 0; c < claims.size(); ++c) {
    script += fmt::format("$claim{} << END\n", c);
    for (std::size_t k = 0; k < claims[c].size(); ++k) {
      const Finding& f = *claims[c][k];
      script += fmt::format("{} {:.10g} {:.10g} {:.6g}\n", k, f.predicted, f.measured, f.allowed);
    }
    script += "END\n";
  }
  script += axes_style;
  script += "set datafile missing 'NaN'\n";
  script += "unset key\n";
  script += fmt::format(
      "set multiplot layout {},{} title '{}: predicted (cross), and measured (dot) with what it may deviate by'\n",
      rows, columns, text_for_gnuplot(law));
  for (std::size_t c = 0; c < claims.size(); ++c) {
    std::string tics;
    bool positive = true;
    double least = HUGE_VAL, most = 0;
    for (std::size_t k = 0; k < claims[c].size(); ++k) {
      const Finding& f = *claims[c][k];
      tics += fmt::format("{}'{}' {}", k == 0 ? "" : ", ", text_for_gnuplot(f.parameters), k);
      positive = positive && std::min(f.predicted, f.measured - f.allowed) > 0;
      least = std::min(least, f.predicted);
      most = std::max(most, f.predicted);
    }
    constexpr double wide = 20;  // largest over least prediction from which on a logarithmic axis shows more
    const bool logarithmic = positive && most > wide * least;
    script += logarithmic ? "set logscale y\nset format y '10^{%L}'\n" : "unset logscale y\nset format y '%g'\n";
    script += fmt::format(
        "set title '{}' offset 0,-0.5\nset xtics ({}) rotate by -25 left font ',10'\nset xrange [-0.5:{}]\n"
        "plot $claim{} using 1:3:4 with yerrorbars pt 7 ps 0.5 lw 1.4 lc rgb '#0072B2' notitle, "
        "$claim{} using 1:2 with points pt 2 ps 1.1 lc rgb '#D55E00' notitle\n",
        text_for_gnuplot(claims[c].front()->name), tics, static_cast<double>(claims[c].size()) - 0.5, c, c);
  }
  return script + "unset multiplot\n";
}

bool verify_laws(const VerifySettings& settings, std::ostream& out, Progress& progress, const std::atomic<bool>& stop) {
  check(settings);
  if (!settings.out.empty()) check_writable(settings.out);
  std::vector<Claim> claims;
  for (auto& law : laws_in_order())
    if (settings.laws.empty() || std::find(settings.laws.begin(), settings.laws.end(), law.name) != settings.laws.end())
      std::move(law.claims.begin(), law.claims.end(), std::back_inserter(claims));

  std::vector<double> work{0};  // before each case, and of all
  std::map<std::string, std::size_t> left, failed;
  for (const auto& claim : claims)
    for (std::size_t k = 0; k < claim.grid.size(); ++k) {
      work.push_back(work.back() + work_of(claim));
      ++left[claim.law];
    }
  progress.begin(counted(work.size() - 1, "case", "cases"), work.back());
  const theory::Verifier verifier({.seed = settings.seed, .precision = settings.precision});
  const Report report = verifier.verify(claims, [&](double done, Index, const Finding* finding) {
    if (stop) throw Interrupted();
    const double whole = std::floor(done);
    const auto k = static_cast<std::size_t>(whole);
    progress.reach(work[k] + (k + 1 < work.size() ? (done - whole) * (work[k + 1] - work[k]) : 0));
    if (!finding) return true;
    failed[finding->law] += finding->verdict == Verdict::fails;
    if (--left[finding->law] == 0)
      progress.detail(fmt::format("{}: {}", finding->law,
                                  failed[finding->law] == 0 ? "holds" : fmt::format("{} fail", failed[finding->law])));
    return true;
  });
  progress.end();

  out << table_of(report, settings.brief) << std::flush;
  if (settings.out.empty()) return report.holds();
  data::write_atomically(settings.out / "laws.csv", csv_of(report));
  out << "Table: " << (settings.out / "laws.csv").string() << '\n' << std::flush;
  if (settings.no_pictures) return report.holds();
  data::write_atomically(settings.out / "laws.svg", run_gnuplot(laws_script(report, "svg dynamic")));
  out << "Pictures: " << (settings.out / "laws.svg").string();
  for (const auto& law : laws_of(report))
    if (const auto script = law_script(report, law, "svg dynamic"); !script.empty()) {
      data::write_atomically(settings.out / (file_name(law) + ".svg"), run_gnuplot(script));
      out << ", " << file_name(law) << ".svg";
    }
  out << std::endl;
  return report.holds();
}

}  // namespace mts::lab
