// mts-lab score as its users meet it.
#include <chrono>
#include <set>
#include <thread>

#include "lab/browser.hpp"
#include "lab/scored.hpp"
#include "lab/small_run.hpp"

namespace {

using namespace mts_test;

const bool has_gnuplot = std::system("gnuplot --version > /dev/null 2>&1") == 0;

/// A Python that has NumPy; "" where there is none.
const std::string& python() {
  static const std::string path = [] {
    for (const std::string name : {"python3", "/usr/bin/python3"})
      if (std::system((name + " -c 'import numpy' > /dev/null 2>&1").c_str()) == 0) return name;
    return std::string();
  }();
  return path;
}

std::vector<std::string> small_score(const TemporaryFolder& folder, const std::filesystem::path& out,
                                     std::vector<std::string> more = {}) {
  const auto s = score_settings(folder);
  std::vector<std::string> a = {MTS_LAB_PROGRAM,
                                "score",
                                "--out",
                                out,
                                "--features",
                                s.features,
                                "--labels",
                                s.labels,
                                "--group",
                                s.groups,
                                "--validation-features",
                                s.validation_features,
                                "--validation-labels",
                                s.validation_labels,
                                "--batch",
                                "16",
                                "--steps",
                                "30",
                                "--uniform-steps",
                                "4",
                                "--hidden",
                                "8",
                                "--folds",
                                "2",
                                "--cross-validation",
                                "2"};
  a.insert(a.end(), more.begin(), more.end());
  return a;
}

TEST_CASE("mts-lab score: writes its files, the same bytes for any number of threads, and again by its settings") {
  const TemporaryFolder folder;
  const std::set<std::string> expected = {"weights.npy", "selected.csv", "settings.json", "report.html"};
  std::string said;
  for (const char* threads : {"1", "4"}) {
    Child child(small_score(folder, folder / threads, {"--threads", threads}), folder);
    const int status = child.wait();
    CAPTURE(child.err());
    REQUIRE(status == 0);
    CHECK(files_in(folder / threads) == expected);
    said = child.out();
  }
  CHECK(contains(said, "90 samples of 10 numbers, 3 classes; 12 validation samples"));
  CHECK(contains(said, "Accuracy on validation samples held out in 2 parts"));
  CHECK(contains(said, "report.html"));
  const std::string config = (folder / "1" / "settings.json").string(), again = (folder / "again").string();
  Child child({MTS_LAB_PROGRAM, "score", "--config", config, "--out", again}, folder);
  REQUIRE(child.wait() == 0);
  for (const auto& name : expected) {
    CAPTURE(name);
    CHECK(read_plainly(folder / "4" / name) == read_plainly(folder / "1" / name));
    CHECK(read_plainly(folder / "again" / name) == read_plainly(folder / "1" / name));
  }
}

TEST_CASE("mts-lab score: a weight net's report has pictures, which a browser shows" *
          doctest::skip(browser().empty() || !has_gnuplot)) {
  const TemporaryFolder folder;
  Child child(small_score(folder, folder / "out", {"--method", "weight-net", "--validation-rows", "0.25"}), folder);
  const int status = child.wait();
  CAPTURE(child.err());
  REQUIRE(status == 0);
  const std::string page = read_plainly(folder / "out/report.html");
  CHECK(contains(page, "data:image/svg+xml;base64,"));
  CHECK(browser_problems_text(page, {1200, 390}, folder) == "");
}

TEST_CASE("mts-lab score: what can't be done is said in words, and nothing is written") {
  const TemporaryFolder folder;
  write_plainly(folder / "file", "");
  write_plainly(folder / "text.npy", "no array");
  const auto refused = [&](std::vector<std::string> more, int expected, const std::vector<std::string>& parts) {
    check_refused(small_score(folder, folder / "out", std::move(more)), folder, expected, parts);
  };
  refused({"--features", folder / "nowhere.npy"}, 1, {"nowhere.npy"});
  refused({"--features", folder / "text.npy"}, 1, {"text.npy", ".npy"});
  refused({"--features", folder / "v.npy"}, 1, {"y.npy: expected 12 labels", "found 90"});
  refused({"--lables", "x"}, 2, {"--lables", "did you mean '--labels'"});
  refused({"--model", "cnn"}, 2, {"unknown option '--model'"});
  refused({"--method", "uniform"}, 2, {"method that weighs samples 'uniform'"});
  refused({"--batch", "1000"}, 2, {"--batch 1000", "at most 90"});
  refused({"--out", folder / "file"}, 1, {"file", "need a folder"});
  refused({"--out", "/proc/mts-lab"}, 1, {"/proc/mts-lab"});
  Child child({MTS_LAB_PROGRAM, "score", "--out", folder / "out"}, folder);
  CHECK(child.wait() == 2);
  CHECK(contains(child.err(), "--features FILE is required"));
}

TEST_CASE("mts-lab score: Ctrl-C stops it soon, and nothing is written") {
  const TemporaryFolder folder;
  Child child(small_score(folder, folder / "out",
                          {"--method", "weight-net", "--validation-rows", "0.25", "--steps", "10000000"}),
              folder);
  for (int k = 0; k < 1200 && !contains(child.err(), "runs"); ++k)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  child.interrupt();
  CHECK(child.wait() == 130);
  CHECK(files_in(folder / "out").empty());
}

TEST_CASE("mts-lab score: takes what NumPy writes, in any type and order, and writes what NumPy reads" *
          doctest::skip(python().empty())) {
  const TemporaryFolder folder;
  const std::string at = folder.path.string();
  // Numbers that a half holds exactly, so that all types have the same ones.
  write_plainly(folder / "write.py", R"(
import numpy as np, sys
at = sys.argv[1]
r = np.random.default_rng(1)
y = np.arange(120) % 3
x = (np.eye(3)[y].repeat(2, axis=1) + 0.5 * r.standard_normal((120, 6))).astype(np.float16)
g = np.where(np.arange(120) < 40, 0, 2)
y[80:] = (y[80:] + 1) % 3
v, vy = x[:12], y[:12]
np.save(at + "/v.npy", v); np.save(at + "/vy.npy", vy.astype(np.uint8))
np.save(at + "/half.npy", x); np.save(at + "/double.npy", np.asfortranarray(x.astype(np.float64)))
np.save(at + "/big.npy", x.astype(">f4")); np.save(at + "/y.npy", y.astype(">i2")); np.save(at + "/g.npy", g)
np.savez(at + "/stored.npz", features=x.astype(np.float32), labels=y)
np.savez_compressed(at + "/packed.npz", features=x.astype(np.float32), labels=y.astype(np.int8))
)");
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"/usr/bin/env", python()});
    Child child(std::move(words), folder);
    const int status = child.wait();
    CAPTURE(child.err());
    REQUIRE(status == 0);
    return child.out();
  };
  run({at + "/write.py", at});
  std::string first;
  struct Files {
    const char *features, *labels;
  };
  for (const Files& f :
       {Files{"half.npy", "y.npy"}, Files{"double.npy", "y.npy"}, Files{"big.npy", "y.npy"},
        Files{"stored.npz:features", "stored.npz:labels"}, Files{"packed.npz:features", "packed.npz:labels"}}) {
    CAPTURE(f.features);
    Child child({MTS_LAB_PROGRAM,
                 "score",
                 "--features",
                 at + "/" + f.features,
                 "--labels",
                 at + "/" + f.labels,
                 "--group",
                 at + "/g.npy",
                 "--validation-features",
                 at + "/v.npy",
                 "--validation-labels",
                 at + "/vy.npy",
                 "--batch",
                 "16",
                 "--steps",
                 "20",
                 "--hidden",
                 "",
                 "--folds",
                 "2",
                 "--cross-validation",
                 "0",
                 "--out",
                 at + "/out"},
                folder);
    const int status = child.wait();
    CAPTURE(child.err());
    REQUIRE(status == 0);
    const std::string weights = read_plainly(folder / "out/weights.npy");
    if (first.empty()) first = weights;
    CHECK(weights == first);
  }
  write_plainly(folder / "read.py", R"(
import csv, numpy as np, sys
at = sys.argv[1]
w = np.load(at + "/out/weights.npy")
assert w.shape == (120,) and w.dtype == np.float32, (w.shape, w.dtype)
assert abs(w.mean() - 1) < 1e-5 and w.min() >= 0, (w.mean(), w.min())
rows = list(csv.DictReader(open(at + "/out/selected.csv")))
assert len(rows) == 60, len(rows)
kept = np.array([int(r["index"]) for r in rows])
assert np.array_equal(kept, np.argsort(-w, kind="stable")[:60])
assert np.array_equal(np.array([r["weight"] for r in rows], dtype=np.float32), w[kept])
assert {r["group"] for r in rows} <= {"0", "2"}
print("right")
)");
  CHECK(run({at + "/read.py", at}) == "right\n");
}

}  // namespace
