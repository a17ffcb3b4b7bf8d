#pragma once
/// \file
/// NumPy's .npy files, format versions 1.0 and 2.0, little-endian, C order: what `numpy.load` and `numpy.save` exchange. The
/// reader believes nothing: magic number, version, type, order, shape and length are checked before memory is taken.

#include <algorithm>
#include <bit>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "mts/core/types.hpp"
#include "mts/data/atomic_file.hpp"
#include "mts/data/bytes.hpp"

namespace mts::data {

static_assert(std::endian::native == std::endian::little, "mts: .npy files are written as memory lies, little-endian");

/// Entries that .npy files may have here: float, double, and integers of 8 to 64 bits.
template <class T>
concept NpyScalar = std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, std::int8_t> ||
                    std::same_as<T, std::int16_t> || std::same_as<T, std::int32_t> || std::same_as<T, std::int64_t> ||
                    std::same_as<T, std::uint8_t> || std::same_as<T, std::uint16_t> || std::same_as<T, std::uint32_t> ||
                    std::same_as<T, std::uint64_t>;

/// An array as it lies in a .npy file: sizes, and entries in C order.
template <NpyScalar T>
struct NpyArray {
  std::vector<std::size_t> shape;
  std::vector<T> values;
};

namespace detail {

template <NpyScalar T>
constexpr std::string_view npy_type() {
  if constexpr (std::same_as<T, float>) return "<f4";
  if constexpr (std::same_as<T, double>) return "<f8";
  if constexpr (std::same_as<T, std::int8_t>) return "|i1";
  if constexpr (std::same_as<T, std::int16_t>) return "<i2";
  if constexpr (std::same_as<T, std::int32_t>) return "<i4";
  if constexpr (std::same_as<T, std::int64_t>) return "<i8";
  if constexpr (std::same_as<T, std::uint8_t>) return "|u1";
  if constexpr (std::same_as<T, std::uint16_t>) return "<u2";
  if constexpr (std::same_as<T, std::uint32_t>) return "<u4";
  if constexpr (std::same_as<T, std::uint64_t>) return "<u8";
}

inline constexpr std::string_view npy_magic = "\x93NUMPY";

/// Reads the dictionary of a .npy header, a Python literal such as
/// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } with its three keys in any order.
class NpyHeader {
 public:
  explicit NpyHeader(std::string_view text) : rest_(text) {}

  std::string type;
  bool fortran = false;
  std::vector<std::size_t> shape;

  /// Whether the text is such a dictionary.
  bool parse() {
    bool has_type = false, has_order = false, has_shape = false;
    if (!take("{")) return false;
    while (!take("}")) {
      const auto key = quoted();
      if (!key || !take(":")) return false;
      if (*key == "descr" && !has_type) {
        const auto value = quoted();
        if (!value) return false;
        type = *value;
        has_type = true;
      } else if (*key == "fortran_order" && !has_order) {
        fortran = take("True");
        if (!fortran && !take("False")) return false;
        has_order = true;
      } else if (*key == "shape" && !has_shape) {
        if (!tuple()) return false;
        has_shape = true;
      } else {
        return false;
      }
      if (!take(",") && !next_is('}')) return false;
    }
    skip_space();
    return rest_.empty() && has_type && has_order && has_shape;
  }

 private:
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
  std::optional<std::string> quoted() {
    if (!take("'")) return std::nullopt;
    const std::size_t end = rest_.find('\'');
    if (end == std::string_view::npos) return std::nullopt;
    std::string s(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    return s;
  }
  bool tuple() {
    if (!take("(")) return false;
    while (!take(")")) {
      skip_space();
      std::size_t n = 0;
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), n);
      if (error != std::errc()) return false;
      rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
      shape.push_back(n);
      if (!take(",") && !next_is(')')) return false;
    }
    return true;
  }

  std::string_view rest_;
};

}  // namespace detail

