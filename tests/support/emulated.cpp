#include "support/emulated.hpp"

namespace mts::cuda {

template class Queue<Emulation>;
template class Translation<float, Emulation>;
template class Translation<double, Emulation>;
template class Parameters<float, Emulation>;
template class Parameters<double, Emulation>;
template struct detail::Compiled<float, Emulation>;
template struct detail::Compiled<double, Emulation>;
template class detail::Tape<float, Emulation>;
template class detail::Tape<double, Emulation>;
template class NetworkForward<float, Emulation>;
template class NetworkForward<double, Emulation>;
template class NetworkLinearization<float, Emulation>;
template class NetworkLinearization<double, Emulation>;
template class Network<float, Emulation>;
template class Network<double, Emulation>;

}  // namespace mts::cuda
