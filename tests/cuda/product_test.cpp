#include "mts/cuda/product.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

#include "mts/cuda/queue.hpp"
#include "support/emulated.hpp"

using namespace mts;
using cuda::ColumnMajorProduct;
using cuda::Emulation;
using cuda::Factor;
using cuda::Product;

namespace {

template <class S>
constexpr S not_a_number = std::numeric_limits<S>::quiet_NaN();

/// Matrices one after another, each with gaps behind its rows and one behind it, as they lie in memory: small integers,
/// so that sums are exact in any order, and no numbers in the gaps.
template <class S>
struct Stored {
  Stored(Index rows, Index cols, Index gap, Index matrices, int seed)
      : stride(cols + gap),
        step(rows * stride + 5),
        memory(static_cast<std::size_t>(step * matrices), not_a_number<S>) {
    for (Index q = 0; q < matrices; ++q)
      for (Index i = 0; i < rows; ++i)
        for (Index j = 0; j < cols; ++j) at(q, i, j) = static_cast<S>((q * 11 + i * 7 + j * 3 + seed) % 13 - 6);
  }
  S& at(Index q, Index i, Index j) { return memory[static_cast<std::size_t>(q * step + i * stride + j)]; }

  Index stride, step;
  std::vector<S> memory;
};

/// By the definition of a row-major product, entry by entry.
template <class S>
void plain(const Product<S>& p) {
  const auto entry = [](const Factor<S>& f, Index q, Index i, Index j) {
    return f.data[q * f.step + (f.transposed ? j * f.stride + i : i * f.stride + j)];
  };
  for (Index q = 0; q < p.count; ++q)
    for (Index i = 0; i < p.rows; ++i)
      for (Index j = 0; j < p.cols; ++j) {
        S& to = p.to[q * p.step + i * p.stride + j];
        S sum = p.accumulate ? to : S{0};
        for (Index k = 0; k < p.depth; ++k) sum += entry(p.a, q, i, k) * entry(p.b, q, k, j);
        to = sum;
      }
}

/// xGEMM by the words of the BLAS standard: op(A) is m x k, op(B) k x n, C m x n, all column-major; where beta is 0, C
/// is not read.
template <class S>
void blas(const ColumnMajorProduct<S>& p) {
  REQUIRE(p.lda >= (p.transpose_a ? p.k : p.m));
  REQUIRE(p.ldb >= (p.transpose_b ? p.n : p.k));
  REQUIRE(p.ldc >= p.m);
  for (Index q = 0; q < p.count; ++q) {
    const S *a = p.a + q * p.step_a, *b = p.b + q * p.step_b;
    for (Index i = 0; i < p.m; ++i)
      for (Index j = 0; j < p.n; ++j) {
        S& c = p.c[q * p.step_c + j * p.ldc + i];
        S sum = p.beta == S{0} ? S{0} : p.beta * c;
        for (Index l = 0; l < p.k; ++l)
          sum += (p.transpose_a ? a[i * p.lda + l] : a[l * p.lda + i]) *
                 (p.transpose_b ? b[l * p.ldb + j] : b[j * p.ldb + l]);
        c = sum;
      }
  }
}

/// Equal entries, and gaps that are no number on both sides.
template <class S>
bool same(const std::vector<S>& a, const std::vector<S>& b) {
  for (std::size_t k = 0; k < a.size(); ++k)
    if (!(a[k] == b[k] || (a[k] != a[k] && b[k] != b[k]))) return false;
  return a.size() == b.size();
}

}  // namespace

TEST_CASE_TEMPLATE("Product: all transpositions, strides, batches and sums, against a triple loop", S, float, double) {
  auto queue = cuda::make_queue<Emulation>();
  int cases = 0;
  for (const Index rows : {1, 3, 8})
    for (const Index cols : {1, 5})
      for (const Index depth : {0, 1, 4})
        for (const Index gap : {0, 2})
          for (const Index count : {1, 3})
            for (int flags = 0; flags < 32; ++flags) {
              const bool ta = flags & 1, tb = flags & 2, accumulate = flags & 4, one_a = flags & 8, one_b = flags & 16;
              Stored<S> a(ta ? depth : rows, ta ? rows : depth, gap, count, 1);
              Stored<S> b(tb ? cols : depth, tb ? depth : cols, gap, count, 5);
              Stored<S> expected(rows, cols, gap, count, 2);
              if (!accumulate) expected.memory.assign(expected.memory.size(), not_a_number<S>);  // must not be read
              auto queued = expected, as_blas = expected;
              const auto product = [&](Stored<S>& c) {
                return Product<S>{.rows = rows,
                                  .cols = cols,
                                  .depth = depth,
                                  .a = {a.memory.data(), a.stride, ta, one_a ? 0 : a.step},
                                  .b = {b.memory.data(), b.stride, tb, one_b ? 0 : b.step},
                                  .to = c.memory.data(),
                                  .stride = c.stride,
                                  .accumulate = accumulate,
                                  .count = count,
                                  .step = c.step};
              };
              plain(product(expected));
              queue->multiply(product(queued));
              REQUIRE(same(queued.memory, expected.memory));
              // A depth of 0 leaves strides of 0, which a caller of BLAS has to raise; here all are at least 1.
              if (gap > 0 || depth > 0) {
                blas(cuda::column_major(product(as_blas)));
                REQUIRE(same(as_blas.memory, expected.memory));
              }
              ++cases;
            }
  CHECK(cases == 3 * 2 * 3 * 2 * 2 * 32);
}

TEST_CASE("Product: nothing to do is not launched") {
  auto queue = cuda::make_queue<Emulation>();
  std::vector<double> c(4, 7);
  const auto product = [&](Index rows, Index cols, Index depth, Index count) {
    return Product<double>{.rows = rows,
                           .cols = cols,
                           .depth = depth,
                           .a = {},
                           .b = {},
                           .to = c.data(),
                           .stride = 2,
                           .accumulate = true,
                           .count = count};
  };
  queue->multiply(product(0, 2, 2, 1));
  queue->multiply(product(2, 0, 2, 1));
  queue->multiply(product(2, 2, 0, 1));
  queue->multiply(product(2, 2, 2, 0));
  CHECK(queue->launches() == 0);
  CHECK(c == std::vector<double>(4, 7));
}

TEST_CASE("Product: sizes that a device cannot take are refused before anything is read") {
  auto queue = cuda::make_queue<Emulation>();
  constexpr Index most = std::numeric_limits<std::int32_t>::max();
  const Product<float> fits{.rows = 1, .cols = 1, .depth = 1, .a = {}, .b = {}, .count = 1};
  const auto refused = [&](Product<float> p) {
    CHECK_THROWS_WITH_AS(queue->multiply(p), "cuda: expected a product of sizes below 2^31, found 2147483648",
                         ShapeError);
  };
  auto p = fits;
  p.rows = most + 1;
  refused(p);
  p = fits;
  p.cols = most + 1;
  refused(p);
  p = fits;
  p.depth = most + 1;
  refused(p);
  p = fits;
  p.a.stride = most + 1;
  refused(p);
  p = fits;
  p.b.stride = most + 1;
  refused(p);
  p = fits;
  p.stride = most + 1;
  refused(p);
  p = fits;
  p.count = most + 1;
  refused(p);
  CHECK(queue->launches() == 0);
}
