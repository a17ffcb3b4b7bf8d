// mts-lab as its users meet it: a child process, its exit status, its words and its files.
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "lab/small_run.hpp"
#include "lab/support.hpp"
#include "mts/data/npy.hpp"
#include "mts/version.hpp"

namespace {

using namespace mts_test;

const bool has_gnuplot = std::system("gnuplot --version > /dev/null 2>&1") == 0;

std::vector<std::string> lines_of(const std::filesystem::path& file) {
  std::vector<std::string> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST_CASE("mts-lab: a run writes its files, the same bytes for 1, 2 and 4 threads" * doctest::skip(!has_gnuplot)) {
  const TemporaryFolder folder;
  const std::set<std::string> expected = {"results.csv",   "dynamics.csv", "timings.csv",  "weights.npy", "truth.csv",
                                          "settings.json", "dynamics.svg", "dynamics.png", "report.html"};
  std::string table;
  for (const char* threads : {"1", "2", "4"}) {
    Child child(small_run(folder / threads, {"--threads", threads}), folder);
    const int status = child.wait();
    CAPTURE(child.err());
    REQUIRE(status == 0);
    CHECK(files_in(folder / threads) == expected);
    for (const auto& name : expected)
      if (name != "timings.csv") {
        CAPTURE(name);
        CHECK(read_plainly(folder / threads / name) == read_plainly(folder / "1" / name));
      }
    CHECK(contains(child.err(), "8 runs"));  // plain lines: the output is no terminal
    CHECK(!contains(child.err(), "\x1b"));
    table = child.out();
  }
  // The settings that a run leaves repeat it.
  const std::string config = (folder / "1" / "settings.json").string(), again = (folder / "again").string();
  Child child({MTS_LAB_PROGRAM, "run", "--config", config, "--out", again, "--cache", shared().cache}, folder);
  REQUIRE(child.wait() == 0);
  CHECK(child.err().find("another version") == std::string::npos);
  for (const auto& name : expected)
    if (name != "timings.csv") {
      CAPTURE(name);
      CHECK(read_plainly(folder / "again" / name) == read_plainly(folder / "1" / name));
    }
  for (const char* words :
       {"AUC of weights", "Accuracy minus that of uniform", "Figure 2", "dynamics.svg", "report.html"}) {
    CAPTURE(words);
    CHECK(contains(table, words));
  }

  const auto out = folder / "1";
  const auto results = lines_of(out / "results.csv");
  REQUIRE(results.size() == 1 + 8);
  CHECK(results[0] == "benchmark,method,batch,seed,accuracy_last");
  CHECK(results[1].starts_with("spurious,uniform,16,0,0."));
  CHECK(results[8].starts_with("spurious,weight-net,64,1,0."));

  const auto dynamics = lines_of(out / "dynamics.csv");
  REQUIRE(dynamics.size() == 1 + 8 * 12);
  CHECK(dynamics[0] == "method,batch,seed,step,mean_w,max_p,var_p,b_eff,gsnr,gamma_norm,train_loss,validation_loss");
  CHECK(dynamics[1].starts_with("uniform,16,0,0,1,0.0625,0,16,nan,nan,"));
  CHECK(dynamics.back().starts_with("weight-net,64,1,11,0."));
  CHECK(!contains(dynamics.back(), "nan"));

  CHECK(lines_of(out / "timings.csv")[0] == "method,batch,seed,phase,seconds,times");
  CHECK(contains(read_plainly(out / "timings.csv"), "weight-net,64,1,alignments,"));

  const auto truth = lines_of(out / "truth.csv");
  CHECK(truth[0] == "seed,sample,kind,group,label,attribute,origin");
  CHECK(truth[1].starts_with("0,0,real,0,"));
  const auto weights = mts::data::read_npy<float>(out / "weights.npy");
  REQUIRE(weights.shape.size() == 2);
  CHECK(weights.shape[0] == 8);
  CHECK(2 * weights.shape[1] == truth.size() - 1);
  CHECK(weights.values.front() == 1);  // uniform
  CHECK(weights.values.back() > 0);
  CHECK(weights.values.back() < 1);

  const auto settings = nlohmann::json::parse(read_plainly(out / "settings.json"));
  CHECK(settings["options"]["steps"] == 12);
  CHECK(settings["options"]["activation"] == "sigmoid");
  CHECK(settings["options"]["batch"] == nlohmann::json({16, 64}));
  CHECK(settings["versions"].contains("mts"));
  CHECK(!settings["options"].contains("threads"));
  CHECK(read_plainly(out / "dynamics.png").starts_with("\x89PNG"));
}

TEST_CASE("mts-lab: convolutional nets run and leave their picture" * doctest::skip(!has_gnuplot)) {
  const TemporaryFolder folder;
  for (const std::string model : {"cnn", "resnet"}) {
    CAPTURE(model);
    // a residual net has no hidden layers: --hidden as if it were not given
    const auto arguments =
        small_run(folder / model, {"--model", model, "--channels", "4", "--augment", "shift-flip", "--augment-pixels",
                                   "1", "--seeds", "1", "--hidden", model == "resnet" ? "128" : "16"});
    Child child(arguments, folder);
    const int status = child.wait();
    CAPTURE(child.err());
    REQUIRE(status == 0);
    CHECK(contains(child.out(), "spurious, " + model + " with augmentation shift-flip, seed 0"));
    CHECK(contains(read_plainly(folder / model / "dynamics.svg"),
                   "weight-net on spurious, " + model + " with augmentation shift-flip: seed 0"));
    CHECK(lines_of(folder / model / "dynamics.csv").size() == 1 + 4 * 12);
    const auto options = nlohmann::json::parse(read_plainly(folder / model / "settings.json"))["options"];
    CHECK(options["model"] == model);
    CHECK(options["channels"] == nlohmann::json({4}));
    CHECK(options["augment"] == "shift-flip");
    CHECK(options["augment-pixels"] == 1);
  }
}

TEST_CASE("mts-lab: a second run finds the generators in the cache" * doctest::skip(!has_gnuplot)) {
  const TemporaryFolder folder;
  const auto arguments = small_run(folder / "out", {"--method", "uniform", "--batch", "16", "--seeds", "1"});
  CHECK(Child(arguments, folder).wait() == 0);
  Child again(arguments, folder);
  CHECK(again.wait() == 0);
  CHECK(!contains(again.err(), "training"));
}

TEST_CASE("mts-lab: verify ends with 0 if all laws hold, and only then" * doctest::skip(!has_gnuplot)) {
  const TemporaryFolder folder;
  Child child({MTS_LAB_PROGRAM, "verify", "--laws", "L1,L11", "--out", folder / "out"}, folder);
  const int status = child.wait();
  CAPTURE(child.out());
  CAPTURE(child.err());
  CHECK(status == 0);
  CHECK(files_in(folder / "out") == std::set<std::string>{"laws.csv", "laws.svg", "L11.svg"});
  for (const auto& line : lines_of(folder / "out/laws.csv"))
    CHECK((line == "law,case,predicted,measured,standard_error,z,verdict" || line.ends_with(",holds")));
  CHECK(contains(child.out(), "all hold"));
  CHECK(contains(child.err(), "L11: holds"));

  Child imprecise({MTS_LAB_PROGRAM, "verify", "--laws", "L11", "--precision", "1e-9"}, folder);
  CHECK(imprecise.wait() == 1);
  CHECK(contains(imprecise.out(), "not precise enough"));

  Child unknown({MTS_LAB_PROGRAM, "verify", "--laws", "L11,L99"}, folder);
  CHECK(unknown.wait() == 2);
  CHECK(contains(unknown.err(), "unknown law 'L99'"));
  CHECK(unknown.out() == "");

  Child stopped({MTS_LAB_PROGRAM, "verify", "--precision", "0.0005", "--out", folder / "stopped"}, folder);
  for (int k = 0; k < 1200 && !contains(stopped.err(), "cases"); ++k)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  stopped.interrupt();
  CHECK(stopped.wait() == 130);
  CHECK(files_in(folder / "stopped").empty());
}

TEST_CASE("mts-lab: help, list and version") {
  const TemporaryFolder folder;
  const auto said = [&](std::vector<std::string> words) {
    words.insert(words.begin(), MTS_LAB_PROGRAM);
    Child child(words, folder);
    CHECK(child.wait() == 0);
    CHECK(child.err() == "");
    return child.out();
  };
  CHECK(contains(said({"--help"}), "mts-lab run"));
  CHECK(contains(said({}), "mts-lab run"));
  CHECK(contains(said({"run", "--help"}), "--meta-lr"));
  CHECK(contains(said({"verify", "--help"}), "--precision"));
  CHECK(contains(said({"list"}), "spurious"));
  CHECK(contains(said({"list"}), "L14'"));
  CHECK(contains(said({"--version"}), MTS_VERSION));
}

TEST_CASE("mts-lab: what can't be done is said in words, and the exit status is not 0") {
  const TemporaryFolder folder;
  write_plainly(folder / "file", "");
  std::filesystem::create_directories(folder / "empty");
  std::filesystem::copy(shared().data, folder / "damaged");
  std::filesystem::resize_file(folder / "damaged/train-images-idx3-ubyte", 5000);
  const auto refused = [&](std::vector<std::string> more, int expected, const std::vector<std::string>& parts) {
    check_refused(small_run(folder / "out", std::move(more)), folder, expected, parts);
  };
  refused({"--benchmark", "textures"}, 2, {"benchmark 'textures'", "texture"});
  refused({"--metod", "mts"}, 2, {"--metod", "did you mean '--method'"});
  refused({"--batch", "100000"}, 2, {"--batch 100000", "samples: expected at most"});
  refused({"--batch", "4000", "--mode", "crossed", "--disjoint"}, 2, {"--batch 4000", "--disjoint"});
  refused({"--validation-batch", "5000"}, 2, {"--validation-batch 5000", "expected at most"});
  refused({"--data", folder / "nowhere"}, 1, {"nowhere", "no such folder"});
  refused({"--data", folder / "empty"}, 1, {"train-images-idx3-ubyte"});
  refused({"--data", folder / "damaged"}, 1, {"train-images-idx3-ubyte", "truncated"});
  refused({"--out", folder / "file"}, 1, {"file", "need a folder"});
  refused({"--out", folder / "file/below"}, 1, {"file/below", "Not a directory"});
  refused({"--out", "/proc/mts-lab"}, 1, {"/proc/mts-lab"});
  refused({"--lr", "1e30"}, 1, {"seed", "step", "finite"});
}

TEST_CASE("mts-lab: without gnuplot the tables are written, and the missing picture is an error") {
  const TemporaryFolder folder;
  const auto arguments = small_run(folder / "out", {"--method", "uniform", "--batch", "16", "--seeds", "1"});
  Child child(arguments, folder, {"PATH=/nowhere"});
  CHECK(child.wait() == 1);
  CHECK(contains(child.err(), "gnuplot was not found"));
  CHECK(contains(child.err(), "--no-pictures"));
  CHECK(contains(child.out(), "results.csv"));
  // with what is kept of the runs, so that to make the picture takes no time once there is a gnuplot
  CHECK(files_in(folder / "out") == std::set<std::string>{"results.csv", "dynamics.csv", "timings.csv", "weights.npy",
                                                          "truth.csv", "settings.json", "checkpoints"});
  auto without = arguments;
  without.push_back("--no-pictures");
  CHECK(Child(without, folder, {"PATH=/nowhere"}).wait() == 0);
  CHECK(contains(read_plainly(folder / "out/report.html"), "</html>"));
}

TEST_CASE("mts-lab: Ctrl-C stops a run soon and leaves no results, and what was there stays") {
  const TemporaryFolder folder;
  for (const bool had_results : {false, true}) {
    if (had_results) {
      std::filesystem::create_directories(folder / "out");
      write_plainly(folder / "out/results.csv", "of another day");
    }
    Child child(small_run(folder / "out", {"--steps", "10000000", "--threads", "2", "--fresh"}), folder);
    for (int k = 0; k < 1200 && !contains(child.err(), "8 runs"); ++k)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    REQUIRE(contains(child.err(), "8 runs"));
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    child.interrupt();
    CHECK(child.wait() == 130);
    CHECK(contains(child.err(), "interrupted; "));
    auto left = files_in(folder / "out");
    left.erase("checkpoints");
    CHECK(left == (had_results ? std::set<std::string>{"results.csv"} : std::set<std::string>{}));
  }
  CHECK(read_plainly(folder / "out/results.csv") == "of another day");
}

}  // namespace
