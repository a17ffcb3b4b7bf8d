#pragma once
/// \file
/// The primitive-level harness: wraps any one primitive into small networks and runs the derivative harness on each of
/// them, in double and in float. Every input k of the primitive is a node `feed k` = W x + b with W = 1, b = 0 over
/// hostile numbers x: so the primitive sees exactly x, and every input carries a gradient. The output y is reduced by
/// |y - t|^2/2 with random t, and is the value itself where it has width 1. Wirings:
///   plain                  all inputs fed
///   raw j                  input j is the batch's own, so nobody asks for its delta; also all of them
///   diamond before, after  every feed also goes to another consumer, which gives its delta after or before the primitive
///   same                   one node feeds all inputs (where there are several of one width)
///   off the path           with parametric nodes beside the value's path: their columns of J are zero

#include <functional>
#include <string>
#include <vector>

#include "mts/autodiff/network.hpp"
#include "support/derivatives.hpp"

namespace mts::testing {

/// What a primitive is fed.
struct PrimitiveCase {
  std::string name;
  Index samples = 1;
  std::vector<RowMatrix<double>> inputs = {};  ///< samples x width each
  struct Integers {
    int cardinality = 1;
    std::vector<int> values;
  };
  std::vector<Integers> columns = {};  ///< column c of the graph
  bool wirings = true;                 ///< false: only `plain` (large cases)
  double parameter_scale = 1;          ///< the primitive's own parameters: its initial ones + U(-scale, scale)
};

/// Adds the primitive to a graph.
template <class S>
using AddPrimitive = std::function<autodiff::Node(autodiff::Graph<S>&, const std::vector<autodiff::Node>&)>;

/// A batch with the memory it views, in any scalar, of any number of samples (rows are repeated in turn).
template <class S>
class OwnedInput {
 public:
  OwnedInput(const std::vector<RowMatrix<double>>& dense, const std::vector<PrimitiveCase::Integers>& columns,
             Index samples)
      : input_(samples) {
    for (const auto& m : dense) {
      RowMatrix<S> rows(samples, m.cols());
      for (Index i = 0; i < samples; ++i) rows.row(i) = m.row(i % m.rows()).template cast<S>();
      dense_.push_back(std::move(rows));
    }
    for (const auto& c : columns) {
      std::vector<int> values;
      for (Index i = 0; i < samples; ++i) values.push_back(c.values[static_cast<std::size_t>(i) % c.values.size()]);
      columns_.push_back(std::move(values));
    }
    for (const auto& m : dense_) input_.add(m);
    for (const auto& c : columns_) input_.add(c);
  }
  OwnedInput(const OwnedInput&) = delete;
  OwnedInput& operator=(const OwnedInput&) = delete;
  const autodiff::NetworkInput<S>& input() const { return input_; }

 private:
  std::vector<RowMatrix<S>> dense_;
  std::vector<std::vector<int>> columns_;
  autodiff::NetworkInput<S> input_;
};

/// A device's parity with the CPU, beside the emulation's; empty where none is linked or there is none.
template <class S>
inline std::function<Report(const std::string& name, const autodiff::Network<S>&, const DenseParameters<S>& theta,
                            const autodiff::NetworkInput<S>&, double tolerance, double magnitude)>
    device_parity;

/// All wirings of one case: the reports of both scalars.
std::vector<Report> primitive_reports(const PrimitiveCase& c, const AddPrimitive<double>& add_double,
                                      const AddPrimitive<float>& add_float, const Options& options);

template <class P>
std::vector<Report> primitive_reports(const P& primitive, const PrimitiveCase& c, const Options& options = {}) {
  const auto add = [primitive]<class S>(autodiff::Graph<S>& g, const std::vector<autodiff::Node>& inputs) {
    return g.add(primitive, inputs, "primitive");
  };
  return primitive_reports(c, AddPrimitive<double>(add), AddPrimitive<float>(add), options);
}

/// The same as assertions of the running test.
template <class P>
void check_primitive(const P& primitive, const PrimitiveCase& c, const Options& options = {}) {
  for (const Report& r : primitive_reports(primitive, c, options)) check(r);
}

/// The output of the primitive alone, its inputs as they are. Without `parameters` its own are the initial ones.
RowMatrix<double> primitive_output(const PrimitiveCase& c, const AddPrimitive<double>& add, const Vector* parameters);
RowMatrix<float> primitive_output(const PrimitiveCase& c, const AddPrimitive<float>& add, const Vector* parameters);
template <class S = double, class P>
RowMatrix<S> output_of(const P& primitive, const PrimitiveCase& c, const Vector* parameters = nullptr) {
  const auto add = [primitive](autodiff::Graph<S>& g, const std::vector<autodiff::Node>& inputs) {
    return g.add(primitive, inputs);
  };
  return primitive_output(c, AddPrimitive<S>(add), parameters);
}
/// A case of so many samples.
PrimitiveCase make_case(std::string name, std::vector<RowMatrix<double>> inputs,
                        std::vector<PrimitiveCase::Integers> columns = {});
/// rows x cols, filled with the values in turn, each row and column beginning elsewhere.
RowMatrix<double> from_values(Index rows, Index cols, const std::vector<double>& values);
/// rows values in {0, ..., cardinality-1}, in turn.
PrimitiveCase::Integers labels(Index rows, int cardinality);

/// Sizes at which tiles and vector registers end.
inline const std::vector<Index> awkward_samples = {1, 2, 127, 128, 129, 300};

}  // namespace mts::testing
