#pragma once
/// \file
/// Zip archives in memory, to be read: members that are stored or deflated, zip64 too.
///
/// Layout (PKWARE's APPNOTE 6.3): for each member a local header and its data; then the central directory, an entry for each
/// member with name, sizes, checksum and the place of the local header; then the end record, which says where the directory
/// is. A number that doesn't fit is all ones, and stands in a zip64 record or field instead. The two accounts of a member have to
/// agree here, and no two members may share bytes.

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "mts/core/error.hpp"
#include "mts/data/bytes.hpp"

namespace mts::data {

namespace detail {

/// The CRC-32 that zip archives are checked by.
inline std::uint32_t crc32_of(std::string_view bytes) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace detail

/// A member as the central directory has it.
struct ZipMember {
  std::string name;
  unsigned method = 0;       ///< 0: stored; 8: deflated; others can't be read
  std::uint32_t crc = 0;     ///< CRC-32 of the contents
  std::uint64_t size = 0;    ///< of the contents, in bytes
  std::uint64_t stored = 0;  ///< of what lies in the archive for them
  std::uint64_t begin = 0;   ///< where that lies

  bool deflated() const { return method != 0; }
};

/// The members of an archive whose bytes stay where they are as long as this is used.
class ZipArchive {
 public:
  /// Takes no memory by what the archive says, only by what is there.
  /// \param name  of the archive, for the messages
  /// \throws DataError that names the archive, what was expected and found, if it is truncated or malformed, or if it lies: about
  ///         places, sizes or numbers, with members that overlap or of the same name
  ZipArchive(std::string_view bytes, std::string name) : bytes_(bytes), name_(std::move(name)) { read_directory(); }

  const std::vector<ZipMember>& members() const { return members_; }

  /// What lies in the archive for a member: its contents, where it is stored.
  std::string_view stored(const ZipMember& member) const { return bytes_.substr(member.begin, member.stored); }

  /// The first bytes of a member's contents, at most `most` and no more than its size; nothing is said of the rest.
  /// \throws DataError if it can't be read: encrypted, of another method, or damaged before that
  std::string beginning(const ZipMember& member, std::size_t most) const {
    check_readable(member);
    if (!member.deflated()) return std::string(stored(member).substr(0, most));
    return inflate(member, std::min<std::uint64_t>(most, member.size)).first;
  }

  /// The contents of a member. Memory grows with what is really there.
  /// \throws DataError that names archive and member, if it can't be read, has more or fewer bytes than its header says, or others
  ///         (by the CRC)
  std::string contents(const ZipMember& member) const {
    check_readable(member);
    std::string out;
    if (member.deflated()) {
      bool ended = false;
      std::tie(out, ended) = inflate(member, member.size);
      if (!ended || out.size() != member.size)
        throw refusal(member, "expected ", member.size, " bytes of contents, as the directory says, found ",
                      ended ? std::to_string(out.size()) : "more");
    } else {
      out = std::string(stored(member));
    }
    check_crc(member, out);
    return out;
  }

  /// \throws DataError if these are not the bytes that the archive's checksum was made of
  void check_crc(const ZipMember& member, std::string_view contents) const {
    if (const std::uint32_t found = detail::crc32_of(contents); found != member.crc)
      throw refusal(member, "expected contents of the CRC ", member.crc, ", found ", found, ": damaged");
  }

  /// \throws DataError unless the member is stored or deflated
  void check_readable(const ZipMember& member) const {
    if (member.method != 0 && member.method != 8)
      throw refusal(member, "expected a member that is stored or deflated (method 0 or 8), found method ",
                    member.method);
  }

 private:
  static constexpr std::uint64_t end_size = 22, end64_size = 56, locator_size = 20, entry_size = 46, local_size = 30;

  template <class... Parts>
  DataError refusal(const Parts&... parts) const {
    return DataError(detail::text(name_, ": ", parts...));
  }
  template <class... Parts>
  DataError refusal(const ZipMember& member, const Parts&... parts) const {
    return DataError(detail::text(name_, ": member ", detail::shown(member.name), ": ", parts...));
  }

  // A little-endian number of `count` bytes; the caller has seen that they are there.
  static std::uint64_t number(std::string_view bytes, std::uint64_t at, unsigned count) {
    std::uint64_t x = 0;
    for (unsigned i = 0; i < count; ++i) x |= std::uint64_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
    return x;
  }
  bool lies_at(std::uint64_t at, std::string_view signature, std::uint64_t size) const {
    return at <= bytes_.size() && size <= bytes_.size() - at && bytes_.substr(at).starts_with(signature);
  }

  struct Directory {
    std::uint64_t begin, size, count;
  };

