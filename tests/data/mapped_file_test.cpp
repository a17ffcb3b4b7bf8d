// Mapped files: what is seen of them, and what may happen to the file meanwhile.
#include "mts/data/mapped_file.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <utility>

#include "data/support.hpp"
#include "mts/data/atomic_file.hpp"

using mts::DataError;
using mts::data::MappedFile;
using mts_test::TemporaryFolder;
using mts_test::write_plainly;

TEST_CASE("a mapped file shows its bytes, none of an empty one, also once moved") {
  const TemporaryFolder folder;
  write_plainly(folder / "a", "some bytes");
  write_plainly(folder / "empty", "");
  MappedFile a(folder / "a", "a text"), empty(folder / "empty", "a text");
  CHECK(a.bytes() == "some bytes");
  CHECK(empty.bytes().empty());
  const char* const place = a.bytes().data();
  MappedFile moved(std::move(a));
  CHECK(moved.bytes().data() == place);
  empty = std::move(moved);
  CHECK(empty.bytes() == "some bytes");
}

TEST_CASE("what can't be mapped is named, and nobody waits for the other end of a pipe") {
  const TemporaryFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK_REFUSED(DataError, MappedFile(folder / "nowhere", "an array"), (folder / "nowhere").string(), "an array",
                "No such file");
  CHECK_REFUSED(DataError, MappedFile(folder.path, "an array"), folder.path.string(), "no regular file");
  CHECK_REFUSED(DataError, MappedFile(folder / "pipe", "an array"), "pipe", "no regular file");
}

TEST_CASE("a file that was shortened is refused; one that was replaced keeps its bytes") {
  const TemporaryFolder folder;
  write_plainly(folder / "a", "some bytes");
  const MappedFile a(folder / "a", "a text");
  mts::data::write_atomically(folder / "a", "few");
  a.check_length();
  CHECK(a.bytes() == "some bytes");
  const MappedFile few(folder / "a", "a text");
  few.check_length();
  std::filesystem::resize_file(folder / "a", 2);
  CHECK_REFUSED(DataError, few.check_length(), (folder / "a").string(), "expected 3 bytes", "found 2", "truncated");
}
