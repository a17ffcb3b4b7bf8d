#pragma once
/// \file
/// Arrays as `numpy.load` and `numpy.save` exchange them, entries as they are. (`arrays.hpp` converts them.)

#include <bit>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "mts/core/types.hpp"
#include "mts/data/array_file.hpp"
#include "mts/data/atomic_file.hpp"
#include "mts/data/bytes.hpp"

namespace mts::data {

static_assert(std::endian::native == std::endian::little, "mts: .npy files are written as memory lies, little-endian");

/// Entries that arrays may have here: float, double, and integers of 8 to 64 bits.
template <class T>
concept NpyScalar = std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, std::int8_t> ||
                    std::same_as<T, std::int16_t> || std::same_as<T, std::int32_t> || std::same_as<T, std::int64_t> ||
                    std::same_as<T, std::uint8_t> || std::same_as<T, std::uint16_t> || std::same_as<T, std::uint32_t> ||
                    std::same_as<T, std::uint64_t>;

/// An array in memory: sizes, and entries in C order.
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

/// Reads the array at `where` (a path as `ArrayFile` takes it), whose entries must be of one of the types Ts (all different), in either
/// byte order, C or Fortran order; the result holds the array of the type that is there.
/// \throws DataError that names the file, what was expected and what was found, as `ArrayFile` does, if the entries are of another
///         type, or if they are not those that the checksum of an archive was made of
template <NpyScalar... Ts>
std::variant<NpyArray<Ts>...> read_npy_of(const std::filesystem::path& where) {
  const ArrayFile file(where);
  file.check_crc();
  std::variant<NpyArray<Ts>...> result;
  const bool read = visit_npy_type(file.type(), [&]<class T>(std::type_identity<T>) {
    if constexpr ((std::same_as<T, Ts> || ...)) {
      NpyArray<T> array{file.shape(), std::vector<T>(static_cast<std::size_t>(file.rows() * file.cols()))};
      file.for_each_entry(0, file.rows(), [&](Index i, Index c, auto x) {
        if constexpr (std::same_as<decltype(x), T>) array.values[static_cast<std::size_t>(i * file.cols() + c)] = x;
      });
      result = std::move(array);
      return true;
    } else {
      return false;
    }
  });
  if (read) return result;
  std::string types;
  ((types += (types.empty() ? "" : " or "), types += detail::npy_type<Ts>()), ...);
  throw DataError(detail::text(file.name(), ": expected entries of type ", types, ", found ", file.type().name()));
}

/// The same for a single type.
template <NpyScalar T>
NpyArray<T> read_npy(const std::filesystem::path& where) {
  return std::get<0>(read_npy_of<T>(where));
}

}  // namespace mts::data
