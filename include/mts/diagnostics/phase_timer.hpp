#pragma once
/// \file
/// Where the time of a step goes: seconds per named phase.
///
///     PhaseTimes times;
///     PhaseTimer timer(times);
///     timer.begin("features");      // ends what ran before, if anything
///     ...
///     timer.begin("virtual step");
///     ...
///     timer.end();                  // or the timer's end of life

#include <array>
#include <chrono>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "mts/core/error.hpp"
#include "mts/core/state.hpp"

namespace mts::diagnostics {

/// A phase's name: a literal, so that times hold no memory of their own and names can be compared at any time later.
class PhaseName {
 public:
  consteval PhaseName(const char* literal) : name_(literal) {}
  constexpr operator std::string_view() const { return name_; }

 private:
  std::string_view name_;
};

/// Seconds of each phase, in the order in which phases were first met. A plain value: copying allocates nothing. Times of
/// steps, runs or threads can be added; phases are matched by name.
class PhaseTimes {
 public:
  struct Phase {
    std::string_view name;
    double seconds = 0;
    Index count = 0;  ///< how often the phase was run
  };
  static constexpr std::size_t max_phases = 24;

  std::span<const Phase> phases() const { return {phases_.data(), size_}; }
  /// Seconds spent in the phase; 0 if it was never met.
  double seconds(std::string_view name) const {
    for (const auto& p : phases())
      if (p.name == name) return p.seconds;
    return 0;
  }
  /// Seconds of all phases together.
  double total() const {
    double sum = 0;
    for (const auto& p : phases()) sum += p.seconds;
    return sum;
  }
  /// Adds to a phase. \throws ValueError if it would be phase number `max_phases` + 1
  void add(PhaseName name, double seconds, Index count = 1) { add_named(name, seconds, count); }
  PhaseTimes& operator+=(const PhaseTimes& other) {
    for (const auto& p : other.phases()) add_named(p.name, p.seconds, p.count);
    return *this;
  }
  friend PhaseTimes operator+(PhaseTimes a, const PhaseTimes& b) { return a += b; }

  /// Writes names, seconds and counts.
  void save(std::ostream& out) const {
    mts::detail::StateWriter writer(out, "PhaseTimes::save", kind);
    writer.count(static_cast<Index>(size_));
    for (const auto& p : phases()) writer.words(p.name).number(p.seconds).count(p.count);
  }
  /// \throws DataError if the stream ends early, or holds something else; then nothing has changed
  void load(std::istream& in) {
    mts::detail::StateReader reader(in, "PhaseTimes::load", kind);
    const Index n = reader.count("phases");
    reader.check(n <= static_cast<Index>(max_phases), "phases", mts::detail::text("at most ", max_phases), n);
    PhaseTimes loaded;
    for (Index k = 0; k < n; ++k) {
      const std::string name = reader.words("name of a phase");
      const double seconds = reader.finite("seconds of a phase");
      loaded.add_named(kept(name), seconds, reader.count("times of a phase"));
    }
    *this = loaded;
  }

 private:
  static constexpr mts::detail::StateKind kind = {'m', 't', 's', '-', 'p', 'h', 's', '1'};

  /// The name in memory that stays, as that of a literal does: one copy of each name that was ever loaded.
  static std::string_view kept(const std::string& name) {
    static std::mutex mutex;
    static std::set<std::string> names;
    const std::lock_guard lock(mutex);
    return *names.insert(name).first;
  }

  void add_named(std::string_view name, double seconds, Index count) {
    std::size_t k = 0;
    while (k < size_ && phases_[k].name != name) ++k;
    if (k == size_) {
      check_value(size_ < max_phases, "PhaseTimes", "at most ", max_phases, " phases; no room for '", name, "'");
      phases_[size_++].name = name;
    }
    phases_[k].seconds += seconds;
    phases_[k].count += count;
  }

  std::array<Phase, max_phases> phases_{};
  std::size_t size_ = 0;
};

/// Measures phases that follow one another, by the steady clock: two readings of the clock (some 50 ns) a phase. The times
/// must outlive it. Of one thread.
class PhaseTimer {
 public:
  explicit PhaseTimer(PhaseTimes& times) : times_(times) {}
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;
  ~PhaseTimer() {
    try {
      end();
    } catch (const Error&) {  // more phases than there is room for: nowhere to put it, and a destructor must not throw
    }
  }

  /// Ends the phase that runs, if any, and begins this one. \throws ValueError as `PhaseTimes::add`
  void begin(PhaseName name) {
    end();
    name_ = name;
    running_ = true;
    begun_ = Clock::now();
  }
  /// Ends the phase that runs, if any.
  void end() {
    if (!running_) return;
    running_ = false;
    times_.add(name_, std::chrono::duration<double>(Clock::now() - begun_).count());
  }

 private:
  using Clock = std::chrono::steady_clock;
  PhaseTimes& times_;
  PhaseName name_ = "";
  bool running_ = false;
  Clock::time_point begun_{};
};

}  // namespace mts::diagnostics
