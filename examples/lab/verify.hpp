#pragma once
/// \file
/// The laws of docs/theory.md, verified: predicted against measured, law by law.

#include <atomic>
#include <ostream>
#include <string>
#include <vector>

#include "lab/progress.hpp"
#include "lab/settings.hpp"
#include "mts/theory/verify.hpp"

namespace mts::lab {

/// What `mts-lab verify` is told.
struct VerifySettings {
  std::vector<std::string> laws = {};  ///< empty: every law
  double precision = theory::VerifyOptions{}.precision;
  std::uint64_t seed = 0;
  std::filesystem::path out = {};  ///< empty: no files
  int threads = 0;                 ///< 0: as many as the machine has
  bool no_pictures = false;
  bool brief = false;  ///< a line a law
};

/// Calls `visit.group(title)` and `visit(option, value, domain)` for every option, in the order of the help.
template <class S, class Visitor>
void for_each_verify_option(S& s, Visitor&& visit) {
  using namespace domains;
  visit.group("What to verify");
  visit(Option{"laws", "NAME,...", "laws to verify; all if not given"}, s.laws, any());
  visit(Option{"precision", "P", "standard error of a simulation, relative to the prediction"}, s.precision,
        positive());
  visit(Option{"seed", "S", "seed of the simulations"}, s.seed, any());
  visit.group("This session");
  visit(Option{"out", "DIR", "folder for laws.csv and pictures; no files if not given"}, s.out, any());
  visit(Option{"threads", "T", "threads; 0 for as many as the machine has (no result depends on it)"}, s.threads,
        at_least<int>(0));
  visit(Option{"no-pictures", "", "write no pictures, so that gnuplot is not needed"}, s.no_pictures, any());
  visit(Option{"brief", "", "print a line for each law; laws.csv has its cases"}, s.brief, any());
}

/// A law that was registered (examples/laws), all its claims together.
struct NamedLaw {
  std::string name;
  std::vector<theory::Claim> claims;
};

/// The registered laws in their order: L1, L2, L3, L3', L4, ... L10, ...; of several registrations of a name, all claims.
std::vector<NamedLaw> laws_in_order();
/// The order of two laws' names: by number, then by what follows the number; names without one last.
bool law_before(const std::string& a, const std::string& b);

/// Refuses names that no law has, and names given twice. \throws UsageError with the nearest known name
void check(const VerifySettings& settings);

/// The findings as a table for people, lines of at most 100 columns where names allow, and what they amount to.
/// `brief`: a row for each law, and one for each case that fails.
std::string table_of(const theory::Report& report, bool brief = false);

/// laws.csv: a row for each finding.
std::string csv_of(const theory::Report& report);

/// Gnuplot scripts. `laws_script`: measured against predicted, and the share of what was allowed that each case uses;
/// `law_script`: a panel for each simulated claim of a law, empty if it has none.
/// \param terminal  gnuplot's terminal; its options are added: size, enhanced text
std::string laws_script(const theory::Report& report, const std::string& terminal);
std::string law_script(const theory::Report& report, const std::string& law, const std::string& terminal);

/// Verifies the laws within the present ThreadLimit, prints the table to `out`, writes the files. Returns whether all hold.
/// \throws UsageError, Interrupted soon after `stop` is set (no file is written then), DataError, an Error that names the claim
bool verify_laws(const VerifySettings& settings, std::ostream& out, Progress& progress, const std::atomic<bool>& stop);

}  // namespace mts::lab
