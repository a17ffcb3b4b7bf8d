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
  int warm_steps =
      30;  ///< at most, and no more than a turn lasts; three in any case: a sequence is launched, recorded, then replayed
};

/// Warms up, then gives each way a turn in every round, until the time is spent.
template <class E>
std::vector<Found> by_turns(const mts::cuda::SharedQueue<E>& queue, const std::vector<Way>& ways,
                            const RoundLimits& limits) {
  const Wait<E> wait(queue);
  std::vector<Found> found;
  std::vector<int> steps;
  std::vector<double> taken(ways.size(), 0);
  for (const Way& way : ways) {
    found.push_back({.name = way.name, .floor = way.floor});
    double last = 0;
    const double begin = wall_seconds();
    for (int k = 0; k < 3 || (k < limits.warm_steps && wall_seconds() - begin < limits.turn); ++k) {
      const double before = wall_seconds();
      way.step();
      wait();
      last = wall_seconds() - before;
    }
    steps.push_back(static_cast<int>(std::clamp(limits.turn / last, 1.0, 1000.0)));
  }
  const double end = wall_seconds() + limits.seconds;
  for (int round = 0; round < limits.rounds || wall_seconds() < end; ++round)
    for (std::size_t w = 0; w < ways.size(); ++w) {
      const auto launches = queue->launches(), replays = queue->replays();
      wait();
      const double begin = wall_seconds();
      for (int k = 0; k < steps[w]; ++k) found[w].last_loss = ways[w].step();
      wait();
      found[w].seconds.push_back((wall_seconds() - begin) / steps[w]);
      found[w].launches += static_cast<double>(queue->launches() - launches);
      found[w].replays += static_cast<double>(queue->replays() - replays);
      taken[w] += steps[w];
    }
  for (std::size_t w = 0; w < ways.size(); ++w) {
    found[w].launches /= taken[w];
    found[w].replays /= taken[w];
  }
  return found;
}

}  // namespace bench
