#pragma once
// A problem with its two ways to take a step, plain and with selection, behind one interface, so that each kind of step
// is compiled once.

#include <memory>

#include "mts/selection/step_report.hpp"
#include "support/case.hpp"

namespace bench {

enum class Estimator { per_sample_dot, pushforward, central_difference };
inline const char* name_of(Estimator e) {
  return e == Estimator::per_sample_dot ? "per-sample dot"
         : e == Estimator::pushforward  ? "pushforward"
                                        : "central difference";
}

class Trainer {
 public:
  virtual ~Trainer() = default;
  virtual mts::StepReport plain() = 0;
  virtual mts::StepReport select() = 0;
  // Of the last step with selection:
  virtual const mts::SampleVector& alignments() const = 0;
  virtual const mts::SampleVector& weights_before()
      const = 0;                                         ///< p at the old phi, by which the virtual step was made
  virtual const mts::SampleVector& weights() const = 0;  ///< p at the new phi, by which the real one was made
  virtual const Parameters& hypergradient() const = 0;
  virtual const Parameters& theta() const = 0;
};

/// What both sides begin with.
Parameters initial_theta(Net net);
Parameters initial_phi();

std::unique_ptr<Trainer> make_trainer(const Case& c, const Images& train, const Images& validation,
                                      Estimator estimator);

}  // namespace bench
