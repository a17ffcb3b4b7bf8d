#pragma once
/// \file
/// The emulation of a device, with what tests instantiate of it compiled once (emulated.cpp): the rules of all primitives, in float and
/// double, and networks of them.

#include "mts/cuda/emulation.hpp"
#include "mts/cuda/network.hpp"

namespace mts::cuda {

extern template class Queue<Emulation>;
extern template class Translation<float, Emulation>;
extern template class Translation<double, Emulation>;
extern template class Parameters<float, Emulation>;
extern template class Parameters<double, Emulation>;
extern template struct detail::Compiled<float, Emulation>;
extern template struct detail::Compiled<double, Emulation>;
extern template class detail::Tape<float, Emulation>;
extern template class detail::Tape<double, Emulation>;
extern template class NetworkForward<float, Emulation>;
extern template class NetworkForward<double, Emulation>;
extern template class NetworkLinearization<float, Emulation>;
extern template class NetworkLinearization<double, Emulation>;
extern template class Network<float, Emulation>;
extern template class Network<double, Emulation>;

}  // namespace mts::cuda
