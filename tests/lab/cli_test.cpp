#include "lab/cli.hpp"

#include "data/support.hpp"
#include "lab/feature_sets.hpp"
#include "lab/registry.hpp"
#include "mts/version.hpp"

namespace {

using namespace mts::lab;

Command parse_words(std::vector<std::string> words) { return parse(words); }
Command run_with(std::vector<std::string> words) {
  words.insert(words.begin(), {"run", "--out", "results"});
  return parse(words);
}

TEST_CASE("Names: the distance counts insertions, deletions, replacements and swaps") {
  CHECK(distance("", "") == 0);
  CHECK(distance("", "abc") == 3);
  CHECK(distance("mts", "mst") == 1);
  CHECK(distance("uniform", "unform") == 1);
  CHECK(distance("kitten", "sitting") == 3);
}

TEST_CASE("Names: the nearest known one, or none where none is near") {
  const std::vector<std::string> known = {"uniform", "mts", "l2rw"};
  CHECK(nearest("mst", known) == "mts");
  CHECK(nearest("unifrm", known) == "uniform");
  CHECK(nearest("uni", known) == "uniform");
  CHECK(nearest("mts-paper", known) == "mts");
  CHECK(nearest("completely-else", known) == "");
  CHECK(nearest("", known) == "");
}

TEST_CASE("Command line: what is not given keeps its default") {
  const auto command = run_with({});
  CHECK(command.job == Job::run);
  CHECK(command.session.out == "results");
  CHECK(command.settings.benchmark == "spurious");
  CHECK(command.settings.methods == std::vector<std::string>{"uniform", "weight-net", "mts"});
  CHECK(command.settings.batches == std::vector<mts::Index>{64, 256, 1024});
  CHECK(command.settings.steps == 600);
  CHECK(command.settings.data == default_data());
}

TEST_CASE("Command line: every option arrives") {
  const auto command = run_with({"--benchmark",
                                 "spurious",
                                 "--method",
                                 "mts",
                                 "--batch",
                                 "32,128",
                                 "--seeds=5",
                                 "--first-seed",
                                 "100",
                                 "--evaluate-on",
                                 "tuning",
                                 "--data",
                                 "elsewhere",
                                 "--generator-epochs",
                                 "2",
                                 "--steps",
                                 "50",
                                 "--model",
                                 "cnn",
                                 "--hidden",
                                 "64,32",
                                 "--channels",
                                 "8,24",
                                 "--augment",
                                 "crop-flip",
                                 "--augment-pixels",
                                 "4",
                                 "--lr",
                                 "0.1",
                                 "--schedule",
                                 "constant",
                                 "--momentum",
                                 "0.5",
                                 "--weight-decay",
                                 "0",
                                 "--clip",
                                 "2.5",
                                 "--meta-lr",
                                 "1e-4",
                                 "--meta-weight-decay",
                                 "0.25",
                                 "--validation-batch",
                                 "24",
                                 "--uniform-steps",
                                 "10",
                                 "--update-every",
                                 "3",
                                 "--features",
                                 "loss,class",
                                 "--weight-net",
                                 "tabular",
                                 "--weight-net-hidden",
                                 "7",
                                 "--activation",
                                 "softplus",
                                 "--mode",
                                 "crossed",
                                 "--disjoint",
                                 "--b-eff-floor",
                                 "0.3",
                                 "--b-eff-floor-strength",
                                 "2",
                                 "--tempering",
                                 "0.125",
                                 "--threads",
                                 "3",
                                 "--cache",
                                 "here",
                                 "--no-pictures"});
  const auto& s = command.settings;
  CHECK(s.methods == std::vector<std::string>{"mts"});
  CHECK(s.batches == std::vector<mts::Index>{32, 128});
  CHECK(s.seeds == 5);
  CHECK(s.first_seed == 100);
  CHECK(s.evaluate_on == EvaluationSet::tuning);
  CHECK(s.data == "elsewhere");
  CHECK(s.generator_epochs == 2);
  CHECK(s.steps == 50);
  CHECK(s.model == ModelKind::cnn);
  CHECK(s.hidden == std::vector<mts::Index>{64, 32});
  CHECK(s.channels == std::vector<mts::Index>{8, 24});
  CHECK(s.augmentation == AugmentationKind::crop_flip);
  CHECK(s.augmentation_pixels == 4);
  CHECK(s.learning_rate == 0.1);
  CHECK(s.schedule == ScheduleKind::constant);
  CHECK(s.momentum == 0.5);
  CHECK(s.weight_decay == 0);
  CHECK(s.clip == 2.5);
  CHECK(s.meta_learning_rate == 1e-4);
  CHECK(s.meta_weight_decay == 0.25);
  CHECK(s.validation_batch == 24);
  CHECK(s.uniform_steps == 10);
  CHECK(s.update_every == 3);
  CHECK(s.features == std::vector<std::string>{"loss", "class"});
  CHECK(s.weight_net == WeightNetKind::tabular);
  CHECK(s.weight_net_hidden == std::vector<mts::Index>{7});
  CHECK(s.activation == WeightActivationKind::softplus);
  CHECK(s.mode == Mode::crossed);
  CHECK(s.disjoint);
  CHECK(s.b_eff_floor == 0.3);
  CHECK(s.b_eff_floor_strength == 2);
  CHECK(s.tempering == 0.125);
  CHECK(command.session.threads == 3);
  CHECK(command.session.cache == "here");
  CHECK(command.session.no_pictures);
}

TEST_CASE("Command line: unknown names are refused with the nearest known one") {
  CHECK_REFUSED(UsageError, run_with({"--benchmark", "spurius"}), "benchmark 'spurius'", "did you mean 'spurious'");
  CHECK_REFUSED(UsageError, run_with({"--method", "uniform,mst"}), "method 'mst'", "did you mean 'mts'", "uniform");
  CHECK_REFUSED(UsageError, run_with({"--method", "zzzzzzzz"}), "method 'zzzzzzzz'", "expected uniform, real-only, ");
  CHECK_REFUSED(UsageError, run_with({"--features", "los"}), "feature 'los'", "did you mean 'loss'");
  CHECK_REFUSED(UsageError, run_with({"--activation", "sigmod"}), "--activation 'sigmod'", "did you mean 'sigmoid'");
  CHECK_REFUSED(UsageError, run_with({"--weight-net", "table"}), "--weight-net 'table'", "tabular");
  CHECK_REFUSED(UsageError, run_with({"--mode", "cross"}), "did you mean 'crossed'");
  CHECK_REFUSED(UsageError, run_with({"--model", "cn"}), "--model 'cn'", "did you mean 'cnn'");
  CHECK_REFUSED(UsageError, run_with({"--augment", "flips"}), "--augment 'flips'", "did you mean 'flip'");
  CHECK_REFUSED(UsageError, run_with({"--batchs", "64"}), "unknown option '--batchs'", "did you mean '--batch'");
  CHECK_REFUSED(UsageError, run_with({"--batchs=64"}), "unknown option '--batchs'", "did you mean '--batch'");
  CHECK_REFUSED(UsageError, run_with({"64"}), "unknown argument '64'");
  CHECK_REFUSED(UsageError, parse_words({"rnu"}), "unknown argument 'rnu'", "did you mean 'run'");
  CHECK_REFUSED(UsageError, parse_words({"list", "--out", "x"}), "unknown option '--out'");
}

TEST_CASE("Command line: values outside their domain are refused by option, expectation and value") {
  CHECK_REFUSED(UsageError, run_with({"--seeds", "0"}), "--seeds: expected at least 1, found 0");
  CHECK_REFUSED(UsageError, run_with({"--seeds", "three"}), "--seeds: expected a whole number, found 'three'");
  CHECK_REFUSED(UsageError, run_with({"--seeds", "3x"}), "--seeds: expected a whole number, found '3x'");
  CHECK_REFUSED(UsageError, run_with({"--seeds", "99999999999999999999"}), "--seeds", "99999999999999999999");
  CHECK_REFUSED(UsageError, run_with({"--batch", "64,0"}), "--batch: expected numbers of at least 1, found 0");
  CHECK_REFUSED(UsageError, run_with({"--batch", "64,,256"}), "--batch: expected a whole number, found ''");
  CHECK_REFUSED(UsageError, run_with({"--batch", "64,64"}), "--batch: 64 is given twice");
  CHECK_REFUSED(UsageError, run_with({"--method", "mts,mts"}), "--method: mts is given twice");
  CHECK_REFUSED(UsageError, run_with({"--first-seed=-1"}), "--first-seed", "'-1'");
  CHECK_REFUSED(UsageError, run_with({"--lr", "0"}), "--lr: expected a number above 0, found 0");
  CHECK_REFUSED(UsageError, run_with({"--lr", "nan"}), "--lr: expected a number above 0");
  CHECK_REFUSED(UsageError, run_with({"--lr", "inf"}), "--lr: expected a number above 0");
  CHECK_REFUSED(UsageError, run_with({"--momentum", "1"}), "--momentum: expected a number from 0 to below 1");
  CHECK_REFUSED(UsageError, run_with({"--tempering", "1.5"}), "--tempering: expected a number from 0 to 1, found 1.5");
  CHECK_REFUSED(UsageError, run_with({"--model", "cnn", "--channels", "8,0"}),
                "--channels: expected numbers of at least 1");
  CHECK_REFUSED(UsageError, run_with({"--augment-pixels=-1"}), "--augment-pixels: expected at least 0, found -1");
  CHECK_REFUSED(UsageError, run_with({"--threads=-2"}), "--threads: expected at least 0, found -2");
  CHECK_REFUSED(UsageError, run_with({"--batch"}), "--batch");
}

TEST_CASE("Command line: options that exclude one another are refused together") {
  CHECK_REFUSED(UsageError, run_with({"--disjoint"}), "--disjoint needs --mode crossed");
  CHECK_REFUSED(UsageError, run_with({"--activation", "relu", "--tempering", "0.2"}), "--tempering", "relu");
  CHECK_REFUSED(UsageError, run_with({"--activation", "relu", "--weight-net", "tabular"}), "relu", "tabular",
                "begin at 0");
  CHECK_REFUSED(UsageError, run_with({"--channels", "8"}), "--channels needs --model cnn or resnet");
  CHECK_REFUSED(UsageError, run_with({"--model", "resnet", "--hidden", "64"}), "--hidden", "resnet");
  CHECK_REFUSED(UsageError, run_with({"--steps", "100"}), "--uniform-steps 100", "--steps 100");
  CHECK(run_with({"--steps", "100", "--method", "uniform"}).settings.steps == 100);
}

TEST_CASE("Command line: what depends on the model is resolved") {
  CHECK(run_with({}).settings.channels.empty());
  CHECK(run_with({"--model", "cnn"}).settings.channels == std::vector<mts::Index>{16, 32});
  CHECK(run_with({"--model", "cnn"}).settings.hidden == std::vector<mts::Index>{128});
  CHECK(run_with({"--model", "resnet"}).settings.channels == std::vector<mts::Index>{16, 32, 64});
  CHECK(run_with({"--model", "resnet"}).settings.hidden.empty());
  CHECK(run_with({"--model", "resnet", "--channels", "8"}).settings.channels == std::vector<mts::Index>{8});
}

TEST_CASE("Command line: a run without a place for its results, and no job at all, are refused") {
  CHECK_REFUSED(UsageError, parse_words({"run"}), "--out DIR");
  CHECK_REFUSED(UsageError, parse_words({"run", "--out", ""}), "--out DIR");
  CHECK(parse_words({}).job == Job::help);
}

namespace {

/// Looks for every option in a help text.
struct HelpNames {
  const std::string& help;
  void group(const char* title) { CHECK(help.find(title) != std::string::npos); }
  template <class T, class D>
  void operator()(const Option& o, const T&, const D&) {
    CAPTURE(o.name);
    CHECK(help.find("\n  --" + o.name + " ") != std::string::npos);
  }
};

}  // namespace

TEST_CASE("Command line: the help names every option once, with its default, in lines that fit") {
  const std::string text = parse_words({"run", "--help"}).help;
  HelpNames visitor{text};
  Settings settings;
  Session session;
  for_each_setting(settings, visitor);
  for_each_session_option(session, visitor);
  for_each_resume_option(session, visitor);
  CHECK(text.find("[64,256,1024]") != std::string::npos);
  CHECK(text.find("joint or crossed [joint]") != std::string::npos);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 100);
  CHECK(parse_words({"--help"}).help.find("mts-lab run") != std::string::npos);
  CHECK(parse_words({"--version"}).help == "mts-lab " MTS_VERSION "\n");
}

