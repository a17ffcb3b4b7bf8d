#pragma once
// Ways to take a step on a device, measured by turns. A device works while the host goes on, so a turn begins and ends with
// a wait for all that was asked of the queue.

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "cuda/results.hpp"
#include "mts/cuda/buffer.hpp"
#include "support/clock.hpp"

namespace bench {

/// The end of all that came before on a queue.
template <class E>
class Wait {
 public:
  explicit Wait(mts::cuda::SharedQueue<E> queue) : token_(queue, 1) { queue->clear(token_.data(), 1); }
  void operator()() const {
    char seen = 0;
    token_.queue()->download(&seen, token_.data(), 1);
  }

 private:
  mts::cuda::Buffer<char, E> token_;
};

/// A way to take a step. `step` returns the training loss.
struct Way {
  std::string name;
  Floor floor;
  std::function<double()> step;
};

struct RoundLimits {
  double seconds = 3;  ///< to be spent in all
  double turn = 0.05;  ///< seconds that a turn lasts at least
  int rounds = 5;      ///< at least
};

/// Warms up, then gives each way a turn in every round, until the time is spent.
template <class E>
std::vector<Found> by_turns(const mts::cuda::SharedQueue<E>& queue, const std::vector<Way>& ways,
                            const RoundLimits& limits) {
  const Wait<E> wait(queue);
  std::vector<Found> found;
  std::vector<int> steps;
  for (const Way& way : ways) {
    found.push_back({.name = way.name, .floor = way.floor});
    double once = 0;
    // A sequence is launched, recorded, then replayed, and memory changes hands until a step finds it as the one before.
    for (int k = 0; k < 6; ++k) {
      const double begin = wall_seconds();
      way.step();
      wait();
      once = wall_seconds() - begin;
    }
    steps.push_back(static_cast<int>(std::clamp(limits.turn / once, 1.0, 1000.0)));
  }
  const auto turn = [&](std::size_t w) {
    wait();
    const double begin = wall_seconds();
    for (int k = 0; k < steps[w]; ++k) found[w].last_loss = ways[w].step();
    wait();
    return (wall_seconds() - begin) / steps[w];
  };
  // What one way leaves in the queue's memory the others have to have seen once.
  for (int round = 0; round < 2; ++round)
    for (std::size_t w = 0; w < ways.size(); ++w) turn(w);
  const double end = wall_seconds() + limits.seconds;
  for (int round = 0; round < limits.rounds || wall_seconds() < end; ++round)
    for (std::size_t w = 0; w < ways.size(); ++w) {
      const auto launches = queue->launches(), replays = queue->replays();
      found[w].seconds.push_back(turn(w));
      found[w].launches += static_cast<double>(queue->launches() - launches) / steps[w];
      found[w].replays += static_cast<double>(queue->replays() - replays) / steps[w];
    }
  for (Found& f : found) {
    f.launches /= static_cast<double>(f.seconds.size());
    f.replays /= static_cast<double>(f.seconds.size());
  }
  return found;
}

}  // namespace bench
