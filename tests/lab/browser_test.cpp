// Reports in a browser. Skipped, by name, where there is no Chromium.
#include "lab/browser.hpp"
#include "lab/html.hpp"
#include "lab/reported.hpp"

namespace {

using namespace mts::lab;
using mts_test::browser;
using mts_test::browser_problems_text;
using mts_test::contains;

const bool has_gnuplot = std::system("gnuplot --version > /dev/null 2>&1") == 0;

TEST_CASE("Browser: a report shows all it has, on a wide screen and on a narrow one" *
          doctest::skip(browser().empty())) {
  const Settings s = mts_test::reported_settings();
  const Study study = mts_test::reported_study(s);
  const ReportPictures pictures = has_gnuplot ? draw_pictures(s, study) : ReportPictures{};
  const mts_test::TemporaryFolder folder;
  CHECK(browser_problems_text(report_html(s, study, pictures), {1200, 390}, folder) == "");
}

TEST_CASE("Browser: these tests find what is wrong with a page" * doctest::skip(browser().empty())) {
  const mts_test::TemporaryFolder folder;
  const std::string page = html::page(
      "t",
      html::paragraph(
          "Enough text that something can be seen on the page, and not too much of it to be read here. And more.") +
          "<div style=\"width:500px\">wide</div><img src=\"data:image/png;base64,xxxx\" alt=\"damaged\">"
          "<svg width=\"50\" height=\"20\"><text x=\"30\" y=\"10\">cut off</text></svg>"
          "<table style=\"width:20px;table-layout:fixed\"><tr><td "
          "style=\"overflow-wrap:anywhere\">unbreakable</td></tr></table>"
          "<script>console.log('said'); undefined.f();</script>");
  const std::string said = browser_problems_text(page, {1200, 390}, folder);
  CAPTURE(said);
  for (const char* part :
       {"390 wide: the page is", "390 wide: leaves the window: DIV wide", "1200 wide: no picture: IMG damaged",
        "leaves its picture: text cut off", "a broken word: TD unbreakable", "console: ", "1200 wide: error: "}) {
    CAPTURE(part);
    CHECK(contains(said, part));
  }
  CHECK(!contains(said, "1200 wide: the page is"));
}

}  // namespace
