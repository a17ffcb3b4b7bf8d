#pragma once
/// \file
/// An array in a file of NumPy's, a .npy or a member of an .npz, opened: its rows are converted as they are asked for, so it may be
/// larger than memory. Any type of `NpyType`, either byte order, C and Fortran order.

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "mts/core/types.hpp"
#include "mts/data/mapped_file.hpp"
#include "mts/data/npy_header.hpp"
#include "mts/data/zip.hpp"

namespace mts::data {

namespace detail {

static_assert(std::endian::native == std::endian::little,
              "mts: entries of .npy files are read on little-endian machines");

/// The entry at `at`, where its bytes may lie as they like.
template <class T>
T npy_entry(const char* at, bool big_endian) {
  if constexpr (std::same_as<T, bool>) {
    return *at != 0;
  } else if constexpr (std::same_as<T, Half>) {
    return Half{npy_entry<std::uint16_t>(at, big_endian)};
  } else {
    std::array<char, sizeof(T)> bytes;
    std::memcpy(bytes.data(), at, sizeof(T));
    if (big_endian) std::reverse(bytes.begin(), bytes.end());
    return std::bit_cast<T>(bytes);
  }
}

}  // namespace detail

/// Where an array is.
struct ArrayPlace {
  std::filesystem::path path;         ///< of a .npy or an .npz
  std::optional<std::string> member;  ///< of an .npz; none: its only array

  ArrayPlace(std::filesystem::path file, std::string name) : path(std::move(file)), member(std::move(name)) {}
  /// "pool.npz:features" is member features of pool.npz; any other text is a path.
  explicit ArrayPlace(const std::filesystem::path& where) : path(where) {
    const std::string s = where.string();
    const std::size_t at = s.rfind(".npz:");
    if (at == std::string::npos) return;
    path = s.substr(0, at + 4);
    member = s.substr(at + 5);
  }
};

/// An array whose header has been read and compared with the length of the file. The first side counts rows: an array of shape
/// N x a x b has N rows of a * b entries, in C order whatever the order of the file; a vector has rows of one entry, and an array
/// without sides is one row of one.
///
/// A .npy, and a member of an .npz that `numpy.savez` stored, are mapped into memory (see `MappedFile` for what must not happen to
/// the file meanwhile). A member that `numpy.savez_compressed` wrote is inflated into memory when it is opened.
/// Reading from several threads is safe.
class ArrayFile {
 public:
  /// \param where  a .npy file; an .npz file, followed by ":NAME" unless it has a single array. What the file is, its first bytes
  ///               say, not its name
  /// \param limit  the most bytes that a compressed member may inflate to
  /// \throws DataError that names the file, what was expected and what was found, if it is missing, truncated, followed by further
  ///         bytes, or malformed, if its type is none of `NpyType`, if there is no such array in it, or a compressed one is damaged
  ///         or larger
  explicit ArrayFile(const std::filesystem::path& where, std::uint64_t limit = largest_file)
      : ArrayFile(ArrayPlace(where), limit) {}
  explicit ArrayFile(const ArrayPlace& place, std::uint64_t limit = largest_file) : name_(place.path.string()) {
    using detail::text;
    MappedFile file(place.path, "an array (.npy or .npz)");
    const std::string_view bytes = file.bytes();
    if (bytes.starts_with("PK")) {
      const ZipArchive archive(bytes, place.path.string());
      const ZipMember& member = find(archive, place);
      name_ = text(place.path.string(), ":", detail::shown(array_name(member.name)));
      archive.check_readable(member);
      // Of a compressed member the header is read first, so that one that announces too much is not inflated.
      header_ = read_npy_header(archive.beginning(member, longest_npy_header + 12), name_);
      check_npy_length(header_, member.size, name_);
      if (member.deflated()) {
        if (member.size > limit)
          throw DataError(text(name_, ": expected a compressed array of at most ", limit, " bytes, found ", member.size,
                               ": numpy.savez stores larger ones so that they can be mapped"));
        inflated_ = archive.contents(member);
        return;
      }
      first_ = member.begin;
      crc_ = member.crc;
    } else {
      if (place.member)
        throw DataError(text(place.path.string(), ": expected an .npz archive with an array ",
                             detail::shown(*place.member), ", found no zip archive"));
      header_ = read_npy_header(bytes, name_);
      check_npy_length(header_, bytes.size(), name_);
    }
    file_.emplace(std::move(file));
  }

  /// As messages call it: the path, with ":NAME" for a member.
  const std::string& name() const { return name_; }
  const NpyType& type() const { return header_.type; }
  const std::vector<std::size_t>& shape() const { return header_.shape; }
  /// Rows, and entries of each.
  Index rows() const { return static_cast<Index>(header_.shape.empty() ? 1 : header_.shape[0]); }
  Index cols() const { return static_cast<Index>(columns()); }
  /// Whether the rows come from the mapped file, rather than from memory.
  bool mapped() const { return file_.has_value(); }

  /// out <- rows [begin, begin + out.rows()), each number the nearest that an S can be; a bool becomes 0 or 1. One beyond the
  /// range of S becomes infinite.
  /// \throws ValueError if there are no such rows; ShapeError if `out` has other columns; DataError if the file has been shortened
  template <std::floating_point S>
  void read_rows(Index begin, Rows<S> out) const {
    if (out.cols() != cols())
      throw ShapeError(
          detail::text("ArrayFile::read_rows: ", name_, ": columns: expected ", cols(), ", found ", out.cols()));
    for_each_entry(begin, begin + out.rows(), [&](Index i, Index c, auto x) { out(i - begin, c) = static_cast<S>(x); });
  }
  /// out <- rows [begin, end), resized.
  template <std::floating_point S>
  void read_rows(Index begin, Index end, RowMatrix<S>& out) const {
    check_range(begin, end);
    out.resize(end - begin, cols());
    read_rows<S>(begin, rows_of(out));
  }

