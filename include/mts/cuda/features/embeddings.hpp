#pragma once
/// \file
/// What features of embeddings share on a device: the embeddings of a context, and the lengths of rows.

#include <cmath>
#include <string>
#include <string_view>

#include "mts/cuda/features/extraction.hpp"
#include "mts/cuda/rules.hpp"
#include "mts/features/detail/cosines.hpp"

namespace mts::cuda {

/// Shows embeddings in a device's memory.
template <class F>
concept DeviceEmbeddings = requires(const F& f) {
  f.device_embeddings().data;
  f.device_embeddings().rows;
  f.device_embeddings().cols;
};

/// Embeddings of the training batch, N x E, and of the validation batch, M x E.
template <class S>
struct EmbeddingPair {
  ConstMatrix<S> train, validation;
};
/// \throws ShapeError as on the host
template <class Context, class E>
auto device_embeddings(std::string_view where, const Context& context, Index samples, Extraction<E>& extraction) {
  static_assert(
      DeviceEmbeddings<decltype(context.train)> && DeviceEmbeddings<decltype(context.validation)>,
      "mts: cuda: this feature is made of embeddings and asks for a linearisation and a forward that show them "
      "in the device's memory: add  device_embeddings()  to both, or leave the feature out");
  const auto a = context.train.device_embeddings(), b = context.validation.device_embeddings();
  using features::detail::Extent;
  features::detail::check_embeddings(where, samples, Extent{a.rows, a.cols}, Extent{b.rows, b.cols});
  using S = std::remove_cvref_t<decltype(*a.data)>;
  extraction.depends_on(a.data, a.cols, b.data, b.rows, static_cast<Index>(sizeof(S)));
  return EmbeddingPair<S>{a, b};
}

namespace kernels {
/// squares_i <- |x_i|^2;  inverse_i <- 1/max(|x_i|, epsilon).
template <class S>
struct InverseLengths {
  const S* x;
  Index cols;
  S epsilon;
  S *squares, *inverse;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index i) const {
    using std::sqrt;
    const S* row = x + i * cols;
    const S square = lanes.sum<S>(cols, [&](Index e) { return row[e] * row[e]; });
    const S length = sqrt(square);
    lanes.once([&] {
      squares[i] = square;
      inverse[i] = S{1} / (length > epsilon ? length : epsilon);
    });
  }
};
/// x where it is a cosine; else the nearest that is.
MTS_HOST_DEVICE inline double clamp_cosine(double x) { return x < -1 ? -1 : x > 1 ? 1 : x; }
}  // namespace kernels

/// Lengths of the rows of a matrix, for as long as a launch needs them.
template <class S, class E>
class RowLengths {
 public:
  RowLengths(const SharedQueue<E>& queue, ConstMatrix<S> x, double epsilon)
      : squares_(queue, x.rows), inverse_(queue, x.rows) {
    queue->rows(x.rows,
                kernels::InverseLengths<S>{x.data, x.cols, static_cast<S>(epsilon), squares_.data(), inverse_.data()});
  }
  const S* inverse() const { return inverse_.data(); }
  Strided<const S> squares() const { return {squares_.data(), squares_.size(), 1, 1}; }

 private:
  Buffer<S, E> squares_, inverse_;
};

/// A check that all squared lengths are finite: where they are, so is every product of two rows.
template <class E>
std::size_t check_lengths(Extraction<E>& extraction, std::string_view where, std::string_view what) {
  return extraction.check(Stage::formed, [where = std::string(where), what = std::string(what)](const Finding& f) {
    features::detail::refuse_length(where, what, f.place, f.value);
  });
}

/// How many rows of a product of `cols` columns are formed at once: so many that it has 2^22 entries, which is little
/// memory and stays near the device's processors while it is read again; one at least.
inline Index rows_at_once(Index cols) {
  constexpr Index entries = Index{1} << 22;
  return cols < entries ? entries / (cols > 0 ? cols : 1) : 1;
}

}  // namespace mts::cuda
