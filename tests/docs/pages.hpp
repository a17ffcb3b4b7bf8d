#pragma once
// The manual's pages, README.md and docs/*.md, taken apart: headings, links, blocks of code, code within lines.

#include <filesystem>
#include <string>
#include <vector>

namespace mts_test::docs {

/// Where in the manual something stands.
struct Place {
  std::string page;  ///< from the repository's root: "docs/lab.md"
  int line = 0;
};

struct Block {
  Place place;
  std::string language;  ///< what the fence says; "" for an indented block
  std::string source;    ///< the file named by a comment on the line before, `<!-- examples/x.cpp -->`; "" if none
  std::vector<std::string> lines;
};
/// A link or a picture, or a piece of code within a line.
struct Inline {
  Place place;
  std::string text;
};

struct Page {
  std::string name;
  std::vector<std::string> anchors;  ///< of its headings, as repository browsers make them
  std::vector<Inline> links, code;
  std::vector<Block> blocks;
};

/// The repository's root.
std::filesystem::path root();

Page read_page(const std::string& name, const std::string& text);
/// README.md, then docs/*.md by name.
const std::vector<Page>& pages();

/// "docs/lab.md, line 7".
std::string in_words(const Place& place);

}  // namespace mts_test::docs
