#pragma once
/// \file
/// The header of a .npy file, format versions 1.0, 2.0 and 3.0: what type, order and shape the entries have that follow it.
///
/// Layout: the magic number, byte 0x93 and NUMPY, two bytes of version, the length of the text that follows (2 bytes in version 1.0, 4 in the
/// others, little-endian), and that text, a Python literal such as {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "mts/core/error.hpp"
#include "mts/data/bytes.hpp"
#include "mts/data/half.hpp"

namespace mts::data {

/// What an entry is.
enum class NpyKind { boolean, signed_integer, unsigned_integer, floating };

/// The type of the entries: float16, 32 or 64, an integer of 8 to 64 bits, or bool (one byte).
struct NpyType {
  NpyKind kind = NpyKind::floating;
  std::size_t size = 8;     ///< of an entry, in bytes
  bool big_endian = false;  ///< never for a single byte

  /// As NumPy writes it: "<f4", ">i2", "|u1", "|b1".
  std::string name() const {
    constexpr char letters[] = {'b', 'i', 'u', 'f'};
    return {size == 1 ? '|' : big_endian ? '>' : '<', letters[static_cast<int>(kind)], static_cast<char>('0' + size)};
  }
};

/// What a header says.
struct NpyHeader {
  NpyType type;
  bool fortran = false;  ///< the first index is the fastest
  std::vector<std::size_t> shape;
  std::size_t entries = 1;  ///< the product of the shape
  std::size_t begin = 0;    ///< where the entries begin in the file
  /// Of the whole file.
  std::size_t bytes() const { return begin + entries * type.size; }
};

/// The longest text of a header that is taken: far more than three keys and 64 sides need.
inline constexpr std::size_t longest_npy_header = 0xffff;

namespace detail {

/// "3 x 4", "5"; "no sides" of a single number.
inline std::string shown(const std::vector<std::size_t>& shape) {
  std::string out;
  for (const std::size_t n : shape) out += (out.empty() ? "" : " x ") + std::to_string(n);
  return shape.empty() ? "no sides" : out;
}

/// Reads the text of a header; its three keys may come in any order.
class NpyHeaderText {
 public:
  NpyHeaderText(std::string_view text, const std::string& name) : text_(text), rest_(text), name_(name) {}

  void read(NpyHeader& header) {
    bool has_type = false, has_order = false, has_shape = false;
    expect("{");
    while (!take("}")) {
      const std::string_view key = quoted();
      expect(":");
      if (key == "descr" && !std::exchange(has_type, true))
        header.type = type();
      else if (key == "fortran_order" && !std::exchange(has_order, true))
        header.fortran = truth();
      else if (key == "shape" && !std::exchange(has_shape, true))
        header.shape = tuple();
      else
        refuse_text();
      if (!take(",") && !next_is('}')) refuse_text();
    }
    skip_space();
    if (!rest_.empty() || !has_type || !has_order || !has_shape) refuse_text();
  }

 private:
  [[noreturn]] void refuse_text() const {
    throw DataError(detail::text(name_, ": expected a .npy header with descr, fortran_order and shape, found ",
                                 shown(text_.substr(0, text_.find_last_not_of(" \n") + 1), 200)));
  }
  void skip_space() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\n')) rest_.remove_prefix(1);
  }
  bool next_is(char c) {
    skip_space();
    return !rest_.empty() && rest_[0] == c;
  }
  bool take(std::string_view token) {
    skip_space();
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  void expect(std::string_view token) {
    if (!take(token)) refuse_text();
  }
  std::string_view quoted() {
    expect("'");
    const std::size_t end = rest_.find('\'');
    if (end == std::string_view::npos) refuse_text();
    const std::string_view s = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return s;
  }
  bool truth() {
    if (take("True")) return true;
    expect("False");
    return false;
  }
  NpyType type() {
    const auto refusal = [&](std::string_view found, std::string_view why) {
      return DataError(detail::text(name_,
                                    ": expected entries of float16, 32 or 64, bool or integers of 8 to 64 bits, found ",
                                    shown(found), why));
    };
    if (next_is('[')) throw refusal(rest_.substr(0, rest_.find(']') + 1), ": a structured type");
    const std::string_view s = quoted();
    const char order = s.empty() ? ' ' : s[0], letter = s.size() < 2 ? ' ' : s[1];
    if (letter == 'O') throw refusal(s, ": Python objects, which only Python can read");
    if (letter == 'U' || letter == 'S') throw refusal(s, ": texts");
    NpyType type;
    type.kind = letter == 'b'   ? NpyKind::boolean
                : letter == 'i' ? NpyKind::signed_integer
                : letter == 'u' ? NpyKind::unsigned_integer
                                : NpyKind::floating;
    const std::string_view sizes = letter == 'b'                    ? "1"
                                   : letter == 'f'                  ? "248"
                                   : letter == 'i' || letter == 'u' ? "1248"
                                                                    : "";
    if (s.size() != 3 || sizes.find(s[2]) == std::string_view::npos) throw refusal(s, "");
    type.size = static_cast<std::size_t>(s[2] - '0');
    if (order != '<' && order != '>' && !(order == '|' && type.size == 1)) throw refusal(s, ": of unknown byte order");
    type.big_endian = order == '>' && type.size > 1;
    return type;
  }
  std::vector<std::size_t> tuple() {
    std::vector<std::size_t> shape;
    expect("(");
    while (!take(")")) {
      skip_space();
      std::size_t n = 0;
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), n);
      if (error == std::errc::result_out_of_range || next_is('-'))
        throw DataError(detail::text(name_, ": expected sides from 0 to 2^64 - 1 in the shape, found ",
                                     shown(rest_.substr(0, rest_.find_first_of(",)")))));
      if (error != std::errc()) refuse_text();
      if (shape.size() == 64) throw DataError(name_ + ": expected a shape of at most 64 sides, found more");
      rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
      shape.push_back(n);
      take("L");  // as Python 2 writes a long
      if (!take(",") && !next_is(')')) refuse_text();
    }
    return shape;
  }

