#pragma once
// What the benchmark programs wrote, by name.

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace bench {

/// Numbers of one benchmark: its counters and, as "time_ms", its time.
using Counters = std::map<std::string, double>;

/// All programs' benchmarks, in the order in which they ran. Of repeated ones the medians; the greatest as "max
/// COUNTER".
class Results {
 public:
  /// Reads what is there of kernels.json, step.json, eigen_step.json, peer_tuned.json, peer_untuned.json, adapters.json,
  /// memory.json and compile_times.json. \throws std::runtime_error for a file that cannot be read or tells of an error
  explicit Results(const std::filesystem::path& folder);

  std::optional<double> value(const std::string& program, const std::string& benchmark,
                              const std::string& counter) const;
  /// Names that begin so, in order.
  std::vector<std::string> names(const std::string& program, const std::string& prefix) const;
  const Counters& counters(const std::string& program, const std::string& benchmark) const;

  /// Peak MiB of a process of so many samples, its batches included or not.
  struct Memory {
    std::string net, activations;
    double samples, peak_mib, batches_mib;
  };
  std::vector<Memory> memory;
  struct CompileTime {
    std::string file;
    double seconds;
  };
  std::vector<CompileTime> compile_times;
  /// Processor, cores, compiler, date, load, peer.
  nlohmann::ordered_json machine;
  /// Everything as it was read.
  nlohmann::ordered_json raw;

 private:
  void read_program(const std::filesystem::path& file, const std::string& program);

  struct Program {
    std::vector<std::string> order;
    std::map<std::string, Counters> benchmarks;
  };
  std::map<std::string, Program> programs_;
};

}  // namespace bench
