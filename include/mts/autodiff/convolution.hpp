#pragma once
/// \file
/// The products of the convolution layer, in one place. Images are channels last; no patch matrix is formed: the kernel reads the
/// padded image where it lies, through a table of offsets. By Eigen, sample by sample through a patch matrix, for scalars other
/// than float and double and where MTS_EIGEN_KERNELS is defined.
///
/// Notation: w is K x O (K = kernel.height kernel.width Cg, rows ordered by tap row, tap column, channel), Cg and Og the input and
/// output channels of one of G groups, x(p, k) the input that tap k sees at output pixel p.
///     forward             y(p, o)  = sum_k x(p, k) w(k, o) + b(o)
///     input delta         dx(q, c) = sum over (p, tap) with x(p, tap c) = input (q, c) of  sum_o d(p, o) w(tap c, o)
///     weight gradient     g(k, o)  = sum_i u_i sum_p x_i(p, k) d_i(p, o)
/// The input delta is a convolution of d too. Where the stride is s, the input pixels fall into s.height s.width classes, each of
/// which sees its own taps only: each is a convolution of its own, and nothing is multiplied by an inserted zero.

#include <cstdint>

#include "mts/autodiff/image.hpp"
#include "mts/autodiff/view.hpp"
#include "mts/core/scratch.hpp"
#include "mts/kernels/panels.hpp"

namespace mts::autodiff {

/// A convolution's sizes.
struct Convolution {
  ImageShape in;
  ImageShape out;
  Window window;
  Index groups = 1;

  Index group_in() const { return in.channels / groups; }
  Index group_out() const { return out.channels / groups; }
  /// K
  Index depth() const { return window.taps() * group_in(); }
  Index weights() const { return depth() * out.channels; }
};

namespace convolution {

namespace detail {

/// Pixels of zeros around an image.
struct Margins {
  Index top = 0, bottom = 0, left = 0, right = 0;

  bool none() const { return top == 0 && bottom == 0 && left == 0 && right == 0; }
  ImageShape around(const ImageShape& s) const { return {s.height + top + bottom, s.width + left + right, s.channels}; }
};

/// Copies images into the middle of zeros; the margins are cleared once.
template <class S>
class Padder {
 public:
  Padder(const ImageShape& shape, const Margins& margins, S* memory)
      : shape_(shape), padded_(margins.around(shape)), margins_(margins), memory_(memory) {
    if (!margins.none()) std::fill(memory, memory + padded_.size(), S{0});
  }
  static Index size(const ImageShape& shape, const Margins& margins) {
    return margins.none() ? 0 : margins.around(shape).size();
  }
  /// The padded image; the given one itself where there are no margins.
  const S* operator()(const S* image) const {
    if (margins_.none()) return image;
    const Index run = shape_.width * shape_.channels;
    for (Index y = 0; y < shape_.height; ++y)
      std::copy(image + y * run, image + (y + 1) * run,
                memory_ + ((y + margins_.top) * padded_.width + margins_.left) * padded_.channels);
    return memory_;
  }
  const ImageShape& padded() const { return padded_; }

