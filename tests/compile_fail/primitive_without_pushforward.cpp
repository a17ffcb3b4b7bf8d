// expect: mts: Primitive, P4: add  void pushforward(const Tile<S>&, std::span<const ConstView<S>> tangents, const S* w_tangent, View<S> out) const
#include "mts/autodiff/graph.hpp"

using namespace mts;
using namespace mts::autodiff;

struct Half {
  Index width(Widths in) const { return in[0]; }
  void forward(const Tile<float>&, View<float>) const {}
  void pullback(const Tile<float>&, ConstView<float>, std::span<const DeltaSink<float>>) const {}
};

int main() {
  Graph<float> g;
  g.add(Half{}, {g.input(1)});
}