TEST_CASE("Command line: the list names every benchmark, method and feature") {
  CHECK(parse_words({"list"}).job == Job::list);
  const std::string text = listing();
  for (const auto& b : benchmarks()) CHECK(text.find("  " + b.name) != std::string::npos);
  for (const auto& m : methods()) CHECK(text.find("  " + m.name) != std::string::npos);
  for (const auto& f : features()) CHECK(text.find("  " + f.name) != std::string::npos);
  const auto known = names_of(features());  // the features that a run uses by default are among them, each once
  for (const auto& name : Settings().features) CHECK(std::count(known.begin(), known.end(), name) == 1);
  for (const auto& set : feature_sets()) CHECK(text.find("  " + set.name) != std::string::npos);
  for (const char* part : {"  cpu ", "  cuda ", "this build has no CUDA"}) CHECK(text.find(part) != std::string::npos);
}

TEST_CASE("Command line: folds are trained by a method of one classifier that has none of its own") {
  CHECK(parse_words({"run", "--out", "o", "--fold-method", "soft-gate"}).settings.fold_method == "soft-gate");
  for (const char* name : {"mts", "rho-ensemble", "oracle", "rho-los"}) {
    CAPTURE(std::string(name));
    CHECK_REFUSED(UsageError, parse_words({"run", "--out", "o", "--fold-method", name}), "method of the folds", name);
  }
}

