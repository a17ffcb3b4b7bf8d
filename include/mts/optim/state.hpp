#pragma once
/// \file
/// What optimisers keep between steps, and how it is written to a checkpoint.

#include <array>
#include <cstdint>
#include <istream>
#include <optional>
#include <ostream>
#include <string_view>
#include <utility>
#include <vector>

#include "mts/core/concepts.hpp"

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

/// The name of an optimiser's state in a stream.
using StateKind = std::array<char, 8>;

/// kind, number of steps, number of vectors, vectors. \throws DataError if the stream refuses
template <class P, std::size_t K>
void save_state(std::ostream& out, std::string_view where, StateKind kind, Index steps,
                const std::array<const StateVector<P>*, K>& vectors) {
  const std::int64_t header[] = {steps, *vectors[0] ? static_cast<std::int64_t>(K) : 0};
  out.write(kind.data(), kind.size());
  out.write(reinterpret_cast<const char*>(header), sizeof header);
  if (!out) throw DataError(text(where, ": the stream does not take the state"));
  if (header[1] != 0)
    for (const auto* v : vectors) (**v).save(out);
  if (!out) throw DataError(text(where, ": the stream does not take the state"));
}

/// Reads what `save_state` wrote; the vectors are shaped like `theta`, and stay empty if none were written.
/// \throws DataError if the stream ends early, or holds something else
template <class P, std::size_t K>
std::pair<Index, std::array<StateVector<P>, K>> load_state(std::istream& in, std::string_view where, StateKind kind,
                                                           const P& theta) {
  StateKind found{};
  std::int64_t header[2] = {};
  in.read(found.data(), found.size());
  if (!in || found != kind) throw DataError(text(where, ": expected the state of this kind of optimiser"));
  in.read(reinterpret_cast<char*>(header), sizeof header);
  if (!in || header[0] < 0 || (header[1] != 0 && header[1] != static_cast<std::int64_t>(K)))
    throw DataError(text(where, ": the state is truncated or damaged"));
  std::pair<Index, std::array<StateVector<P>, K>> state{header[0], {}};
  if (header[1] != 0)
    for (auto& v : state.second) {
      v.zeros_like(theta);
      (*v).load(in);
    }
  return state;
}

}  // namespace mts::detail
