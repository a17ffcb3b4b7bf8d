#pragma once
// A folder that goes away with the test, and the message of an expected error.

#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>
#include <string_view>

#include "mts/core/error.hpp"

namespace mts_test {

struct TemporaryFolder {
  std::filesystem::path path;
  TemporaryFolder() {
    static std::atomic<int> count{0};
    path = std::filesystem::temp_directory_path() /
           ("mts-test-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    std::filesystem::create_directories(path);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::filesystem::path operator/(std::string_view name) const { return path / name; }
};

inline void write_plainly(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}
inline std::string read_plainly(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A file that NumPy wrote: see tests/data/numpy/make.py.
inline std::filesystem::path numpy_file(std::string_view name) {
  return std::filesystem::path(__FILE__).parent_path() / "numpy" / name;
}

/// What the exception of kind E that f throws says; "" if it throws none.
template <class E, class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  return "";
}

/// "" if f throws an exception of kind E whose message has all the parts, else what is wrong with it.
template <class E, class F>
std::string not_refused(F&& f, std::initializer_list<std::string> parts) {
  const std::string said = message_of<E>(f);
  if (said.empty()) return "nothing of this kind was thrown";
  for (const auto& part : parts)
    if (said.find(part) == std::string::npos) return "no '" + part + "' in: " + said;
  return "";
}

}  // namespace mts_test

// Checks that `expression` throws `Error` and that its message has all the parts that follow.
#define CHECK_REFUSED(Error, expression, ...) \
  CHECK(mts_test::not_refused<Error>([&] { (void)(expression); }, {__VA_ARGS__}) == "")