 private:
  ImageShape shape_, padded_;
  Margins margins_;
  S* memory_;
};

inline Margins input_margins(const Convolution& c) {
  const Extent p = c.window.padding;
  return {p.height, p.height, p.width, p.width};
}
/// What deltas need around them so that every tap of every input pixel finds one.
inline Margins delta_margins(const Convolution& c) {
  const auto before = [](Index k, Index s, Index p, Index d) {
    return std::max<Index>(0, kernels::ceil_div(std::max<Index>(0, (k - 1) * d - p), s));
  };
  const auto after = [](Index n, Index out, Index s, Index p) {
    return std::max<Index>(0, (n - 1 + p) / s - (out - 1));
  };
  const Window& w = c.window;
  return {before(w.kernel.height, w.stride.height, w.padding.height, w.dilation.height),
          after(c.in.height, c.out.height, w.stride.height, w.padding.height),
          before(w.kernel.width, w.stride.width, w.padding.width, w.dilation.width),
          after(c.in.width, c.out.width, w.stride.width, w.padding.width)};
}

/// Where tap k of group 0 lies from the pixel's first tap in the padded image: K numbers.
inline void tap_offsets(const Convolution& c, const ImageShape& padded, std::int32_t* to) {
  const Window& w = c.window;
  for (Index i = 0; i < w.kernel.height; ++i)
    for (Index j = 0; j < w.kernel.width; ++j)
      for (Index k = 0; k < c.group_in(); ++k)
        *to++ = static_cast<std::int32_t>(
            (i * w.dilation.height * padded.width + j * w.dilation.width) * padded.channels + k);
}
/// Where each output pixel's first tap lies in the padded image.
inline void pixel_offsets(const Convolution& c, const ImageShape& padded, std::int32_t* to) {
  const Extent s = c.window.stride;
  for (Index y = 0; y < c.out.height; ++y)
    for (Index x = 0; x < c.out.width; ++x)
      *to++ = static_cast<std::int32_t>((y * s.height * padded.width + x * s.width) * padded.channels);
}

/// Input images as the kernel reads them: padded, x(p, k) at image + pixels[p] + taps[k] (of group 0). Uses scratch slot 0.
template <class S>
struct PatchReader {
  explicit PatchReader(const Convolution& c)
      : pad(c.in, input_margins(c), mts::detail::thread_scratch<S, 0>(Padder<S>::size(c.in, input_margins(c)))),
        taps(mts::detail::thread_scratch<std::int32_t, 0>(c.depth() + c.out.pixels())),
        pixels(taps + c.depth()) {
    tap_offsets(c, pad.padded(), taps);
    pixel_offsets(c, pad.padded(), pixels);
  }
  const S* operator()(const S* image) const { return pad(image); }

  Padder<S> pad;
  std::int32_t* taps;
  std::int32_t* pixels;
};

/// The input pixels with (y + padding) mod stride = phase in both directions, and the taps they see.
struct Phase {
  Index row, column;  ///< the phase

