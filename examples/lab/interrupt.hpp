#pragma once
/// \file
/// Ctrl-C: the first one asks the work to stop, the second one ends the program as usual.

#include <atomic>
#include <csignal>
#include <exception>

namespace mts::lab {

/// Thrown where work stops because it was asked to.
class Interrupted : public std::exception {
 public:
  const char* what() const noexcept override { return "interrupted"; }
};

/// Set by SIGINT and SIGTERM once `listen_for_interrupts` was called.
inline std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free);

inline void listen_for_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted.store(true); };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace mts::lab