TEST_CASE("Command line: a study has sections, tuning has none") {
  CHECK(parse_words({"study", "--out", "o", "--section", "parts,grid"}).study.sections ==
        std::vector<std::string>{"parts", "grid"});
  CHECK(parse_words({"study", "--out", "o"}).study.sections.size() == 5);
  CHECK_REFUSED(UsageError, parse_words({"tune", "--out", "o", "--section", "parts"}), "--section");
  CHECK_REFUSED(UsageError, parse_words({"study", "--out", "o", "--section", "prats"}), "did you mean 'parts'");
}

TEST_CASE("Feature sets: known features under a name of their own; a run takes sets and features together") {
  const auto known = names_of(features());
  for (const auto& set : feature_sets()) {
    CAPTURE(set.name);
    CHECK(std::count(known.begin(), known.end(), set.name) == 0);
    CHECK(!set.features.empty());
    for (const auto& name : set.features) CHECK(std::count(known.begin(), known.end(), name) == 1);
  }
  const std::vector<std::string> names = {"loss", "labels"};
  CHECK(features_of(names) == std::vector<std::string>{"loss", "class", "group"});
  CHECK(parse_words({"run", "--out", "o", "--features", "loss,labels"}).settings.features == names);
  CHECK_REFUSED(UsageError, parse_words({"run", "--out", "o", "--features", "labels,class"}), "class", "twice");
  CHECK_REFUSED(UsageError, parse_words({"run", "--out", "o", "--features", "postion"}), "did you mean 'position'");
}

