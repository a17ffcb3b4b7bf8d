#include "support/derivatives.hpp"

#include <doctest/doctest.h>
#include <oneapi/tbb/task_arena.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <set>
#include <sstream>

#include "mts/core/parallel.hpp"

namespace mts::testing {

using mts::detail::text;

// ------------------------------------------------------------------------------------------------------------- report

void Report::compare(const std::string& quantity, const std::string& where, double error, double budget) {
  const auto ratio = [](const Finding& f) {
    if (!(f.error <= f.budget)) return std::numeric_limits<double>::infinity();
    return f.budget > 0 ? f.error / f.budget : 0.0;
  };
  const Finding finding{quantity, where, error, budget};
  auto closest =
      std::find_if(closest_.begin(), closest_.end(), [&](const Finding& f) { return f.quantity == quantity; });
  if (closest == closest_.end())
    closest_.push_back(finding);
  else if (ratio(finding) > ratio(*closest))
    *closest = finding;
  if (error <= budget) return;
  ++failures_;
  if (std::count_if(failed_.begin(), failed_.end(), [&](const Finding& f) { return f.quantity == quantity; }) < 4)
    failed_.push_back(finding);
}

void Report::compare(const std::string& quantity, const Vector& found, const Vector& expected, const Vector& budget,
                     const std::function<std::string(Index)>& place) {
  if (found.size() != expected.size())
    return compare(quantity, text("length ", found.size(), " for ", expected.size()),
                   std::numeric_limits<double>::infinity(), 0);
  // Only the worst entry is put into words: there may be many.
  Index worst = -1;
  double worst_excess = -std::numeric_limits<double>::infinity();
  for (Index k = 0; k < found.size(); ++k) {
    double excess = std::abs(found[k] - expected[k]) - budget[k];
    if (!(std::abs(found[k] - expected[k]) <= budget[k]) && !(excess > 0))
      excess = std::numeric_limits<double>::infinity();
    if (worst < 0 || excess > worst_excess) worst = k, worst_excess = excess;
  }
  if (worst < 0) return;
  compare(quantity, text(place(worst), " (found ", found[worst], ", expected ", expected[worst], ")"),
          std::abs(found[worst] - expected[worst]), budget[worst]);
}

void Report::same_bits(const std::string& quantity, const Vector& found, const Vector& expected) {
  if (found.size() != expected.size())
    return compare(quantity, text("length ", found.size(), " for ", expected.size()),
                   std::numeric_limits<double>::infinity(), 0);
  for (Index k = 0; k < found.size(); ++k)
    if (std::memcmp(&found[k], &expected[k], sizeof(double)) != 0) {
      // Equal numbers with other bits (-0, NaN) count too.
      return compare(quantity, text("index ", k, " (found ", found[k], ", expected the bits of ", expected[k], ")"),
                     std::max(std::abs(found[k] - expected[k]), std::numeric_limits<double>::min()), 0);
    }
  compare(quantity, "all", 0, 0);
}

bool Report::failed(const std::string& quantity) const {
  return std::any_of(failed_.begin(), failed_.end(), [&](const Finding& f) { return f.quantity == quantity; });
}

std::string Report::words() const {
  std::ostringstream out;
  out << subject_ << ": " << failures_ << " comparisons failed";
  for (const auto& f : failed_)
    out << "\n  " << f.quantity << " at " << f.where << ": error " << f.error << ", budget " << f.budget;
  return out.str();
}

std::string Report::margins() const {
  std::ostringstream out;
  for (const auto& f : closest_)
    out << subject_ << " | " << f.quantity << " | error " << f.error << " of " << f.budget << " | " << f.where << "\n";
  return out.str();
}

void check(const Report& report) {
  if (const char* wanted = std::getenv("MTS_TEST_MARGINS"); wanted && *wanted)
    std::fputs(report.margins().c_str(), stdout);
  CHECK_MESSAGE(report.passed(), report.words());
}

// ------------------------------------------------------------------------------------------------------------- helpers

namespace {

/// Each column of J is differenced by some twenty forwards. Where threads are watched, fewer show as much.
#if defined(__SANITIZE_THREAD__)
constexpr int most_coordinates = 6;
#else
constexpr int most_coordinates = std::numeric_limits<int>::max();
#endif

double snapped(double x) {
  const double grid = 0x1p-20;
  return static_cast<double>(static_cast<float>(std::round(x / grid) * grid));
}

double largest(const Vector& x) { return x.size() == 0 ? 0.0 : x.cwiseAbs().maxCoeff(); }

/// The power of two at or below x.
double power_of_two(double x) { return std::exp2(std::floor(std::log2(x))); }

Vector unit(Index n, Index k) {
  Vector e = Vector::Zero(n);
  e[k] = 1;
  return e;
}

std::string parameter_place(const MapAtPoint& f, Index k) {
  for (const auto& s : f.segments)
    if (k < s.begin + s.length) return text("parameter ", k, " = ", s.name, "[", k - s.begin, "]");
  return text("parameter ", k);
}

/// The first, the last and others in between of n, at most `count`; with the borders of the tiles of 128.
std::vector<Index> chosen_rows(Index n, Index count) {
  std::set<Index> rows{0, n - 1};
  for (Index r : {Index{127}, Index{128}, Index{255}, Index{256}})
    if (r < n) rows.insert(r);
  for (Index k = 0; k < n && static_cast<Index>(rows.size()) < count; ++k)
    rows.insert(n <= count ? k : (k * 37 + 11) % n);
  return {rows.begin(), rows.end()};
}

/// At most about `count` parameters, of every segment the first, the last and others.
std::vector<Index> chosen_parameters(const MapAtPoint& f, Index count) {
  const Index p = f.theta.size();
  std::set<Index> chosen;
  if (p <= count) {
    for (Index k = 0; k < p; ++k) chosen.insert(k);
  } else {
    const Index each = std::max<Index>(3, count / std::max<Index>(1, static_cast<Index>(f.segments.size())));
    for (const auto& s : f.segments) {
      if (s.length == 0) continue;
      chosen.insert(s.begin);
      chosen.insert(s.begin + s.length - 1);
      RandomStream stream(7, s.name);
      for (Index k = 2; k < std::min(each, s.length); ++k)
        chosen.insert(s.begin + static_cast<Index>(stream.below(static_cast<std::uint64_t>(s.length))));
    }
  }
  return {chosen.begin(), chosen.end()};
}

/// The derivative along a direction for each sample, and how far it may be off by its own account.
struct Difference {
  SampleVector slope;
  SampleVector error;
};

Difference difference(const MapAtPoint& f, const SampleVector& value, const Vector& direction, double scale) {
  constexpr int levels = 10;
  const Index n = value.size();
  const double infinity = std::numeric_limits<double>::infinity();
  Difference best{SampleVector::Zero(n), SampleVector::Constant(n, infinity)};
  std::vector<SampleVector> last;  // the previous level's row of the tableau
  for (int m = 0; m < levels; ++m) {
    const double h = scale * 0x1p-4 * std::pow(4.0, -m);
    SampleVector up, down;
    try {
      up = f.forward(f.theta + h * direction);
      down = f.forward(f.theta - h * direction);
    } catch (const NumericalError&) {  // too far: the function overflows there
      last.clear();
      continue;
    }
    std::vector<SampleVector> row{(up - down) / (2 * h)};
    const SampleVector noise = (f.roundoff / h) * value.cwiseAbs().cwiseMax(f.magnitude);
    double factor = 1;
    for (std::size_t j = 0; j < last.size(); ++j) {
      factor *= 16;
      row.push_back((factor * row[j] - last[j]) / (factor - 1));
      for (Index i = 0; i < n; ++i) {
        const double estimate =
            std::max({std::abs(row[j + 1][i] - row[j][i]), std::abs(row[j + 1][i] - last[j][i]), noise[i]});
        if (estimate < best.error[i]) best.error[i] = estimate, best.slope[i] = row[j + 1][i];
      }
    }
    last = std::move(row);
    if (m >= 3 && (best.error.array() <= 1e-10 * best.slope.cwiseAbs().array() + 1e-13 * largest(best.slope)).all())
      break;
  }
  return best;
}

/// Everything a linearisation shows, for comparisons of bits.
struct Shown {
  Vector value, pullback, pushforward, dot, norm;
};

Shown show(const MapAtPoint& f, const Vector& u, const Vector& v) {
  const Linearized l = f.linearize(f.theta);
  Shown s;
  s.value = l.value;
  s.pullback = l.pullback(u);
  if (l.pushforward) s.pushforward = l.pushforward(v);
  if (l.per_sample_dot) s.dot = l.per_sample_dot(v);
  if (l.per_sample_squared_norm) s.norm = l.per_sample_squared_norm();
  return s;
}

void same_bits(Report& report, const std::string& when, const Shown& found, const Shown& expected) {
  report.same_bits("same bits " + when + ": value", found.value, expected.value);
  report.same_bits("same bits " + when + ": pullback", found.pullback, expected.pullback);
  report.same_bits("same bits " + when + ": pushforward", found.pushforward, expected.pushforward);
  report.same_bits("same bits " + when + ": per_sample_dot", found.dot, expected.dot);
  report.same_bits("same bits " + when + ": per_sample_squared_norm", found.norm, expected.norm);
}

}  // namespace

Vector snap(const Vector& x) {
  return x.unaryExpr([](double a) { return snapped(a); });
}
RowMatrix<double> snap(const RowMatrix<double>& x) {
  return x.unaryExpr([](double a) { return snapped(a); });
}

void with_threads(int threads, const std::function<void()>& f) {
  ThreadLimit limit(threads);
  oneapi::tbb::task_arena arena(threads);
  arena.execute(f);
}

Vector random_vector(Index n, RandomStream stream, double scale) {
  Vector x(n);
  for (Index k = 0; k < n; ++k) x[k] = stream.uniform(-scale, scale);
  return snap(x);
}

RowMatrix<double> random_matrix(Index rows, Index cols, RandomStream stream, double scale) {
  RowMatrix<double> x(rows, cols);
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < cols; ++j) x(i, j) = stream.uniform(-scale, scale);
  return snap(x);
}

