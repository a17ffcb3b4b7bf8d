#pragma once
// A small data set in idx files, a small problem made by hand, and the program mts-lab as a child process.

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/support.hpp"
#include "mts/core/random.hpp"
#include "mts/data/pool.hpp"

namespace mts_test {

/// 8 x 8 images of four of ten classes, each class a bright quadrant of its own: enough of them for every benchmark's sizes,
/// small enough to train on in no time.
inline void write_small_data(const std::filesystem::path& folder) {
  const auto big_endian = [](std::string& out, std::uint32_t x) {
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(x >> shift & 0xff);
  };
  const auto write = [&](const std::string& name, std::uint32_t n) {
    mts::RandomStream stream(1, name);
    std::string images{'\0', '\0', '\x08', '\x03'}, labels{'\0', '\0', '\x08', '\x01'};
    big_endian(images, n);
    big_endian(images, 8);
    big_endian(images, 8);
    big_endian(labels, n);
    constexpr int classes[] = {0, 2, 3, 8};
    for (std::uint32_t i = 0; i < n; ++i) {
      const int y = static_cast<int>(i % 4);
      labels += static_cast<char>(classes[y]);
      for (int v = 0; v < 8; ++v)
        for (int u = 0; u < 8; ++u) {
          const bool bright = (u >= 4) == (y % 2 == 1) && (v >= 4) == (y >= 2);
          images += static_cast<char>(bright ? 130 + stream.below(120) : stream.below(4) == 0 ? 40 : 0);
        }
    }
    write_plainly(folder / (name + "-images-idx3-ubyte"), images);
    write_plainly(folder / (name + "-labels-idx1-ubyte"), labels);
  };
  write("train", 16800);
  write("t10k", 2400);
}

/// Three classes in ten dimensions; a third of the pool real, a third good edits, a third with wrong labels.
inline mts::data::Problem small_problem(std::uint64_t seed = 0) {
  using namespace mts;
  data::Problem problem;
  problem.name = "small";
  problem.classes = 3;
  const auto fill = [&](data::LabelledSet& set, Index n, std::string_view purpose) {
    RandomStream s(seed, purpose);
    set.inputs.resize(n, 10);
    for (Index i = 0; i < n; ++i) {
      const int y = static_cast<int>(i % 3);
      for (Index j = 0; j < 10; ++j) set.inputs(i, j) = static_cast<float>((j % 3 == y ? 1.0 : 0.0) + 0.7 * s.normal());
      set.labels.push_back(y);
      set.attributes.push_back(0);
    }
    set.embeddings = set.inputs.leftCols(4);
  };
  fill(problem.pool, 90, "pool");
  for (Index i = 0; i < 90; ++i) {
    const auto k = static_cast<std::size_t>(i);
    problem.pool.groups.push_back(i < 30 ? data::real_group : data::synthetic_group);
    problem.pool.kinds.push_back(i < 30 ? data::Kind::real : i < 60 ? data::Kind::good : data::Kind::content);
    problem.pool.origins.push_back(i % 30);
    if (i >= 60) problem.pool.labels[k] = (problem.pool.labels[k] + 1) % 3;
  }
  fill(problem.validation, 12, "validation");
  fill(problem.tuning, 30, "tuning");
  fill(problem.test, 60, "test");
  return problem;
}

/// The same with images of 8 x 8 pixels: stripes across, stripes down, or none.
inline mts::data::Problem small_image_problem(std::uint64_t seed = 0) {
  using namespace mts;
  data::Problem problem = small_problem(seed);
  problem.name = "small images";
  problem.image = {8, 8, 1};
  const auto fill = [&](data::LabelledSet& set, std::string_view purpose) {
    RandomStream s(seed, purpose);
    set.inputs.resize(set.size(), 64);
    for (Index i = 0; i < set.size(); ++i)
      for (Index v = 0; v < 8; ++v)
        for (Index u = 0; u < 8; ++u) {
          const double wave = i % 3 == 0 ? (v / 2) % 2 : i % 3 == 1 ? (u / 2) % 2 : 0.5;
          set.inputs(i, 8 * v + u) = static_cast<float>(0.6 * wave + 0.4 * s.uniform());
        }
  };
  fill(problem.pool, "pool images");
  fill(problem.validation, "validation images");
  fill(problem.tuning, "tuning images");
  fill(problem.test, "test images");
  return problem;
}

/// A child process with its outputs in files.
class Child {
 public:
  Child(std::vector<std::string> arguments, const TemporaryFolder& folder, std::vector<std::string> environment = {})
      : out_(folder / ("stdout-" + std::to_string(count()++))), err_(out_.string() + ".err") {
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, out_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    posix_spawn_file_actions_addopen(&files, 2, err_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    std::vector<char*> argv, env;
    for (auto& a : arguments) argv.push_back(a.data());
    argv.push_back(nullptr);
    for (auto& e : environment) env.push_back(e.data());
    for (char** e = environ; *e; ++e) {  // the given ones first: they hide those of the same name
      const std::string entry(*e), name = entry.substr(0, entry.find('=') + 1);
      bool hidden = false;
      for (const auto& own : environment) hidden = hidden || own.starts_with(name);
      if (!hidden) env.push_back(*e);
    }
    env.push_back(nullptr);
    const int failed = posix_spawn(&pid_, argv[0], &files, nullptr, argv.data(), env.data());
    posix_spawn_file_actions_destroy(&files);
    REQUIRE(failed == 0);
  }
  ~Child() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      wait();
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Its exit status; 128 + signal if a signal ended it.
  int wait() {
    int status = 0;
    while (pid_ > 0 && ::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  void interrupt() { ::kill(pid_, SIGINT); }
  void kill() { ::kill(pid_, SIGKILL); }
  std::string out() const { return read_plainly(out_); }
  std::string err() const { return read_plainly(err_); }

 private:
  static int& count() {
    static int n = 0;
    return n;
  }
  std::filesystem::path out_, err_;
  ::pid_t pid_ = 0;
};

inline bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace mts_test
