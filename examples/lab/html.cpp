#include "lab/html.hpp"

#include <fmt/format.h>

#include "mts/core/error.hpp"

namespace mts::lab::html {

namespace {

constexpr std::string_view style = R"(
:root { color-scheme: light; }
body { margin: 0; background: #fff; color: #222; font: 16px/1.5 system-ui, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; }
h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid #ddd; padding-bottom: .2rem; }
h3 { font-size: 1rem; margin-bottom: .3rem; }
p { max-width: 46rem; }
.scroll { overflow-x: auto; margin: .6rem 0 1.2rem; }
table { border-collapse: collapse; font-size: .9rem; overflow-wrap: normal; }
th, td { padding: .25rem .7rem .25rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid #eee; }
.w { overflow-wrap: anywhere; min-width: 9rem; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th { font-weight: 600; border-bottom: 1px solid #999; vertical-align: bottom; }
th.n { white-space: normal; }
img, svg { max-width: 100%; height: auto; display: block; }
.warning { border-left: 4px solid #D55E00; padding: .1rem .9rem; margin: .8rem 0; background: #fdf4ef; max-width: 46rem; }
.samples { display: flex; flex-wrap: wrap; gap: .6rem; margin: .4rem 0 1rem; padding: 0; list-style: none; }
.samples li { width: 6.2rem; font-size: .75rem; line-height: 1.3; }
@media (max-width: 32rem) { table { font-size: .75rem; } th, td { padding-right: .45rem; } }
.samples img { width: 5rem; height: 5rem; object-fit: contain; image-rendering: pixelated; background: #eee; }
)";

const char* class_of(const Table::Column& column) {
  return column.numbers ? " class=\"n\"" : column.breaks ? " class=\"w\"" : "";
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t')
          out += "\xEF\xBF\xBD";
        else
          out += c;
    }
  }
  return out;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t k = 0; k < bytes.size(); k += 3) {
    const auto byte = [&](std::size_t i) -> unsigned {
      return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0u;
    };
    const unsigned group = byte(k) << 16 | byte(k + 1) << 8 | byte(k + 2);
    for (unsigned d = 0; d < 4; ++d) out += k + d <= bytes.size() ? digits[group >> (18 - 6 * d) & 63] : '=';
  }
  return out;
}

std::string data_uri(std::string_view media_type, std::string_view bytes) {
  return fmt::format("data:{};base64,{}", media_type, base64(bytes));
}

std::string picture(std::string_view media_type, std::string_view bytes, std::string_view alternative) {
  return fmt::format("<img src=\"{}\" alt=\"{}\">\n", data_uri(media_type, bytes), escaped(alternative));
}

void Table::row(const std::vector<std::string>& texts) {
  check_size("html::Table::row", "texts", static_cast<Index>(columns_.size()), static_cast<Index>(texts.size()));
  rows_ += "<tr>";
  for (std::size_t c = 0; c < texts.size(); ++c)
    rows_ += fmt::format("<td{}>{}</td>", class_of(columns_[c]), escaped(texts[c]));
  rows_ += "</tr>\n";
}

std::string Table::text() const {
  std::string head;
  for (const auto& column : columns_)
    head += fmt::format("<th scope=\"col\"{}>{}</th>", class_of(column), escaped(column.name));
  return fmt::format("<div class=\"scroll\"><table>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody></table></div>\n",
                     head, rows_);
}

std::string section(std::string_view heading, std::string_view body) {
  return fmt::format("<section>\n<h2>{}</h2>\n{}</section>\n", escaped(heading), body);
}

std::string paragraph(std::string_view text) { return fmt::format("<p>{}</p>\n", escaped(text)); }

std::string page(std::string_view title, std::string_view body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n<style>{}</style>\n"
      "</head>\n<body>\n<main>\n<h1>{}</h1>\n{}</main>\n</body>\n</html>\n",
      escaped(title), style, escaped(title), body);
}

}  // namespace mts::lab::html
