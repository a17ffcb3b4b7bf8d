#pragma once
/// \file
/// Pages of HTML that need nothing but themselves: escaping, tables, embedded pictures, and the one frame of all pages.

#include <string>
#include <string_view>
#include <vector>

namespace mts::lab::html {

/// A text as it stands in an element or a quoted attribute. Control characters become U+FFFD.
std::string escaped(std::string_view text);

/// Bytes in base 64, and as an address that holds them.
std::string base64(std::string_view bytes);
std::string data_uri(std::string_view media_type, std::string_view bytes);

/// A picture that is embedded. \param alternative  what it shows, in words
std::string picture(std::string_view media_type, std::string_view bytes, std::string_view alternative);

/// A table, in a box that scrolls where the window is too narrow.
class Table {
 public:
  struct Column {
    std::string name;
    bool numbers = true;  ///< set flush right
    bool breaks = false;  ///< long words may be broken
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// Texts that are escaped, one a column. \throws ShapeError if there are more or fewer
  void row(const std::vector<std::string>& texts);
  bool empty() const { return rows_.empty(); }
  std::string text() const;

 private:
  std::vector<Column> columns_;
  std::string rows_;
};

/// A part of a page under a heading; `body` is HTML.
std::string section(std::string_view heading, std::string_view body);
/// A paragraph of escaped text.
std::string paragraph(std::string_view text);

/// The whole page. \param body  HTML
std::string page(std::string_view title, std::string_view body);

}  // namespace mts::lab::html
