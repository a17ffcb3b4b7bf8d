// The readers of .npy files: rows, matrices, integers, and the writer on what they gave.
#include "mts/data/npy.hpp"

#include "fuzz/fuzz.hpp"
#include "mts/data/arrays.hpp"

namespace {

// Whether f went through, rather than refusing the file.
template <class F>
bool taken(F&& f) {
  try {
    f();
    return true;
  } catch (const mts::DataError&) {
    return false;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mts::data;
  taken([&] { (void)read_npy_header({reinterpret_cast<const char*>(data), size}, "header"); });
  const mts_test::FuzzFile file(data, size);
  const auto path = file.path();
  taken([&] {
    const ArrayFile array(path, mts_test::fuzz_limit);
    array.check_crc();
    const mts::Index n = array.rows();
    mts::RowMatrix<float> middle;
    if (array.cols() > 0) array.read_rows(n / 3, n - n / 3, middle);
    // What is an array is a matrix as well, if it has rows; and, if that is finite, one of finite numbers.
    const bool any = taken([&] { (void)read_matrix<double>(path, Numbers::any); });
    if (any != !array.shape().empty()) std::abort();
    taken([&] { (void)read_matrix<float>(path); });
  });
  taken([&] { (void)read_integers(path, -1); });
  taken([&] { (void)read_npy_of<float, double, std::int8_t, std::uint16_t, std::int64_t>(path); });
  return 0;
}
