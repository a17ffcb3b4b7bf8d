// Zip archives: what is read of them, and every way in which one can lie.
#include "mts/data/zip.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "data/support.hpp"
#include "data/zip_builder.hpp"

using mts::DataError;
using mts::data::ZipArchive;
using namespace mts_test;

namespace {

std::string sample(std::size_t n) {
  std::string s;
  for (std::size_t i = 0; i < n; ++i) s += static_cast<char>(i * i / 7);
  return s;
}

// What the members hold, or the refusal that one of these steps ends with.
std::vector<std::string> read_all(const std::string& bytes) {
  const ZipArchive archive(bytes, "a.npz");
  std::vector<std::string> all;
  for (const auto& m : archive.members()) all.push_back(archive.contents(m));
  return all;
}
void refused(const std::string& bytes, const char* part) { CHECK_REFUSED(DataError, read_all(bytes), "a.npz", part); }
template <class Change>
ZipEntry changed(Change&& change, bool deflate = false) {
  ZipEntry e = zip_entry("x.npy", sample(1000), deflate);
  change(e);
  return e;
}

}  // namespace

TEST_CASE(
    "the members of a zip archive are read: stored and deflated, empty, zip64, with a comment, sizes after the data") {
  const std::string large = sample(200000);
  const std::vector<ZipEntry> entries{zip_entry("a", "abc"), zip_entry("b", large, true), zip_entry("c", ""),
                                      zip_entry("d", "", true)};
  const std::vector<std::string> expected{"abc", large, "", ""};
  CHECK(read_all(zip_of(entries)) == expected);
  CHECK(read_all(zip_of(entries, {.comment = "made PK\5\6 by hand"})) == expected);
  CHECK(read_all(zip_of({})).empty());
  auto wide = entries;
  for (auto& e : wide) e.local_zip64 = true;  // as NumPy writes them
  CHECK(read_all(zip_of(wide)) == expected);
  for (auto& e : wide) e.zip64 = true;
  CHECK(read_all(zip_of(wide, {.zip64 = true})) == expected);
  auto later = entries;
  for (auto& e : later) e.flags = 8;
  CHECK(read_all(zip_of(later)) == expected);
}

TEST_CASE("of a zip member the beginning can be read alone") {
  const std::string contents = sample(100000);
  for (const bool deflate : {false, true}) {
    const std::string bytes = zip_of({zip_entry("x", contents, deflate)});
    const ZipArchive archive(bytes, "a.npz");
    const auto& member = archive.members()[0];
    CHECK(archive.beginning(member, 70000) == contents.substr(0, 70000));
    CHECK(archive.beginning(member, 100000) == contents);
    CHECK(archive.beginning(member, 100001) == contents);
    CHECK(archive.beginning(member, 0).empty());
  }
}

TEST_CASE("a zip archive that is truncated at any byte is refused, and so is one with further bytes") {
  const std::string bytes = zip_of({zip_entry("x.npy", sample(50)), zip_entry("y.npy", sample(70), true)});
  for (std::size_t n = 0; n < bytes.size(); ++n) refused(bytes.substr(0, n), "");
  refused(bytes + "x", "found none: truncated, or followed by other bytes");
  const std::string wide = zip_of({changed([](auto& e) { e.zip64 = e.local_zip64 = true; })}, {.zip64 = true});
  for (std::size_t n = 0; n < wide.size(); ++n) refused(wide.substr(0, n), "");
}

TEST_CASE("a zip archive with any byte changed is refused or gives the same contents") {
  for (const bool deflate : {false, true}) {
    const std::string good = zip_of({zip_entry("x.npy", sample(60), deflate), zip_entry("y.npy", "more")});
    const auto expected = read_all(good);
    int refused = 0;
    for (std::size_t k = 0; k < good.size(); ++k) {
      std::string bad = good;
      bad[k] = static_cast<char>(bad[k] ^ 0x41);
      std::vector<std::string> found = expected;
      refused += message_of<DataError>([&] { found = read_all(bad); }) != "";
      CHECK(found == expected);
    }
    CHECK(refused > static_cast<int>(good.size()) / 2);  // versions, times and attributes mean nothing here
  }
}

