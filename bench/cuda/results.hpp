#pragma once
// What the benchmark of the CUDA backend finds, and how it is told. No header of the library's: compiled once, by the
// compiler of the rest.

#include <algorithm>
#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

namespace bench {

/// The rates that a step is held against, both of this queue.
struct Ceilings {
  double flops = 0;  ///< FLOP/s of one large product in float
  double bytes = 0;  ///< bytes/s of a large copy, read and written ones together
};

/// The floor of a step: its operations and its bytes.
struct Floor {
  double flops = 0, bytes = 0;

  /// Seconds: whatever takes longer, as if all of the other went on meanwhile.
  double seconds(const Ceilings& c) const { return std::max(flops / c.flops, bytes / c.bytes); }
};

/// One way to take a step.
struct Found {
  std::string name;
  Floor floor;
  std::vector<double> seconds{};     ///< of a step, in each round
  double launches = 0, replays = 0;  ///< kernels and products, and replayed sequences, of a step; means over all rounds
  double last_loss = 0;              ///< training loss of the last step
};

struct CaseResult {
  std::string name;
  std::vector<Found> found{};  ///< the plain step first
  std::string error{};         ///< why there is nothing
  bool fits = true;            ///< false where the error is that the memory does not suffice
};

struct Results {
  /// What it ran on, in order: names and values.
  std::vector<std::pair<std::string, std::string>> where{};
  Ceilings ceilings{};
  std::vector<CaseResult> cases{};

  /// Whether anything was not measured for another reason than a lack of memory.
  bool failed() const;
};

void write_table(const Results&, std::ostream&);
/// \throws std::runtime_error if the file cannot be written
void write_json(const Results&, const std::string& file);
/// Now, as 2026-01-31T12:00:00Z.
std::string date();

}  // namespace bench
