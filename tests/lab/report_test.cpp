#include "lab/report.hpp"

#include "lab/config.hpp"
#include "lab/histogram.hpp"
#include "lab/html_check.hpp"
#include "lab/plot.hpp"
#include "lab/reported.hpp"
#include "mts/version.hpp"

namespace {

using namespace mts::lab;
using mts_test::contains;
using mts_test::html_problems_text;

mts::Index count_of(const std::string& text, std::string_view part) {
  mts::Index n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST_CASE("Report: everything that the run has to show, on one well-formed page that needs nothing else") {
  const Settings s = mts_test::reported_settings();
  const Study study = mts_test::reported_study(s);
  const std::string page = report_html(s, study, {"<svg>dynamics</svg>", "<svg>gsnr</svg>"});
  CHECK(html_problems_text(page) == "");
  for (const std::string part :
       {"<title>mts-lab: spurious, mlp, 40 steps</title>", ">Results<", ">Warnings<", ">Dynamics<",
        ">Signal and noise of the hypergradient<", ">What the weights rest on<",
        ">Weights of real and synthetic samples<", ">The best and the worst samples<", ">Settings and versions<",
        "mean ± standard deviation over 2 seeds", ">nearest_validation_cosine<", ">out_of_fold_prediction<",
        ">weight-net, batch 8, seed 0: largest weights<", ">--steps<", ">oneTBB<", MTS_VERSION}) {
    CAPTURE(part);
    CHECK(contains(page, part));
  }
  CHECK(count_of(page, "data:image/svg+xml;base64,") == 2);
  // Two methods with weights, two batch sizes: ten best and ten worst of each, and a histogram.
  CHECK(count_of(page, "data:image/png;base64,") == 80);
  CHECK(count_of(page, "<svg ") == 4);
  // A row of results for each method and batch, with interval; a time nowhere.
  const auto results = page.substr(page.find(">Results<"), page.find(">Warnings<") - page.find(">Results<"));
  CHECK(count_of(results, "<tr><td>weight-net</td>") == 2 + 3);
  CHECK(!contains(page, "second"));

  const std::string plain = report_html(s, study, {});
  CHECK(html_problems_text(plain) == "");
  CHECK(!contains(plain, ">Dynamics<"));
  CHECK(contains(plain, ">Signal and noise of the hypergradient<"));
  CHECK(!contains(plain, "svg+xml"));
}

TEST_CASE("Report: a run that weighs nothing has no sections of weights") {
  Settings s = mts_test::reported_settings();
  s.methods = {"uniform"};
  s.seeds = 1;
  const Study study = mts_test::reported_study(s);
  CHECK(!has_gsnr(study));
  const std::string page = report_html(s, study, {});
  CHECK(html_problems_text(page) == "");
  for (const char* part : {"Signal and noise", "What the weights rest on", "The best and the worst"}) {
    CAPTURE(part);
    CHECK(!contains(page, part));
  }
  CHECK(contains(page, "There is one seed"));
}

TEST_CASE("Report: options that were changed come first; names are escaped") {
  Settings s;
  s.data = "/data/<b>&";
  s.steps = 7;
  const std::string section = settings_section(settings_text(s), settings_text(Settings()));
  const auto changed = section.substr(0, section.find("<details>"));
  CHECK(contains(changed, "<td>--data</td><td class=\"w\">/data/&lt;b&gt;&amp;</td>"));
  CHECK(contains(changed, "<td>--steps</td><td class=\"w\">7</td><td class=\"w\">600</td>"));
  CHECK(!contains(changed, "--batch"));
  CHECK(contains(section, "<td>--batch</td><td class=\"w\">64, 256, 1024</td>"));
  CHECK(contains(section, "<td>mts</td><td class=\"w\">" MTS_VERSION "</td>"));
}

TEST_CASE("Report: warnings with their advice, or that there are none") {
  CHECK(contains(warnings_section({}), "Nothing to warn of"));
  const std::string section = warnings_section({{"a < b", "do c"}});
  CHECK(contains(section, "<p>a &lt; b</p>"));
  CHECK(contains(section, "<strong>do c</strong>"));
}

TEST_CASE("Report: without images the best and the worst samples are a table") {
  Extremes extremes;
  extremes.best = {{17, 3.5, 2, 1, ""}, {4, 3.5, 0, 0, ""}};
  extremes.worst = {{9, 0.25, 1, 1, ""}};
  extremes.share_best = 30;
  extremes.share_worst = 1;
  const std::string part = extremes_part("m", extremes);
  CHECK(contains(part, "m: largest weights (the first 2 of 30 that have the same weight)"));
  CHECK(contains(part, "m: smallest weights</h3>"));
  CHECK(contains(part, "<td class=\"n\">17</td><td class=\"n\">2</td><td>synthetic</td><td class=\"n\">3.5</td>"));
  CHECK(contains(part, "<td class=\"n\">4</td><td class=\"n\">0</td><td>real</td>"));
}

TEST_CASE("Report: importance in descending order, gains with their error where there are any") {
  Insight net, rule;
  net.features = {{"small", 0.1, {1, 0.5}}, {"large", 0.3, {2, 0.25}}};
  net.gain = {4, 1};
  rule.features = {{"evidence", 0.2, {}}};
  const std::string section = importance_section({{"net", net}, {"rule", rule}, {"nothing", {}}});
  CHECK(section.find("large") < section.find("small"));
  CHECK(contains(section, "<td>large</td><td class=\"n\">30.0</td><td class=\"n\">2 ± 0.25</td>"));
  CHECK(contains(section, "uniform ones: 4 ± 1"));
  CHECK(contains(section, "<td>evidence</td><td class=\"n\">20.0</td></tr>"));
  CHECK(!contains(section, "nothing</h3>"));
  CHECK(importance_section({{"nothing", {}}}) == "");
}

TEST_CASE("Report: a folder that can't be written is an error, and nothing is left") {
  const mts_test::TemporaryFolder folder;
  mts_test::write_plainly(folder / "file", "");
  Settings s = mts_test::reported_settings();
  s.methods = {"uniform"};
  const Study study = mts_test::reported_study(s);
  CHECK_REFUSED(mts::DataError, write_report(s, study, folder / "file", false), "report.html", "can't be written");
  write_report(s, study, folder / "made", false);
  CHECK(mts_test::read_plainly(folder / "made/report.html") == report_html(s, study, {}));
}

TEST_CASE("Report: histograms tell real samples from synthetic ones, by weights over their mean") {
  mts::SampleVector weights(4);
  weights << 2, 6, 1, 3;
  const double real[] = {2.0 / 3, 2}, synthetic[] = {1.0 / 3, 1};
  CHECK(contains(histogram_part("m", weights, {0, 0, 1, 2}),
                 weight_histogram_svg(real, synthetic, "m: shares of samples by weight")));
}

}  // namespace
