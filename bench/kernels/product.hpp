#pragma once
// The three matrix products of a linear layer, as Eigen, oneDNN and OpenBLAS do them. Row-major; x is r x i (samples,
// inputs), w is o x i, y and d are r x o.
//     forward           y  = x w^T
//     input delta       x  = d w
//     weight gradient   g += d^T x

#include <vector>

#include "kernels/measure.hpp"
#if defined(MTS_BENCH_ONEDNN)
#include <dnnl.hpp>
#endif
#if defined(MTS_BENCH_OPENBLAS)
#include <cblas.h>
#endif

namespace bench {

struct EigenProduct {
  static constexpr const char* name = "Eigen";
  void forward(const Matrix& x, const Matrix& w, Matrix& y) const { y.noalias() = x * w.transpose(); }
  void input_delta(const Matrix& d, const Matrix& w, Matrix& x) const { x.noalias() = d * w; }
  void weight_gradient(const Matrix& d, const Matrix& x, Matrix& g) const { g.noalias() += d.transpose() * x; }
};

#if defined(MTS_BENCH_ONEDNN)
struct OneDnnProduct {
  static constexpr const char* name = "oneDNN";
  void forward(const Matrix& x, const Matrix& w, Matrix& y) const { gemm('N', 'T', x, w, y, x.cols(), 0); }
  void input_delta(const Matrix& d, const Matrix& w, Matrix& x) const { gemm('N', 'N', d, w, x, d.cols(), 0); }
  void weight_gradient(const Matrix& d, const Matrix& x, Matrix& g) const { gemm('T', 'N', d, x, g, d.rows(), 1); }

 private:
  static void gemm(char ta, char tb, const Matrix& a, const Matrix& b, Matrix& c, Index depth, float beta) {
    dnnl_sgemm(ta, tb, c.rows(), c.cols(), depth, 1, a.data(), a.cols(), b.data(), b.cols(), beta, c.data(), c.cols());
  }
};
#endif

#if defined(MTS_BENCH_OPENBLAS)
struct OpenBlasProduct {
  static constexpr const char* name = "OpenBLAS";
  void forward(const Matrix& x, const Matrix& w, Matrix& y) const {
    gemm(CblasNoTrans, CblasTrans, x, w, y, x.cols(), 0);
  }
  void input_delta(const Matrix& d, const Matrix& w, Matrix& x) const {
    gemm(CblasNoTrans, CblasNoTrans, d, w, x, d.cols(), 0);
  }
  void weight_gradient(const Matrix& d, const Matrix& x, Matrix& g) const {
    gemm(CblasTrans, CblasNoTrans, d, x, g, d.rows(), 1);
  }

 private:
  static void gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, const Matrix& a, const Matrix& b, Matrix& c, Index depth,
                   float beta) {
    const auto n = [](Index k) { return static_cast<blasint>(k); };
    cblas_sgemm(CblasRowMajor, ta, tb, n(c.rows()), n(c.cols()), n(depth), 1, a.data(), n(a.cols()), b.data(),
                n(b.cols()), beta, c.data(), n(c.cols()));
  }
};
#endif

}  // namespace bench
