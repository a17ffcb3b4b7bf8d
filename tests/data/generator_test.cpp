// The generator: trained by our own autodiff, the same bits for any number of threads, and kept in a cache that can be damaged.
#include "mts/data/generator.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "data/support.hpp"

using namespace mts::data;
using mts::Index;
using mts::RandomStream;
using mts::RowMatrix;
using mts::ThreadLimit;
using mts_test::read_plainly;
using mts_test::TemporaryFolder;
using mts_test::write_plainly;

namespace {

// Images of one bright half or the other.
RowMatrix<float> halves(Index n) {
  RandomStream stream(1, "images");
  RowMatrix<float> x(n, 12);
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < 12; ++j)
      x(i, j) = static_cast<float>(((i % 2 == 0) == (j < 6) ? 0.8 : 0.1) + 0.1 * stream.uniform());
  return x;
}

GeneratorOptions small() {
  GeneratorOptions o;
  o.architecture.inputs = 12;
  o.architecture.hidden = {8};
  o.architecture.latent = 2;
  o.batch = 256;  // two tiles
  o.epochs = 10;
  o.learning_rate = 1e-2;
  return o;
}

bool same(const Generator& a, const Generator& b) { return a.parameters().values() == b.parameters().values(); }

}  // namespace

TEST_CASE("training lowers the loss, and a trained generator shows its images again") {
  const auto x = halves(600);
  auto options = small();
  options.epochs = 60;
  std::vector<double> losses;
  const auto g = train_generator(x, options, "test", [&](const GeneratorProgress& p) {
    CHECK(p.what == "test");
    CHECK(p.step == static_cast<Index>(losses.size()) + 1);
    CHECK(p.steps == 120);
    losses.push_back(p.loss);
  });
  REQUIRE(losses.size() == 120);
  CHECK(losses.back() < losses.front() - 1);
  const auto z = g.encode(x);
  CHECK(z.cols() == 2);
  const auto y = g.decode(z);
  CHECK((y - x).cwiseAbs().mean() < 0.1f);
  CHECK(y.minCoeff() >= 0);
  CHECK(y.maxCoeff() <= 1);
}

TEST_CASE("training gives the same bits for any number of threads, and others for another seed") {
  const auto x = halves(600);
  const auto reference = train_generator(x, small());
  for (const int threads : {1, 2, 4}) {
    const ThreadLimit limit(threads);
    CHECK(same(train_generator(x, small()), reference));
  }
  auto other = small();
  other.seed = 1;
  CHECK_FALSE(same(train_generator(x, other), reference));
}

TEST_CASE("codes of a large set are those of its parts") {
  const auto g = train_generator(halves(300), small());
  const auto x = halves(2048 + 300);
  const RowMatrix<float> tail = x.bottomRows(300);
  CHECK(g.encode(x).bottomRows(300) == g.encode(tail));
  CHECK(g.encode(RowMatrix<float>(0, 12)).rows() == 0);
}

TEST_CASE("images and options that do not fit are refused") {
  auto o = small();
  CHECK_REFUSED(mts::ShapeError, train_generator(RowMatrix<float>::Zero(300, 11), o), "length of an image",
                "expected 12", "found 11");
  CHECK_REFUSED(mts::ValueError, train_generator(halves(100), o), "batch of 256", "pool of 100");
  o.epochs = -1;
  CHECK_REFUSED(mts::ValueError, train_generator(halves(300), o), "epochs", "-1");
  RowMatrix<float> bad = halves(300);
  bad(7, 3) = std::numeric_limits<float>::quiet_NaN();
  CHECK_REFUSED(mts::NumericalError, train_generator(bad, small()), "nan");
  CHECK_REFUSED(mts::ShapeError, Generator(small().architecture, mts::DenseParameters<float>(5)),
                "number of parameters", "found 5");
}

TEST_CASE("the cache's key tells images and every option apart") {
  const auto x = halves(300);
  std::vector<std::uint64_t> keys{generator_key(x, small())};
  CHECK(generator_key(x, small()) == keys[0]);
  const auto with = [&](auto&& change) {
    auto o = small();
    change(o);
    keys.push_back(generator_key(x, o));
  };
  using O = GeneratorOptions;
  with([](O& o) { o.architecture.inputs = 13; });
  with([](O& o) { o.architecture.hidden = {9}; });
  with([](O& o) { o.architecture.hidden = {8, 8}; });
  with([](O& o) { o.architecture.latent = 3; });
  with([](O& o) { o.architecture.divergence_weight = 2; });
  with([](O& o) { o.architecture.activation = mts::nn::Activation::gelu; });
  with([](O& o) { o.epochs = 11; });
  with([](O& o) { o.batch = 128; });
  with([](O& o) { o.learning_rate = 2e-2; });
  with([](O& o) { o.weight_decay = 1; });
  with([](O& o) { o.seed = 1; });
  auto y = x;
  y(299, 11) += 1e-6f;
  keys.push_back(generator_key(y, small()));
  keys.push_back(generator_key(halves(299), small()));
  std::sort(keys.begin(), keys.end());
  CHECK(std::adjacent_find(keys.begin(), keys.end()) == keys.end());
}