TEST_CASE("contents that are not those of the zip archive's checksum are refused") {
  refused(zip_of({changed([](auto& e) { e.data[500] ^= 1; })}), "member x.npy: expected contents of the CRC");
  refused(zip_of({changed([](auto& e) { e.crc ^= 1; }, true)}), "damaged");
}

TEST_CASE("a zip bomb is refused: what inflates to more than the directory says, or to less") {
  refused(zip_of({changed([](auto& e) { e.size = e.local_size = 999; }, true)}),
          "member x.npy: expected 999 bytes of contents, as the directory says, found more");
  refused(zip_of({changed([](auto& e) { e.size = e.local_size = 1001; }, true)}),
          "expected 1001 bytes of contents, as the directory says, found 1000");
  refused(zip_of({changed([](auto& e) { e.size = e.local_size = 0; }, true)}), "expected 0 bytes");
  refused(zip_of({changed([](auto& e) { e.size = e.local_size = 5000; })}), "expected 5000 bytes that are stored");
}

TEST_CASE("deflated data that is damaged, truncated or followed by more is refused") {
  refused(zip_of({changed([](auto& e) { e.data[0] = '\7'; }, true)}), "the deflated data is damaged after 0 bytes");
  refused(zip_of({changed(
              [](auto& e) {
                e.data.resize(e.data.size() / 2);
                e.stored = e.data.size();
              },
              true)}),
          "the deflated data is truncated");
  refused(zip_of({changed(
              [](auto& e) {
                e.data += "more";
                e.stored = e.data.size();
              },
              true)}),
          "expected the end of the deflated data, found 4 bytes more");
}

TEST_CASE("a zip directory that lies about places is refused") {
  refused(zip_of({changed([](auto& e) { e.moved = 1; })}), "member x.npy: expected its header at byte 1");
  refused(zip_of({changed([](auto& e) { e.moved = 1 << 30; })}), "expected its header at byte 1073741824");
  refused(zip_of({changed([](auto& e) { e.zip64 = true, e.moved = -1; })}), "header at byte 18446744073709551615");
  refused(zip_of({changed([](auto& e) { e.size = e.local_size = e.stored = 5000; })}),
          "expected its 5000 bytes before the directory");
  refused(zip_of({changed([](auto& e) {
            e.size = e.local_size = e.stored = ~std::uint64_t{0} - 10;
            e.zip64 = e.local_zip64 = true;
          })}),
          "expected its 18446744073709551605 bytes before the directory");
  // A header that lies behind the directory, in the comment.
  const std::string alone = zip_of({zip_entry("x.npy", "abc")});
  const auto directory = static_cast<std::int64_t>(alone.find("PK\1\2"));
  ZipEntry behind = zip_entry("x.npy", "abc");
  behind.moved = static_cast<std::int64_t>(alone.size());
  refused(zip_of({behind}, {.comment = alone.substr(0, static_cast<std::size_t>(directory))}),
          "expected its header at byte");
  // Two members that share bytes: the second header lies in the first one's data.
  const ZipEntry inner = zip_entry("y.npy", "abc");
  const std::string inside = zip_of({inner});
  ZipEntry outer = zip_entry("x.npy", inside.substr(0, 30 + 5 + 3));
  ZipEntry again = inner;
  again.moved = 35 - static_cast<std::int64_t>(35 + 38);  // from behind the first member back to its data
  refused(zip_of({outer, again}), "they overlap");
  refused(zip_of({zip_entry("x", "1"), zip_entry("y", "2"), zip_entry("x", "3")}), "found two called x");
}