// --------------------------------------------------------------------------------------------------------------- score

Command score_with(std::vector<std::string> words) {
  const std::vector<std::string> needed = {"score",        "--out",
                                           "results",      "--features",
                                           "x.npy",        "--labels",
                                           "y.npy",        "--validation-features",
                                           "v.npz:images", "--validation-labels",
                                           "vy.npy"};
  words.insert(words.begin(), needed.begin(), needed.end());
  return parse(words);
}

TEST_CASE("Command line, score: options arrive; those of a run that apply to arrays are a run's") {
  auto command = score_with({});
  CHECK(command.job == Job::score);
  CHECK(command.session.out == "results");
  CHECK(command.score.features == "x.npy");
  CHECK(command.score.validation_features == "v.npz:images");
  CHECK(command.score.groups.empty());
  CHECK(command.score.method == "mts");
  CHECK(command.score.batch == 256);
  CHECK(command.score.select == 0.5);
  CHECK(command.score.cross_validation == 4);
  command = score_with({"--group",
                        "g.npy",
                        "--generative-features",
                        "e.npy",
                        "--validation-generative-features",
                        "ve.npy",
                        "--classes",
                        "7",
                        "--raw-features",
                        "--method",
                        "weight-net",
                        "--batch",
                        "32",
                        "--seed",
                        "9",
                        "--select",
                        "0.25",
                        "--cross-validation",
                        "0",
                        "--hidden",
                        "",
                        "--steps",
                        "500",
                        "--weight-net-features",
                        "loss,class",
                        "--keep",
                        "0.5",
                        "--threads",
                        "2",
                        "--no-pictures"});
  const ScoreSettings& s = command.score;
  CHECK(s.groups == "g.npy");
  CHECK(s.embeddings == "e.npy");
  CHECK(s.validation_embeddings == "ve.npy");
  CHECK(s.classes == 7);
  CHECK(s.raw_features);
  CHECK(s.seed == 9);
  CHECK(s.cross_validation == 0);
  CHECK(s.training.hidden.empty());
  CHECK(s.training.keep == 0.5);
  CHECK(command.session.threads == 2);
  CHECK(command.session.no_pictures);
  const Settings run = run_settings(s);
  CHECK(run.methods == std::vector<std::string>{"weight-net"});
  CHECK(run.batches == std::vector<mts::Index>{32});
  CHECK(run.first_seed == 9);
  CHECK(run.seeds == 1);
  CHECK(run.steps == 500);
  CHECK(run.features == std::vector<std::string>{"loss", "class"});
}

