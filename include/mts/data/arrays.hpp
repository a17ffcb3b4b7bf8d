#pragma once
/// \file
/// Arrays of other programs as matrices and as labels: whole, converted, and checked.

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "mts/core/types.hpp"
#include "mts/data/array_file.hpp"

namespace mts::data {

/// Which numbers a matrix may have.
enum class Numbers {
  any,    ///< NaN and infinite ones too
  finite  ///< only such as are finite, in the file and once converted
};

/// The array at `where` (a path as `ArrayFile` takes it: FILE.npy, FILE.npz or FILE.npz:NAME) as a matrix, N x the product of the other
/// sides in C order; N numbers become N x 1.
/// \throws DataError as `ArrayFile`; if the array has no sides; if a checksum fails; and, where numbers are to be finite, with row, column and
///         number, if one is not, or too large for an S
template <std::floating_point S>
RowMatrix<S> read_matrix(const std::filesystem::path& where, Numbers numbers = Numbers::finite);

/// The integers or truth values (as 0 and 1) at `where`, N or N x 1.
/// \throws DataError as `ArrayFile`; for another type or shape; if a checksum fails; and with its row, if one is not in [least, largest]
inline std::vector<int> read_integers(const std::filesystem::path& where, int least = std::numeric_limits<int>::min(),
                                      int largest = std::numeric_limits<int>::max());

template <std::floating_point S>
RowMatrix<S> read_matrix(const std::filesystem::path& where, Numbers numbers) {
  using detail::text;
  const ArrayFile file(where);
  if (file.shape().empty()) throw DataError(file.name() + ": expected an array of rows, found a single number");
  file.check_crc();
  RowMatrix<S> m(file.rows(), file.cols());
  file.for_each_entry(0, file.rows(), [&](Index i, Index c, auto x) {
    const S number = static_cast<S>(x);
    if (numbers == Numbers::finite && !std::isfinite(number))
      throw DataError(text(file.name(), ": row ", i, ", column ", c, ": expected a finite number",
                           sizeof(S) < sizeof(double) ? " that a float can hold" : "", ", found ",
                           static_cast<double>(x)));
    m(i, c) = number;
  });
  return m;
}

inline std::vector<int> read_integers(const std::filesystem::path& where, int least, int largest) {
  using detail::text;
  const ArrayFile file(where);
  if (file.type().kind == NpyKind::floating)
    throw DataError(text(file.name(), ": expected integers, found entries of type ", file.type().name()));
  if (const auto& shape = file.shape(); shape.size() != 1 && !(shape.size() == 2 && shape[1] == 1))
    throw DataError(text(file.name(), ": expected integers of shape N or N x 1, found ", detail::shown(shape)));
  file.check_crc();
  std::vector<int> values(static_cast<std::size_t>(file.rows()));
  file.for_each_entry(0, file.rows(), [&](Index i, Index, auto x) {
    if constexpr (std::is_integral_v<decltype(x)>) {
      const auto number = +x;  // a bool as an int
      if (std::cmp_less(number, least) || std::cmp_greater(number, largest))
        throw DataError(
            text(file.name(), ": row ", i, ": expected an integer from ", least, " to ", largest, ", found ", number));
      values[static_cast<std::size_t>(i)] = static_cast<int>(number);
    }
  });
  return values;
}

}  // namespace mts::data
