#pragma once
/// \file
/// What a report warns of, with what to do about it.

#include <string>
#include <vector>

#include "lab/insight.hpp"
#include "lab/settings.hpp"
#include "lab/study.hpp"
#include "lab/summary.hpp"

namespace mts::lab {

struct Warning {
  std::string what;    ///< with the numbers
  std::string advice;  ///< what to do
};

// From where on something is warned of.

inline constexpr double collapse_level = 0.1;    ///< B_eff/N at the end, and the same of the pool's weights
inline constexpr double validation_level = 0.5;  ///< share of the hypergradient's noise that validation samples make
inline constexpr double moved_level = 0.01;      ///< share of the weight that permuting a feature moves

/// n B_eff of weights over a whole pool: (sum w)^2/(n sum w^2), in (0, 1].
double effective_share(const SampleVector& weights);

/// Of one method on one batch size: weights that collapse, validation samples that limit, features without signal.
/// \param who             the method in words
/// \param batch_fraction  B_eff/N at the end of training  \param pool_fraction  `effective_share`, NaN without weights
std::vector<Warning> warnings_of(const std::string& who, double batch_fraction, double pool_fraction,
                                 const Insight& insight);

/// Of a whole study: those, steps that warned, methods worse than no selection, and seeds that are too few.
std::vector<Warning> warnings_of(const Settings& settings, const Study& study, const Summary& summary);

}  // namespace mts::lab
