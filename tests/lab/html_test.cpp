#include "lab/html.hpp"

#include "lab/html_check.hpp"
#include "lab/support.hpp"

namespace {

using namespace mts::lab;
using mts_test::contains;
using mts_test::html_problems_text;

TEST_CASE("HTML: what is special in texts and attributes is escaped") {
  CHECK(html::escaped("a<b> & \"c\" 'd'\n") == "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;\n");
  CHECK(html::escaped(std::string("x\0y\x1bz", 5)) == "x\xEF\xBF\xBDy\xEF\xBF\xBDz");
  CHECK(html::escaped("Größe ½") == "Größe ½");
}

TEST_CASE("HTML: base 64 as in RFC 4648, section 10") {
  CHECK(html::base64("") == "");
  CHECK(html::base64("f") == "Zg==");
  CHECK(html::base64("fo") == "Zm8=");
  CHECK(html::base64("foo") == "Zm9v");
  CHECK(html::base64("foob") == "Zm9vYg==");
  CHECK(html::base64("fooba") == "Zm9vYmE=");
  CHECK(html::base64("foobar") == "Zm9vYmFy");
  CHECK(html::base64("\xff\xfe\xfd") == "//79");
  CHECK(html::data_uri("image/png", "foo") == "data:image/png;base64,Zm9v");
}

TEST_CASE("HTML: a page is well-formed whatever its texts are") {
  const std::string hostile = "</td><script src=\"http://x\">&\" onload='1'";
  html::Table table({{hostile, false}, {"n"}});
  CHECK(table.empty());
  table.row({hostile, "1"});
  CHECK(!table.empty());
  const std::string page =
      html::page(hostile, html::section(hostile, html::paragraph(hostile) + table.text() +
                                                     html::picture("image/png", "no picture", hostile)));
  CHECK(html_problems_text(page) == "");
  CHECK(!contains(page, "<script"));
  CHECK_REFUSED(mts::ShapeError, table.row({"one"}), "texts", "expected 2, found 1");
}

TEST_CASE("HTML: the check of these tests finds what is wrong") {
  const auto page = [](const std::string& body) { return html::page("t", body); };
  CHECK(html_problems_text(page("<p>fine<br>&amp;</p>")) == "");
  for (const std::string wrong :
       {"<p>", "</p>", "<p><b></p></b>", "<p>a & b</p>", "a > b", "a < b", "<script></script>", "<img src=\"data:x\">",
        "<img alt=\"a\" src=\"http://x\">", "<a href=\"//x\">x</a>", "<p id=\"a\"></p><p id=\"a\"></p>",
        "<p onclick=\"x()\"></p>", "<p class='x'></p>", "<style>a { background: url(x) }</style>",
        "<style>@import \"x\";</style>", "<p title=\"<\"></p>", "\x01"}) {
    CAPTURE(wrong);
    CHECK(html_problems_text(page(wrong)) != "");
  }
  CHECK(html_problems_text("<p></p>") != "");
}

}  // namespace
