#include "lab/score.hpp"

#include <limits>
#include <numeric>
#include <set>

#include "lab/html_check.hpp"
#include "lab/interrupt.hpp"
#include "lab/scored.hpp"
#include "lab/trained.hpp"
#include "mts/core/parallel.hpp"
#include "mts/diagnostics/separation.hpp"

namespace {

using namespace mts::lab;
using mts::DataError;
using mts::Index;
using mts::RowMatrix;
using mts::SampleVector;
using mts_test::contains;
using mts_test::score_settings;
using mts_test::TemporaryFolder;

Score scored(const ScoreSettings& s, int threads = 2) {
  const mts::ThreadLimit limit(threads);
  std::atomic<bool> stop{false};
  std::ostringstream said;
  Progress progress(said, false);
  return score(s, progress, stop);
}

// ------------------------------------------------------------------------------------------------------- the arrays

TEST_CASE("Score: the arrays are the problem that a program would make of them") {
  const TemporaryFolder folder;
  const auto problem = mts_test::small_problem();
  ScoreSettings s = score_settings(folder, problem);
  s.raw_features = true;
  const ScoreProblem read = read_score_problem(s);
  const auto& pool = read.problem.pool;
  CHECK(read.problem.classes == 3);
  CHECK(pool.size() == 90);
  CHECK(pool.width() == 10);
  CHECK(pool.inputs.size() == 0);  // they stay in the file
  mts::nn::ClassificationBatch<float> all;
  mts::data::gather_all(pool, all);
  CHECK(all.inputs == problem.pool.inputs);
  CHECK(pool.labels == problem.pool.labels);
  CHECK(pool.groups == problem.pool.groups);
  CHECK(pool.embeddings == problem.pool.embeddings);
  CHECK(read.problem.validation.inputs == problem.validation.inputs);
  CHECK(read.problem.validation.labels == problem.validation.labels);
  CHECK(read.problem.validation.embeddings == problem.validation.embeddings);
  CHECK(read.problem.test.size() == 0);
}

TEST_CASE("Score: columns are standardised by the pool; a constant one is 0") {
  const TemporaryFolder folder;
  auto problem = mts_test::small_problem();
  problem.pool.inputs.col(2).array() += 4096;  // digits must not be lost
  problem.validation.inputs.col(2).array() += 4096;
  problem.pool.inputs.col(5).setConstant(0.1f);
  ScoreSettings s = score_settings(folder, problem);
  s.embeddings.clear();
  s.validation_embeddings.clear();
  const ScoreProblem read = read_score_problem(s);
  mts::nn::ClassificationBatch<float> all;
  mts::data::gather_all(read.problem.pool, all);
  const RowMatrix<double> x = all.inputs.cast<double>();
  for (Index c = 0; c < 10; ++c) {
    CAPTURE(c);
    CHECK(x.col(c).mean() == doctest::Approx(0).epsilon(1e-4));
    CHECK(x.col(c).squaredNorm() / 90 == doctest::Approx(c == 5 ? 0 : 1).epsilon(1e-3));
  }
  // The validation samples by the pool's numbers.
  const RowMatrix<double> raw = problem.pool.inputs.cast<double>();
  const double mean = raw.col(0).mean(), deviation = std::sqrt((raw.col(0).array() - mean).square().mean());
  CHECK(read.problem.validation.inputs(3, 0) ==
        doctest::Approx((static_cast<double>(problem.validation.inputs(3, 0)) - mean) / deviation));
  CHECK(read.problem.validation.inputs(3, 5) == 0);
  // Without generative features, these take their place.
  CHECK(read.problem.pool.embeddings == all.inputs);
  CHECK(read.problem.validation.embeddings == read.problem.validation.inputs);
}

TEST_CASE("Score: groups other than 0 are synthetic, and where there are no groups all samples") {
  const TemporaryFolder folder;
  ScoreSettings s = score_settings(folder);
  std::vector<std::int32_t> groups(90, 0);
  groups[3] = 7;
  groups[4] = 1;
  mts::data::write_npy(s.groups, groups);
  auto read = read_score_problem(s);
  CHECK(read.groups[3] == 7);
  CHECK(read.problem.pool.groups[3] == mts::data::synthetic_group);
  CHECK(read.problem.pool.groups[4] == mts::data::synthetic_group);
  CHECK(read.problem.pool.groups[5] == mts::data::real_group);
  s.groups.clear();
  read = read_score_problem(s);
  CHECK(std::set<int>(read.groups.begin(), read.groups.end()) == std::set<int>{1});
}

TEST_CASE("Score: what is wrong with the arrays is said with file, row, column, expected and found") {
  const TemporaryFolder folder;
  const auto problem = mts_test::small_problem();
  const auto refused = [&](auto&& spoil, std::initializer_list<std::string> parts) {
    ScoreSettings s = score_settings(folder, problem);
    spoil(s);
    const std::string wrong = mts_test::not_refused<DataError>([&] { read_score_problem(s); }, parts);
    CAPTURE(wrong);
    CHECK(wrong == "");
  };
  const auto integers = [&](const std::filesystem::path& path, std::size_t n, std::int64_t base, std::size_t at,
                            std::int64_t x) {
    std::vector<std::int64_t> values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = base * static_cast<std::int64_t>(i % 3);
    if (at < n) values[at] = x;
    mts::data::write_npy(path, values);
  };
  refused([&](auto& s) { s.features = folder / "nowhere.npy"; }, {"nowhere.npy"});
  refused([&](auto& s) { integers(s.labels, 89, 1, 99, 0); },
          {"y.npy: expected 90 labels, one for each row of", "train.npy, found 89"});
  refused([&](auto& s) { integers(s.validation_labels, 13, 1, 99, 0); },
          {"vy.npy: expected 12 labels", "v.npy, found 13"});
  refused([&](auto& s) { integers(s.groups, 5, 1, 99, 0); }, {"g.npy: expected 90 groups", "found 5"});
  refused([&](auto& s) { integers(s.labels, 90, 1, 17, -1); }, {"y.npy: row 17", "from 0 to", "found -1"});
  refused([&](auto& s) { integers(s.labels, 90, 1, 17, 3); },
          {"y.npy: row 17: expected a class of which", "vy.npy has a sample, 0 to 2, found 3"});
  refused(
      [&](auto& s) {
        s.classes = 3;
        integers(s.labels, 90, 1, 17, 3);
      },
      {"y.npy: row 17", "from 0 to 2, found 3"});
  refused([&](auto& s) { s.classes = 4; }, {"vy.npy: no validation sample of class 3", "4 classes"});
  refused([&](auto& s) { integers(s.validation_labels, 12, 2, 99, 0); },
          {"vy.npy: no validation sample of class 1, but of class 2"});
  refused([&](auto& s) { integers(s.validation_labels, 12, 0, 99, 0); }, {"vy.npy", "y.npy: row 1", "found 1"});
  refused([&](auto& s) { integers(s.groups, 90, 1, 17, -2); }, {"g.npy: row 17", "found -2"});
  refused([&](auto& s) { mts::data::write_npy(s.groups, std::vector<std::int32_t>(90, 1)); },
          {"g.npy: expected a real sample, of group 0, found none", "leave --group out"});
  refused(
      [&](auto& s) { mts::data::write_npy(s.validation_features, RowMatrix<float>(RowMatrix<float>::Zero(12, 9))); },
      {"v.npy: expected rows of 10 numbers", "train.npy has, found 9"});
  refused([&](auto& s) { mts::data::write_npy(s.features, RowMatrix<float>(0, 10)); },
          {"train.npy: expected rows of numbers, found an array of 0 x 10"});
  refused(
      [&](auto& s) {
        auto x = problem.pool.inputs;
        x(41, 7) = std::numeric_limits<float>::quiet_NaN();
        mts::data::write_npy(s.features, x);
      },
      {"train.npy: row 41, column 7", "finite", "nan"});
  refused(
      [&](auto& s) {
        RowMatrix<double> x = problem.validation.inputs.cast<double>();
        x(2, 1) = 1e300;
        mts::data::write_npy(s.validation_features, x);
      },
      {"v.npy: row 2, column 1", "a float can hold"});
  refused([&](auto& s) { mts::data::write_npy(s.embeddings, RowMatrix<float>(RowMatrix<float>::Zero(80, 4))); },
          {"e.npy: expected 90 rows", "train.npy, found 80"});
  refused(
      [&](auto& s) { mts::data::write_npy(s.validation_embeddings, RowMatrix<float>(RowMatrix<float>::Zero(12, 3))); },
      {"ve.npy: expected rows of 4 numbers", "found 3"});
}

// ------------------------------------------------------------------------------------------------------ the weights

TEST_CASE("Score: inputs from a file give the same bits as inputs in memory, for every kind of method") {
  const TemporaryFolder folder;
  const auto problem = mts_test::small_problem();
  ScoreSettings s = score_settings(folder, problem);
  s.raw_features = true;
  s.cross_validation = 0;
  for (const std::string method :
       {"mts", "weight-net", "rho-loss", "el2n", "mts-paper", "knn-agreement", "l2rw", "rho-ensemble"}) {
    CAPTURE(method);
    s.method = method;
    const auto score = scored(s);
    const auto training = mts_test::trained(method, run_settings(s), problem, 16, s.seed);
    SampleVector expected = *training->pool_weights();
    expected /= expected.mean();
    CHECK(*score.run.weights == expected);
    CHECK(std::isnan(score.run.accuracy));  // there is no test set
  }
}

TEST_CASE("Score: the same for any number of threads; wrong labels get less weight") {
  const TemporaryFolder folder;
  const auto problem = mts_test::small_problem();
  ScoreSettings s = score_settings(folder, problem);
  s.training.steps = 100;
  const auto one = scored(s, 1), four = scored(s, 4);
  CHECK(*one.run.weights == *four.run.weights);
  CHECK(one.cross_validation.method == four.cross_validation.method);
  CHECK(one.run.weights->mean() == doctest::Approx(1));
  std::vector<bool> good;
  for (const auto kind : problem.pool.kinds) good.push_back(mts::data::helps(kind));
  CHECK(mts::diagnostics::separation(*one.run.weights, good).low > 0.6);
}

TEST_CASE("Score: accuracy is that on validation samples that were left out, beside no selection on the same") {
  const TemporaryFolder folder;
  const auto problem = mts_test::small_problem();
  ScoreSettings s = score_settings(folder, problem);
  const auto score = scored(s);
  const auto& cv = score.cross_validation;
  REQUIRE(cv.samples == std::vector<Index>{6, 6});
  // By hand, the first part.
  const ScoreProblem read = read_score_problem(s);
  const auto parts = validation_parts(read.problem, 2, s.seed);
  mts::data::Problem part = read.problem;
  const auto cut = held_out(read.problem.validation, parts[0]);
  part.validation = cut.rest;
  part.test = cut.part;
  const std::uint64_t seed = mts::RandomStream(s.seed, "lab: part of validation", 0)();
  CHECK(cv.method[0] == mts_test::trained("mts", run_settings(s), part, 16, seed)->accuracy(part.test));
  CHECK(cv.uniform[0] == mts_test::trained("uniform", run_settings(s), part, 16, seed)->accuracy(part.test));
  CHECK(contains(text_of(s, score), "Accuracy on validation samples held out in 2 parts"));
  s.cross_validation = 0;
  CHECK(!scored(s).cross_validation.done());
  CHECK(contains(text_of(s, scored(s)), "No accuracy"));
}

TEST_CASE("Score: parts of the validation set have each class alike, and leave enough of each") {
  auto problem = mts_test::small_problem();  // 12 validation samples of 3 classes
  const auto parts = validation_parts(problem, 4, 1);
  REQUIRE(parts.size() == 4);
  std::set<Index> all;
  for (const auto& part : parts) {
    CHECK(part.size() == 3);
    std::set<int> classes;
    for (const Index i : part) {
      all.insert(i);
      classes.insert(problem.validation.labels[static_cast<std::size_t>(i)]);
    }
    CHECK(classes.size() == 3);
  }
  CHECK(all.size() == 12);
  CHECK(validation_parts(problem, 4, 2) != parts);
  CHECK(validation_parts(problem, 0, 1).empty());
  CHECK(validation_parts(problem, 40, 1).empty());  // more parts than samples

  const auto cut = held_out(problem.validation, parts[1]);
  CHECK(cut.part.size() == 3);
  CHECK(cut.rest.size() == 9);
  CHECK(cut.part.inputs.row(0) == problem.validation.inputs.row(parts[1][0]));
  CHECK(cut.part.labels[2] == problem.validation.labels[static_cast<std::size_t>(parts[1][2])]);

  problem.validation.labels = {0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2};
  CHECK(validation_parts(problem, 2, 1).size() == 2);  // of class 2 one is left, and there are real ones in the pool
  for (auto& g : problem.pool.groups) g = mts::data::synthetic_group;
  CHECK(validation_parts(problem, 2, 1).empty());
  problem.validation.labels = {0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2};
  CHECK(validation_parts(problem, 2, 1).empty());
  CHECK(validation_parts(problem, 3, 1).size() == 3);
}

TEST_CASE("Score: without groups the validation samples are the real ones") {
  const TemporaryFolder folder;
  ScoreSettings s = score_settings(folder);
  s.groups.clear();
  const auto score = scored(s);
  CHECK(score.run.weights->size() == 90);
  CHECK(score.cross_validation.done());
}

TEST_CASE("Score: batches that the pool can't fill, and a stop that is asked for") {
  const TemporaryFolder folder;
  ScoreSettings s = score_settings(folder);
  s.batch = 91;
  CHECK_REFUSED(UsageError, scored(s), "--batch 91", "train.npy has 90 rows", "at most 90");
  s.batch = 60;
  s.method = "weight-net";
  s.training.mode = Mode::crossed;
  s.training.disjoint = true;
  CHECK_REFUSED(UsageError, scored(s), "--batch 60", "--disjoint", "at most 45");
  s = score_settings(folder);
  s.training.validation_batch = 13;
  CHECK_REFUSED(UsageError, scored(s), "--validation-batch 13", "v.npy has 12 rows");
  s = score_settings(folder);
  s.training.learning_rate = 1e30;
  CHECK_REFUSED(mts::NumericalError, scored(s), "mts: ", "finite");
  std::atomic<bool> stop{true};
  std::ostringstream said;
  Progress progress(said, false);
  s = score_settings(folder);
  CHECK_THROWS_AS(score(s, progress, stop), Interrupted);
}

// -------------------------------------------------------------------------------------------------------- the files

TEST_CASE("Score: the ranking is by weight, of equal ones by place") {
  SampleVector w(5);
  w << 1, 3, 1, 0, 3;
  CHECK(ranking(w) == std::vector<Index>{1, 4, 0, 2, 3});
}

std::vector<std::vector<std::string>> csv_of(const std::filesystem::path& path) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream in(mts_test::read_plainly(path));
  for (std::string line; std::getline(in, line);) {
    rows.emplace_back();
    std::istringstream fields(line);
    for (std::string field; std::getline(fields, field, ',');) rows.back().push_back(field);
  }
  return rows;
}