TEST_CASE("a zip member's two headers have to agree") {
  refused(zip_of({changed([](auto& e) { e.local_name = "y.npy"; })}),
          "expected that name in its header too, found y.npy");
  refused(zip_of({changed([](auto& e) { e.local_size = 999; })}), "expected 1000 bytes in 1000");
  std::string other_method = zip_of({changed([](auto&) {})});
  other_method[8] = 8;
  refused(other_method, "expected method 0 in its header too, found 8");
  std::string other_crc = zip_of({changed([](auto&) {})});
  other_crc[14] = static_cast<char>(other_crc[14] + 1);
  refused(other_crc, "the directory's CRC in its header too");
  std::string other_stored = zip_of({changed([](auto&) {}, true)});
  other_stored[18] = static_cast<char>(other_stored[18] + 1);
  refused(other_stored, "in its header too, found 1000 in ");
}

TEST_CASE("a zip end record that lies is refused") {
  const std::vector<ZipEntry> entries{zip_entry("x.npy", sample(50))};
  for (const bool zip64 : {false, true}) {
    refused(zip_of(entries, {.zip64 = zip64, .count = 1}), "expected 2 members, as the end record says, found 1");
    refused(zip_of(entries, {.zip64 = zip64, .count = -1}), "expected 0 members");
    refused(zip_of(entries, {.zip64 = zip64, .begin = 1}), "expected the directory before byte");
    refused(zip_of(entries, {.zip64 = zip64, .begin = -1}), "expected an entry of the directory at byte");
    refused(zip_of(entries, {.zip64 = zip64, .size = 1}), "expected the directory before byte");
    refused(zip_of(entries, {.zip64 = zip64, .size = -1}), "expected its end before byte");
    refused(zip_of(entries, {.zip64 = zip64, .size = -10}), "expected an entry of the directory at byte");
  }
  refused(zip_of(entries, {.zip64 = true, .begin = -200}), "expected the directory before byte");
  refused(zip_of(entries, {.zip64 = true, .size = -60}), "");
  std::string no_locator = zip_of(entries, {.zip64 = true});
  no_locator[no_locator.size() - 22 - 20] = 'X';
  refused(no_locator, "expected a zip64 locator");
  std::string elsewhere = zip_of(entries, {.zip64 = true});
  elsewhere[elsewhere.size() - 22 - 20 + 15] = '\x7f';
  refused(elsewhere, "expected a zip64 end record at byte 9151");
  // a record like it that lies behind the locator, in the comment
  const std::size_t record = zip_of(entries, {.zip64 = true}).find("PK\6\6");
  const std::string true_record = zip_of(entries, {.zip64 = true}).substr(record, 56);
  std::string behind = zip_of(entries, {.zip64 = true, .comment = true_record});
  behind.replace(record + 56 + 8, 8, number(behind.size() - 56, 8));
  refused(behind, "expected a zip64 end record at byte");
  std::string disk = zip_of(entries);
  disk[disk.size() - 22 + 4] = 1;
  refused(disk, "found a part of one");
  // A number that is all ones needs the field that has it.
  std::string narrow = zip_of(entries);
  const std::size_t directory = narrow.find("PK\1\2");
  narrow.replace(directory + 24, 4, "\xff\xff\xff\xff");
  refused(narrow, "expected a zip64 field");
  const std::string wide = zip_of({changed([](auto& e) { e.zip64 = true; })});
  const std::size_t extra = wide.find("PK\1\2") + 46 + 5;
  for (const auto& [at, size] : {std::pair<std::size_t, std::uint64_t>{extra + 2, 0xffff}, {extra + 28 + 2, 8}}) {
    std::string short_of = wide;
    short_of.replace(at, 2, number(size, 2));
    refused(short_of, "expected a zip64 field");
  }
}

TEST_CASE("zip members that are encrypted or of another method are refused; those beside them are read") {
  refused(zip_of({changed([](auto& e) { e.flags = 1; })}), "found an encrypted one");
  const std::string bytes = zip_of({zip_entry("x", "1"), changed([](auto& e) { e.method = 12; }), zip_entry("z", "3")});
  const ZipArchive archive(bytes, "a.npz");
  CHECK(archive.contents(archive.members()[2]) == "3");
  CHECK_REFUSED(DataError, archive.contents(archive.members()[1]), "method 0 or 8", "found method 12");
  CHECK_REFUSED(DataError, archive.beginning(archive.members()[1], 1), "found method 12");
}