// -------------------------------------------------------------------------------------------------------------- checks

namespace {

/// What all checks of a map begin from.
struct Probes {
  explicit Probes(Index n, Index p)
      : u(random_vector(n, stream.substream("u"))), w(random_vector(n, stream.substream("w"))), parameters(p) {}
  /// Directions on a coarse grid, so that theta +- h v is exact.
  Vector direction(std::uint64_t k) const {
    return (random_vector(parameters, stream.substream("v", k)) * 1024).array().round() / 1024;
  }
  RandomStream stream{11, "derivatives"};
  Vector u, w;
  Index parameters;
};

/// All that does not concern threads and memory.
void check_numbers(const MapAtPoint& f, const Options& options, Report& report) {
  const bool is_double = f.roundoff < 1e-12;
  Tolerances tolerance = options.tolerance;
  if (!is_double) {
    tolerance.adjoint *= tolerance.float_factor;
    tolerance.per_sample *= tolerance.float_factor;
    tolerance.linearity *= tolerance.float_factor;
  }
  const auto sample = [](Index i) { return text("sample ", i); };
  const auto parameter = [&](Index k) { return parameter_place(f, k); };

  // Value.
  const SampleVector value = f.forward(f.theta);
  const Linearized lin = f.linearize(f.theta);
  const Index n = value.size(), p = f.theta.size();
  report.compare("value, finite", "all", value.allFinite() && n > 0 ? 0 : 1, 0);
  report.same_bits("value, forward against linearize", lin.value, value);
  if (n == 0) return;
  const Probes probes(n, p);
  const Vector &u = probes.u, &w = probes.w;
  const auto direction = [&](std::uint64_t k) { return probes.direction(k); };
  const Vector v = direction(0);
  const Vector pulled = lin.pullback(u);
  report.compare("pullback, length", "all", std::abs(static_cast<double>(pulled.size() - p)), 0);
  if (pulled.size() != p) return;

  // Rows of J, by pulling back unit vectors.
  const std::vector<Index> rows = chosen_rows(n, options.rows);
  std::vector<Vector> jacobian_rows;
  jacobian_rows.reserve(rows.size());
  for (Index i : rows) jacobian_rows.push_back(lin.pullback(unit(n, i)));

  // J against differences: chosen columns, and whole directions.
  if (is_double && p > 0) {
    const std::vector<Index> columns = chosen_parameters(f, std::min(options.coordinates, most_coordinates));
    std::vector<Difference> differences;
    double tensor = 0;
    SampleVector row_norm = SampleVector::Zero(n);
    for (Index k : columns) {
      differences.push_back(difference(f, value, unit(p, k), power_of_two(std::max(1.0, std::abs(f.theta[k])))));
      row_norm = row_norm.cwiseMax(differences.back().slope.cwiseAbs());
    }
    tensor = largest(row_norm);
    const double resolved = std::max(1e-6 * tensor, 1e-9 * std::max(1.0, largest(value)));
    double open = 0;
    Vector u_resolved = u;
    for (const auto& d : differences)
      for (Index i = 0; i < n; ++i)
        if (!(d.error[i] <= resolved)) ++open, u_resolved[i] = 0;
    report.compare("differences, unresolved share", "all entries of J",
                   open / static_cast<double>(n) / static_cast<double>(columns.size()), tolerance.unresolved_share);
    const Vector pulled_resolved = lin.pullback(u_resolved);
    for (std::size_t c = 0; c < columns.size(); ++c) {
      const Difference& d = differences[c];
      const Index k = columns[c];
      Vector budget = tolerance.difference * row_norm + 4 * d.error;
      for (Index i = 0; i < n; ++i)
        if (!(d.error[i] <= resolved)) budget[i] = std::numeric_limits<double>::infinity();
      if (lin.pushforward)
        report.compare("pushforward against differences", lin.pushforward(unit(p, k)), d.slope, budget,
                       [&](Index i) { return sample(i) + ", " + parameter(k); });
      for (std::size_t r = 0; r < rows.size(); ++r)
        report.compare("pullback against differences",
                       text(sample(rows[r]), ", ", parameter(k), " (found ", jacobian_rows[r][k], ", expected ",
                            d.slope[rows[r]], ")"),
                       std::abs(jacobian_rows[r][k] - d.slope[rows[r]]), budget[rows[r]]);
      double expected = 0, allowed = 0;
      for (Index i = 0; i < n; ++i)
        if (u_resolved[i] != 0) expected += u_resolved[i] * d.slope[i], allowed += std::abs(u_resolved[i]) * budget[i];
      report.compare("pullback of u against differences",
                     text(parameter(k), " (found ", pulled_resolved[k], ", expected ", expected, ")"),
                     std::abs(pulled_resolved[k] - expected), allowed);
    }
    if (lin.pushforward)
      for (std::uint64_t t = 0; t < 3; ++t) {
        const Vector dir = direction(t);
        const Difference d = difference(f, value, dir, 1.0);
        const double norm = largest(d.slope);
        Vector budget = Vector::Constant(n, tolerance.difference * norm) + 4 * d.error;
        for (Index i = 0; i < n; ++i)
          if (!(d.error[i] <= std::max(resolved, 1e-6 * norm))) budget[i] = std::numeric_limits<double>::infinity();
        report.compare("pushforward along v against differences", lin.pushforward(dir), d.slope, budget, sample);
      }
  }

  // Adjoint identity.
  if (lin.pushforward) {
    const auto adjoint = [&](const Vector& a, const Vector& b, const std::string& where) {
      const Vector jb = lin.pushforward(b), ja = lin.pullback(a);
      report.compare("adjoint", where, std::abs(a.dot(jb) - ja.dot(b)),
                     tolerance.adjoint * (a.norm() * jb.norm() + ja.norm() * b.norm()));
    };
    adjoint(u, v, "random u and v");
    adjoint(Vector::Ones(n), v, "u = 1, random v");
    for (Index i : rows) adjoint(unit(n, i), v, text("u = e_", i, ", random v"));
    for (const auto& s : f.segments) {
      Vector part = Vector::Zero(p);
      part.segment(s.begin, s.length) = v.segment(s.begin, s.length);
      adjoint(u, part, "random u, v in segment " + s.name);
    }
  }

  // Per sample: the squared norms from the rows of J, the dots from J v.
  const double underflow = is_double ? 1e-290 : 1e-30;  // where squares and products of deltas vanish
  SampleVector norms;
  if (lin.per_sample_squared_norm) {
    norms = lin.per_sample_squared_norm();
    report.compare("per_sample_squared_norm, length", "all", std::abs(static_cast<double>(norms.size() - n)), 0);
    if (norms.size() != n) return;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      const double expected = jacobian_rows[r].squaredNorm();
      report.compare("per_sample_squared_norm",
                     text(sample(rows[r]), " (found ", norms[rows[r]], ", expected ", expected, ")"),
                     std::abs(norms[rows[r]] - expected), tolerance.per_sample * expected + underflow);
    }
  }
  if (lin.per_sample_dot) {
    for (std::size_t r = 0; r < rows.size(); ++r) {
      const double expected = jacobian_rows[r].dot(v);
      const double found = lin.per_sample_dot(v)[rows[r]];
      report.compare("per_sample_dot against rows of J",
                     text(sample(rows[r]), " (found ", found, ", expected ", expected, ")"), std::abs(found - expected),
                     tolerance.per_sample * jacobian_rows[r].norm() * v.norm() + underflow);
    }
    if (lin.pushforward && norms.size() == n)
      report.compare("per_sample_dot against pushforward", lin.per_sample_dot(v), lin.pushforward(v),
                     (tolerance.per_sample * v.norm() * norms.cwiseSqrt()).array() + underflow, sample);
  }