  Directory find_directory() const {
    const auto all_of_one_disk = [&](bool one) {
      if (!one) throw refusal("expected an archive in one file, found a part of one");
    };
    // The end record comes last but for a comment, whose length it tells.
    if (bytes_.size() < end_size) throw refusal("expected a zip archive, found ", bytes_.size(), " bytes: truncated");
    const std::uint64_t last = bytes_.size() - end_size;
    for (std::uint64_t back = 0; back <= std::min<std::uint64_t>(last, 0xffff); ++back) {
      const std::uint64_t at = last - back;
      if (!lies_at(at, "PK\5\6", end_size) || number(bytes_, at + 20, 2) != back) continue;
      Directory d{number(bytes_, at + 16, 4), number(bytes_, at + 12, 4), number(bytes_, at + 10, 2)};
      std::uint64_t before = at;
      if (d.begin == 0xffffffff || d.size == 0xffffffff || d.count == 0xffff) {
        if (at < locator_size || !lies_at(at - locator_size, "PK\6\7", locator_size))
          throw refusal("expected a zip64 locator before the end of the archive, found none");
        before = number(bytes_, at - locator_size + 8, 8);
        if (!lies_at(before, "PK\6\6", end64_size) || before > at - locator_size)
          throw refusal("expected a zip64 end record at byte ", before, ", found none");
        all_of_one_disk(number(bytes_, before + 16, 4) == 0 && number(bytes_, before + 20, 4) == 0);
        d = {number(bytes_, before + 48, 8), number(bytes_, before + 40, 8), number(bytes_, before + 32, 8)};
      } else {
        all_of_one_disk(number(bytes_, at + 4, 2) == 0 && number(bytes_, at + 6, 2) == 0);
      }
      if (d.begin > before || d.size > before - d.begin)
        throw refusal("expected the directory before byte ", before, ", found one of ", d.size, " bytes at byte ",
                      d.begin);
      return d;
    }
    throw refusal("expected the end record of a zip archive, found none: truncated, or followed by other bytes");
  }

  void read_directory() {
    const Directory directory = find_directory();
    std::vector<std::pair<std::uint64_t, std::uint64_t>> places;  // of local header and data
    std::uint64_t at = directory.begin;
    const std::uint64_t end = directory.begin + directory.size;
    while (at < end) {
      if (end - at < entry_size || !lies_at(at, "PK\1\2", entry_size))
        throw refusal("expected an entry of the directory at byte ", at, ", found none");
      const std::uint64_t name_size = number(bytes_, at + 28, 2), extra_size = number(bytes_, at + 30, 2),
                          comment_size = number(bytes_, at + 32, 2);
      if (name_size + extra_size + comment_size > end - at - entry_size)
        throw refusal("the directory's entry at byte ", at, ": expected its end before byte ", end,
                      ", found an entry of ", entry_size + name_size + extra_size + comment_size, " bytes");
      ZipMember member;
      member.name = bytes_.substr(at + entry_size, name_size);
      member.method = static_cast<unsigned>(number(bytes_, at + 10, 2));
      member.crc = static_cast<std::uint32_t>(number(bytes_, at + 16, 4));
      std::uint64_t wide[] = {number(bytes_, at + 24, 4), number(bytes_, at + 20, 4), number(bytes_, at + 42, 4)};
      widen(member, bytes_.substr(at + entry_size + name_size, extra_size), wide);
      member.size = wide[0];
      member.stored = wide[1];
      const std::uint64_t flags = number(bytes_, at + 8, 2), local = wide[2];
      if (flags & 0x2041) throw refusal(member, "expected a member in the clear, found an encrypted one");
      read_local(member, local, directory.begin);
      places.emplace_back(local, member.begin + member.stored);
      members_.push_back(std::move(member));
      at += entry_size + name_size + extra_size + comment_size;
    }
    if (members_.size() != directory.count)
      throw refusal("expected ", directory.count, " members, as the end record says, found ", members_.size());
    std::sort(places.begin(), places.end());
    for (std::size_t i = 1; i < places.size(); ++i)
      if (places[i].first < places[i - 1].second)
        throw refusal("expected members one after another, found one at byte ", places[i].first,
                      " and one before it that ends at byte ", places[i - 1].second, ": they overlap");
    std::vector<std::string_view> names;
    for (const auto& m : members_) names.push_back(m.name);
    std::sort(names.begin(), names.end());
    if (const auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end())
      throw refusal("expected members of different names, found two called ", detail::shown(*twice));
  }

