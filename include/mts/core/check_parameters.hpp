#pragma once
/// \file
/// What a compiler cannot see of a ParameterVector, checked at run time. For the tests of an adapter to another
/// framework:
///
///     mts::check_parameter_vector(adapter.initialize(stream));

#include <bit>
#include <cmath>
#include <cstdint>
#include <sstream>
#include <utility>

#include "mts/core/concepts.hpp"
#include "mts/core/host_device.hpp"

namespace mts {

namespace detail {

/// y <- x at an entry: a type with a name, as a kernel needs it.
struct AssignEntry {
  MTS_HOST_DEVICE void operator()(auto& y, const auto& x) const { y = x; }
};

template <class P>
class ParameterVectorCheck {
 public:
  explicit ParameterVectorCheck(P& x) : x_(x), squared_(x.dot(x)) {}

  void all() {
    dot();
    clone();
    zeros();
    copy_into();
    axpy_and_scale();
    if constexpr (ElementwiseParameterVector<P>) transform();
    if constexpr (SerializableParameterVector<P>) serialize();
  }

 private:
  template <class... Words>
  static void require(bool holds, const Words&... words) {
    check_value(holds, "check_parameter_vector", words...);
  }
  /// Equal up to the rounding of a vector of floats; the faults looked for are whole multiples of x.
  bool near(double found, double expected) const { return std::abs(found - expected) <= 1e-3 * squared_; }
  bool untouched() const { return same_bits(x_.dot(x_), squared_); }
  static bool same_bits(double a, double b) {
    return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
  }
  /// <y - a x, y - a x>
  double distance(const P& y, double a) const {
    P difference = y.clone();
    difference.axpy(-a, x_);
    return difference.dot(difference);
  }

  void dot() const {
    require(x_.size() > 0 && std::isfinite(squared_) && squared_ > 0,
            "give it a vector of at least one entry, finite and not all zero; found size ", x_.size(),
            ", <x, x> = ", squared_);
    for (int k = 0; k < 8; ++k)
      require(untouched(), "PV5: dot must give the same bits at every call, found ", squared_, " and then ",
              x_.dot(x_));
  }

  void clone() const {
    P y = x_.clone();
    require(y.size() == x_.size(), "PV2: a clone has ", y.size(), " entries, expected ", x_.size());
    require(near(y.dot(x_), squared_) && near(y.dot(y), squared_), "PV2: a clone must equal the original");
    y.scale(2);
    require(untouched(), "PV2: clone must be deep: changing the clone changed the original");
    require(near(y.dot(x_), 2 * squared_), "PV6: scale(2) did not double <y, x>");
  }

  void zeros() const {
    P z = x_.zeros_like();
    require(untouched(), "PV3: zeros_like changed the vector it was asked of");
    require(z.size() == x_.size(), "PV3: zeros_like has ", z.size(), " entries, expected ", x_.size());
    require(z.dot(z) == 0, "PV3: zeros_like must be 0, found <z, z> = ", z.dot(z));
    z.axpy(1, x_);
    require(untouched(), "PV3: changing zeros_like changed the original");
    require(near(z.dot(x_), squared_), "PV6: 0 + 1 x is not x");
    const P other = x_.zeros_like();
    require(other.dot(other) == 0, "PV3: changing zeros_like changed the next one");
  }

  void copy_into() const {
    P y = x_.zeros_like();
    x_.copy_into(y);
    require(untouched(), "PV4: copy_into changed its source");
    require(y.size() == x_.size() && distance(y, 1) == 0, "PV4: after x.copy_into(y), y must equal x");
    y.scale(2);
    require(untouched(), "PV4: copy_into must be deep: changing the copy changed the original");
  }

  void axpy_and_scale() const {
    P y = x_.clone();
    y.axpy(0.5, x_);
    require(untouched(), "PV6: y.axpy(a, x) changed x");
    require(near(y.dot(x_), 1.5 * squared_) && near(distance(y, 1.5), 0), "PV6: x + 0.5 x is not 1.5 x");
    y.scale(-2);
    require(near(y.dot(x_), -3 * squared_) && near(distance(y, -3), 0), "PV6: -2 (1.5 x) is not -3 x");
    y.scale(0);
    require(y.dot(y) == 0, "PV6: 0 y is not 0");
  }

  void transform() const {
    Index length = 0;
    for (const Segment& s : x_.segments()) length += s.length;
    require(length == x_.size(), "EP2: the segments have ", length, " entries in all, expected ", x_.size());
    P y = x_.zeros_like();
    y.transform([](const Segment&) { return AssignEntry{}; }, std::as_const(x_));
    require(untouched(), "EP3: transform changed a vector given as const");
    require(distance(y, 1) == 0, "EP3: transform must visit every entry, with the entries of all vectors in step");
  }

  void serialize() const {
    std::stringstream stream;
    x_.save(stream);
    P y = x_.zeros_like();
    y.load(stream);
    require(untouched(), "SR1: save changed the vector");
    require(distance(y, 1) == 0, "SR1: what load reads must be what save wrote, bit for bit");
    const std::string bytes = stream.str();
    std::istringstream cut(bytes.substr(0, bytes.size() / 2));
    bool refused = false;
    try {
      y.load(cut);
    } catch (const std::exception&) {
      refused = true;
    }
    require(refused, "SR1: load must refuse a stream that ends early");
  }

  P& x_;
  double squared_;
};

}  // namespace detail

/// Throws ValueError that names the first requirement of ParameterVector (PV2 to PV6), and where P has them of
/// ElementwiseParameterVector (EP2, EP3) and SerializableParameterVector (SR1), which `x` breaks. x: any vector that is
/// not zero; random entries are best. Cost: some thirty passes over P entries and up to three more vectors.
template <class P>
void check_parameter_vector(P x) {
  require_parameter_vector<P>();
  detail::ParameterVectorCheck<P>(x).all();
}

}  // namespace mts
