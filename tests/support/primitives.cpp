#include "support/primitives.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <utility>

#include "mts/autodiff/combine.hpp"
#include "mts/autodiff/linear.hpp"
#include "mts/autodiff/losses.hpp"
#include "support/device_parity.hpp"
#include "support/emulated.hpp"

namespace mts::testing {

using autodiff::Add;
using autodiff::Graph;
using autodiff::Linear;
using autodiff::Network;
using autodiff::Node;
using autodiff::SquaredError;
using mts::detail::text;

namespace {

/// The emulation of a device has no threads.
#if defined(__SANITIZE_THREAD__)
constexpr bool watches_threads = true;
#else
constexpr bool watches_threads = false;
#endif

enum class Beside { nothing, consumer_before, consumer_after, off_path };

struct Wiring {
  std::string name;
  std::vector<char> raw;  // per input
  bool same = false;
  bool direct = false;  // the output is the value
  Beside beside = Beside::nothing;
};

std::vector<Wiring> wirings(const PrimitiveCase& c, Index output_width) {
  const std::size_t inputs = c.inputs.size();
  const std::vector<char> fed(inputs, 0);
  std::vector<Wiring> list{{"plain", fed}};
  if (output_width == 1) list.push_back({"direct", fed, false, true});
  if (!c.wirings) return list;
  for (std::size_t j = 0; j < inputs; ++j) {
    list.push_back({text("raw ", j), fed});
    list.back().raw[j] = 1;
  }
  if (inputs > 1) list.push_back({"raw all", std::vector<char>(inputs, 1)});
  if (inputs > 0) {
    list.push_back({"diamond before", fed, false, false, Beside::consumer_before});
    list.push_back({"diamond after", fed, false, false, Beside::consumer_after});
  }
  bool equal = inputs > 1;
  for (const auto& x : c.inputs) equal = equal && x.cols() == c.inputs[0].cols();
  if (equal) list.push_back({"same", fed, true});
  list.push_back({"off the path", fed, false, false, Beside::off_path});
  return list;
}

Index output_width(const PrimitiveCase& c, const AddPrimitive<double>& add) {
  Graph<double> g;
  for (std::size_t k = 0; k < c.columns.size(); ++k) g.column(c.columns[k].cardinality, text("column ", k));
  std::vector<Node> inputs;
  for (const auto& x : c.inputs) inputs.push_back(g.input(x.cols()));
  return g.width(add(g, inputs));
}

/// The dense inputs of a wired network: of the primitive (the first only where all are the same), and the target.
template <class S>
Network<S> wire(const PrimitiveCase& c, const Wiring& w, const AddPrimitive<S>& add) {
  Graph<S> g;
  for (std::size_t k = 0; k < c.columns.size(); ++k) g.column(c.columns[k].cardinality, text("column ", k));
  std::vector<Node> x, dense;
  for (std::size_t k = 0; k < c.inputs.size(); ++k) {
    if (w.same && k > 0) {
      x.push_back(x[0]);
      continue;
    }
    const Node own = g.input(c.inputs[k].cols());
    dense.push_back(own);
    // Nothing to multiply in a width of 0.
    x.push_back(w.raw[k] || c.inputs[k].cols() == 0
                    ? own
                    : g.add(Linear{.outputs = c.inputs[k].cols()}, {own}, text("feed", k)));
  }
  std::vector<Node> beside;
  const auto other_consumers = [&] {
    for (std::size_t k = 0; k < dense.size(); ++k)
      if (g.width(x[k]) > 0) beside.push_back(g.add(SquaredError{}, {x[k], dense[k]}));
    for (std::size_t k = 0; k < dense.size(); ++k)
      if (g.width(x[k]) > 0) beside.push_back(g.add(Linear{.outputs = 1}, {x[k]}, text("beside", k)));
  };
  if (w.beside == Beside::consumer_before) other_consumers();
  if (w.beside == Beside::off_path && !x.empty() && g.width(x[0]) > 0)
    g.add(Linear{.outputs = 2}, {x[0]}, "off the path");
  const Node y = add(g, x);
  if (w.beside == Beside::consumer_after) other_consumers();
  if (w.beside == Beside::off_path) g.add(Linear{.outputs = 3}, {y}, "off the path, later");
  Node value = y;
  const Node target = g.input(g.width(y));
  if (!w.direct) value = g.add(SquaredError{}, {y, target});
  if (!beside.empty()) {
    beside.push_back(value);
    std::vector<double> coefficients;
    for (std::size_t k = 0; k < beside.size(); ++k) coefficients.push_back(k % 2 == 0 ? 0.5 : -0.75);
    coefficients.back() = 1;
    value = g.add(Add{coefficients}, beside);
  }
  return Network<S>(std::move(g), {.value = value});
}

template <class S>
double largest_number(const Network<S>& net, const DenseParameters<S>& theta, const autodiff::NetworkInput<S>& input) {
  const auto f = net.forward(theta, input);
  double largest = 0;
  for (int k = 0; k < static_cast<int>(net.graph().steps().size()); ++k) {
    try {
      if (f.node({k}).size() > 0) largest = std::max(largest, static_cast<double>(f.node({k}).cwiseAbs().maxCoeff()));
    } catch (const ValueError&) {  // overwritten in place: a feed, whose numbers are those of an input
    }
  }
  return largest;
}

/// Evaluations of other sizes, and at another point, so that whatever memory is reused holds something else.
template <class S>
void evaluate_others(const Network<S>& net, DenseParameters<S> theta, const std::vector<RowMatrix<double>>& dense,
                     const std::vector<PrimitiveCase::Integers>& columns) {
  theta.scale(0.5);
  for (Index samples : {Index{1}, Index{131}, Index{37}}) {
    const OwnedInput<S> other(dense, columns, samples);
    const auto f = net.forward(theta, other.input());
    const auto lin = net.linearize(theta, other.input());
    auto out = theta.zeros_like();
    lin.pullback(SampleVector::Ones(samples), out);
    SampleVector s;
    lin.pushforward(theta, s);
    lin.per_sample_dot(theta, s);
    lin.per_sample_squared_norm(s);
  }
}

template <class S>
struct Wired {
  Wired(const PrimitiveCase& c, const Wiring& w, const AddPrimitive<S>& add, std::vector<RowMatrix<double>> rows)
      : net(wire<S>(c, w, add)), dense(std::move(rows)), columns(c.columns), owned(dense, columns, c.samples) {}

