// The kernel and what packs for it, against plain loops, at the sizes where registers and blocks end.
#include "mts/kernels/multiply.hpp"
#include "support/derivatives.hpp"

using namespace mts;
using namespace mts::kernels;
using mts::testing::random_matrix;

namespace {

template <class S>
RowMatrix<S> numbers(Index rows, Index cols, std::string_view what) {
  return random_matrix(rows, cols, RandomStream(1, what)).cast<S>();
}
template <class S>
constexpr double allowed = std::same_as<S, float> ? 1e-5 : 1e-13;

template <class S>
double largest_difference(const RowMatrix<S>& a, const RowMatrix<double>& b) {
  return a.size() == 0 ? 0 : (a.template cast<double>() - b).cwiseAbs().maxCoeff();
}
/// In double, by plain loops.
template <class S>
RowMatrix<double> product(const RowMatrix<S>& a, const RowMatrix<S>& b) {
  RowMatrix<double> c = RowMatrix<double>::Zero(a.rows(), b.cols());
  for (Index i = 0; i < a.rows(); ++i)
    for (Index k = 0; k < a.cols(); ++k)
      for (Index j = 0; j < b.cols(); ++j) c(i, j) += static_cast<double>(a(i, k)) * static_cast<double>(b(k, j));
  return c;
}

}  // namespace

TEST_CASE("next_rows: blocks of at most 6 that cover all rows; more than two rows at the end where that can be") {
  for (Index n = 1; n <= 40; ++n) {
    Index left = n, last = 0;
    while (left > 0) {
      last = next_rows(left);
      REQUIRE(last >= 1);
      REQUIRE(last <= block_rows);
      REQUIRE(last <= left);
      left -= last;
    }
    if (n > 2) CHECK(last >= 3);
  }
}

TEST_CASE_TEMPLATE("multiply: x b + bias and y + x b", S, float, double) {
  for (const Index r : {1, 2, 3, 5, 6, 7, 11, 12, 13, 129})
    for (const Index k : {0, 1, 3, 17})
      for (const Index n : {1, 3, 7, 8, 9, 15, 16, 17, 33}) {
        CAPTURE(r);
        CAPTURE(k);
        CAPTURE(n);
        // Views of wider matrices: rows are further apart than they are long.
        const auto x = numbers<S>(r, k + 2, "x");
        const RowMatrix<S> b = numbers<S>(k, n, "b"), bt = b.transpose(), bias = numbers<S>(1, n, "bias");
        std::vector<S> packed(static_cast<std::size_t>(packed_size<S>(k, n))), packed_t(packed.size());
        pack(b.data(), n, k, n, packed.data());
        pack_transposed(bt.data(), k, k, n, packed_t.data());
        CHECK(packed == packed_t);
        const RowMatrix<S> seen = x.leftCols(k), start = numbers<S>(r, n + 3, "y");
        RowMatrix<S> y = start;
        multiply<S>(x.data(), k + 2, r, k, packed.data(), n, y.data(), n + 3, false, bias.data());
        CHECK(largest_difference<S>(y.leftCols(n), product(seen, b).rowwise() + bias.row(0).template cast<double>()) <
              allowed<S>);
        CHECK(y.rightCols(3) == start.rightCols(3));  // nothing is written beside the target
        y = start;
        multiply<S>(x.data(), k + 2, r, k, packed.data(), n, y.data(), n + 3, true, nullptr);
        CHECK(largest_difference<S>(y.leftCols(n), product(seen, b) + start.leftCols(n).template cast<double>()) <
              allowed<S>);
        CHECK(y.rightCols(3) == start.rightCols(3));
      }
}

TEST_CASE("multiply: more panels than stay in the second cache level at once") {
  const auto x = numbers<float>(7, 700, "x"), b = numbers<float>(700, 200, "b");
  std::vector<float> packed(static_cast<std::size_t>(packed_size<float>(700, 200)));
  pack(b.data(), 200, 700, 200, packed.data());
  RowMatrix<float> y(7, 200);
  multiply<float>(x.data(), 700, 7, 700, packed.data(), 200, y.data(), 200, false, nullptr);
  CHECK(largest_difference<float>(y, product(x, b)) < 1e-4);
}

TEST_CASE_TEMPLATE("block: rows anywhere, by any rule; scaled, added, or only squared", S, float, double) {
  const auto a = numbers<S>(1, 400, "a");
  const auto b = numbers<S>(9, panel<S> + 5, "b");
  const std::vector<std::int32_t> table = {0, 7, 3, 3, 40, 11, 90, 2, 64};
  for (Index count = 1; count <= block_rows; ++count) {
    CAPTURE(count);
    RowMatrix<S> rows(count, 9), strided(count, 9), y = numbers<S>(count, panel<S>, "y");
    const RowMatrix<S> before = y;
    const S* from[block_rows];
    S* to[block_rows];
    for (Index r = 0; r < count; ++r) {
      from[r] = a.data() + 13 * r;
      to[r] = &y(r, 0);
      for (Index k = 0; k < 9; ++k) {
        rows(r, k) = from[r][table[static_cast<std::size_t>(k)]];
        strided(r, k) = from[r][5 * k];
      }
    }
    const RowMatrix<S> columns = b.leftCols(panel<S>);
    const PanelRows<S> panel_rows{b.data(), panel<S> + 5};
    block<S>(count, from, Tabled{table.data()}, 9, panel_rows, {to, panel<S>, true, S{3}});
    CHECK(largest_difference<S>(y, 3 * product(rows, columns) + before.template cast<double>()) < allowed<S>);
    block<S>(count, from, Strided{5}, 9, panel_rows, {to, panel<S>});
    CHECK(largest_difference<S>(y, product(strided, columns)) < allowed<S>);
    CHECK(block_squares<S>(count, from, Strided{5}, 9, panel_rows) ==
          doctest::Approx(product(strided, columns).squaredNorm()).epsilon(allowed<S>));
  }
}

TEST_CASE("which scalars the kernel serves") {
  CHECK(accelerated<float>);
  CHECK(accelerated<double>);
  CHECK(!accelerated<long double>);
  CHECK(panel<float> == 2 * panel<double>);
}
