// Readers with a fault each, behind four right bytes: proof that a fault is found and that finding one fails the test. MTS_PLANTED
// says which.
#include <cstring>
#include <stdexcept>
#include <vector>

#include "fuzz/fuzz.hpp"

namespace {

enum { overflow = 1, allocation = 2, exception = 3 };

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 6 || std::memcmp(data, "MTS", 3) != 0 || data[3] < 0x80) return 0;
  const std::vector<std::uint8_t> copy(data, data + size);
  switch (MTS_PLANTED) {
    case overflow:
      return copy.data()[data[4]] == 77 ? 1 : 0;  // beyond the end where the input is shorter
    case allocation:
      return std::vector<char>(std::size_t{data[4]} << 20).empty() ? 1 : 0;
    case exception:
      if (data[4] > 99) throw std::runtime_error("not an error of the readers");
      break;
  }
  return 0;
}
