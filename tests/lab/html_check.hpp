#pragma once
// Whether a page is well-formed, and needs nothing but itself.

#include <algorithm>
#include <cctype>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace mts_test {

/// What is wrong with a page, in words; empty if nothing is. Stricter than HTML: every element is closed, attributes have double
/// quotes, and what is special is escaped.
inline std::vector<std::string> html_problems(std::string_view page) {
  static const std::set<std::string, std::less<>> voids = {"meta", "img", "br", "hr"},
                                                  others = {"script", "link",  "iframe", "object", "embed",
                                                            "base",   "video", "audio",  "source", "form"},
                                                  addresses = {"src",    "href",   "xlink:href", "data",
                                                               "srcset", "poster", "action"};
  std::vector<std::string> problems, open;
  std::set<std::string> ids;
  std::set<std::string, std::less<>> seen;
  std::string_view rest = page;
  const auto problem = [&](std::string words) {
    const auto line = std::count(page.begin(), page.end() - static_cast<std::ptrdiff_t>(rest.size()), '\n') + 1;
    problems.push_back("line " + std::to_string(line) + ": " + std::move(words));
  };
  const auto check_entities = [&](std::string_view text) {
    for (std::size_t k = text.find('&'); k != std::string_view::npos; k = text.find('&', k + 1)) {
      const auto name = text.substr(k + 1, text.substr(k, 12).find(';') - 1);
      const bool number = name.starts_with('#') && name.size() > 1 &&
                          std::all_of(name.begin() + 1, name.end(), [](unsigned char c) { return std::isdigit(c); });
      if (!number && name != "amp" && name != "lt" && name != "gt" && name != "quot")
        problem("an & that is none of &amp; &lt; &gt; &quot; &#N;");
    }
    for (const char c : text)
      if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') problem("a control character");
  };
  if (!rest.starts_with("<!DOCTYPE html>\n")) problem("no <!DOCTYPE html>");
  rest.remove_prefix(std::min(rest.size(), rest.find('>') + 1));
  while (!rest.empty()) {
    const auto tag = rest.find('<');
    const std::string_view text = rest.substr(0, tag);
    if (text.find('>') != std::string_view::npos) problem("a > outside of tags");
    check_entities(text);
    if (tag == std::string_view::npos) break;
    rest.remove_prefix(tag + 1);
    const bool closing = rest.starts_with('/');
    if (closing) rest.remove_prefix(1);
    std::size_t n = 0;
    while (n < rest.size() && (std::isalnum(static_cast<unsigned char>(rest[n])) != 0)) ++n;
    const std::string name(rest.substr(0, n));
    rest.remove_prefix(n);
    if (name.empty()) {
      problem("a < that begins no tag");
      continue;
    }
    bool closed = voids.contains(name);
    while (true) {
      while (!rest.empty() && std::isspace(static_cast<unsigned char>(rest[0])) != 0) rest.remove_prefix(1);
      if (rest.starts_with("/>")) {
        closed = true;
        rest.remove_prefix(1);
      }
      if (rest.starts_with('>')) {
        rest.remove_prefix(1);
        break;
      }
      const auto equals = rest.find('='), end = rest.find('"', std::min(rest.size(), equals + 2));
      if (equals == std::string_view::npos || rest.substr(equals, 2) != "=\"" || end == std::string_view::npos) {
        problem("<" + name + ">: expected NAME=\"VALUE\"");
        return problems;
      }
      const std::string attribute(rest.substr(0, equals));
      const auto value = rest.substr(equals + 2, end - equals - 2);
      if (value.find('<') != std::string_view::npos) problem("<" + name + ">: a < in " + attribute);
      check_entities(value);
      if (addresses.contains(attribute) && !value.starts_with("data:") && !value.starts_with('#'))
        problem("<" + name + ">: an address outside of the page: " + std::string(value.substr(0, 80)));
      if (attribute == "id" && !ids.insert(std::string(value)).second) problem("two ids " + std::string(value));
      if (attribute.starts_with("on")) problem("<" + name + ">: a script in " + attribute);
      if (name == "img" && attribute == "alt") seen.insert("alt");
      rest.remove_prefix(end + 1);
    }
    if (others.contains(name)) problem("an element <" + name + ">, which may bring in what is not here");
    if (closing) {
      if (open.empty() || open.back() != name)
        problem("</" + name + "> closes " + (open.empty() ? "nothing" : "<" + open.back() + ">"));
      if (!open.empty()) open.pop_back();
    } else {
      if (name == "img" && seen.erase("alt") == 0) problem("an <img> without alt");
      seen.insert(name);
      if (!closed) open.push_back(name);
      if (name == "style") {
        const auto end = rest.find("</style>");
        const auto css = rest.substr(0, end);
        if (css.find("url(") != std::string_view::npos || css.find("@import") != std::string_view::npos)
          problem("a style that brings in what is not here");
        rest.remove_prefix(std::min(rest.size(), end));
      }
    }
  }
  for (const auto& name : open) problem("<" + name + "> is not closed");
  for (const char* name : {"html", "head", "title", "body", "main", "h1"})
    if (!seen.contains(name)) problem(std::string("no <") + name + ">");
  return problems;
}

/// The same as one text.
inline std::string html_problems_text(std::string_view page) {
  std::string text;
  for (const auto& p : html_problems(page)) text += p + "\n";
  return text;
}

}  // namespace mts_test