TEST_CASE("Score: a weight for every sample in its order; the heaviest with what speaks for them; a report") {
  const TemporaryFolder folder;
  ScoreSettings s = score_settings(folder);
  s.select = 0.1;
  const auto score = scored(s);
  write_score(s, score, folder / "out", false);
  const auto weights = mts::data::read_npy<float>(folder / "out/weights.npy");
  REQUIRE(weights.shape == std::vector<std::size_t>{90});
  for (Index i = 0; i < 90; ++i)
    CHECK(weights.values[static_cast<std::size_t>(i)] == static_cast<float>((*score.run.weights)[i]));

  const auto rows = csv_of(folder / "out/selected.csv");
  REQUIRE(rows.size() == 1 + 9);
  CHECK(std::vector<std::string>(rows[0].begin(), rows[0].begin() + 5) ==
        std::vector<std::string>{"index", "weight", "group", "label", "rank"});
  CHECK(rows[0].size() == 10);
  CHECK(std::find(rows[0].begin(), rows[0].end(), "out_of_fold_prediction") != rows[0].end());
  const auto order = ranking(*score.run.weights);
  for (std::size_t r = 1; r < rows.size(); ++r) {
    REQUIRE(rows[r].size() == 10);
    const auto i = static_cast<std::size_t>(order[r - 1]);
    CHECK(rows[r][0] == std::to_string(i));
    CHECK(std::stof(rows[r][1]) == weights.values[i]);
    CHECK(rows[r][2] == std::to_string(score.groups[i]));
    CHECK(rows[r][3] == std::to_string(score.labels[i]));
    CHECK(rows[r][4] == std::to_string(r));
  }

  const std::string page = mts_test::read_plainly(folder / "out/report.html");
  CHECK(mts_test::html_problems_text(page) == "");
  for (const std::string part :
       {">mts-lab score: train.npy by mts<", ">The pool<", "judged by 12 validation samples", ">Accuracy<",
        ">Warnings<", ">real_margin<", "<td>0 (real)</td><td class=\"n\">30</td>", ">The best and the worst samples<",
        "--validation-labels"}) {
    CAPTURE(part);
    CHECK(contains(page, part));
  }
  CHECK(contains(mts_test::read_plainly(folder / "out/settings.json"), "\"select\": 0.1"));
  mts_test::write_plainly(folder / "file", "");
  CHECK_REFUSED(DataError, write_score(s, score, folder / "file", false), "file/weights.npy", "can't be written");
}

TEST_CASE("Score: a weight net's features are in the table, the most important first") {
  const TemporaryFolder folder;
  ScoreSettings s = score_settings(folder);
  s.method = "weight-net";
  s.cross_validation = 0;
  s.select = 1;
  s.training.features = {"loss", "class"};
  const auto score = scored(s);
  REQUIRE(score.run.features.names == std::vector<std::string>{"loss"});
  CHECK(score.run.features.values.rows() == 90);
  CHECK(score.run.features.values.minCoeff() >= 0);
  CHECK(score.run.features.values.col(0).sum() > 0);
  write_score(s, score, folder / "out", false);
  const auto rows = csv_of(folder / "out/selected.csv");
  REQUIRE(rows.size() == 91);
  CHECK(rows[0].back() == "loss");
  const auto first = static_cast<Index>(std::stoi(rows[1][0]));
  CHECK(std::stof(rows[1].back()) == score.run.features.values(first, 0));
  CHECK(contains(mts_test::read_plainly(folder / "out/report.html"), "Signal and noise of the hypergradient"));
}

}  // namespace