/// Writes `values` (C order, as many as the product of `shape`) to `path`, whole or not at all.
/// \throws ShapeError if they are more or fewer; DataError if the file can't be written
template <NpyScalar T>
void write_npy(const std::filesystem::path& path, std::span<const T> values, std::span<const std::size_t> shape) {
  std::size_t entries = 1;
  std::string sizes;
  for (const std::size_t n : shape) {
    entries *= n;
    sizes += std::to_string(n) + (shape.size() == 1 ? "," : ", ");
  }
  if (shape.size() > 1) sizes.resize(sizes.size() - 2);
  check_size("write_npy", "values", static_cast<Index>(entries), static_cast<Index>(values.size()));
  std::string header =
      detail::text("{'descr': '", detail::npy_type<T>(), "', 'fortran_order': False, 'shape': (", sizes, "), }");
  const std::size_t before = detail::npy_magic.size() + 4;
  header.append(63 - (before + header.size()) % 64, ' ');  // data begins at a multiple of 64, after a line end
  header += '\n';
  if (header.size() > 0xffff) throw ShapeError(detail::text("write_npy: a rank of ", shape.size(), " is too high"));
  std::string bytes(detail::npy_magic);
  bytes += {'\x01', '\x00', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  write_atomically(path, bytes);
}
/// A vector.
template <NpyScalar T>
void write_npy(const std::filesystem::path& path, const std::vector<T>& values) {
  const std::size_t n = values.size();
  write_npy<T>(path, std::span<const T>(values), std::span<const std::size_t>(&n, 1));
}
/// A matrix.
template <NpyScalar T>
void write_npy(const std::filesystem::path& path, const RowMatrix<T>& m) {
  const std::size_t shape[] = {static_cast<std::size_t>(m.rows()), static_cast<std::size_t>(m.cols())};
  write_npy<T>(path, std::span<const T>(m.data(), static_cast<std::size_t>(m.size())), shape);
}

/// Reads the .npy file at `path`, whose entries must be of one of the types Ts (all different) in C order; the result holds the
/// array of the type that is there.
/// \throws DataError that names the path, what was expected and what was found, if the file is missing, truncated,
///         followed by further bytes, no .npy file, of another version, type or order
template <NpyScalar... Ts>
std::variant<NpyArray<Ts>...> read_npy_of(const std::filesystem::path& path) {
  using detail::text;
  const std::string bytes = read_bytes(path, "a .npy file");
  const auto name = path.string();
  if (!std::string_view(bytes).starts_with(detail::npy_magic))
    throw DataError(text(name, ": expected the magic number \\x93NUMPY of a .npy file, found other bytes"));
  const auto byte = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(bytes[i])}; };
  if (bytes.size() < 12)
    throw DataError(text(name, ": expected a .npy header, found a file of ", bytes.size(), " bytes"));
  if ((byte(6) != 1 && byte(6) != 2) || byte(7) != 0)
    throw DataError(text(name, ": expected .npy version 1.0 or 2.0, found ", byte(6), ".", byte(7)));
  const std::size_t begin = byte(6) == 1 ? 10 : 12;
  std::size_t length = byte(8) | byte(9) << 8;
  if (byte(6) == 2) length |= byte(10) << 16 | byte(11) << 24;
  if (length > bytes.size() - begin)
    throw DataError(
        text(name, ": expected a .npy header of ", length, " bytes, found ", bytes.size() - begin, ": truncated"));

  detail::NpyHeader header(std::string_view(bytes).substr(begin, length));
  if (!header.parse())
    throw DataError(text(name, ": expected a .npy header with descr, fortran_order and shape, found ",
                         bytes.substr(begin, std::min<std::size_t>(length, 200))));
  std::size_t size = 0;  // of an entry, in bytes
  ((header.type == detail::npy_type<Ts>() ? void(size = sizeof(Ts)) : void()), ...);
  if (size == 0) {
    std::string types;
    ((types += (types.empty() ? "" : " or "), types += detail::npy_type<Ts>()), ...);
    throw DataError(text(name, ": expected entries of type ", types, ", found ", header.type));
  }
  if (header.fortran) throw DataError(text(name, ": expected C order, found Fortran order"));

  const std::size_t data = bytes.size() - begin - length;
  std::size_t entries = 1;
  for (const std::size_t n : header.shape) {
    if (n != 0 && entries > largest_file / n)
      throw DataError(text(name, ": expected at most ", largest_file, " entries, found a header that announces more"));
    entries *= n;
  }
  if (data != entries * size)
    throw DataError(text(name, ": expected ", entries * size, " bytes after the header, found ", data,
                         data < entries * size ? ": truncated" : ": too many"));
  std::variant<NpyArray<Ts>...> result;
  const auto take = [&]<class T>(std::type_identity<T>) {
    if (header.type != detail::npy_type<T>()) return;
    NpyArray<T> array{std::move(header.shape), std::vector<T>(entries)};
    if (entries != 0) std::memcpy(array.values.data(), bytes.data() + begin + length, data);
    result = std::move(array);
  };
  (take(std::type_identity<Ts>{}), ...);
  return result;
}

/// The same for a single type.
template <NpyScalar T>
NpyArray<T> read_npy(const std::filesystem::path& path) {
  return std::get<0>(read_npy_of<T>(path));
}

}  // namespace mts::data
