#include "mts/core/function_ref.hpp"

#include <doctest/doctest.h>

using mts::detail::FunctionRef;

namespace {
struct Counter {
  int calls = 0;
  int operator()(const int& x) { return calls += x; }
};
}  // namespace

TEST_CASE("FunctionRef calls what it refers to: lambdas, objects with state") {
  CHECK(FunctionRef<int(const int&)>([](int x) { return 2 * x; })(4) == 8);
  Counter counter;
  const FunctionRef<int(const int&)> count(counter);
  count(2);
  CHECK(count(3) == 5);
  CHECK(counter.calls == 5);  // by reference
  int seen = 0;
  const auto look = [&seen](int x) { seen = x; };
  FunctionRef<void(int)> ref = look;
  ref(7);
  CHECK(seen == 7);
}

TEST_CASE("FunctionRef: a null one says so, and copies refer to the same") {
  FunctionRef<int(const int&)> ref;
  CHECK(!ref);
  Counter counter;
  ref = FunctionRef<int(const int&)>(counter);
  CHECK(static_cast<bool>(ref));
  const auto copy = ref;
  copy(1);
  ref(1);
  CHECK(counter.calls == 2);
}
