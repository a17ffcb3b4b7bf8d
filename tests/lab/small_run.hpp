#pragma once
// A run of mts-lab that takes a second or two, its data, the files that it leaves, and what is said of one that is refused.

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "lab/support.hpp"

namespace mts_test {

/// The data set and the trained generators, made once for all tests of a program.
struct Shared {
  TemporaryFolder folder;
  std::filesystem::path data = folder / "data", cache = folder / "cache";
  Shared() {
    std::filesystem::create_directories(data);
    write_small_data(data);
  }
};
inline Shared& shared() {
  static Shared s;
  return s;
}

/// The arguments of a run that takes a second or two.
inline std::vector<std::string> small_run(const std::filesystem::path& out, std::vector<std::string> more = {}) {
  std::vector<std::string> a = {MTS_LAB_PROGRAM,
                                "run",
                                "--out",
                                out,
                                "--data",
                                shared().data,
                                "--cache",
                                shared().cache,
                                "--generator-epochs",
                                "1",
                                "--steps",
                                "12",
                                "--uniform-steps",
                                "4",
                                "--method",
                                "uniform,weight-net",
                                "--batch",
                                "16,64",
                                "--seeds",
                                "2",
                                "--hidden",
                                "16"};
  a.insert(a.end(), more.begin(), more.end());
  return a;
}

/// The files of a folder; none where there is no folder.
inline std::set<std::string> files_in(const std::filesystem::path& folder) {
  std::set<std::string> names;
  if (std::filesystem::exists(folder))
    for (const auto& entry : std::filesystem::directory_iterator(folder)) names.insert(entry.path().filename());
  return names;
}

/// Checks that a program ends with this status, says these parts, and leaves no file in `out`.
inline void check_refused(const std::vector<std::string>& arguments, const TemporaryFolder& folder, int expected,
                          const std::vector<std::string>& parts) {
  Child child(arguments, folder);
  const int status = child.wait();
  const std::string said = child.err();
  CAPTURE(said);
  CHECK(status == expected);
  for (const auto& part : parts) CHECK(contains(said, part));
  CHECK(child.out() == "");
  CHECK(files_in(folder / "out").empty());
}

}  // namespace mts_test