  // Numbers that are all ones are taken from the zip64 field, in this order.
  template <std::size_t N>
  void widen(const ZipMember& member, std::string_view extra, std::uint64_t (&numbers)[N]) const {
    if (std::find(numbers, numbers + N, 0xffffffff) == numbers + N) return;
    while (extra.size() >= 4) {
      const std::uint64_t tag = number(extra, 0, 2), size = number(extra, 2, 2);
      if (size > extra.size() - 4) break;
      if (tag == 1) {
        std::uint64_t at = 4;
        for (auto& x : numbers) {
          if (x != 0xffffffff) continue;
          if (at + 8 > 4 + size) break;
          x = number(extra, at, 8);
          at += 8;
        }
        if (std::find(numbers, numbers + N, 0xffffffff) == numbers + N) return;
      }
      extra.remove_prefix(4 + size);
    }
    throw refusal(member, "expected a zip64 field with the numbers that the header leaves out, found none");
  }

  // Sets where the data begin, and compares the member's own header with the directory.
  void read_local(ZipMember& member, std::uint64_t at, std::uint64_t end) const {
    if (at >= end || end - at < local_size || !lies_at(at, "PK\3\4", local_size))
      throw refusal(member, "expected its header at byte ", at, ", before byte ", end, ", found none");
    const std::uint64_t name_size = number(bytes_, at + 26, 2), extra_size = number(bytes_, at + 28, 2);
    if (name_size + extra_size > end - at - local_size ||
        member.stored > end - at - local_size - name_size - extra_size)
      throw refusal(member, "expected its ", member.stored, " bytes before the directory at byte ", end,
                    ", found a header at byte ", at, ": truncated, or a forged size");
    member.begin = at + local_size + name_size + extra_size;
    const std::string_view name = bytes_.substr(at + local_size, name_size);
    if (name != member.name) throw refusal(member, "expected that name in its header too, found ", detail::shown(name));
    const std::uint64_t method = number(bytes_, at + 8, 2);
    if (method != member.method)
      throw refusal(member, "expected method ", member.method, " in its header too, found ", method);
    if (!(number(bytes_, at + 6, 2) & 8)) {  // else crc and sizes follow the data
      std::uint64_t sizes[] = {number(bytes_, at + 22, 4), number(bytes_, at + 18, 4)};
      widen(member, bytes_.substr(at + local_size + name_size, extra_size), sizes);
      if (sizes[0] != member.size || sizes[1] != member.stored || number(bytes_, at + 14, 4) != member.crc)
        throw refusal(member, "expected ", member.size, " bytes in ", member.stored,
                      " and the directory's CRC in its header too, found ", sizes[0], " in ", sizes[1]);
    }
    if (!member.deflated() && member.size != member.stored)
      throw refusal(member, "expected ", member.size, " bytes that are stored as they are, found ", member.stored);
  }

  // The first `most` bytes of a deflated member, and whether that is all.
  std::pair<std::string, bool> inflate(const ZipMember& member, std::uint64_t most) const {
    z_stream z{};
    if (inflateInit2(&z, -15) != Z_OK)
      throw refusal(member, "zlib could not be started");  // -15: deflate without header
    struct End {
      z_stream& z;
      ~End() { inflateEnd(&z); }
    } end{z};
    std::string_view in = stored(member);
    std::string out;
    std::vector<char> chunk(std::size_t{1} << 15);
    for (;;) {
      if (z.avail_in == 0) {
        const std::size_t part = std::min<std::size_t>(in.size(), std::size_t{1} << 30);  // zlib counts in 32 bits
        z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
        z.avail_in = static_cast<uInt>(part);
        in.remove_prefix(part);
      }
      z.next_out = reinterpret_cast<Bytef*>(chunk.data());
      z.avail_out = static_cast<uInt>(chunk.size());
      const int status = ::inflate(&z, Z_NO_FLUSH);
      const std::size_t got = chunk.size() - z.avail_out;
      const bool more = got > most - out.size();
      out.append(chunk.data(), more ? static_cast<std::size_t>(most - out.size()) : got);
      if (more) return {std::move(out), false};
      if (status == Z_STREAM_END) {
        if (const std::size_t rest = z.avail_in + in.size(); rest != 0)
          throw refusal(member, "expected the end of the deflated data, found ", rest, " bytes more");
        return {std::move(out), true};
      }
      if (status == Z_BUF_ERROR)
        throw refusal(member, "the deflated data is truncated: it ends after ", out.size(), " bytes of contents");
      if (status != Z_OK)
        throw refusal(member, "the deflated data is damaged after ", out.size(),
                      " bytes of contents: ", z.msg ? z.msg : "zlib says no more");
    }
  }

  std::string_view bytes_;
  std::string name_;
  std::vector<ZipMember> members_;
};

}  // namespace mts::data
