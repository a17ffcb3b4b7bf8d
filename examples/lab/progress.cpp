#include "lab/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace mts::lab {

std::string clock_text(double seconds) {
  const auto s = static_cast<long long>(std::llround(std::max(0.0, seconds)));
  return s >= 3600 ? fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
                   : fmt::format("{}:{:02}", s / 60, s % 60);
}

void Progress::begin(std::string what, double work) {
  end();
  const std::lock_guard lock(mutex_);
  what_ = std::move(what);
  work_ = work;
  done_ = skipped_ = 0;
  begun_ = shown_ = clock_();
  if (terminal_)
    show();
  else
    out_ << what_ << " ..." << std::endl;
}

void Progress::advance(double work) {
  const std::lock_guard lock(mutex_);
  done_ += work;
  show();
}

void Progress::skip(double work) {
  const std::lock_guard lock(mutex_);
  done_ += work;
  skipped_ += work;
  show();
}

void Progress::reach(double work) {
  const std::lock_guard lock(mutex_);
  done_ = work;
  show();
}

void Progress::note(std::string_view line) {
  const std::lock_guard lock(mutex_);
  say(line);
}

void Progress::detail(std::string_view line) {
  if (terminal_) return;
  const std::lock_guard lock(mutex_);
  say(line);
}

void Progress::end() {
  const std::lock_guard lock(mutex_);
  if (on_screen_) out_ << "\r\x1b[K" << std::flush;
  on_screen_ = false;
  what_.clear();
}

void Progress::say(std::string_view line) {
  if (on_screen_) out_ << "\r\x1b[K";
  on_screen_ = false;
  out_ << line << std::endl;
}

void Progress::show() {
  if (what_.empty()) return;
  const double now = clock_();
  const bool first = terminal_ && !on_screen_;
  if (!first && now - shown_ < (terminal_ ? terminal_interval : plain_interval)) return;
  shown_ = now;
  const double share = work_ > 0 ? std::clamp(done_ / work_, 0.0, 1.0) : 0;
  std::string line = fmt::format("{}: {:.0f} %", what_, std::floor(100 * share));
  const double here = done_ - skipped_;  // of this session
  if (here > 0.005 * work_ && now - begun_ > 1)
    line += fmt::format(", {} left", clock_text((now - begun_) * std::max(0.0, work_ - done_) / here));
  if (terminal_) {
    out_ << "\r\x1b[K" << line << std::flush;
    on_screen_ = true;
  } else {
    out_ << line << std::endl;
  }
}

}  // namespace mts::lab
