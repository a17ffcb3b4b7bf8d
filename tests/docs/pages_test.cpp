// The manual's links lead somewhere, and its code is code that is compiled and run.
#include "docs/pages.hpp"

#include <set>

#include "data/support.hpp"

namespace {

using namespace mts_test;
using namespace mts_test::docs;

const Page* page_named(const std::string& name) {
  for (const auto& page : pages())
    if (page.name == name) return &page;
  return nullptr;
}

/// "" if a link of a page leads to a file or a heading, else what is wrong with it.
std::string broken(const Page& page, const std::string& link) {
  if (link.find("://") != std::string::npos) return "";
  const auto hash = link.find('#');
  const std::string file = link.substr(0, hash);
  std::string target = page.name;
  if (!file.empty()) {
    const auto path = (root() / page.name).parent_path() / file;
    if (!std::filesystem::exists(path)) return "no such file";
    target = std::filesystem::relative(path, root()).generic_string();
  }
  if (hash == std::string::npos) return "";
  const Page* to = target == page.name ? &page : page_named(target);
  if (to == nullptr) return "an anchor in what is no page of the manual";
  const std::string anchor = link.substr(hash + 1);
  return std::find(to->anchors.begin(), to->anchors.end(), anchor) != to->anchors.end() ? "" : "no such heading";
}

std::string stripped(const std::string& line) {
  const auto begin = line.find_first_not_of(' ');
  return begin == std::string::npos ? "" : line.substr(begin, line.find_last_not_of(" \r") + 1 - begin);
}
std::vector<std::string> stripped_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(stripped(line));
  return lines;
}

/// The first line of the block that does not stand in the file, or "": its lines one after another, but for their indentation. A
/// line `// ...` or `# ...` stands for any number of lines.
std::string not_in(const std::vector<std::string>& file, const Block& block) {
  std::vector<std::vector<std::string>> parts(1);
  for (const auto& line : block.lines)
    if (const std::string s = stripped(line); s == "// ..." || s == "# ...")
      parts.emplace_back();
    else
      parts.back().push_back(s);
  auto from = file.begin();
  for (auto& part : parts) {
    while (!part.empty() && part.back().empty()) part.pop_back();
    while (!part.empty() && part.front().empty()) part.erase(part.begin());
    const auto found = std::search(from, file.end(), part.begin(), part.end());
    if (found == file.end() && !part.empty()) {
      for (const auto& line : part)
        if (std::find(from, file.end(), line) == file.end()) return line;
      return part.front() + " (and what follows it)";
    }
    from = found + static_cast<std::ptrdiff_t>(part.size());
  }
  return "";
}

/// Whether a line of an indented block is a formula or a picture made of letters, and not code in hiding.
bool looks_like_code(const std::string& line) {
  const std::string s = stripped(line);
  for (const char* begin : {"./run", "mts-lab ", "cmake ", "ctest ", "git ", "pip ", "apt-get ", "sudo ", "#include",
                            "import ", "from ", "$ "})
    if (s.starts_with(begin)) return true;
  return s.ends_with(";") || s.find(";  //") != std::string::npos || s.ends_with("{") || s.starts_with("//");
}

TEST_CASE("Manual: pages are taken apart: fences with their sources, indented blocks, code, links, anchors") {
  const Page page = read_page("docs/x.md",
                              "# A title, `here`\n"
                              "Text with `code` and [a link](y.md#z).\n"
                              "    no block, but the paragraph\n"
                              "\n"
                              "    a formula\n"
                              "\n"
                              "    its second line\n"
                              "\n"
                              "## A title here\n"
                              "<!-- examples/x.cpp -->\n"
                              "```cpp\n"
                              "int x;  // [no](link)\n"
                              "```\n"
                              "```sh\n"
                              "./run help\n"
                              "```\n");
  CHECK(page.anchors == std::vector<std::string>{"a-title-here", "a-title-here-1"});
  REQUIRE(page.links.size() == 1);
  CHECK(page.links[0].text == "y.md#z");
  CHECK(in_words(page.links[0].place) == "docs/x.md, line 2");
  REQUIRE(page.code.size() == 2);
  CHECK(page.code[1].text == "code");
  REQUIRE(page.blocks.size() == 3);
  CHECK(page.blocks[0].language == "");
  CHECK(page.blocks[0].lines == std::vector<std::string>{"a formula", "", "its second line", ""});
  CHECK(page.blocks[1].language == "cpp");
  CHECK(page.blocks[1].source == "examples/x.cpp");
  CHECK(page.blocks[1].lines == std::vector<std::string>{"int x;  // [no](link)"});
  CHECK(page.blocks[2].language == "sh");
  CHECK(page.blocks[2].source == "");
}

