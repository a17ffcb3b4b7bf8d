#pragma once
/// \file
/// How far the work is, with the time left: one line that is rewritten on a terminal, plain lines elsewhere.

#include <chrono>
#include <functional>
#include <mutex>
#include <ostream>
#include <string>
#include <string_view>

namespace mts::lab {

/// Thread-safe.
class Progress {
 public:
  using Clock = std::function<double()>;  ///< seconds, from any beginning

  Progress(std::ostream& out, bool terminal, Clock clock = steady_seconds)
      : out_(out), terminal_(terminal), clock_(std::move(clock)) {}
  ~Progress() { end(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Begins a task of `work` units, any units. Ends the one before it.
  void begin(std::string what, double work);
  /// So much more of it is done.
  void advance(double work);
  /// So much more of it was done before this session: it counts as done, and says nothing about the speed.
  void skip(double work);
  /// So much of it is done in all.
  void reach(double work);
  /// Says something that stays.
  void note(std::string_view line);
  /// Says something that only a reader of plain lines needs.
  void detail(std::string_view line);
  /// Ends the task.
  void end();

  static double steady_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }

 private:
  static constexpr double terminal_interval = 0.1, plain_interval = 10;

  void show();
  void say(std::string_view line);

  std::ostream& out_;
  bool terminal_;
  Clock clock_;
  std::mutex mutex_;
  std::string what_;
  double work_ = 0, done_ = 0, skipped_ = 0, begun_ = 0, shown_ = 0;
  bool on_screen_ = false;
};

/// Whole minutes and seconds: 0:07, 12:30, 1:02:03.
std::string clock_text(double seconds);

}  // namespace mts::lab
