// expect: mts: ParametricPrimitive: a primitive with parameters needs every rule of P5 to P9
// A primitive with segments whose other rules are missing or misspelled must not pass for one without parameters.
#include "mts/autodiff/graph.hpp"

using namespace mts;
using namespace mts::autodiff;

struct Scale {
  Index width(Widths in) const { return in[0]; }
  void forward(const Tile<float>&, View<float>) const {}
  void pullback(const Tile<float>&, ConstView<float>, std::span<const DeltaSink<float>>) const {}
  void pushforward(const Tile<float>&, std::span<const ConstView<float>>, const float*, View<float>) const {}
  std::vector<Segment> segments(Widths) const { return {{"scale", 0, 1, true}}; }
  void initialise(float*, Widths, RandomStream&) const {}
  Index tasks(Widths) const { return 1; }
  void parameter_pullback(const Tile<float>&, ConstView<float>, const float*, Index, float*) const {}
  void per_sample_dot(const Tile<float>&, ConstView<float>, const float*, double*) const {}
  void per_sample_squared_norm(const Tile<float>&, ConstView<float>, double*) const {}
};

int main() {
  Graph<float> g;
  g.add(Scale{}, {g.input(1)});
}
