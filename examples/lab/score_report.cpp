// The page of a pool that was scored.
#include <fmt/format.h>

#include <map>

#include "lab/config.hpp"
#include "lab/html.hpp"
#include "lab/report.hpp"
#include "lab/score.hpp"
#include "lab/statistics.hpp"

namespace mts::lab {

namespace {

std::string samples_section(const Score& score) {
  const SampleVector& w = *score.run.weights;
  std::map<int, std::pair<Index, double>> groups;
  for (Index i = 0; i < w.size(); ++i) {
    auto& [n, sum] = groups[score.groups[static_cast<std::size_t>(i)]];
    ++n;
    sum += w[i];
  }
  html::Table table(
      {{"group", false}, {"samples"}, {"share of the pool, %"}, {"mean weight"}, {"share of the weight, %"}});
  const auto all = static_cast<double>(w.size());
  for (const auto& [group, sums] : groups) {
    const auto n = static_cast<double>(sums.first);
    table.row({group == data::real_group ? std::string("0 (real)") : fmt::format("{} (synthetic)", group),
               fmt::format("{}", sums.first), fmt::format("{:.1f}", 100 * n / all),
               fmt::format("{:.3f}", sums.second / n), fmt::format("{:.1f}", 100 * sums.second / all)});
  }
  return html::section("The pool",
                       html::paragraph(fmt::format(
                           "{} samples of {} numbers in {} classes, judged by {} validation samples. weights.npy has a "
                           "weight for each, in their order, of mean 1; selected.csv the heaviest.",
                           w.size(), score.width, score.classes, score.validation)) +
                           table.text());
}

std::string accuracy_section(const ScoreSettings& s, const Score& score) {
  const auto& cv = score.cross_validation;
  if (!cv.done())
    return html::section(
        "Accuracy",
        html::paragraph(
            s.cross_validation == 0
                ? std::string("Not measured: --cross-validation 0.")
                : fmt::format("Not measured: in {} parts some class would be left with too few validation samples. The "
                              "validation "
                              "samples were all used to find the weights, so accuracy on them would say nothing.",
                              s.cross_validation)));
  html::Table table(
      {{"part"}, {"validation samples held out"}, {s.method + ", %"}, {"no selection, %"}, {"difference"}});
  const std::vector<double> gains = cv.gains();
  for (std::size_t k = 0; k < cv.samples.size(); ++k) {
    table.row({fmt::format("{}", k + 1), fmt::format("{}", cv.samples[k]), fmt::format("{:.1f}", 100 * cv.method[k]),
               fmt::format("{:.1f}", 100 * cv.uniform[k]), fmt::format("{:+.1f}", 100 * gains[k])});
  }
  const Mean gain = mean_of(gains);
  return html::section(
      "Accuracy",
      html::paragraph(
          "Of the classifier on validation samples that nobody saw, each part held out once. There is no test set: "
          "settings that are chosen by these numbers flatter them.") +
          table.text() +
          html::paragraph(
              fmt::format("Mean difference {:+.1f} points, 95 % interval [{:+.1f}, {:+.1f}] over the parts (t "
                          "distribution).",
                          100 * gain.mean, 100 * gain.low(), 100 * gain.high())));
}

}  // namespace

std::string score_report_html(const ScoreSettings& s, const Score& score, bool pictures) {
  const Settings settings = run_settings(s);
  const Run& run = score.run;
  const auto fractions = end_b_eff_fractions(run);
  auto warnings =
      warnings_of(s.method, median({fractions.begin(), fractions.end()}), effective_share(*run.weights), run.insight);
  if (mean_of(score.cross_validation.gains()).high() < 0)  // false where none were held out
    warnings.push_back({"Held-out accuracy is lower with these weights than without selection.",
                        "Don't train by them. Are the validation samples like what the classifier is for?"});

  std::string dynamics;
  if (method_named(s.method).weighs) {
    Study study;
    study.runs = {run};
    dynamics = pictures_sections(settings, study, pictures ? draw_pictures(settings, study) : ReportPictures{});
  }
  return html::page(
      fmt::format("mts-lab score: {} by {}", s.features.filename().string(), s.method),
      samples_section(score) + accuracy_section(s, score) + warnings_section(warnings) + dynamics +
          importance_section({{s.method, run.insight}}) +
          html::section("Weights of real and synthetic samples",
                        html::paragraph("The share of samples by weight, where the mean weight is 1.") +
                            histogram_part(s.method, *run.weights, score.groups)) +
          html::section("The best and the worst samples", html::paragraph("Row in the arrays, class, and the weight.") +
                                                              extremes_part(s.method, run.extremes)) +
          settings_section(settings_text(s), settings_text(ScoreSettings())));
}

}  // namespace mts::lab
