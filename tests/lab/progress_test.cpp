#include "lab/progress.hpp"

#include <doctest/doctest.h>

#include <sstream>

namespace {

using mts::lab::clock_text;
using mts::lab::Progress;

TEST_CASE("Progress: times as clocks show them") {
  CHECK(clock_text(0) == "0:00");
  CHECK(clock_text(7.4) == "0:07");
  CHECK(clock_text(59.6) == "1:00");
  CHECK(clock_text(754) == "12:34");
  CHECK(clock_text(3723) == "1:02:03");
  CHECK(clock_text(-3) == "0:00");
}

TEST_CASE("Progress: plain lines, not more often than every ten seconds, with the time left") {
  std::ostringstream out;
  double now = 100;
  Progress progress(out, false, [&] { return now; });
  progress.begin("runs", 200);
  for (int second = 0; second < 25; ++second) {
    now += 1;
    progress.advance(2);
  }
  progress.detail("a detail");
  progress.end();
  // After 10 s 20 of 200 units: 90 s left. After 20 s 40: 80 s left.
  CHECK(out.str() == "runs ...\nruns: 10 %, 1:30 left\nruns: 20 %, 1:20 left\na detail\n");
}

TEST_CASE("Progress: on a terminal one line that is rewritten, and gone at the end") {
  std::ostringstream out;
  double now = 0;
  Progress progress(out, true, [&] { return now; });
  progress.begin("runs", 10);
  now = 0.01;
  progress.advance(1);  // too soon after the last
  now = 2;
  progress.reach(5);
  progress.detail("not for terminals");
  progress.note("stays");
  progress.end();
  CHECK(out.str() == "\r\x1b[Kruns: 0 %\r\x1b[Kruns: 50 %, 0:02 left\r\x1b[Kstays\n");
}

TEST_CASE("Progress: a new task takes the place of the one before it") {
  std::ostringstream out;
  Progress progress(out, true, [] { return 0.0; });
  progress.begin("one", 1);
  progress.begin("two", 0);
  progress.end();
  CHECK(out.str() == "\r\x1b[Kone: 0 %\r\x1b[K\r\x1b[Ktwo: 0 %\r\x1b[K");
}

TEST_CASE("Progress: what was done before this session counts as done and says nothing about the speed") {
  std::ostringstream out;
  double now = 0;
  Progress progress(out, false, [&] { return now; });
  progress.begin("runs", 200);
  progress.skip(100);
  now = 10;
  progress.advance(10);
  progress.end();
  // 110 of 200; 10 units in 10 s, so 90 s for the rest.
  CHECK(out.str() == "runs ...\nruns: 55 %, 1:30 left\n");
}

}  // namespace