TEST_CASE("Manual: a link to nothing is noticed") {
  const Page page = read_page("docs/x.md", "# Title\n");
  CHECK(broken(page, "https://example.org/nothing") == "");
  CHECK(broken(page, "#title") == "");
  CHECK(broken(page, "#other") == "no such heading");
  CHECK(broken(page, "design.md") == "");
  CHECK(broken(page, "../README.md#two-commands") == "");
  CHECK(broken(page, "../README.md#three-commands") == "no such heading");
  CHECK(broken(page, "designs.md") == "no such file");
  CHECK(broken(page, "../run#title") == "an anchor in what is no page of the manual");
}

TEST_CASE("Manual: every relative link leads to a file, and every anchor to a heading") {
  for (const auto& page : pages())
    for (const auto& link : page.links) {
      CAPTURE(in_words(link.place));
      CAPTURE(link.text);
      CHECK(broken(page, link.text) == "");
    }
}

TEST_CASE("Manual: the README's index names every page") {
  const Page readme = pages().front();
  std::set<std::string> linked;
  const std::string text = read_plainly(root() / "README.md");
  const auto index = text.find("\n## Manual\n");
  REQUIRE(index != std::string::npos);
  const Page manual = read_page("README.md", text.substr(index));
  for (const auto& link : manual.links) linked.insert(link.text);
  for (const auto& page : pages()) {
    if (page.name == "README.md") continue;
    CAPTURE(page.name);
    CHECK(linked.count(page.name) == 1);
  }
}

TEST_CASE("Manual: what a block lacks in its file is noticed, indentation apart") {
  const auto file = stripped_lines("int main() {\n  int x = 1;\n  int y = 2;\n  int z = 3;\n}\n");
  const auto block = [](std::vector<std::string> lines) { return Block{{}, "cpp", "", std::move(lines)}; };
  CHECK(not_in(file, block({"int x = 1;", "int y = 2;"})) == "");
  CHECK(not_in(file, block({"int x = 1;", "// ...", "  int z = 3;", ""})) == "");
  CHECK(not_in(file, block({"int x = 1;", "int z = 3;"})) == "int x = 1; (and what follows it)");
  CHECK(not_in(file, block({"int z = 3;", "// ...", "int x = 1;"})) == "int x = 1;");
  CHECK(not_in(file, block({"int x = 1;", "int y = 3;"})) == "int y = 3;");
}

TEST_CASE("Manual: code in an indented block is told from a formula") {
  for (const char* line : {"f(x);", "f(x);  // why", "if (x) {", "#include <x>", "./run demo", "  import numpy"})
    CHECK(looks_like_code(line));
  for (const char* line : {"p_i = c_i w_i/S,   S = sum_j c_j w_j", "core  <-  kernels", "h = W (a - abar);   u = W X"})
    CHECK(!looks_like_code(line));
}

TEST_CASE("Manual: every block of C++ or Python stands in a file that is compiled, or run, by a test") {
  for (const auto& page : pages())
    for (const auto& block : page.blocks) {
      CAPTURE(in_words(block.place));
      if (block.language.empty()) {
        for (const auto& line : block.lines) {
          CAPTURE(line);
          CHECK(!looks_like_code(line));  // it belongs into a fence that says what it is
        }
        continue;
      }
      CAPTURE(block.language);
      CHECK(std::set<std::string>{"cpp", "python", "sh", "cmake", "json", "text"}.count(block.language) == 1);
      if (block.source.empty() && block.language != "cpp" && block.language != "python") continue;
      CAPTURE(block.source);
      const bool known = block.source.starts_with("examples/") || block.source.starts_with("tests/");
      CHECK(known);  // <!-- examples/x.cpp --> on the line before
      if (!known) continue;
      REQUIRE(std::filesystem::exists(root() / block.source));
      CHECK(not_in(stripped_lines(read_plainly(root() / block.source)), block) == "");
    }
}

}  // namespace