TEST_CASE("a generator is trained once and read from the cache after that, bit for bit") {
  const TemporaryFolder folder;
  const auto x = halves(600);
  int trained = 0, notes = 0;
  const GeneratorCache cache{folder / "sub/folder", [&](std::string_view) { ++notes; },
                             [&](const GeneratorProgress& p) { trained += p.step == 1; }};
  const auto first = cached_generator(x, small(), "test", cache);
  CHECK(trained == 1);
  const auto second = cached_generator(x, small(), "test", cache);
  CHECK(trained == 1);
  CHECK(same(first, second));
  CHECK(same(first, train_generator(x, small())));
  auto other = small();
  other.seed = 2;
  cached_generator(x, other, "test", cache);
  CHECK(trained == 2);
  CHECK(notes == 0);
  const GeneratorCache none{"", {}, cache.progress};
  CHECK(same(cached_generator(x, small(), "test", none), first));
  CHECK(trained == 3);
}

TEST_CASE("a cache file with any byte changed, cut anywhere or foreign is noticed, retrained and replaced") {
  const TemporaryFolder folder;
  auto o = small();
  o.epochs = 1;
  const auto x = halves(300);
  std::vector<std::string> notes;
  const GeneratorCache cache{folder.path, [&](std::string_view words) { notes.emplace_back(words); }, {}};
  const auto reference = cached_generator(x, o, "test", cache);
  const auto path = std::filesystem::directory_iterator(folder.path)->path();
  const std::string good = read_plainly(path);
  const auto noticed = [&](const std::string& bytes, const char* part) {
    write_plainly(path, bytes);
    notes.clear();
    const auto again = cached_generator(x, o, "test", cache);
    CHECK(same(again, reference));
    REQUIRE(notes.size() == 1);
    CAPTURE(notes[0]);
    CHECK(notes[0].find(path.string()) != std::string::npos);
    CHECK(notes[0].find("trained again") != std::string::npos);
    CHECK(notes[0].find(part) != std::string::npos);
    CHECK(read_plainly(path) == good);
  };
  for (const std::size_t at :
       {std::size_t{0}, std::size_t{9}, std::size_t{17}, std::size_t{24}, good.size() / 2, good.size() - 1}) {
    std::string bad = good;
    bad[at] ^= 4;
    noticed(bad, at == 0 ? "begin with 'mts-gen'" : "checksum");
  }
  for (const std::size_t length : {std::size_t{0}, std::size_t{8}, std::size_t{31}, good.size() - 4})
    noticed(good.substr(0, length), "expected");
  noticed(good + "x", "bytes");
  noticed("something else", "begin with 'mts-gen'");
  // A sound file of another key, put under this one's name.
  save_generator(path, reference.parameters(), 12345);
  noticed(read_plainly(path), "key");
}

TEST_CASE("a cache that takes nothing costs a note and nothing else") {
  const TemporaryFolder folder;
  write_plainly(folder / "file", "");
  std::string note;
  const GeneratorCache cache{folder / "file/below", [&](std::string_view words) { note = words; }, {}};
  auto o = small();
  o.epochs = 1;
  const auto x = halves(300);
  CHECK(same(cached_generator(x, o, "test", cache), train_generator(x, o)));
  CHECK(note.find("the test is not kept") != std::string::npos);
}

TEST_CASE("the cache's folder follows XDG_CACHE_HOME, then HOME") {
  const auto keep = [](const char* name) {
    return std::pair<bool, std::string>(std::getenv(name) != nullptr, std::getenv(name) ? std::getenv(name) : "");
  };
  const auto xdg = keep("XDG_CACHE_HOME"), home = keep("HOME");
  ::setenv("XDG_CACHE_HOME", "/somewhere", 1);
  CHECK(default_cache_folder() == "/somewhere/mts");
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  ::setenv("HOME", "/home/someone", 1);
  CHECK(default_cache_folder() == "/home/someone/.cache/mts");
  ::unsetenv("XDG_CACHE_HOME");
  CHECK(default_cache_folder() == "/home/someone/.cache/mts");
  ::unsetenv("HOME");
  CHECK(default_cache_folder() == "");
  if (xdg.first) ::setenv("XDG_CACHE_HOME", xdg.second.c_str(), 1);
  if (home.first) ::setenv("HOME", home.second.c_str(), 1);
}
