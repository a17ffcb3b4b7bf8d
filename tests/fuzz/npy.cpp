// The readers of .npy files: header, rows, matrices, integers.
#include "mts/data/npy.hpp"

#include <string_view>

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
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (!taken([&] { check_npy_length(read_npy_header(bytes, "header"), size, "header"); })) return 0;
  const mts_test::FuzzFile file(data, size);
  const auto path = file.path();
  const ArrayFile array(path);  // what has such a header and length is an array
  const mts::Index n = array.rows();
  mts::RowMatrix<float> middle;
  if (array.cols() > 0) array.read_rows(n / 3, n - n / 3, middle);
  if (taken([&] { (void)read_matrix<double>(path, Numbers::any); }) == array.shape().empty()) std::abort();
  taken([&] { (void)read_matrix<float>(path); });
  taken([&] { (void)read_integers(path, -1); });
  taken([&] { (void)read_npy_of<float, double, std::int8_t, std::uint16_t, std::int64_t>(path); });
  return 0;
}
