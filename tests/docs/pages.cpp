#include "docs/pages.hpp"

#include <algorithm>
#include <map>
#include <regex>
#include <sstream>

#include "data/support.hpp"

namespace mts_test::docs {

namespace {

/// Lower case, no punctuation, dashes for spaces.
std::string anchor_of(const std::string& title) {
  std::string anchor;
  for (const char c : title)
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-')
      anchor += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (c == ' ')
      anchor += '-';
  return anchor;
}

/// Takes code and links out of a line of text.
void read_text(const std::string& line, const Place& place, Page& page) {
  static const std::regex code("`([^`]+)`"), link(R"(\]\(([^) ]+)\))");
  for (std::sregex_iterator m(line.begin(), line.end(), code), end; m != end; ++m)
    page.code.push_back({place, (*m)[1]});
  for (std::sregex_iterator m(line.begin(), line.end(), link), end; m != end; ++m)
    page.links.push_back({place, (*m)[1]});
}

}  // namespace

std::filesystem::path root() { return MTS_ROOT; }

std::string in_words(const Place& place) { return place.page + ", line " + std::to_string(place.line); }

Page read_page(const std::string& name, const std::string& text) {
  static const std::regex fence("^( *)```(.*)$"), heading("^#+ (.*)$"), comment("^<!-- ([^ ]+) -->$");
  Page page{name, {}, {}, {}, {}};
  std::map<std::string, int> seen;
  std::istringstream in(text);
  std::string line, source;
  bool fenced = false, indented = false, blank = true;
  for (int number = 1; std::getline(in, line); ++number) {
    const Place place{name, number};
    std::smatch m;
    if (std::regex_match(line, m, fence)) {
      fenced = !fenced;
      indented = false;
      if (fenced) page.blocks.push_back({place, m[2], source, {}});
      blank = true;  // a block may follow at once
      source.clear();
      continue;
    }
    if (fenced) {
      page.blocks.back().lines.push_back(line);
      continue;
    }
    if (line.starts_with("    ") && (indented || blank)) {
      if (!indented) page.blocks.push_back({place, "", "", {}});
      indented = true;
      page.blocks.back().lines.push_back(line.substr(4));
      continue;
    }
    blank = line.find_first_not_of(' ') == std::string::npos;
    if (blank) {
      if (indented) page.blocks.back().lines.emplace_back();
      continue;
    }
    indented = false;
    source = std::regex_match(line, m, comment) ? m[1].str() : "";
    if (std::regex_match(line, m, heading)) {
      const std::string anchor = anchor_of(m[1]);
      const int before = seen[anchor]++;
      page.anchors.push_back(before == 0 ? anchor : anchor + "-" + std::to_string(before));
    }
    read_text(line, place, page);
  }
  return page;
}

const std::vector<Page>& pages() {
  static const std::vector<Page> all = [] {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(root() / "docs"))
      if (entry.path().extension() == ".md") names.push_back("docs/" + entry.path().filename().string());
    std::sort(names.begin(), names.end());
    names.insert(names.begin(), "README.md");
    std::vector<Page> pages;
    for (const auto& name : names) pages.push_back(read_page(name, read_plainly(root() / name)));
    return pages;
  }();
  return all;
}

}  // namespace mts_test::docs
