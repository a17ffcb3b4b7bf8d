// Drives a fuzz target where libFuzzer isn't there: driver SECONDS TARGET [SEED FILE OR FOLDER ...]. Inputs are seeds, then
// mutants of seeds and of earlier mutants that reached code nothing had reached before. Their order is fixed, so a fault that is found
// is found again; SECONDS only says when to stop. The input that ends the program is left in crash-TARGET.
#include <fcntl.h>
#include <sanitizer/common_interface_defs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/fuzz.hpp"

extern "C" {
extern char __executable_start;
void __sanitizer_cov_trace_pc();
}

namespace {

constexpr std::size_t longest = std::size_t{1} << 16;
constexpr unsigned seconds_for_one = 10;

std::string current;          // the input that is being run
std::string crash = "crash";  // the file that it goes to

// Called where the program may no longer allocate.
void keep_current() {
  const int file = ::open(crash.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0 || ::write(file, current.data(), current.size()) != static_cast<::ssize_t>(current.size())) return;
  ::close(file);
  std::fprintf(stderr, "fuzz: the input of %zu bytes that ended the program is in %s\n", current.size(), crash.c_str());
}
void too_long(int) {
  std::fprintf(stderr, "fuzz: an input took more than %u s\n", seconds_for_one);
  keep_current();
  ::_exit(1);
}

// Pairs of basic blocks, one after the other, that have been seen; whether this run saw a new one.
std::bitset<(1u << 18)> seen;
bool new_pair = false;
std::uintptr_t previous_block = 0;

void run(std::string input) {
  current = std::move(input);
  new_pair = false;
  previous_block = 0;
  ::alarm(seconds_for_one);
  const std::vector<std::uint8_t> exact(current.begin(), current.end());  // nothing behind its end
  try {
    LLVMFuzzerTestOneInput(exact.data(), exact.size());
    return;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fuzz: an exception that the reader should not throw: %s\n", error.what());
  } catch (...) {
    std::fprintf(stderr, "fuzz: an exception of unknown kind\n");
  }
  keep_current();
  ::_exit(1);
}

class Mutator {
 public:
  explicit Mutator(const std::vector<std::string>& corpus) : corpus_(corpus) {}

  std::string next() {
    std::string s = any();
    for (std::size_t n = std::size_t{1} << below(4); n > 0; --n) mutate(s);
    if (s.size() > longest) s.resize(longest);
    return s;
  }

