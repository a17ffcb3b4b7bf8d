#pragma once
/// \file
/// Tables as CSV files (RFC 4180 quoting, lines ended by \n). Floating-point numbers are written as the shortest text that reads
/// back as the same bits.

#include <charconv>
#include <concepts>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "mts/data/atomic_file.hpp"

namespace mts::data {

namespace detail {

inline void append_field(std::string& out, std::string_view s) {
  if (s.find_first_of(",\"\n\r") == std::string_view::npos) {
    out += s;
    return;
  }
  out += '"';
  for (const char c : s) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}
template <class T>
  requires std::integral<T> || std::floating_point<T>
void append_field(std::string& out, T x) {
  if constexpr (std::same_as<T, bool>) {
    out += x ? '1' : '0';
  } else {
    char digits[64];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, x).ptr);
  }
}

}  // namespace detail

/// A table in memory, written whole by `save`.
class CsvTable {
 public:
  /// \throws ValueError if there are no columns
  explicit CsvTable(std::vector<std::string> columns) : columns_(columns.size()) {
    check_value(!columns.empty(), "CsvTable", "expected at least one column, found none");
    for (std::size_t c = 0; c < columns.size(); ++c) {
      if (c > 0) text_ += ',';
      detail::append_field(text_, columns[c]);
    }
    text_ += '\n';
  }

  /// Appends a row of texts and numbers. \throws ShapeError unless it has a field for every column
  template <class... Fields>
  void row(const Fields&... fields) {
    check_size("CsvTable::row", "fields", static_cast<Index>(columns_), static_cast<Index>(sizeof...(fields)));
    std::size_t c = 0;
    ((c++ > 0 ? void(text_ += ',') : void(), detail::append_field(text_, fields)), ...);
    text_ += '\n';
  }

  /// The same with further fields behind them, as many as there are columns left.
  template <class T, class... Fields>
  void row_with(const std::vector<T>& more, const Fields&... fields) {
    check_size("CsvTable::row_with", "fields", static_cast<Index>(columns_),
               static_cast<Index>(sizeof...(fields) + more.size()));
    std::size_t c = 0;
    const auto append = [&](const auto& field) {
      if (c++ > 0) text_ += ',';
      detail::append_field(text_, field);
    };
    (append(fields), ...);
    for (const T& field : more) append(field);
    text_ += '\n';
  }

  /// The whole table, header first.
  const std::string& text() const { return text_; }
  /// \throws DataError if the file can't be written
  void save(const std::filesystem::path& path) const { write_atomically(path, text_); }

 private:
  std::size_t columns_;
  std::string text_;
};

}  // namespace mts::data