  std::string_view text_, rest_;
  const std::string& name_;
};

}  // namespace detail

/// Reads a header. Takes no memory by what it says but for the shape, of at most 64 sides.
/// \param beginning  the file, or so much of it that all of a header of the longest length must be there
/// \param name       of the file, for the messages
/// \throws DataError that names the file, what was expected and found, if this is no .npy file, one of another version, a truncated or
///         malformed header, a type that is none of `NpyType`, or a shape whose bytes can't be counted in 63 bits, the sides that
///         are 0 left out
inline NpyHeader read_npy_header(std::string_view beginning, const std::string& name) {
  using detail::text;
  if (!beginning.starts_with("\x93NUMPY"))
    throw DataError(text(name, ": expected the magic number \\x93NUMPY of a .npy file, found ",
                         beginning.empty() ? "no bytes" : "other bytes"));
  const auto byte = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(beginning[i])}; };
  if (beginning.size() < 12)
    throw DataError(text(name, ": expected a .npy header, found a file of ", beginning.size(), " bytes"));
  if (byte(6) < 1 || byte(6) > 3 || byte(7) != 0)
    throw DataError(text(name, ": expected .npy version 1.0, 2.0 or 3.0, found ", byte(6), ".", byte(7)));
  const std::size_t start = byte(6) == 1 ? 10 : 12;
  std::size_t length = byte(8) | byte(9) << 8;
  if (byte(6) != 1) length |= byte(10) << 16 | byte(11) << 24;
  if (length > longest_npy_header)
    throw DataError(
        text(name, ": expected a .npy header of at most ", longest_npy_header, " bytes, found one of ", length));
  if (length > beginning.size() - start)
    throw DataError(
        text(name, ": expected a .npy header of ", length, " bytes, found ", beginning.size() - start, ": truncated"));

  NpyHeader header;
  detail::NpyHeaderText(beginning.substr(start, length), name).read(header);
  header.begin = start + length;
  // Sides that are 0 hide what the others multiply to, which offsets are made of.
  constexpr auto most = static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max()) - longest_npy_header - 12;
  std::size_t bytes = header.type.size;
  for (const std::size_t n : header.shape) {
    if (n > 1 && bytes > most / n)
      throw DataError(text(name, ": expected a shape of at most 2^63 bytes, found a header that announces more"));
    bytes *= std::max<std::size_t>(n, 1);
    header.entries *= n;
  }
  return header;
}

/// \param size  of the file, in bytes: not less than the header that was read of it
/// \throws DataError that names the file, if one of `size` bytes is not what its header announces: truncated, or with more after it
inline void check_npy_length(const NpyHeader& header, std::size_t size, const std::string& name) {
  if (size == header.bytes()) return;
  throw DataError(detail::text(name, ": expected ", header.entries * header.type.size,
                               " bytes after the header, found ", size - header.begin,
                               size < header.bytes() ? ": truncated" : ": too many"));
}

/// f(std::type_identity<T>()) with the T that an entry of this type is: Half, float, double, bool, or std::int8_t to std::uint64_t.
template <class F>
decltype(auto) visit_npy_type(const NpyType& type, F&& f) {
  const auto of_size = [&]<class T1, class T2, class T4, class T8>(
                           std::type_identity<T1> one, std::type_identity<T2> two, std::type_identity<T4> four,
                           std::type_identity<T8> eight) -> decltype(auto) {
    switch (type.size) {
      case 1:
        return f(one);
      case 2:
        return f(two);
      case 4:
        return f(four);
      default:
        return f(eight);
    }
  };
  using std::type_identity;
  switch (type.kind) {
    case NpyKind::boolean:
      return f(type_identity<bool>());
    case NpyKind::signed_integer:
      return of_size(type_identity<std::int8_t>(), type_identity<std::int16_t>(), type_identity<std::int32_t>(),
                     type_identity<std::int64_t>());
    case NpyKind::unsigned_integer:
      return of_size(type_identity<std::uint8_t>(), type_identity<std::uint16_t>(), type_identity<std::uint32_t>(),
                     type_identity<std::uint64_t>());
    case NpyKind::floating:
      break;
  }
  switch (type.size) {
    case 2:
      return f(type_identity<Half>());
    case 4:
      return f(type_identity<float>());
    default:
      return f(type_identity<double>());
  }
}

}  // namespace mts::data
