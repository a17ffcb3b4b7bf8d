// Gzip in memory, and files that may be gzipped.
#include "mts/data/gzip.hpp"

#include <doctest/doctest.h>

#include <string>

#include "data/support.hpp"

using mts::DataError;
using namespace mts::data;
using mts_test::TemporaryFolder;
using mts_test::write_plainly;

TEST_CASE("a file is read the same, gzipped or plain; a name that promises gzip must keep its word") {
  const TemporaryFolder folder;
  const std::string contents = "some bytes, some bytes, some bytes";
  write_plainly(folder / "plain", contents);
  write_plainly(folder / "zipped", detail::gzip(contents));
  write_plainly(folder / "zipped.gz", detail::gzip(contents));
  for (const char* name : {"plain", "zipped", "zipped.gz"})
    CHECK(read_bytes_or_gzip(folder / name, "a thing") == contents);
  write_plainly(folder / "plain.gz", contents);
  CHECK_REFUSED(DataError, read_bytes_or_gzip(folder / "plain.gz", "a thing"), "plain.gz", "expected gzip", "34 bytes");
  CHECK_REFUSED(DataError, read_bytes_or_gzip(folder / "nowhere", "a thing"), "nowhere", "a thing", "No such file");
}

TEST_CASE("a gzipped file may hold no more than the limit") {
  const TemporaryFolder folder;
  write_plainly(folder / "a.gz", detail::gzip(std::string(100, 'x')));
  CHECK(read_bytes_or_gzip(folder / "a.gz", "a thing", 100).size() == 100);
  CHECK_REFUSED(DataError, read_bytes_or_gzip(folder / "a.gz", "a thing", 99), "at most 99 bytes", "found more");
}

TEST_CASE("a name is looked for with .gz, then without; if neither is there, the first is named") {
  const TemporaryFolder folder;
  CHECK(gzipped_or_plain(folder.path, "a") == folder / "a.gz");
  write_plainly(folder / "a", "");
  CHECK(gzipped_or_plain(folder.path, "a") == folder / "a");
  write_plainly(folder / "a.gz", "");
  CHECK(gzipped_or_plain(folder.path, "a") == folder / "a.gz");
}
