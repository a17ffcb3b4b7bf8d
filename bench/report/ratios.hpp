#pragma once
// The ratios that the library promises, and whether it kept them in this run.

#include <optional>
#include <string>
#include <vector>

#include "report/results.hpp"

namespace bench {

struct Ratio {
  std::string what;
  bool at_most = true;  ///< whether smaller is better
  double required = 0;
  std::optional<double> aim, measured;
  std::string note;

  bool met() const { return measured && (at_most ? *measured <= required : *measured >= required); }
  std::string verdict() const { return !measured ? "not measured" : met() ? "met" : "not met"; }
};

std::vector<Ratio> ratios(const Results& results);

}  // namespace bench
