// The reader of idx files, plain and gzipped.
#include "mts/data/idx.hpp"

#include "fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const mts_test::FuzzFile file(data, size);
  try {
    const auto array = mts::data::read_idx(file.path(), mts_test::fuzz_limit);
    if (array.size() > mts_test::fuzz_limit) std::abort();
  } catch (const mts::DataError&) {
  }
  return 0;
}