  // Linearity.
  const double huge = 0x1p60;
  // Scaling by a power of two is exact but for numbers below the normal ones.
  const double subnormal = 64 * huge * (is_double ? std::numeric_limits<double>::min() : 0x1p-126);
  const Vector zero = Vector::Zero(p);
  const auto equal = [&](const std::string& what, const Vector& found, const Vector& expected, const auto& place,
                         double budget = 0) {
    report.compare("linearity of " + what, found, expected, Vector::Constant(expected.size(), budget), place);
  };
  equal("pullback: u = 0", lin.pullback(Vector::Zero(n)), zero, parameter);
  equal("pullback: -u", lin.pullback(-u), -pulled, parameter);
  equal("pullback: 2^60 u", lin.pullback(huge * u), huge * pulled, parameter, subnormal);
  report.compare("linearity of pullback: u + w", lin.pullback(u + w), pulled + lin.pullback(w),
                 Vector::Constant(p, tolerance.linearity * (largest(pulled) + largest(lin.pullback(w)))), parameter);
  if (lin.pushforward) {
    const Vector pushed = lin.pushforward(v), z = direction(9);
    equal("pushforward: v = 0", lin.pushforward(zero), Vector::Zero(n), sample);
    equal("pushforward: -v", lin.pushforward(-v), -pushed, sample);
    equal("pushforward: 2^60 v", lin.pushforward(huge * v), huge * pushed, sample, subnormal);
    report.compare("linearity of pushforward: v + z", lin.pushforward(v + z), pushed + lin.pushforward(z),
                   Vector::Constant(n, tolerance.linearity * (largest(pushed) + largest(lin.pushforward(z)))), sample);
  }
  if (lin.per_sample_dot) {
    const Vector dot = lin.per_sample_dot(v);
    equal("per_sample_dot: v = 0", lin.per_sample_dot(zero), Vector::Zero(n), sample);
    equal("per_sample_dot: -v", lin.per_sample_dot(-v), -dot, sample);
    equal("per_sample_dot: 2^60 v", lin.per_sample_dot(huge * v), huge * dot, sample, subnormal);
  }
}