  /// f(row, column, x) for the entries of rows [begin, end), in the order in which they lie best, x of the file's own type (bool,
  /// Half, float, double, std::int8_t to std::uint64_t).
  /// \throws as `read_rows`
  template <class F>
  void for_each_entry(Index begin, Index end, F&& f) const {
    check_range(begin, end);
    if (file_) file_->check_length();
    if (begin == end || header_.entries == 0) return;
    visit_npy_type(header_.type, [&]<class T>(std::type_identity<T>) {
      header_.fortran ? walk_columns<T>(static_cast<std::size_t>(begin), static_cast<std::size_t>(end), f)
                      : walk_rows<T>(static_cast<std::size_t>(begin), static_cast<std::size_t>(end), f);
    });
  }

  /// Compares the bytes of a mapped member with the checksum of its archive: a pass over all of it. (A .npy file has none; what
  /// was compressed has been compared already.)
  /// \throws DataError if they differ
  void check_crc() const {
    if (!crc_) return;
    file_->check_length();
    if (const std::uint32_t found = detail::crc32_of(file_->bytes().substr(first_, header_.bytes())); found != *crc_)
      throw DataError(detail::text(name_, ": expected contents of the CRC ", *crc_, ", found ", found, ": damaged"));
  }

 private:
  std::size_t columns() const {
    std::size_t n = 1;
    for (std::size_t d = 1; d < header_.shape.size(); ++d) n *= header_.shape[d];
    return n;
  }
  const char* data() const { return (file_ ? file_->bytes().data() + first_ : inflated_.data()) + header_.begin; }

  void check_range(Index begin, Index end) const {
    check_value(0 <= begin && begin <= end && end <= rows(), "ArrayFile", name_, ": expected a range of its ", rows(),
                " rows, found ", begin, " to ", end);
  }

  static std::string_view array_name(std::string_view member) {
    return member.ends_with(".npy") ? member.substr(0, member.size() - 4) : member;
  }
  static const ZipMember& find(const ZipArchive& archive, const ArrayPlace& place) {
    const auto& members = archive.members();
    const ZipMember* only = nullptr;
    std::size_t arrays = 0;
    std::string names;
    for (const auto& m : members) {
      const bool array = m.name.ends_with(".npy");
      if (place.member && (m.name == *place.member || (array && array_name(m.name) == *place.member))) return m;
      if (!array) continue;
      if (arrays++ < 10) names += (names.empty() ? "" : ", ") + detail::shown(array_name(m.name), 40);
      only = &m;
    }
    if (arrays > 10) names += ", ...";
    if (!place.member && arrays == 1) return *only;
    throw DataError(detail::text(place.path.string(), ": expected ",
                                 place.member ? "an array called " + detail::shown(*place.member)
                                              : "a single array, or the name of one (FILE.npz:NAME)",
                                 ", found ", arrays, arrays == 1 ? " array" : " arrays", names.empty() ? "" : ": ",
                                 names));
  }

  template <class T, class F>
  void walk_rows(std::size_t begin, std::size_t end, F& f) const {
    const std::size_t columns = this->columns();
    const char* at = data() + begin * columns * sizeof(T);
    for (std::size_t i = begin; i < end; ++i)
      for (std::size_t c = 0; c < columns; ++c, at += sizeof(T))
        f(static_cast<Index>(i), static_cast<Index>(c), detail::npy_entry<T>(at, header_.type.big_endian));
  }
  // Columns one after another, by tiles of rows that a cache holds where f writes rows.
  template <class T, class F>
  void walk_columns(std::size_t begin, std::size_t end, F& f) const {
    constexpr std::size_t tile = 128;
    const auto& shape = header_.shape;
    const std::size_t columns = this->columns();
    std::vector<std::size_t> strides(shape.size(), 1);  // in entries
    for (std::size_t d = 1; d < shape.size(); ++d) strides[d] = strides[d - 1] * shape[d - 1];
    for (std::size_t from = begin; from < end; from += tile) {
      const std::size_t to = std::min(end, from + tile);
      std::vector<std::size_t> index(shape.size(), 0);  // of the column; its last number is the fastest
      std::size_t column = 0;                           // the entries before it in the file
      for (std::size_t c = 0; c < columns; ++c) {
        for (std::size_t i = from; i < to; ++i)
          f(static_cast<Index>(i), static_cast<Index>(c),
            detail::npy_entry<T>(data() + (column + i) * sizeof(T), header_.type.big_endian));
        for (std::size_t d = shape.size(); d-- > 1;) {
          column += strides[d];
          if (++index[d] < shape[d]) break;
          column -= shape[d] * strides[d];
          index[d] = 0;
        }
      }
    }
  }

  std::string name_;
  NpyHeader header_;
  std::optional<MappedFile> file_;  // or
  std::string inflated_;
  std::size_t first_ = 0;  // where the .npy begins in the mapped file
  std::optional<std::uint32_t> crc_;
};

}  // namespace mts::data
