#pragma once
/// \file
/// The one derivative harness. Give it a differentiable map (a network, a model, a weight net) at a point; it checks
///   value            finite, and the same bits from `forward` and `linearize`
///   pushforward      J e_k and J v against differences of `forward`
///   pullback         J^T e_i and J^T u against the same differences
///   adjoint          <u, J v> = <J^T u, v>, also for one segment or one sample at a time
///   per_sample_dot   against J v;   per_sample_squared_norm  against |J^T e_i|^2
///   linearity        of u -> J^T u and v -> J v: at 0, negated, scaled by a huge power of two (exactly), summed
///   same bits        for 1, 2 and 4 threads, when evaluated again, and after evaluations of other sizes
/// and `check_precision` holds a float map against the double one. Every comparison has an error and a budget; a failure
/// tells quantity, place, error and budget. MTS_TEST_MARGINS=1 in the environment prints the smallest margin of each
/// quantity of each map, failed or not.
///
/// Differences: central, at up to ten steps from max(1, |theta_k|)/16 downwards by factors of 4, extrapolated to step 0 for each
/// sample by itself (Ridders 1982, "Accurate computation of F'(x) and F'(x) F''(x)"), which brings an estimate of
/// their own error. So inputs of any scale find their step; and a sample with a kink within some steps is judged by the
/// smaller ones. A kink exactly at the point cannot be judged by differences: test its convention by value.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mts/core/concepts.hpp"

namespace mts::testing {

using Vector = Eigen::VectorXd;

/// How far off each quantity may be: relative to the norm that the comment names.
struct Tolerances {
  double difference = 1e-8;  ///< J against differences; to the largest entry of the sample's row (+ 4x their own error)
  double adjoint = 1e-12;    ///< to |u| |J v| + |J^T u| |v|
  double per_sample = 1e-12;    ///< dot: to |J^T e_i| |v|; squared norm: to itself
  double linearity = 1e-12;     ///< J^T (u + w): to the sum of the norms
  double precision = 1e-5;      ///< float against double: to the largest entry of the tensor
  double float_factor = 1e7;    ///< the factor by which adjoint, per_sample and linearity are looser in float
  double unresolved_share = 0;  ///< how many entries of J the differences may leave open (kinks)
};

struct Options {
  Tolerances tolerance = {};
  int coordinates = 40;   ///< at most so many columns of J are differenced, spread over all segments
  int rows = 10;          ///< at most so many rows of J are pulled back one by one
  bool on_device = true;  ///< a library's primitive: its rules on a device too, against those on the CPU
};

/// One comparison.
struct Finding {
  std::string quantity;
  std::string where;
  double error = 0;
  double budget = 0;
};

/// All comparisons of one map: those that failed, and the closest of each quantity.
class Report {
 public:
  explicit Report(std::string subject) : subject_(std::move(subject)) {}
  /// Fails unless error <= budget (NaN fails).
  void compare(const std::string& quantity, const std::string& where, double error, double budget);
  /// Compares entry by entry; place(k) names entry k.
  void compare(const std::string& quantity, const Vector& found, const Vector& expected, const Vector& budget,
               const std::function<std::string(Index)>& place);
  /// The bits of both must agree.
  void same_bits(const std::string& quantity, const Vector& found, const Vector& expected);

  bool passed() const { return failures_ == 0; }
  Index failures() const { return failures_; }
  /// Whether some comparison of this quantity failed.
  bool failed(const std::string& quantity) const;
  std::string words() const;    ///< the failures in words
  std::string margins() const;  ///< a line a quantity: error, budget, place where the ratio is largest
  const std::string& subject() const { return subject_; }

