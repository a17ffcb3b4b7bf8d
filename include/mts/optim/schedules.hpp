#pragma once
/// \file
/// Schedules of the learning rate: eta_k = eta_0 f(k), k the number of steps already taken (0 at the first step).
///
///     linear_warmup(100).then(100, cosine(900))       warm up for 100 steps, then a cosine over 900
///     per_epoch(multi_step({225}, 0.1), batches)      a factor that changes between epochs only

#include <cmath>
#include <concepts>
#include <functional>
#include <numbers>
#include <utility>
#include <vector>

#include "mts/core/error.hpp"

namespace mts {

/// A function f from the step's index k = 0, 1, ... to a factor on the base learning rate. Any callable Index -> double
/// is one. Has no state of its own: a run that resumes at step k gets the factor it would have had. Default: f = 1.
class Schedule {
 public:
  Schedule() = default;
  template <class F>
    requires(!std::same_as<F, Schedule> && std::is_invocable_r_v<double, const F&, Index>)
  Schedule(F factor) : factor_(std::move(factor)) {}

  /// f(step). \throws ValueError if step < 0, or if the factor is negative or not finite
  double operator()(Index step) const {
    check_value(step >= 0, "Schedule", "the step must not be negative, found ", step);
    if (!factor_) return 1;
    const double factor = factor_(step);
    check_value(std::isfinite(factor) && factor >= 0, "Schedule", "the factor at step ", step,
                " must be finite and not negative, found ", factor);
    return factor;
  }

  /// This schedule for `length` steps, then `next` from its own step 0 (PyTorch's SequentialLR).
  /// \throws ValueError if length < 0
  Schedule then(Index length, Schedule next) const {
    check_value(length >= 0, "Schedule::then", "the length must not be negative, found ", length);
    return [a = *this, b = std::move(next), length](Index k) { return k < length ? a(k) : b(k - length); };
  }

  /// k -> a(k) b(k) (PyTorch's ChainedScheduler).
  friend Schedule operator*(Schedule a, Schedule b) {
    return [a = std::move(a), b = std::move(b)](Index k) { return a(k) * b(k); };
  }

 private:
  std::function<double(Index)> factor_;
};

/// f(k) = factor. \throws ValueError if the factor is negative or not finite
inline Schedule constant(double factor = 1) {
  check_value(std::isfinite(factor) && factor >= 0, "constant", "the factor must be finite and not negative, found ",
              factor);
  return [factor](Index) { return factor; };
}

/// f(k) = min((k + 1) / steps, 1): the first step already moves, step number `steps` is the first at the full rate.
/// steps = 0: no warm-up. \throws ValueError if steps < 0
inline Schedule linear_warmup(Index steps) {
  check_value(steps >= 0, "linear_warmup", "the number of steps must not be negative, found ", steps);
  return [steps](Index k) { return k + 1 < steps ? static_cast<double>(k + 1) / static_cast<double>(steps) : 1.0; };
}

/// f(k) = start + (end - start) min(k, steps) / steps (PyTorch's LinearLR: start_factor, end_factor, total_iters).
/// \throws ValueError if steps < 1, or if a factor is negative or not finite
inline Schedule linear(double start, double end, Index steps) {
  check_value(steps >= 1, "linear", "the number of steps must be at least 1, found ", steps);
  check_value(std::isfinite(start) && start >= 0 && std::isfinite(end) && end >= 0, "linear",
              "the factors must be finite and not negative, found start ", start, ", end ", end);
  return [=](Index k) {
    return k >= steps ? end : start + (end - start) * static_cast<double>(k) / static_cast<double>(steps);
  };
}

/// f(k) = floor + (1 - floor) (1 + cos(pi k / steps)) / 2 for k < steps, then floor. PyTorch's CosineAnnealingLR in
/// closed form with T_max = steps and eta_min = floor eta_0; after T_max that one rises again and this one stays.
/// \throws ValueError if steps < 1 or floor is not in [0, 1]
inline Schedule cosine(Index steps, double floor = 0) {
  check_value(steps >= 1, "cosine", "the number of steps must be at least 1, found ", steps);
  check_value(floor >= 0 && floor <= 1, "cosine", "the floor must be in [0, 1], found ", floor);
  return [=](Index k) {
    if (k >= steps) return floor;
    return floor +
           (1 - floor) * (1 + std::cos(std::numbers::pi * static_cast<double>(k) / static_cast<double>(steps))) / 2;
  };
}

/// f(k) = gamma^j, j the number of milestones <= k (PyTorch's MultiStepLR).
/// \throws ValueError unless the milestones are at least 1 and increase, and gamma is finite and not negative
inline Schedule multi_step(std::vector<Index> milestones, double gamma = 0.1) {
  check_value(std::isfinite(gamma) && gamma >= 0, "multi_step", "gamma must be finite and not negative, found ", gamma);
  Index last = 0;
  for (const Index m : milestones) {
    check_value(m > last, "multi_step", "the milestones must be at least 1 and increase, found ", m, " after ", last);
    last = m;
  }
  return [milestones = std::move(milestones), gamma](Index k) {
    double factor = 1;
    for (const Index m : milestones)
      if (m <= k) factor *= gamma;
    return factor;
  };
}

/// f(k) = schedule(floor(k / steps_per_epoch)): one whose k counts epochs. \throws ValueError if steps_per_epoch < 1
inline Schedule per_epoch(Schedule schedule, Index steps_per_epoch) {
  check_value(steps_per_epoch >= 1, "per_epoch", "the number of steps per epoch must be at least 1, found ",
              steps_per_epoch);
  return [schedule = std::move(schedule), steps_per_epoch](Index k) { return schedule(k / steps_per_epoch); };
}

}  // namespace mts
