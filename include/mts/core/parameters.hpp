#pragma once
/// \file
/// `DenseParameters`: the library's own parameter vector, one contiguous Eigen vector cut into named segments.

#include <algorithm>
#include <cstdint>
#include <istream>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "mts/core/error.hpp"
#include "mts/core/parallel.hpp"

namespace mts {

/// A named part of a parameter vector, e.g. one layer's weight matrix.
struct Segment {
  std::string name;
  Index begin = 0;     ///< offset of the first entry
  Index length = 0;    ///< number of entries
  bool decays = true;  ///< whether weight decay applies

  friend bool operator==(const Segment&, const Segment&) = default;
};

/// A vector of P parameters in host memory. Satisfies `ElementwiseParameterVector` and
/// `SerializableParameterVector`. Copies are deep. Const calls are thread-safe. Every reduction sums in a fixed order.
template <class S>
class DenseParameters {
 public:
  using Scalar = S;
  using Values = Eigen::Matrix<S, Eigen::Dynamic, 1>;

  DenseParameters() : segments_(std::make_shared<const std::vector<Segment>>()) {}
  /// P zeros in one segment.
  explicit DenseParameters(Index size, std::string name = "parameters")
      : DenseParameters(std::vector<Segment>{{std::move(name), 0, size, true}}) {}
  /// Zeros cut into `segments`, which must follow one another from 0 without gaps. \throws ShapeError otherwise
  explicit DenseParameters(std::vector<Segment> segments) {
    Index size = 0;
    for (const auto& s : segments) {
      if (s.begin != size || s.length < 0)
        throw ShapeError(detail::text("DenseParameters: segment '", s.name, "': expected to begin at ", size,
                                      " with a length of at least 0, found begin ", s.begin, ", length ", s.length));
      size += s.length;
    }
    segments_ = std::make_shared<const std::vector<Segment>>(std::move(segments));
    values_ = Values::Zero(size);
  }

  /// P.
  Index size() const { return values_.size(); }
  Values& values() { return values_; }
  const Values& values() const { return values_; }
  S* data() { return values_.data(); }
  const S* data() const { return values_.data(); }
  std::span<const Segment> segments() const { return *segments_; }
  /// The entries of the segment called `name`. \throws ValueError if there is none
  Eigen::Map<Values> segment(std::string_view name) {
    for (const auto& s : *segments_)
      if (s.name == name) return Eigen::Map<Values>(values_.data() + s.begin, s.length);
    throw ValueError(detail::text("DenseParameters::segment: no segment is called '", name, "'"));
  }

  DenseParameters clone() const { return *this; }
  DenseParameters zeros_like() const {
    DenseParameters z;
    z.segments_ = segments_;
    z.values_ = Values::Zero(size());
    return z;
  }
  /// other <- this
  void copy_into(DenseParameters& other) const {
    same_size(other, "copy_into");
    other.values_ = values_;
  }
  /// <this, other>, summed in double over blocks of fixed size.
  double dot(const DenseParameters& other) const {
    same_size(other, "dot");
    double sum = 0;
    for (Index b = 0; b < size(); b += block)
      sum += static_cast<double>(
          values_.segment(b, std::min(block, size() - b)).dot(other.values_.segment(b, std::min(block, size() - b))));
    return sum;
  }
  /// this <- this + a x
  void axpy(double a, const DenseParameters& x) {
    same_size(x, "axpy");
    values_ += static_cast<S>(a) * x.values_;
  }
  /// this <- a this
  void scale(double a) { values_ *= static_cast<S>(a); }

  /// Elementwise: for every segment s, `auto op = make(s)`, then `op(x_k, y_k, ...)` for every entry k of s, where x
  /// is this vector and y, ... the others (same size). op gets references: it may write to whatever is not const. Entries
  /// are visited in parallel and in no order.
  template <class Make, class... Others>
  void transform(Make&& make, Others&... others) {
    (same_size(others, "transform"), ...);
    for (const auto& s : *segments_) {
      auto op = make(s);
      parallel_tiles(s.length, elementwise_tile, [&](Index, Index b, Index e) {
        apply(op, e - b, values_.data() + s.begin + b, (others.data() + s.begin + b)...);
      });
    }
  }
  /// The same at the given entries only; an entry given twice is visited once. \throws ShapeError if one is out of range
  template <class Make, class... Others>
  void transform_at(std::span<const Index> entries, Make&& make, Others&... others) {
    (same_size(others, "transform_at"), ...);
    sorted_.assign(entries.begin(), entries.end());
    auto& sorted = sorted_;
    std::sort(sorted.begin(), sorted.end());
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
    if (!sorted.empty() && (sorted.front() < 0 || sorted.back() >= size()))
      throw ShapeError(detail::text("DenseParameters::transform_at: expected entries in [0, ", size(), "), found ",
                                    sorted.front() < 0 ? sorted.front() : sorted.back()));
    auto k = sorted.begin();
    for (const auto& s : *segments_) {
      auto op = make(s);
      for (; k != sorted.end() && *k < s.begin + s.length; ++k) op(values_[*k], others.data()[*k]...);
    }
  }

  /// Writes size and entries in the machine's own byte order; `load` reads them back, bit for bit.
  /// \throws DataError if the stream does not take them
  void save(std::ostream& out) const {
    const std::int64_t n = size();
    out.write(reinterpret_cast<const char*>(&n), sizeof n);
    out.write(reinterpret_cast<const char*>(values_.data()), static_cast<std::streamsize>(sizeof(S)) * n);
    if (!out) throw DataError(detail::text("DenseParameters::save: the stream does not take ", size(), " parameters"));
  }
  /// \throws DataError if the stream ends early or holds a vector of another size; then nothing has changed
  void load(std::istream& in) {
    std::int64_t n = -1;
    in.read(reinterpret_cast<char*>(&n), sizeof n);
    if (!in || n != size())
      throw DataError(detail::text("DenseParameters::load: expected ", size(), " parameters, found ",
                                   in ? detail::text(n) : std::string("the end of the stream")));
    Values values(size());
    in.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(sizeof(S)) * n);
    if (!in) throw DataError(detail::text("DenseParameters::load: the stream ends within ", size(), " parameters"));
    values_ = std::move(values);
  }

 private:
  static constexpr Index block = 4096;
  static constexpr Index elementwise_tile = 32768;

  void same_size(const DenseParameters& other, std::string_view call) const {
    if (other.size() != size()) check_size(detail::text("DenseParameters::", call), "length", size(), other.size());
  }
  template <class Op, class... T>
  static void apply(Op& op, Index n, T*... x) {
    for (Index k = 0; k < n; ++k) op(x[k]...);
  }

  Values values_;
  std::shared_ptr<const std::vector<Segment>> segments_;
  std::vector<Index> sorted_;  ///< of `transform_at`; kept so that a steady loop does not allocate
};

}  // namespace mts