 private:
  std::string subject_;
  Index failures_ = 0;
  std::vector<Finding> failed_;  // the first few of each quantity
  std::vector<Finding> closest_;
};

/// A map linearised at a point, its types forgotten. What the map cannot do is empty.
struct Linearized {
  SampleVector value;
  std::function<Vector(const SampleVector&)> pullback;
  std::function<SampleVector(const Vector&)> pushforward;
  std::function<SampleVector(const Vector&)> per_sample_dot;
  std::function<SampleVector()> per_sample_squared_norm;
};

/// A map and a point, its types forgotten. Parameters go in and out in double.
struct MapAtPoint {
  std::string name;
  Vector theta;
  std::vector<Segment> segments;
  double roundoff = 0;   ///< of the map's scalar
  double magnitude = 1;  ///< the largest number that occurs in an evaluation: what round-off is relative to
  std::function<SampleVector(const Vector&)> forward;
  std::function<Linearized(const Vector&)> linearize;
  std::function<void()> disturb;  ///< evaluates the same map for batches of other sizes; may be empty
};

/// Rounds to multiples of 2^-20, and to float: so that differences step exactly and float and double see the same point.
Vector snap(const Vector& x);
RowMatrix<double> snap(const RowMatrix<double>& x);

/// The map `map` at (theta, input). map and input must outlive the result.
template <class Map, class Input>
MapAtPoint at(std::string name, const Map& map, const typename Map::Parameters& theta, const Input& input) {
  using P = typename Map::Parameters;
  using S = typename Map::Scalar;
  MapAtPoint f;
  f.name = std::move(name);
  f.theta = snap(Vector(theta.values().template cast<double>()));
  f.segments.assign(theta.segments().begin(), theta.segments().end());
  f.roundoff = static_cast<double>(Eigen::NumTraits<S>::epsilon());
  const auto shape = std::make_shared<const P>(theta.zeros_like());
  const auto parameters = [shape](const Vector& x) {
    P p = shape->clone();
    p.values() = x.template cast<S>();
    return p;
  };
  const auto poisoned = [shape] {  // what is to be overwritten is no number
    P p = shape->clone();
    p.values().setConstant(std::numeric_limits<S>::quiet_NaN());
    return p;
  };
  f.forward = [&map, &input, parameters](const Vector& x) {
    const P p = parameters(x);
    return SampleVector(map.forward(p, input).value());
  };
  f.linearize = [&map, &input, parameters, poisoned](const Vector& x) {
    using L = decltype(map.linearize(std::declval<const P&>(), input));
    const auto p = std::make_shared<const P>(parameters(x));
    const auto lin = std::make_shared<const L>(map.linearize(*p, input));
    const auto bad = SampleVector::Constant(1, std::numeric_limits<double>::quiet_NaN());
    Linearized l;
    l.value = lin->value();
    l.pullback = [p, lin, poisoned](const SampleVector& u) {
      P out = poisoned();
      lin->pullback(u, out);
      return Vector(out.values().template cast<double>());
    };
    if constexpr (PushforwardLinearization<L, P>)
      l.pushforward = [p, lin, parameters, bad](const Vector& v) {
        SampleVector out = bad;
        lin->pushforward(parameters(v), out);
        return out;
      };
    if constexpr (PerSampleDotLinearization<L, P>)
      l.per_sample_dot = [p, lin, parameters, bad](const Vector& v) {
        SampleVector out = bad;
        lin->per_sample_dot(parameters(v), out);
        return out;
      };
    if constexpr (PerSampleNormLinearization<L, P>)
      l.per_sample_squared_norm = [p, lin, bad] {
        SampleVector out = bad;
        lin->per_sample_squared_norm(out);
        return out;
      };
    return l;
  };
  return f;
}

/// All checks of one map, and of a float map against a double one at the same point.
Report derivative_report(const MapAtPoint& f, const Options& options = {});
Report precision_report(const MapAtPoint& single, const MapAtPoint& reference, const Options& options = {});

/// The same as assertions of the running test.
void check_derivatives(const MapAtPoint& f, const Options& options = {});
void check_precision(const MapAtPoint& single, const MapAtPoint& reference, const Options& options = {});
void check(const Report& report);

/// Runs f with so many threads, more than the machine has if need be.
void with_threads(int threads, const std::function<void()>& f);

/// Uniform on [-scale, scale], from a stream named in the test.
Vector random_vector(Index n, RandomStream stream, double scale = 1);
RowMatrix<double> random_matrix(Index rows, Index cols, RandomStream stream, double scale = 1);

}  // namespace mts::testing
