// The reader of zip archives, and arrays in them.
#include "mts/data/zip.hpp"

#include "fuzz/fuzz.hpp"
#include "mts/data/array_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mts::data;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const mts_test::FuzzFile file(data, size);
  try {
    const ZipArchive archive(bytes, "archive");
    std::size_t stored = 0;
    for (const ZipMember& member : archive.members()) {
      stored += archive.stored(member).size();
      try {
        if (member.size <= mts_test::fuzz_limit && archive.contents(member).size() != member.size) std::abort();
      } catch (const mts::DataError&) {
      }
    }
    if (stored > size) std::abort();  // members overlap
    int left = 3;
    for (const ZipMember& member : archive.members()) {
      if (left-- == 0) break;
      try {
        const ArrayFile array(ArrayPlace(file.path(), member.name), mts_test::fuzz_limit);
        mts::RowMatrix<float> rows;
        if (array.cols() > 0) array.read_rows(0, array.rows(), rows);
        array.check_crc();
      } catch (const mts::DataError&) {
      }
    }
  } catch (const mts::DataError&) {
  }
  return 0;
}