/// The same bits, whatever happened before and however many threads there are.
void check_bits(const MapAtPoint& f, Report& report) {
  const Linearized lin = f.linearize(f.theta);
  if (lin.value.size() == 0) return;
  const Probes probes(lin.value.size(), f.theta.size());
  const Vector &u = probes.u, v = probes.direction(0);
  Shown expected;
  with_threads(1, [&] {
    expected = show(f, u, v);
    same_bits(report, "again", show(f, u, v), expected);
    if (!f.disturb) return;
    f.disturb();
    same_bits(report, "after other sizes", show(f, u, v), expected);
  });
  for (int threads : {2, 4})
    with_threads(threads, [&] { same_bits(report, text("with ", threads, " threads"), show(f, u, v), expected); });
  // The linearisation itself has not moved while others were made.
  report.same_bits("same bits later: pullback", lin.pullback(u), expected.pullback);
  if (lin.pushforward) report.same_bits("same bits later: pushforward", lin.pushforward(v), expected.pushforward);
}

}  // namespace

Report derivative_report(const MapAtPoint& f, const Options& options) {
  Report report(f.name);
  with_threads(1, [&] { check_numbers(f, options, report); });  // small loops: faster so where cores are shared
  check_bits(f, report);
  return report;
}

Report precision_report(const MapAtPoint& single, const MapAtPoint& reference, const Options& options) {
  Report report(single.name + " against double");
  const Index n = reference.forward(reference.theta).size(), p = reference.theta.size();
  report.compare("same point", "theta", single.theta.size() == p ? largest(single.theta - reference.theta) : 1, 0);
  if (!report.passed()) return report;
  const RandomStream stream(13, "precision");
  const Vector u = random_vector(n, stream.substream("u")), v = random_vector(p, stream.substream("v"));
  const Shown found = show(single, u, v), expected = show(reference, u, v);
  const double tolerance = options.tolerance.precision;
  const auto compare = [&](const std::string& what, const Vector& a, const Vector& b, double floor = 0) {
    // A tensor that is nothing but round-off in double is nothing but round-off in float.
    const double norm = std::max(largest(b) > 1e-12 ? largest(b) : 0.1, floor);
    report.compare("precision of " + what, a, b, Vector::Constant(b.size(), tolerance * norm),
                   [](Index k) { return text("index ", k); });
  };
  compare("value", found.value, expected.value, 0.1 * reference.magnitude);  // a sum may cancel
  compare("pullback", found.pullback, expected.pullback);
  compare("pushforward", found.pushforward, expected.pushforward);
  compare("per_sample_dot", found.dot, expected.dot);
  compare("per_sample_squared_norm", found.norm, expected.norm);
  return report;
}

void check_derivatives(const MapAtPoint& f, const Options& options) { check(derivative_report(f, options)); }
void check_precision(const MapAtPoint& single, const MapAtPoint& reference, const Options& options) {
  check(precision_report(single, reference, options));
}

}  // namespace mts::testing