 private:
  std::size_t below(std::size_t n) { return n == 0 ? 0 : static_cast<std::size_t>(stream_() % n); }
  const std::string& any() {
    // Half of the time one of the latest, which reached something new.
    const std::size_t n = corpus_.size(), latest = std::min<std::size_t>(n, 16);
    return corpus_[below(2) ? below(n) : n - 1 - below(latest)];
  }
  std::string some_of(const std::string& s) {
    const std::size_t at = below(s.size());
    return s.substr(at, 1 + below(std::min<std::size_t>(s.size() - at, below(8) ? 16 : 4096)));
  }
  std::string number() {
    static constexpr std::array<std::uint64_t, 16> interesting{0,
                                                               1,
                                                               2,
                                                               0x7f,
                                                               0x80,
                                                               0xff,
                                                               0x7fff,
                                                               0x8000,
                                                               0xffff,
                                                               0x7fffffff,
                                                               0x80000000,
                                                               0xffffffff,
                                                               std::uint64_t{1} << 32,
                                                               0x7fffffffffffffff,
                                                               std::uint64_t{1} << 63,
                                                               ~std::uint64_t{0}};
    const std::uint64_t x = interesting[below(interesting.size())] + below(3) - 1;
    if (below(3) == 0) return below(2) ? std::to_string(x) : std::to_string(static_cast<std::int64_t>(x));
    std::string s;
    for (std::size_t i = 0, n = std::size_t{1} << below(4); i < n; ++i) s += static_cast<char>(x >> (8 * i));
    if (below(3) == 0) std::reverse(s.begin(), s.end());
    std::string several = s;  // sides of a shape lie one after another
    for (std::size_t n = below(4) ? 0 : below(4); n > 0; --n) several += s;
    return several;
  }
  void mutate(std::string& s) {
    const std::size_t at = below(s.size() + 1);
    const auto overwrite = [&](const std::string& part) { s.replace(std::min(at, s.size()), part.size(), part); };
    switch (below(11)) {
      case 0:
        if (at < s.size()) s[at] = static_cast<char>(s[at] ^ (1 << below(8)));
        break;
      case 1:
        if (at < s.size()) s[at] = static_cast<char>(below(256));
        break;
      case 2:
        if (at < s.size()) s[at] = static_cast<char>(s[at] + static_cast<int>(below(9)) - 4);
        break;
      case 3:
        overwrite(number());
        break;
      case 4:
        s.insert(at, number());
        break;
      case 5: {  // digits become another number
        const std::size_t first = s.find_first_of("0123456789", at);
        if (first == std::string::npos) break;
        const std::size_t last = std::min(s.find_first_not_of("0123456789", first), s.size());
        s.replace(first, last - first, number());
        break;
      }
      case 6:
        s.erase(at, 1 + below(below(4) ? 8 : s.size()));
        break;
      case 7:
        s.resize(below(2) ? at : s.size() - std::min<std::size_t>(s.size(), 1 + below(16)));
        break;
      case 8:
        overwrite(some_of(any()));
        break;
      case 9:
        s.insert(at, some_of(below(2) ? any() : s));
        break;
      case 10: {  // the beginning of this, the end of another
        const std::string& other = any();
        s = s.substr(0, at) + other.substr(below(other.size() + 1));
        break;
      }
    }
  }

  const std::vector<std::string>& corpus_;
  std::mt19937_64 stream_{20};
};

std::vector<std::string> seeds(int count, char** places) {
  std::vector<std::filesystem::path> files;
  for (int i = 0; i < count; ++i) {
    if (!std::filesystem::is_directory(places[i])) {
      files.emplace_back(places[i]);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(places[i]))
      if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> contents;
  for (const auto& path : files) {
    std::ifstream in(path, std::ios::binary);
    contents.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return contents;
}

}  // namespace

// The compiler calls this at each basic block of the target.
extern "C" void __sanitizer_cov_trace_pc() {
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0)) -
                    reinterpret_cast<std::uintptr_t>(&__executable_start);
  const std::uintptr_t pair = (here * 0x9e3779b97f4a7c15u >> 40) ^ (previous_block >> 1);
  previous_block = here * 0x9e3779b97f4a7c15u >> 40;
  auto bit = seen[pair % seen.size()];
  if (bit) return;
  bit = true;
  new_pair = true;
}

int main(int count, char** words) {
  const double seconds = count < 3 ? 0 : std::atof(words[1]);
  if (seconds <= 0) {
    std::fprintf(stderr, "usage: %s SECONDS TARGET [SEED FILE OR FOLDER ...]\n", words[0]);
    return 2;
  }
  crash += std::string("-") + words[2];
  __sanitizer_set_death_callback(keep_current);
  std::signal(SIGALRM, too_long);

  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  std::vector<std::string> corpus = seeds(count - 3, words + 3);
  const std::size_t given = corpus.size();
  for (const auto& seed : corpus) run(seed);
  if (corpus.empty()) corpus.emplace_back();
  Mutator mutator(corpus);
  long runs = 0;
  while (elapsed() < seconds) {
    run(mutator.next());
    ++runs;
    if (new_pair) corpus.push_back(current);
  }
  ::alarm(0);
  std::printf("fuzz: %s: %zu seeds, %ld mutants, %zu of which reached new code, %zu pairs of blocks, %.1f s\n",
              words[2], given, runs, corpus.size() - std::max<std::size_t>(given, 1), seen.count(), elapsed());
  return 0;
}
