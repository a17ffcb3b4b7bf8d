#pragma once
/// \file
/// `Parameters`: a parameter vector in a device's memory.

#include <cstring>
#include <istream>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "mts/core/parameters.hpp"
#include "mts/cuda/buffer.hpp"

namespace mts::cuda {

namespace kernels {

/// partial_b <- sum over block b of x_k y_k, in S over the lanes, then in double.
template <class S>
struct BlockDot {
  const S *x, *y;
  Index size, block;
  double* partial;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index b) const {
    const Index begin = b * block, n = size - begin < block ? size - begin : block;
    const S sum = lanes.sum<S>(n, [&](Index k) { return x[begin + k] * y[begin + k]; });
    lanes.once([&] { partial[b] = static_cast<double>(sum); });
  }
};
template <class S>
struct Axpy {
  S a;
  const S* x;
  S* y;
  MTS_HOST_DEVICE void operator()(Index k) const { y[k] += a * x[k]; }
};
template <class S>
struct Scale {
  S a;
  S* y;
  MTS_HOST_DEVICE void operator()(Index k) const { y[k] *= a; }
};
/// op(x_k, y_k, ...) for up to six vectors.
template <class Op, class... T>
struct Transform;
template <class Op, class A>
struct Transform<Op, A> {
  Op op;
  A* a;
  MTS_HOST_DEVICE void operator()(Index k) const { op(a[k]); }
};
template <class Op, class A, class B>
struct Transform<Op, A, B> {
  Op op;
  A* a;
  B* b;
  MTS_HOST_DEVICE void operator()(Index k) const { op(a[k], b[k]); }
};
template <class Op, class A, class B, class C>
struct Transform<Op, A, B, C> {
  Op op;
  A* a;
  B* b;
  C* c;
  MTS_HOST_DEVICE void operator()(Index k) const { op(a[k], b[k], c[k]); }
};
template <class Op, class A, class B, class C, class D>
struct Transform<Op, A, B, C, D> {
  Op op;
  A* a;
  B* b;
  C* c;
  D* d;
  MTS_HOST_DEVICE void operator()(Index k) const { op(a[k], b[k], c[k], d[k]); }
};
template <class Op, class A, class B, class C, class D, class F>
struct Transform<Op, A, B, C, D, F> {
  Op op;
  A* a;
  B* b;
  C* c;
  D* d;
  F* f;
  MTS_HOST_DEVICE void operator()(Index k) const { op(a[k], b[k], c[k], d[k], f[k]); }
};
template <class Op, class A, class B, class C, class D, class F, class G>
struct Transform<Op, A, B, C, D, F, G> {
  Op op;
  A* a;
  B* b;
  C* c;
  D* d;
  F* f;
  G* g;
  MTS_HOST_DEVICE void operator()(Index k) const { op(a[k], b[k], c[k], d[k], f[k], g[k]); }
};

}  // namespace kernels

/// A vector of P parameters in a device's memory, cut into named segments as the host's `DenseParameters`. Satisfies
/// `ElementwiseParameterVector` and `SerializableParameterVector`; its state has the bytes of the host's, so that a checkpoint
/// of one is one of the other. Copies are deep, and asked for by name (`clone`). Const calls are thread-safe. Every reduction
/// sums in a fixed order.
template <class S, class E>
class Parameters {
 public:
  using Scalar = S;
  using Host = DenseParameters<S>;

  /// The same numbers, in the queue's memory.
  Parameters(SharedQueue<E> queue, const Host& host) : Parameters(std::move(queue), segments_of(host)) { assign(host); }
  Parameters(Parameters&&) noexcept = default;
  Parameters& operator=(Parameters&&) noexcept = default;

  Index size() const { return values_.size(); }
  S* data() { return values_.data(); }
  const S* data() const { return values_.data(); }
  std::span<const Segment> segments() const { return *segments_; }
  const SharedQueue<E>& queue() const { return values_.queue(); }

  /// this <- host. \throws ShapeError if that has another size
  void assign(const Host& host) {
    check_size("cuda::Parameters::assign", "length", size(), host.size());
    queue()->upload(data(), host.data(), size());
  }
  /// The same numbers on the host; waits for what comes before.
  Host to_host() const {
    Host host(*segments_);
    queue()->download(host.data(), data(), size());
    return host;
  }

  Parameters clone() const {
    Parameters copy(queue(), segments_);
    copy_into(copy);
    return copy;
  }
  Parameters zeros_like() const {
    Parameters zeros(queue(), segments_);
    zeros.set_zero();
    return zeros;
  }
  void set_zero() { queue()->clear(data(), size()); }
  void copy_into(Parameters& other) const {
    same_size(other, "copy_into");
    queue()->copy(other.data(), data(), size());
  }
  /// <this, other>: blocks of 1024 entries in S, then in double on the host, in order. Waits.
  double dot(const Parameters& other) const {
    same_size(other, "dot");
    constexpr Index block = 1024;
    const Index blocks = (size() + block - 1) / block;
    Buffer<double, E> partial(queue(), blocks);
    queue()->rows(blocks, kernels::BlockDot<S>{data(), other.data(), size(), block, partial.data()});
    double sum = 0;
    for (const double p : partial.to_host()) sum += p;
    return sum;
  }
  void axpy(double a, const Parameters& x) {
    same_size(x, "axpy");
    queue()->each(size(), kernels::Axpy<S>{static_cast<S>(a), x.data(), data()});
  }
  void scale(double a) { queue()->each(size(), kernels::Scale<S>{static_cast<S>(a), data()}); }

  /// For every segment s, op = make(s), then op(x_k, y_k, ...) for every entry k of s, in no order; at most five others. On a
  /// GPU op must be a type that is named at namespace scope, with `MTS_HOST_DEVICE void operator()(...) const`. Neighbouring
  /// segments whose operations are equal, byte for byte, are visited by one kernel.
  template <class Make, class... Others>
  void transform(Make&& make, Others&... others) {
    (same_size(others, "transform"), ...);
    for (auto s = segments_->begin(); s != segments_->end();) {
      const auto op = make(*s);
      const Index begin = s->begin;
      Index length = s->length;
      for (++s; s != segments_->end() && same_bytes(op, make(*s)); ++s) length += s->length;
      using Op = std::remove_const_t<decltype(op)>;
      queue()->each(length, kernels::Transform<Op, S, std::remove_pointer_t<decltype(others.data())>...>{
                                op, data() + begin, (others.data() + begin)...});
    }
  }

  /// As `DenseParameters::save`.
  void save(std::ostream& out) const { to_host().save(out); }
  void load(std::istream& in) {
    Host host(*segments_);
    host.load(in);
    assign(host);
  }

 private:
  using Segments = std::shared_ptr<const std::vector<Segment>>;

  Parameters(SharedQueue<E> queue, Segments segments)
      : segments_(std::move(segments)),
        values_(std::move(queue), segments_->empty() ? 0 : segments_->back().begin + segments_->back().length) {}
  static Segments segments_of(const Host& host) {
    const auto s = host.segments();
    return std::make_shared<const std::vector<Segment>>(s.begin(), s.end());
  }
  template <class Op>
  static bool same_bytes(const Op& a, const Op& b) {
    return std::memcmp(&a, &b, sizeof(Op)) == 0;
  }
  void same_size(const Parameters& other, std::string_view call) const {
    if (other.size() != size())
      check_size(mts::detail::text("cuda::Parameters::", call), "length", size(), other.size());
  }

  Segments segments_;
  Buffer<S, E> values_;
};

}  // namespace mts::cuda