  MapAtPoint map(std::string name, const Vector& theta) const {
    DenseParameters<S> p(std::vector<Segment>(net.graph().segments()));
    p.values() = theta.cast<S>();
    MapAtPoint f = at(std::move(name), net, p, owned.input());
    f.magnitude = largest_number(net, p, owned.input());
    f.disturb = [this, p] { evaluate_others(net, p, dense, columns); };
    return f;
  }

  void on_device(const std::string& name, const Vector& theta, double tolerance, std::vector<Report>& reports) const {
    DenseParameters<S> p(std::vector<Segment>(net.graph().segments()));
    p.values() = theta.cast<S>();
    const double magnitude = largest_number(net, p, owned.input());
    reports.push_back(
        parity_report(name, cuda::make_queue<cuda::Emulation>(), net, p, owned.input(), tolerance, magnitude));
    if (device_parity<S>) reports.push_back(device_parity<S>(name, net, p, owned.input(), tolerance, magnitude));
  }

  Network<S> net;
  std::vector<RowMatrix<double>> dense;
  std::vector<PrimitiveCase::Integers> columns;
  OwnedInput<S> owned;
};

/// Feeds are identities; the primitive's own parameters and those beside it are moved off their initial values.
Vector point(const Network<double>& net, double scale) {
  const RandomStream stream(17, "primitive's parameters");
  auto theta = net.initialize(stream);
  for (const Segment& s : net.graph().segments()) {
    auto part = theta.values().segment(s.begin, s.length);
    if (s.name.starts_with("feed")) {
      part.setZero();
      if (s.name.ends_with("weight")) {
        const auto width = static_cast<Index>(std::lround(std::sqrt(static_cast<double>(s.length))));
        for (Index k = 0; k < width; ++k) part[k * width + k] = 1;
      }
    } else {
      part += random_vector(s.length, stream.substream(s.name), scale);
    }
  }
  return snap(theta.values());
}

}  // namespace

std::vector<Report> primitive_reports(const PrimitiveCase& c, const AddPrimitive<double>& add_double,
                                      const AddPrimitive<float>& add_float, const Options& options) {
  std::vector<Report> reports;
  const Index width = output_width(c, add_double);
  for (const Wiring& w : wirings(c, width)) {
    std::vector<RowMatrix<double>> dense;
    for (std::size_t k = 0; k < c.inputs.size(); ++k)
      if (!w.same || k == 0) dense.push_back(snap(c.inputs[k]));
    dense.push_back(random_matrix(c.samples, width, RandomStream(19, "target")));
    const std::string name = text(c.name, ", N = ", c.samples, ", ", w.name);
    const Wired<double> in_double(c, w, add_double, dense);
    const Vector theta = point(in_double.net, c.parameter_scale);
    const MapAtPoint reference = in_double.map(name, theta);
    reports.push_back(derivative_report(reference, options));
    const Wired<float> in_float(c, w, add_float, dense);
    const MapAtPoint single = in_float.map(name + ", float", theta);
    reports.push_back(derivative_report(single, options));
    reports.push_back(precision_report(single, reference, options));
    if (options.on_device && !watches_threads) {
      in_double.on_device(name + ", on a device", theta, 1e-12, reports);
      in_float.on_device(name + ", on a device, float", theta, 1e-5, reports);
    }
  }
  return reports;
}

namespace {

template <class S>
RowMatrix<S> output(const PrimitiveCase& c, const AddPrimitive<S>& add, const Vector* parameters) {
  Graph<S> g;
  for (std::size_t k = 0; k < c.columns.size(); ++k) g.column(c.columns[k].cardinality, text("column ", k));
  std::vector<Node> inputs;
  for (const auto& x : c.inputs) inputs.push_back(g.input(x.cols()));
  const Node y = add(g, inputs);
  const Network<S> net(std::move(g), {.logits = y});
  auto theta = net.initialize(RandomStream(23, "output"));
  if (parameters) theta.values() = parameters->template cast<S>();
  const OwnedInput<S> owned(c.inputs, c.columns, c.samples);
  return net.forward(theta, owned.input()).logits();
}

}  // namespace

RowMatrix<double> primitive_output(const PrimitiveCase& c, const AddPrimitive<double>& add, const Vector* parameters) {
  return output<double>(c, add, parameters);
}
RowMatrix<float> primitive_output(const PrimitiveCase& c, const AddPrimitive<float>& add, const Vector* parameters) {
  return output<float>(c, add, parameters);
}

PrimitiveCase make_case(std::string name, std::vector<RowMatrix<double>> inputs,
                        std::vector<PrimitiveCase::Integers> columns) {
  PrimitiveCase c;
  c.name = std::move(name);
  c.samples = !inputs.empty() ? inputs[0].rows() : columns.empty() ? 1 : static_cast<Index>(columns[0].values.size());
  c.inputs = std::move(inputs);
  c.columns = std::move(columns);
  return c;
}

RowMatrix<double> from_values(Index rows, Index cols, const std::vector<double>& values) {
  const auto n = static_cast<Index>(values.size());
  RowMatrix<double> x(rows, cols);
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < cols; ++j) x(i, j) = values[static_cast<std::size_t>((i + j * (i / n + 1)) % n)];
  return x;
}

PrimitiveCase::Integers labels(Index rows, int cardinality) {
  PrimitiveCase::Integers c{cardinality, {}};
  for (Index i = 0; i < rows; ++i) c.values.push_back(static_cast<int>((i * 5 + i / 3) % cardinality));
  return c;
}

}  // namespace mts::testing
