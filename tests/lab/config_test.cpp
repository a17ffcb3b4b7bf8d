#include "lab/config.hpp"

#include <nlohmann/json.hpp>

#include "data/support.hpp"
#include "lab/cli.hpp"
#include "lab/emulated.hpp"

namespace {

using namespace mts::lab;
using mts_test::TemporaryFolder;
using mts_test::write_plainly;

Command parse_words(std::vector<std::string> words) { return parse(words); }

/// What a file of this text does to the defaults.
Settings settings_from(const std::string& text) {
  const TemporaryFolder folder;
  write_plainly(folder / "run.json", text);
  Settings settings;
  Session session;
  (void)read_config(folder / "run.json", settings, session);
  return settings;
}

TEST_CASE("Config: what settings_text writes, read_config reads: every option") {
  // Every option away from its default, so that none can be passed over.
  Settings s;
  s.benchmark = "domain";
  s.methods = {"l2rw", "mts"};
  s.batches = {7, 9};
  s.seeds = 2;
  s.first_seed = std::numeric_limits<std::uint64_t>::max();
  s.evaluate_on = EvaluationSet::tuning;
  s.validation = 12;
  s.data = "some/where \"else\"";
  s.generator_epochs = 3;
  s.steps = 11;
  mts_test::offer_emulation();
  s.device = "emulation";
  s.model = ModelKind::cnn;
  s.hidden = {};
  s.channels = {3, 4, 5};
  s.augmentation = AugmentationKind::crop_flip;
  s.augmentation_pixels = 1;
  s.learning_rate = 0.1 + 0.2;
  s.schedule = ScheduleKind::constant;
  s.momentum = 1.0 / 3;
  s.weight_decay = 1e-300;
  s.validation_rows = 0.05;
  s.keep = 0.3;
  s.keep_hard = true;
  s.prior_runs = 4;
  s.prior_share = 0.25;
  s.sharpness = 1e10;
  s.folds = 2;
  s.fold_share = 0.75;
  s.fold_method = "l2rw";
  s.without = Part::ratio;
  s.proxy = Proxy::mlp;
  s.members = 5;
  s.clip = 0.75;
  s.meta_learning_rate = 0;
  s.meta_weight_decay = 0.5;
  s.meta_schedule = ScheduleKind::cosine;
  s.validation_batch = 6;
  s.uniform_steps = 1;
  s.update_every = 3;
  s.features = {"loss"};
  s.weight_net = WeightNetKind::group;
  s.weight_net_hidden = {2};
  s.activation = WeightActivationKind::softplus;
  s.mode = Mode::crossed;
  s.disjoint = true;
  s.b_eff_floor = 0.125;
  s.b_eff_floor_strength = 2;
  s.tempering = 0.0625;
  s.alignment = AlignmentKind::central_difference;
  const std::string text = settings_text(s);
  const std::size_t options = nlohmann::json::parse(text)["options"].size();
  CHECK(changed_options(s).size() == options);
  const Settings back = settings_from(text);
  CHECK(settings_text(back) == text);
  CHECK(changed_options(back) == changed_options(s));
  CHECK(back.learning_rate == s.learning_rate);
  CHECK(back.first_seed == s.first_seed);
  CHECK(settings_text(settings_from(settings_text(Settings()))) == settings_text(Settings()));
}

TEST_CASE("Config: options that a file does not name stay; the command line counts more, wherever it stands") {
  const TemporaryFolder folder;
  const std::string file = (folder / "run.json").string();
  write_plainly(
      folder / "run.json",
      R"({"options": {"benchmark": "texture", "lr": 1, "batch": [32]}, "session": {"threads": 3, "out": "there"}})");
  const auto command = parse_words({"run", "--lr", "0.5", "--config", file});
  CHECK(command.settings.benchmark == "texture");
  CHECK(command.settings.learning_rate == 0.5);
  CHECK(command.settings.batches == std::vector<mts::Index>{32});
  CHECK(command.settings.momentum == Settings().momentum);
  CHECK(command.session.threads == 3);
  CHECK(command.session.out == "there");
  CHECK(command.config == file);
  CHECK(command.differences.empty());
  CHECK(parse_words({"run", "--config=" + file, "--out", "here"}).session.out == "here");
  // flags too can be taken back
  write_plainly(folder / "flag.json", R"({"options": {"keep-hard": true}})");
  CHECK(parse_words({"run", "--out", "o", "--config", (folder / "flag.json").string()}).settings.keep_hard);
  CHECK(!parse_words({"run", "--out", "o", "--config", (folder / "flag.json").string(), "--keep-hard=false"})
             .settings.keep_hard);
}

TEST_CASE("Config: what depends on the model is resolved from a file as from the command line") {
  const TemporaryFolder folder;
  for (const char* model : {"mlp", "cnn", "resnet"}) {
    const auto first = parse_words({"run", "--out", "o", "--model", model});
    write_plainly(folder / "run.json", settings_text(first.settings));
    const auto second = parse_words({"run", "--out", "o", "--config", (folder / "run.json").string()});
    CHECK(settings_text(second.settings) == settings_text(first.settings));
  }
}

TEST_CASE("Config: versions that differ are told") {
  const TemporaryFolder folder;
  auto file = nlohmann::ordered_json::parse(settings_text(Settings()));
  file["versions"]["Eigen"] = "2.0.0";
  file["versions"]["of something else"] = "1";
  write_plainly(folder / "run.json", file.dump());
  Settings settings;
  Session session;
  const auto differences = read_config(folder / "run.json", settings, session);
  REQUIRE(differences.size() == 1);
  CHECK(differences[0].find("Eigen: \"2.0.0\" there") != std::string::npos);
}

TEST_CASE("Config: what can't be taken is refused by file, option, expectation and what was found; nothing is set") {
  const auto refused = [](const std::string& text, std::vector<std::string> words) {
    const TemporaryFolder folder;
    write_plainly(folder / "run.json", text);
    Settings settings;
    Session session;
    const std::string before = settings_text(settings);
    std::string said;
    try {
      (void)read_config(folder / "run.json", settings, session);
    } catch (const UsageError& error) {
      said = error.what();
    }
    CAPTURE(text);
    CAPTURE(said);
    words.push_back("run.json");
    for (const auto& word : words) CHECK(said.find(word) != std::string::npos);
    CHECK(settings_text(settings) == before);
  };
  refused(R"({"options": {"lr": 1, "steeps": 3}})", {"unknown option 'steeps'", "did you mean 'steps'"});
  refused(R"({"session": {"thread": 3}})", {"session", "did you mean 'threads'"});
  refused(R"({"option": {}})", {"unknown part 'option'", "did you mean 'options'"});
  refused(R"({"program": "other"})", {"program", "mts-lab", "other"});
  refused(R"({"options": {"lr": "fast"}})", {"lr", "expected a number", "\"fast\""});
  refused(R"({"options": {"lr": 1, "steps": 1.5}})", {"steps", "whole number", "1.5"});
  refused(R"({"options": {"lr": 1, "steps": 18446744073709551615}})", {"steps", "whole number"});
  refused(R"({"options": {"first-seed": -1}})", {"first-seed", "-1"});
  refused(R"({"options": {"steps": 0}})", {"steps", "at least 1", "0"});
  refused(R"({"options": {"batch": []}})", {"batch", "at least one number"});
  refused(R"({"options": {"batch": 64}})", {"batch", "a list", "64"});
  refused(R"({"options": {"batch": [64, "x"]}})", {"batch", "whole number", "x"});
  refused(R"({"options": {"model": "cmn"}})", {"model", "did you mean 'cnn'"});
  refused(R"({"options": {"model": 3}})", {"model", "a name", "3"});
  refused(R"({"options": {"disjoint": 1}})", {"disjoint", "true or false", "1"});
  refused(R"({"options": {"data": ["a"]}})", {"data", "path", "a list of 1"});
  refused(R"({"options": []})", {"options", "an object", "a list of 0"});
  refused("[]", {"a JSON object"});
  refused("", {"a JSON object"});
  refused(R"({"options": {"lr": 1)", {"a JSON object"});
  refused(R"({"options": {"lr": 1e999}})", {"JSON"});
  refused("{\"options\": {\"data\": \"\xff\"}}", {"JSON"});
  const std::size_t depth = 200000;
  refused(R"({"options": {"lr": )" + std::string(depth, '[') + std::string(depth, ']') + "}}", {"lr", "a list of 1"});
  refused(std::string((1 << 20) + 1, ' '), {"at most 1048576 bytes"});
  CHECK_REFUSED(UsageError, parse_words({"run", "--out", "o", "--config", "/no/such/file.json"}), "/no/such/file.json",
                "can't be read");
  CHECK_REFUSED(UsageError, parse_words({"run", "--out", "o", "--config", "/"}), "can't be read");
  CHECK_REFUSED(UsageError, parse_words({"run", "--out", "o", "--method", ""}), "method");
  CHECK_REFUSED(UsageError, parse_words({"run", "--out", "o", "--batch", ""}), "batch", "at least one");
  // what no option shows alone is refused as on the command line
  const TemporaryFolder folder;
  write_plainly(folder / "run.json", R"({"options": {"disjoint": true}})");
  CHECK_REFUSED(UsageError, parse_words({"run", "--out", "o", "--config", (folder / "run.json").string()}),
                "--disjoint");
  write_plainly(folder / "run.json", R"({"options": {"method": []}})");
  CHECK_REFUSED(UsageError, parse_words({"run", "--out", "o", "--config", (folder / "run.json").string()}), "--method");
}

TEST_CASE("Config: what differs from the settings that a checkpoint names is told option by option, versions too") {
  Settings s;
  const std::string line = settings_line(s);
  CHECK(line.find('\n') == std::string::npos);
  CHECK(differences_of(line, s).empty());
  s.steps = 7;
  s.methods = {"mts"};
  CHECK(differences_of(line, s) ==
        std::vector<std::string>{R"(method: ["uniform","weight-net","mts"] there, ["mts"] here)",
                                 "steps: 600 there, 7 here"});
  auto file = nlohmann::ordered_json::parse(line);
  file["versions"]["Eigen"] = "2.0.0";
  file["options"].erase("momentum");
  const auto differences = differences_of(file.dump(), Settings());
  REQUIRE(differences.size() == 2);
  CHECK(differences[0] == "momentum: nothing there, 0.9 here");
  CHECK(differences[1].find("Eigen: \"2.0.0\" there") != std::string::npos);
  for (const char* text : {"", "no JSON", "[]", "{\"options\": 3}"}) CHECK(!differences_of(text, Settings()).empty());
}

}  // namespace