  static bool sees(Index tap, Index dilation, Index stride, Index phase) { return tap * dilation % stride == phase; }
  /// Calls f(i, j) for the taps, in order.
  template <class F>
  void for_each_tap(const Window& w, F&& f) const {
    for (Index i = 0; i < w.kernel.height; ++i)
      if (sees(i, w.dilation.height, w.stride.height, row))
        for (Index j = 0; j < w.kernel.width; ++j)
          if (sees(j, w.dilation.width, w.stride.width, column)) f(i, j);
  }
  Index taps(const Window& w) const {
    Index n = 0;
    for_each_tap(w, [&](Index, Index) { ++n; });
    return n;
  }
};
/// Calls f(phase, taps seen by the phases before it).
template <class F>
void for_each_phase(const Window& w, F&& f) {
  Index before = 0;
  for (Index row = 0; row < w.stride.height; ++row)
    for (Index column = 0; column < w.stride.width; ++column) {
      const Phase phase{row, column};
      f(phase, before);
      before += phase.taps(w);
    }
}

/// The patch matrix x(p, k) of one group of one sample, for Eigen, from the padded image; by whole rows of the window where they are
/// contiguous.
template <class S>
void patches(const Convolution& c, const S* padded_image, const ImageShape& padded, Index group, Rows<S> to) {
  const Window& w = c.window;
  const bool contiguous = c.groups == 1 && w.dilation.width == 1;
  const Index run = contiguous ? w.kernel.width * c.in.channels : c.group_in(), runs = contiguous ? 1 : w.kernel.width;
  for (Index y = 0; y < c.out.height; ++y)
    for (Index x = 0; x < c.out.width; ++x) {
      S* at = &to(y * c.out.width + x, 0);
      for (Index i = 0; i < w.kernel.height; ++i) {
        const Index row = y * w.stride.height + i * w.dilation.height;
        const S* from = padded_image + (row * padded.width + x * w.stride.width) * c.in.channels + group * c.group_in();
        for (Index j = 0; j < runs; ++j, from += w.dilation.width * c.in.channels)
          for (Index k = 0; k < run; ++k) *at++ = from[k];
      }
    }
}
/// The padded images for it. Uses scratch slot 4: rules that call this use 0 and 1.
template <class S>
Padder<S> patch_padder(const Convolution& c) {
  const Margins margins = input_margins(c);
  return Padder<S>(c.in, margins, mts::detail::thread_scratch<S, 4>(Padder<S>::size(c.in, margins)));
}
template <class S>
Rows<S> patch_memory(const Convolution& c) {
  const Index p = c.out.pixels(), k = c.depth();
  return {mts::detail::thread_scratch<S, 0>(p * k), p, k, Eigen::OuterStride<>(k)};
}
/// One group's columns of a sample's output-sized image, and of w.
template <class S>
ConstRows<S> group_pixels(const Convolution& c, const S* image, Index group) {
  return {image + group * c.group_out(), c.out.pixels(), c.group_out(), Eigen::OuterStride<>(c.out.channels)};
}
template <class S>
ConstRows<S> group_weights(const Convolution& c, const S* w, Index group) {
  return {w + group * c.group_out(), c.depth(), c.group_out(), Eigen::OuterStride<>(c.out.channels)};
}

/// `panel` columns of d from `first` on, as the kernel reads them: d itself where it has as many, else a copy filled up with zeros.
template <class S>
kernels::PanelRows<S> panel_of_deltas(const Convolution& c, const S* d, Index first, Index columns, S* memory) {
  if (columns == kernels::panel<S>) return {d + first, c.out.channels};
  for (Index p = 0; p < c.out.pixels(); ++p) {
    const S* from = d + p * c.out.channels + first;
    S* to = memory + p * kernels::panel<S>;
    std::copy(from, from + columns, to);
    std::fill(to + columns, to + kernels::panel<S>, S{0});
  }
  return {memory, kernels::panel<S>};
}

}  // namespace detail

/// Numbers that w takes packed, for `forward` and for `input_delta`.
template <class S>
Index packed_size(const Convolution& c) {
  return kernels::accelerated<S> ? c.groups * kernels::packed_size<S>(c.depth(), c.group_out()) : 0;
}
template <class S>
Index packed_delta_size(const Convolution& c) {
  return kernels::accelerated<S> ? c.groups * kernels::packed_size<S>(c.window.taps() * c.group_out(), c.group_in())
                                 : 0;
}
template <class S>
void pack(const Convolution& c, const S* w, S* to) {
  if constexpr (kernels::accelerated<S>) {
    for (Index g = 0; g < c.groups; ++g, to += kernels::packed_size<S>(c.depth(), c.group_out()))
      kernels::pack(w + g * c.group_out(), c.out.channels, c.depth(), c.group_out(), to);
  }
}
/// By phase, group, panel of input channels; each (taps of the phase x Og) rows of a panel.
template <class S>
void pack_delta(const Convolution& c, const S* w, S* to) {
  if constexpr (kernels::accelerated<S>) {
    constexpr Index panel = kernels::panel<S>;
    detail::for_each_phase(c.window, [&](const detail::Phase& phase, Index) {
      for (Index g = 0; g < c.groups; ++g)
        for (Index first = 0; first < c.group_in(); first += panel)
          phase.for_each_tap(c.window, [&](Index i, Index j) {
            const S* tap = w + (i * c.window.kernel.width + j) * c.group_in() * c.out.channels + g * c.group_out();
            for (Index o = 0; o < c.group_out(); ++o)
              for (Index k = first; k < first + panel; ++k)
                *to++ = k < c.group_in() ? tap[k * c.out.channels + o] : S{0};
          });
    });
  }
}

/// y <- or += x * w + b, for every sample. \param b  O numbers or null. Uses scratch slot 0.
template <class S>
void forward(const Convolution& c, ConstView<S> x, const S* w, const S* packed, const S* b, View<S> y, bool add) {
  if constexpr (kernels::accelerated<S>) {
    constexpr Index panel = kernels::panel<S>;
    const detail::PatchReader<S> read(c);
    const Index panel_size = panel * c.depth();
    for (Index s = 0; s < x.rows; ++s) {
      const S* image = read(x.row(s));
      for (Index g = 0; g < c.groups; ++g)
        for (Index p = 0; p < c.out.pixels();) {
          const Index count = kernels::next_rows(c.out.pixels() - p);
          const S* from[kernels::block_rows];
          for (Index r = 0; r < count; ++r) from[r] = image + read.pixels[p + r] + g * c.group_in();
          for (Index j = 0; j < kernels::panels<S>(c.group_out()); ++j) {
            const Index first = g * c.group_out() + j * panel;
            S* to[kernels::block_rows];
            for (Index r = 0; r < count; ++r) to[r] = y.row(s) + (p + r) * c.out.channels + first;
            kernels::block<S>(count, from, kernels::Tabled{read.taps}, c.depth(),
                              {packed + (g * kernels::panels<S>(c.group_out()) + j) * panel_size, panel},
                              {to, std::min(panel, c.group_out() - j * panel), add, S{1}, b ? b + first : nullptr});
          }
          p += count;
        }
    }
  } else {
    auto patches = detail::patch_memory<S>(c);
    const auto pad = detail::patch_padder<S>(c);
    for (Index s = 0; s < x.rows; ++s)
      for (Index g = 0; g < c.groups; ++g) {
        detail::patches(c, pad(x.row(s)), pad.padded(), g, patches);
        Rows<S> out(y.row(s) + g * c.group_out(), c.out.pixels(), c.group_out(), Eigen::OuterStride<>(c.out.channels));
        if (!add) out.setZero();
        if (b)
          out.rowwise() += Eigen::Map<const Eigen::Matrix<S, 1, Eigen::Dynamic>>(b + g * c.group_out(), c.group_out());
        out.noalias() += patches * detail::group_weights(c, w, g);
      }
  }
}

/// dx <- or += the input delta of d, for every sample. Uses scratch slot 0.
template <class S>
void input_delta(const Convolution& c, ConstView<S> d, const S* w, const S* packed, View<S> dx, bool add) {
  if constexpr (kernels::accelerated<S>) {
    constexpr Index panel = kernels::panel<S>;
    const Window& window = c.window;
    const auto margins = detail::delta_margins(c);
    using Padder = detail::Padder<S>;
    const Padder pad(c.out, margins, mts::detail::thread_scratch<S, 0>(Padder::size(c.out, margins)));
    const Index row = pad.padded().width;
    // Of all phases, one after another: the offsets of the taps, and for each pixel where it reads and where it writes.
    const Index all_taps = window.taps() * c.group_out();
    std::int32_t* const tables = mts::detail::thread_scratch<std::int32_t, 0>(all_taps + 2 * c.in.pixels());
    const auto pixels_of = [](Index n, Index stride, Index padding, Index phase) {
      const Index first = ((phase - padding) % stride + stride) % stride;
      return std::pair(first, first < n ? (n - 1 - first) / stride + 1 : 0);
    };
    std::int32_t *tap = tables, *from_at = tables + all_taps, *to_at = from_at + c.in.pixels();
    detail::for_each_phase(window, [&](const detail::Phase& phase, Index) {
      phase.for_each_tap(window, [&](Index i, Index j) {
        const Index up = (i * window.dilation.height - phase.row) / window.stride.height;
        const Index left = (j * window.dilation.width - phase.column) / window.stride.width;
        for (Index o = 0; o < c.group_out(); ++o)
          *tap++ = static_cast<std::int32_t>(-(up * row + left) * c.out.channels + o);
      });
      const auto [y0, ny] = pixels_of(c.in.height, window.stride.height, window.padding.height, phase.row);
      const auto [x0, nx] = pixels_of(c.in.width, window.stride.width, window.padding.width, phase.column);
      for (Index a = 0; a < ny; ++a)
        for (Index b = 0; b < nx; ++b) {
          const Index y = y0 + a * window.stride.height, x = x0 + b * window.stride.width;
          const Index dy = (y + window.padding.height - phase.row) / window.stride.height + margins.top;
          const Index dx_ = (x + window.padding.width - phase.column) / window.stride.width + margins.left;
          *from_at++ = static_cast<std::int32_t>((dy * row + dx_) * c.out.channels);
          *to_at++ = static_cast<std::int32_t>((y * c.in.width + x) * c.in.channels);
        }
    });
    for (Index s = 0; s < d.rows; ++s) {
      const S* image = pad(d.row(s));
      const std::int32_t *from_pixel = tables + all_taps, *to_pixel = from_pixel + c.in.pixels();
      detail::for_each_phase(window, [&](const detail::Phase& phase, Index taps_before) {
        const Index depth = phase.taps(window) * c.group_out(), panel_size = depth * panel;
        const kernels::Tabled at{tables + taps_before * c.group_out()};
        const S* phase_packed = packed + c.groups * kernels::packed_size<S>(taps_before * c.group_out(), c.group_in());
        const Index pixels = pixels_of(c.in.height, window.stride.height, window.padding.height, phase.row).second *
                             pixels_of(c.in.width, window.stride.width, window.padding.width, phase.column).second;
        for (Index g = 0; g < c.groups; ++g)
          for (Index p = 0; p < pixels;) {
            const Index count = kernels::next_rows(pixels - p);
            const S* from[kernels::block_rows];
            for (Index r = 0; r < count; ++r) from[r] = image + from_pixel[p + r] + g * c.group_out();
            for (Index j = 0; j < kernels::panels<S>(c.group_in()); ++j) {
              S* to[kernels::block_rows];
              for (Index r = 0; r < count; ++r) to[r] = dx.row(s) + to_pixel[p + r] + g * c.group_in() + j * panel;
              kernels::block<S>(count, from, at, depth,
                                {phase_packed + (g * kernels::panels<S>(c.group_in()) + j) * panel_size, panel},
                                {to, std::min(panel, c.group_in() - j * panel), add});
            }
            p += count;
          }
        from_pixel += pixels;
        to_pixel += pixels;
      });
    }
  } else {
    auto patches = detail::patch_memory<S>(c);
    const Window& window = c.window;
    for (Index s = 0; s < d.rows; ++s) {
      if (!add) std::fill(dx.row(s), dx.row(s) + c.in.size(), S{0});
      for (Index g = 0; g < c.groups; ++g) {
        patches.noalias() = detail::group_pixels(c, d.row(s), g) * detail::group_weights(c, w, g).transpose();
        for (Index y = 0; y < c.out.height; ++y)
          for (Index x = 0; x < c.out.width; ++x) {
            const S* from = &patches(y * c.out.width + x, 0);
            for (Index i = 0; i < window.kernel.height; ++i)
              for (Index j = 0; j < window.kernel.width; ++j, from += c.group_in()) {
                const Index yy = y * window.stride.height + i * window.dilation.height - window.padding.height;
                const Index xx = x * window.stride.width + j * window.dilation.width - window.padding.width;
                if (yy < 0 || yy >= c.in.height || xx < 0 || xx >= c.in.width) continue;
                S* to = dx.row(s) + (yy * c.in.width + xx) * c.in.channels + g * c.group_in();
                for (Index k = 0; k < c.group_in(); ++k) to[k] += from[k];
              }
          }
      }
    }
  }
}

/// One task of the weight gradient: at most so many rows and columns of w, of one group. Large, since every task pads and reads
/// all images again; larger still where it forms patch matrices too.
inline constexpr Index task_rows = 288, task_columns = kernels::accelerated<float> ? 16 : 128;
inline Index tasks(const Convolution& c) {
  return c.groups * kernels::ceil_div(c.group_out(), task_columns) * kernels::ceil_div(c.depth(), task_rows);
}
/// Which rows k and columns o a task sums.
struct Part {
  Index group, row_begin, row_end, column_begin, column_end;
};
inline Part part(const Convolution& c, Index task) {
  const Index across = kernels::ceil_div(c.group_out(), task_columns), down = kernels::ceil_div(c.depth(), task_rows);
  const Index group = task / down / across, column = task / down % across * task_columns;
  const Index blocks = kernels::ceil_div(c.depth(), kernels::block_rows);
  const auto row = [&](Index k) { return std::min(c.depth(), blocks * k / down * kernels::block_rows); };
  return {group, row(task % down), row(task % down + 1), group * c.group_out() + column,
          group * c.group_out() + std::min(c.group_out(), column + task_columns)};
}

/// g (K x O) += sum_i u_i sum_p x_i(p, k) d_i(p, o) for the rows k and columns o of one part. u null stands for ones. Uses scratch
/// slots 0 and 1.
template <class S>
void weight_gradient(const Convolution& c, ConstView<S> x, ConstView<S> d, const S* u, const Part& part, S* gradient) {
  const auto weight = [&](Index s) { return u ? u[s] : S{1}; };
  if constexpr (kernels::accelerated<S>) {
    constexpr Index panel = kernels::panel<S>;
    const detail::PatchReader<S> read(c);
    S* columns = mts::detail::thread_scratch<S, 1>(c.out.pixels() * panel);
    for (Index s = 0; s < x.rows; ++s) {
      const S* image = read(x.row(s)) + part.group * c.group_in();
      for (Index j = part.column_begin; j < part.column_end; j += panel) {
        const Index width = std::min(panel, part.column_end - j);
        const auto b = detail::panel_of_deltas(c, d.row(s), j, width, columns);
        for (Index k = part.row_begin; k < part.row_end;) {
          const Index count = kernels::next_rows(part.row_end - k);
          const S* from[kernels::block_rows];
          S* to[kernels::block_rows];
          for (Index r = 0; r < count; ++r) {
            from[r] = image + read.taps[k + r];
            to[r] = gradient + (k + r) * c.out.channels + j;
          }
          kernels::block<S>(count, from, kernels::Tabled{read.pixels}, c.out.pixels(), b, {to, width, true, weight(s)});
          k += count;
        }
      }
    }
  } else {
    auto patches = detail::patch_memory<S>(c);
    const auto pad = detail::patch_padder<S>(c);
    Rows<S> g(gradient + part.row_begin * c.out.channels + part.column_begin, part.row_end - part.row_begin,
              part.column_end - part.column_begin, Eigen::OuterStride<>(c.out.channels));
    for (Index s = 0; s < x.rows; ++s) {
      detail::patches(c, pad(x.row(s)), pad.padded(), part.group, patches);
      const ConstRows<S> deltas(d.row(s) + part.column_begin, c.out.pixels(), g.cols(),
                                Eigen::OuterStride<>(c.out.channels));
      g.noalias() += weight(s) * patches.middleCols(part.row_begin, g.rows()).transpose() * deltas;
    }
  }
}

/// out_i += |sum_p x_i(p, .)^T d_i(p, .)|^2, the squared length of sample i's weight gradient, of which only blocks of 6 rows and one
/// panel of columns ever exist, in registers. Uses scratch slots 0 and 1.
template <class S>
void squared_norms(const Convolution& c, ConstView<S> x, ConstView<S> d, double* out) {
  if constexpr (kernels::accelerated<S>) {
    constexpr Index panel = kernels::panel<S>;
    const detail::PatchReader<S> read(c);
    S* columns = mts::detail::thread_scratch<S, 1>(c.out.pixels() * panel);
    for (Index s = 0; s < x.rows; ++s) {
      const S* image = read(x.row(s));
      for (Index g = 0; g < c.groups; ++g)
        for (Index j = 0; j < c.group_out(); j += panel) {
          const auto b =
              detail::panel_of_deltas(c, d.row(s), g * c.group_out() + j, std::min(panel, c.group_out() - j), columns);
          for (Index k = 0; k < c.depth();) {
            const Index count = kernels::next_rows(c.depth() - k);
            const S* from[kernels::block_rows];
            for (Index r = 0; r < count; ++r) from[r] = image + read.taps[k + r] + g * c.group_in();
            out[s] += kernels::block_squares<S>(count, from, kernels::Tabled{read.pixels}, c.out.pixels(), b);
            k += count;
          }
        }
    }
  } else {
    auto patches = detail::patch_memory<S>(c);
    const auto pad = detail::patch_padder<S>(c);
    for (Index s = 0; s < x.rows; ++s)
      for (Index g = 0; g < c.groups; ++g) {
        detail::patches(c, pad(x.row(s)), pad.padded(), g, patches);
        for (Index k = 0; k < c.depth(); k += kernels::block_rows) {
          const Index rows = std::min(kernels::block_rows, c.depth() - k);
          for (Index j = 0; j < c.group_out(); j += kernels::panel<S>) {
            const Index columns = std::min(kernels::panel<S>, c.group_out() - j);
            Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor, kernels::block_rows, kernels::panel<S>>
                block = patches.middleCols(k, rows).transpose() *
                        detail::group_pixels(c, d.row(s), g).middleCols(j, columns);
            out[s] += static_cast<double>(block.squaredNorm());
          }
        }
      }
  }
}

}  // namespace convolution
}  // namespace mts::autodiff