TEST_CASE("Command line, score: what does not fit is refused") {
  CHECK_REFUSED(UsageError, parse_words({"score", "--out", "o"}), "--features FILE is required");
  CHECK_REFUSED(UsageError, parse_words({"score", "--out", "o", "--features", "x"}), "--labels FILE is required");
  CHECK_REFUSED(UsageError, score_with({"--generative-features", "e.npy"}), "--validation-generative-features",
                "both or neither");
  CHECK_REFUSED(UsageError, score_with({"--cross-validation", "1"}), "at least 2");
  CHECK_REFUSED(UsageError, score_with({"--method", "oracle"}), "'oracle'");
  CHECK_REFUSED(UsageError, score_with({"--method", "weight-nets"}), "did you mean 'weight-net'");
  CHECK_REFUSED(UsageError, score_with({"--uniform-steps", "600", "--method", "weight-net"}), "no step for selection");
  for (const char* option :
       {"--benchmark", "--data", "--model", "--augment", "--cache", "--seeds", "--channels", "--device"}) {
    CAPTURE(option);
    CHECK_REFUSED(UsageError, score_with({option, "1"}), "mts-lab score: unknown option", option);
  }
  CHECK_REFUSED(UsageError, score_with({"--validation-feature", "x"}), "did you mean '--validation-features'");
  const std::string text = help_of(Job::score);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 100);
  for (const char* option :
       {"--features FILE", "--weight-net-features NAME,...", "--select F", "--threads T", "--lr X"}) {
    CAPTURE(option);
    CHECK(text.find(option) != std::string::npos);
  }
  for (const char* option : {"--benchmark", "--cache", "--channels"}) CHECK(text.find(option) == std::string::npos);
}

TEST_CASE("Command line, score: options from a file") {
  const mts_test::TemporaryFolder folder;
  mts_test::write_plainly(folder / "score.json",
                          R"({"options": {"features": "a.npy", "select": 0.25, "weight-net-features": ["loss"]},
                              "session": {"threads": 3}})");
  const auto command = score_with({"--config", (folder / "score.json").string(), "--batch", "8"});
  CHECK(command.score.features == "x.npy");  // the command line counts more
  CHECK(command.score.select == 0.25);
  CHECK(command.score.batch == 8);
  CHECK(command.score.training.features == std::vector<std::string>{"loss"});
  CHECK(command.session.threads == 3);
  mts_test::write_plainly(folder / "wrong.json", R"({"options": {"benchmark": "domain"}})");
  CHECK_REFUSED(UsageError, score_with({"--config", (folder / "wrong.json").string()}), "unknown option 'benchmark'");
}

}  // namespace
