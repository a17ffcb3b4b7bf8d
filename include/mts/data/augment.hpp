#pragma once
/// \file
/// Augmentation of image batches: shifts, random crops with padding, horizontal flips.
///
/// What is done to an image is drawn from a stream keyed by (seed, purpose, step, sample id), so that it depends neither on the
/// number of threads, nor on the order of the batch, nor on the other samples in it.

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>

#include "mts/autodiff/image.hpp"
#include "mts/core/parallel.hpp"
#include "mts/core/random.hpp"
#include "mts/core/scratch.hpp"
#include "mts/core/types.hpp"

namespace mts::data {

using autodiff::Extent;
using autodiff::ImageShape;

/// What stands in the pixels around an image.
enum class Padding {
  zeros,
  edge,    ///< the nearest pixel of the image
  reflect  ///< the image mirrored at its edge pixels, which are not repeated: c b | a b c | b a
};

/// An image is padded on all sides, a window is cut out at a place uniform among all that fit, and mirrored with probability
/// `flip`.
struct AugmentationOptions {
  Index padding = 0;  ///< pixels on each side
  Padding with = Padding::zeros;
  Extent window{0, 0};  ///< 0 x 0: of the image's own size
  double flip = 0;      ///< probability that left and right are swapped
};

/// Moves by up to k pixels up, down, left and right, each of the (2k + 1)^2 moves as often; zeros come in.
/// (A window of the image's own size in an image padded by k zeros.)
constexpr AugmentationOptions random_shift(Index k) { return {.padding = k}; }
/// As PyTorch's RandomCrop: a window of that size (0 x 0: the image's own) in the padded image.
constexpr AugmentationOptions random_crop(Index padding, Padding with = Padding::zeros, Extent window = {0, 0}) {
  return {.padding = padding, .with = with, .window = window};
}
/// As PyTorch's RandomHorizontalFlip.
constexpr AugmentationOptions random_flip(double probability = 0.5) { return {.flip = probability}; }

/// Augments rows of images, channels last:
///
///     out(y, x, c) = in(y + top, (flipped ? w - 1 - x : x) + left, c),    0 <= y < h, 0 <= x < w,
///
/// top uniform on {-padding, ..., H + padding - h}, left on {-padding, ..., W + padding - w}, flipped with probability `flip`, all
/// drawn anew for every (step, sample id); pixels outside the image as `with` says. The same sample has the same augmentation
/// wherever it occurs in a step. Nothing is allocated once every thread has seen an image.
template <class S>
class Augmentation {
 public:
  /// What is done to one image.
  struct Draw {
    Index top = 0, left = 0;
    bool flipped = false;
    friend bool operator==(const Draw&, const Draw&) = default;
  };

  /// \param in       what the rows are
  /// \param seed     of the streams
  /// \param purpose  of the streams, in words: other words, other draws
  /// \throws ValueError for an empty image, a negative padding, a reflecting padding that is not smaller than the image, a window
  ///         that is negative, of one side 0 alone, or larger than the padded image, or a probability outside [0, 1]
  Augmentation(ImageShape in, AugmentationOptions options, std::uint64_t seed,
               std::string_view purpose = "augmentation")
      : in_(in), options_(options), root_(seed, purpose) {
    const auto check = [](bool holds, const auto&... what) { check_value(holds, "Augmentation", what...); };
    check(in.height >= 1 && in.width >= 1 && in.channels >= 1, "expected an image of at least 1 x 1 x 1, found ",
          in_words(in));
    const Index p = options.padding;
    check(p >= 0, "expected a padding of at least 0, found ", p);
    check(options.with != Padding::reflect || p < std::min(in.height, in.width),
          "expected a reflecting padding smaller than the image of ", in_words(in), ", found ", p);
    const bool own_size = options.window == Extent{0, 0};
    const Extent w = own_size ? Extent{in.height, in.width} : options.window;
    check(w.height >= 1 && w.width >= 1 && w.height <= in.height + 2 * p && w.width <= in.width + 2 * p,
          "expected a window of 0 x 0 (the image's own size) or 1 x 1 to ", in.height + 2 * p, " x ", in.width + 2 * p,
          ", found ", w.height, " x ", w.width);
    check(options.flip >= 0 && options.flip <= 1, "expected a probability of a flip in [0, 1], found ", options.flip);
    out_ = {w.height, w.width, in.channels};
  }

  const ImageShape& in() const { return in_; }    ///< what is augmented
  const ImageShape& out() const { return out_; }  ///< what becomes of it
  const AugmentationOptions& options() const { return options_; }

