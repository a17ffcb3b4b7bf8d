#pragma once
/// \file
/// What optimisers keep between steps, and how it is written to a checkpoint.

#include <array>
#include <istream>
#include <optional>
#include <ostream>
#include <string>
#include <utility>

#include "mts/core/concepts.hpp"
#include "mts/core/state.hpp"

namespace mts::detail {

/// A parameter vector that is not there before the first step. Copies through `clone`, since the copy constructor of
/// a foreign vector may well copy a handle.
template <class P>
class StateVector {
 public:
  StateVector() = default;
  StateVector(P value) : value_(std::move(value)) {}
  StateVector(const StateVector& other) : value_(other.cloned()) {}
  StateVector(StateVector&&) = default;
  StateVector& operator=(const StateVector& other) {
    value_ = other.cloned();
    return *this;
  }
  StateVector& operator=(StateVector&&) = default;
  ~StateVector() = default;

  explicit operator bool() const { return value_.has_value(); }
  P& operator*() { return *value_; }
  const P& operator*() const { return *value_; }
  void zeros_like(const P& theta) {
    if (!value_) value_.emplace(theta.zeros_like());
  }

 private:
  std::optional<P> cloned() const { return value_ ? std::optional<P>(value_->clone()) : std::nullopt; }
  std::optional<P> value_;
};

/// kind, number of steps, number of vectors, vectors. \throws DataError if the stream refuses
template <class P, std::size_t K>
void save_state(std::ostream& out, std::string where, StateKind kind, Index steps,
                const std::array<const StateVector<P>*, K>& vectors) {
  StateWriter writer(out, where, kind);
  writer.count(steps).count(*vectors[0] ? static_cast<Index>(K) : 0);
  if (!*vectors[0]) return;
  for (const auto* v : vectors) (**v).save(out);
  if (!out) throw DataError(text(where, ": the stream does not take the state"));
}

/// Reads what `save_state` wrote; the vectors are shaped like `theta`, and stay empty if none were written.
/// \throws DataError if the stream ends early, or holds something else
template <class P, std::size_t K>
std::pair<Index, std::array<StateVector<P>, K>> load_state(std::istream& in, std::string where, StateKind kind,
                                                           const P& theta) {
  StateReader reader(in, std::move(where), kind);
  std::pair<Index, std::array<StateVector<P>, K>> state{reader.count("steps"), {}};
  const Index vectors = reader.count("vectors");
  reader.check(vectors == 0 || vectors == static_cast<Index>(K), "vectors", text("0 or ", K), vectors);
  if (vectors != 0)
    for (auto& v : state.second) {
      v.zeros_like(theta);
      (*v).load(in);
    }
  return state;
}

}  // namespace mts::detail
