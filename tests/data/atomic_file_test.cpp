// Files that are whole or not there at all.
#include "mts/data/atomic_file.hpp"

#include <doctest/doctest.h>

#include <string>

#include "data/support.hpp"

using mts::DataError;
using namespace mts::data;
using mts_test::read_plainly;
using mts_test::TemporaryFolder;
using mts_test::write_plainly;

namespace {
std::size_t entries_of(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}
}  // namespace

TEST_CASE("write_atomically makes folders, replaces whole files and leaves no other file behind") {
  const TemporaryFolder folder;
  const auto path = folder / "new/deep/file";
  write_atomically(path, "first, and longer");
  write_atomically(path, "second");
  CHECK(read_plainly(path) == "second");
  CHECK(entries_of(path.parent_path()) == 1);
  CHECK(read_bytes(path, "a test file") == "second");
  write_atomically(path, "");
  CHECK(read_plainly(path) == "");
}

TEST_CASE("a write that fails says why, leaves the old contents and no part") {
  const TemporaryFolder folder;
  write_plainly(folder / "file", "old");
  CHECK_REFUSED(DataError, write_atomically(folder / "file/below", "new"), (folder / "file/below").string(),
                "can't be written");
  CHECK(read_plainly(folder / "file") == "old");
  std::filesystem::create_directories(folder / "taken/by");
  CHECK_REFUSED(DataError, write_atomically(folder / "taken", "new"), "rename", "taken");
  CHECK(entries_of(folder.path) == 2);
  CHECK_REFUSED(DataError, write_atomically(folder.path / "", "new"), "name of a file");
}

TEST_CASE("what writes that were killed left behind is removed, and nothing else") {
  const TemporaryFolder folder;
  for (const char* name : {".file.12.0.part", ".file.7.13.part", ".file.other.12.0.part", ".file.12.0",
                           "file.12.0.part", ".file.a.part", "file"})
    write_plainly(folder / name, "");
  remove_parts(folder / "file");
  CHECK(entries_of(folder.path) == 5);
  CHECK(!std::filesystem::exists(folder / ".file.12.0.part"));
  CHECK(!std::filesystem::exists(folder / ".file.7.13.part"));
  remove_parts(folder / "nowhere/file");
}