  /// What is done to sample `id` in a step (or epoch, as the caller counts).
  Draw draw(std::uint64_t step, Index id) const {
    RandomStream stream = root_.substream("step", step).substream("sample", static_cast<std::uint64_t>(id));
    const auto place = [&](Index free) {
      return static_cast<Index>(stream.below(static_cast<std::uint64_t>(free + 1))) - options_.padding;
    };
    Draw d;
    d.top = place(in_.height + 2 * options_.padding - out_.height);
    d.left = place(in_.width + 2 * options_.padding - out_.width);
    d.flipped = stream.chance(options_.flip);
    return d;
  }

  /// to <- the images, each augmented; `to` must be none of their memory. Thread-safe.
  /// \param images  N x in().size()
  /// \param ids     N, of the samples, as in `Samples::ids`
  /// \param to      N x out().size()
  /// \throws ShapeError if the sizes disagree
  void into(ConstRows<S> images, std::span<const Index> ids, std::uint64_t step, Rows<S> to) const {
    check_sizes(images.rows(), images.cols(), ids);
    check_size("Augmentation", "rows of the result", images.rows(), to.rows());
    check_size("Augmentation", "length of a result", out_.size(), to.cols());
    parallel_tiles(images.rows(), tile, [&](Index, Index begin, Index end) {
      for (Index i = begin; i < end; ++i)
        apply(draw(step, ids[static_cast<std::size_t>(i)]), images.data() + i * images.outerStride(),
              to.data() + i * to.outerStride());
    });
  }

  /// images <- the images, each augmented. Thread-safe, for different images.
  /// \param images  N x in().size()
  /// \param ids     N, of the samples
  /// \throws ShapeError if the sizes disagree or an augmented image has another shape
  void in_place(Rows<S> images, std::span<const Index> ids, std::uint64_t step) const {
    check_sizes(images.rows(), images.cols(), ids);
    if (out_ != in_)
      throw ShapeError(mts::detail::text("Augmentation: in place: expected a window of the image's own size, ",
                                         in_words(in_), ", found ", in_words(out_)));
    parallel_tiles(images.rows(), tile, [&](Index, Index begin, Index end) {
      S* before = mts::detail::thread_scratch<S>(in_.size());
      for (Index i = begin; i < end; ++i) {
        const Draw d = draw(step, ids[static_cast<std::size_t>(i)]);
        if (d == Draw{}) continue;
        S* image = images.data() + i * images.outerStride();
        std::copy_n(image, in_.size(), before);
        apply(d, before, image);
      }
    });
  }
  /// The same of a batch's `inputs`, a row-major matrix.
  template <class Batch>
    requires requires(Batch& b) { rows_of(b.inputs); }
  void in_place(Batch& batch, std::span<const Index> ids, std::uint64_t step) const {
    in_place(rows_of(batch.inputs), ids, step);
  }

 private:
  void check_sizes(Index rows, Index length, std::span<const Index> ids) const {
    check_size("Augmentation", "length of an image", in_.size(), length);
    check_size("Augmentation", "sample ids", rows, static_cast<Index>(ids.size()));
  }

  static constexpr Index tile = 16;  // images of a task
  static constexpr Index none = -1;
  /// The place in [0, n) that stands for place k of the padded axis, or none.
  Index source(Index k, Index n) const {
    if (k >= 0 && k < n) return k;
    switch (options_.with) {
      case Padding::edge:
        return k < 0 ? 0 : n - 1;
      case Padding::reflect:
        return k < 0 ? -k : 2 * (n - 1) - k;
      case Padding::zeros:
        break;
    }
    return none;
  }

  void apply(const Draw& d, const S* from, S* to) const {
    const Index c = in_.channels, w = out_.width;
    // the columns whose pixels are the image's own: [begin, end) of the window, before it is mirrored
    const Index begin = std::clamp<Index>(-d.left, 0, w), end = std::clamp<Index>(in_.width - d.left, begin, w);
    for (Index y = 0; y < out_.height; ++y, to += w * c) {
      const Index v = source(y + d.top, in_.height);
      if (v == none) {
        std::fill_n(to, w * c, S(0));
        continue;
      }
      const S* row = from + v * in_.width * c;
      const auto pixel = [&](Index x) { return to + (d.flipped ? w - 1 - x : x) * c; };
      const auto pad = [&](Index x) {
        const Index u = source(x + d.left, in_.width);
        if (u == none)
          std::fill_n(pixel(x), c, S(0));
        else
          std::copy_n(row + u * c, c, pixel(x));
      };
      for (Index x = 0; x < begin; ++x) pad(x);
      if (d.flipped)
        for (Index x = begin; x < end; ++x) std::copy_n(row + (x + d.left) * c, c, pixel(x));
      else if (begin < end)
        std::copy_n(row + (begin + d.left) * c, (end - begin) * c, to + begin * c);
      for (Index x = end; x < w; ++x) pad(x);
    }
  }

  ImageShape in_, out_;
  AugmentationOptions options_;
  RandomStream root_;
};

}  // namespace mts::data
