// What a consumer of mts::mts needs to build: the headers in C++20, and Eigen, xtensor and oneTBB beside them.
#include <cstring>
#include <mts/core/parallel.hpp>
#include <mts/core/types.hpp>
#include <mts/version.hpp>
#include <xtensor/xtensor.hpp>

int main() {
  mts::SampleVector squares(1000);
  mts::parallel_tiles(1000, 64, [&](mts::Index, mts::Index begin, mts::Index end) {
    for (mts::Index i = begin; i < end; ++i) squares[i] = static_cast<double>(i * i);
  });
#ifdef PACKAGE_VERSION
  if (std::strcmp(PACKAGE_VERSION, MTS_VERSION) != 0) return 2;
#endif
  return squares.sum() == 332833500 ? 0 : 1;
}
