#pragma once
/// \file
/// What the benchmarks share: problems of real images and edits of them, of which it is known whether they help. A
/// benchmark is a type that says what its attribute is, how it is painted, which attribute a real image and an edit
/// have, and how many images there are (`Construction`); `construct` does the rest.
///
/// Codes y = 0, 1, ... stand for classes of the data set. Real images are taken from the training images before
/// `web_begin`, each once. Every edit has one of the kinds good, unchanged, content and destroyed, in shares that
/// differ between even and odd codes, so that no single score ranks them. Validation, tuning and test images are real
/// and clean.

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mts/core/parallel.hpp"
#include "mts/data/edits.hpp"
#include "mts/data/image_set.hpp"
#include "mts/data/pool.hpp"

namespace mts::data {

/// Probabilities of the kinds of an edit; they sum to 1.
struct KindShares {
  double good = 0, unchanged = 0, content = 0, destroyed = 0;
};
/// A range [low, high) to draw from uniformly.
struct Range {
  double low = 0, high = 0;
};

/// The numbers that every construction has.
struct ConstructionOptions {
  std::vector<int> classes{};  ///< labels of the data set, for codes 0, 1, ...
  Index real_per_class = 0;
  Index edits_per_real = 0;
  KindShares even{};                 ///< of edits of even codes
  KindShares odd{};                  ///< and of odd ones
  Range good_strength{0, .20};       ///< s of edits towards a reference of the same class
  Range unchanged_strength{0, .15};  ///< also towards the same class
  Range content_strength{.65, 1};    ///< towards a wrong class, the label staying
  double systematic = 0.9;           ///< P(a content edit of y shows y + 1 mod C); else one of the other classes
  Index validation = 48, tuning = 2000, test = 2000;  ///< multiples of the benchmark's period
};

/// A benchmark, as `construct` takes it. A Look is how one image is painted: its attribute, and whatever else is drawn
/// with it.
///
///     name                              in results and messages; also keys the random streams
///     attributes                        how many there are
///     options                           a ConstructionOptions, or what derives from it
///     check()                           throws ValueError if the options that are its own are outside their domain
///     period()                          validation, tuning and test sets are balanced in multiples of it
///     real_attribute(y, stream)         of a real image of the pool
///     balanced_attribute(y, k, stream)  of the k-th image of class y in a clean set, which has that stream
///     look(a, stream)                   how a real or clean image of attribute a is painted
///     edited(kind, origin, stream)      how an edit of an image that looks like `origin` is painted
///     paint(image, shape, look, stream)
template <class B>
concept Construction =
    requires(const B& b, RandomStream& stream, std::span<float> image, const typename B::Look& look) {
      { B::name } -> std::convertible_to<std::string_view>;
      { B::attributes } -> std::convertible_to<int>;
      { look.attribute } -> std::convertible_to<int>;
      { b.options } -> std::convertible_to<const ConstructionOptions&>;
      b.check();
      { b.period() } -> std::convertible_to<Index>;
      { b.real_attribute(0, stream) } -> std::convertible_to<int>;
      { b.balanced_attribute(0, Index{}, std::as_const(stream)) } -> std::convertible_to<int>;
      { b.look(0, stream) } -> std::same_as<typename B::Look>;
      { b.edited(Kind::good, look, stream) } -> std::same_as<typename B::Look>;
      b.paint(image, ImageShape{}, look, std::as_const(stream));
    };

/// Where the part of the training images that generator, embedding and references come from ("web") begins: at two
/// thirds, 40000 of 60000. Real images of the pool, validation and tuning images come from before it.
inline Index web_begin(const ImageSet& train) { return train.size() / 3 * 2; }

/// The web images as rows: what the generator is trained on.
inline RowMatrix<float> web_images(const ImageData& data) {
  const Index begin = web_begin(data.train);
  return data.train.rows().middleRows(begin, data.train.size() - begin);
}

// ------------------------------------------------------------------------------- what benchmarks draw attributes by

inline double draw(Range range, RandomStream& stream) { return stream.uniform(range.low, range.high); }

/// Uniform on {0, ..., attributes - 1}.
inline int draw_attribute(int attributes, RandomStream& stream) {
  return static_cast<int>(stream.below(static_cast<std::uint64_t>(attributes)));
}
/// The same without `a`.
inline int draw_other(int a, int attributes, RandomStream& stream) {
  return (a + 1 + draw_attribute(attributes - 1, stream)) % attributes;
}
/// `aligned` with probability `bias`, else one of the others, if code y is even; uniform if it is odd.
inline int draw_biased(int y, int aligned, double bias, int attributes, RandomStream& stream) {
  if (y % 2 == 1) return draw_attribute(attributes, stream);
  return stream.chance(bias) ? aligned : draw_other(aligned, attributes, stream);
}
/// How an edit is painted where a good one has another attribute than its origin, and one of wrong content any; the
/// others look like their origin.
template <class B>
typename B::Look usual_edit(const B& benchmark, Kind kind, const typename B::Look& origin, RandomStream& stream) {
  if (kind == Kind::good) return benchmark.look(draw_other(origin.attribute, B::attributes, stream), stream);
  if (kind == Kind::content) return benchmark.look(draw_attribute(B::attributes, stream), stream);
  return origin;
}

// ---------------------------------------------------------------------------------------------------------- checks

/// \throws ValueError unless 0 <= p <= 1
inline void check_probability(std::string_view where, double p) {
  check_value(p >= 0 && p <= 1, where, "expected probabilities in [0, 1], found ", p);
}
/// \throws ValueError unless 0 <= low <= high <= limit
inline void check_range(std::string_view where, std::string_view what, const Range& r, double limit) {
  check_value(0 <= r.low && r.low <= r.high && r.high <= limit, where, "expected ", what,
              " 0 <= low <= high <= ", limit, ", found ", r.low, " to ", r.high);
}

/// \param period  validation, tuning and test sets must be multiples of it
/// \param labels  labels of the data set are 0 to labels - 1
/// \throws ValueError that names the option outside its domain
inline void check(const ConstructionOptions& o, std::string_view where, Index period, int labels) {
  check_value(o.classes.size() >= 3, where, "expected at least 3 classes, found ", o.classes.size());
  for (std::size_t k = 0; k < o.classes.size(); ++k) {
    check_value(o.classes[k] >= 0 && o.classes[k] < labels, where, "class of code ", k, ": expected 0 to ", labels - 1,
                ", found ", o.classes[k]);
    check_value(std::count(o.classes.begin(), o.classes.end(), o.classes[k]) == 1, where, "class ", o.classes[k],
                " is given twice");
  }
  check_value(o.real_per_class >= 1 && o.edits_per_real >= 0, where,
              "expected real_per_class >= 1 and edits_per_real >= 0, found ", o.real_per_class, " and ",
              o.edits_per_real);
  check_probability(where, o.systematic);
  for (const KindShares& s : {o.even, o.odd}) {
    const double sum = s.good + s.unchanged + s.content + s.destroyed;
    check_value(s.good >= 0 && s.unchanged >= 0 && s.content >= 0 && s.destroyed >= 0 && std::abs(sum - 1) < 1e-9,
                where, "expected shares of kinds that are not negative and sum to 1, found the sum ", sum);
  }
  for (const Range& r : {o.good_strength, o.unchanged_strength, o.content_strength})
    check_range(where, "strengths", r, 1);
  for (const Index n : {o.validation, o.tuning, o.test})
    check_value(n >= period && n % period == 0, where, "expected sets of a multiple of ", period, " images, found ", n);
}

// -------------------------------------------------------------------------------------------------- the construction

namespace detail {

inline std::span<float> row_of(RowMatrix<float>& m, Index i) {
  return {m.data() + i * m.cols(), static_cast<std::size_t>(m.cols())};
}
inline Kind draw_kind(const KindShares& shares, RandomStream& stream) {
  const double u = stream.uniform();
  if (u < shares.good) return Kind::good;
  if (u < shares.good + shares.unchanged) return Kind::unchanged;
  if (u < shares.good + shares.unchanged + shares.content) return Kind::content;
  return Kind::destroyed;
}

/// The images of a class in [begin, end) of a set, in random order, each dealt once.
class Deck {
 public:
  /// \param what  whose images they are and which ("spurious", "training images of class 3"), for messages
  Deck(const ImageSet& set, Index begin, Index end, int label, std::string_view benchmark, std::string what,
       RandomStream stream)
      : set_(&set), benchmark_(benchmark), what_(std::move(what)) {
    for (Index i = begin; i < end; ++i)
      if (set.label(i) == label) ids_.push_back(i);
    for (std::size_t i = ids_.size(); i > 1; --i) std::swap(ids_[i - 1], ids_[stream.below(i)]);
  }
  /// row i of `to` <- the next image. \throws DataError if there is none left
  void deal(RowMatrix<float>& to, Index i) {
    if (next_ == ids_.size())
      throw DataError(text(benchmark_, ": the data set is too small: expected more than ", ids_.size(), " ", what_));
    const auto image = set_->image(ids_[next_++]);
    std::copy(image.begin(), image.end(), row_of(to, i).begin());
  }

 private:
  const ImageSet* set_;
  std::string_view benchmark_;
  std::string what_;
  std::vector<Index> ids_;
  std::size_t next_ = 0;
};
using Decks = std::vector<Deck>;  // one for each code

/// Clean real images, classes and their attributes in turn.
template <Construction B>
LabelledSet balanced_set(const B& benchmark, Index size, Decks& decks, const ImageShape& shape,
                         const RandomStream& stream) {
  const auto classes = static_cast<Index>(decks.size());
  LabelledSet set;
  set.inputs.resize(size, shape.size());
  for (Index i = 0; i < size; ++i) {
    const int y = static_cast<int>(i % classes);
    set.labels.push_back(y);
    set.attributes.push_back(benchmark.balanced_attribute(y, i / classes, stream));
    decks[static_cast<std::size_t>(y)].deal(set.inputs, i);
  }
  parallel_tiles(size, 64, [&](Index, Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      RandomStream own = stream.substream("image", static_cast<std::uint64_t>(i));
      const auto look = benchmark.look(set.attributes[static_cast<std::size_t>(i)], own);
      benchmark.paint(row_of(set.inputs, i), shape, look, own);
    }
  });
  return set;
}

}  // namespace detail

/// The web images in the benchmark's styles, each with a random attribute: what the embedding is trained on. A code
/// that knows style as well as content, as a diffusion model's latents do.
template <Construction B>
RowMatrix<float> styled_web_images(const B& benchmark, const ImageData& data) {
  RowMatrix<float> images = web_images(data);
  const RandomStream stream(0, detail::text(B::name, ": styled web images"));
  parallel_tiles(images.rows(), 64, [&](Index, Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      RandomStream own = stream.substream("image", static_cast<std::uint64_t>(i));
      const auto look = benchmark.look(draw_attribute(B::attributes, own), own);
      benchmark.paint(detail::row_of(images, i), data.train.shape(), look, own);
    }
  });
  return images;
}

/// The two models that a benchmark is made with: one that edits, the same for all benchmarks of a data set, and one
/// whose codes are the generative embeddings.
struct ConstructionModels {
  Generator generator;
  Generator embedding;
};

/// How they are trained; frozen with the benchmarks.
inline GeneratorOptions construction_model_options(const ImageData& data) {
  GeneratorOptions options;
  options.architecture.inputs = data.train.shape().size();
  return options;
}

/// The two models of a data set, from the cache or trained (some 10 to 20 seconds each on two cores).
template <Construction B>
ConstructionModels construction_models(const B& benchmark, const ImageData& data, const GeneratorOptions& options,
                                       const GeneratorCache& cache = {}) {
  return {cached_generator(web_images(data), options, "the generator", cache),
          cached_generator(styled_web_images(benchmark, data), options, "the embedding", cache)};
}

/// The benchmark of a seed: a pure function of benchmark, data set, the two models and the seed. The pool has the real
/// images first, class by class, then the edits in the order of their origins. All parts have generative embeddings.
/// \param generator  edits images before they are painted; \param embedding  encodes finished images
/// \throws ValueError for options outside their domain; DataError if the data set is too small
template <Construction B, Codec G, Encoder E>
Problem construct(const B& benchmark, const ImageData& data, const G& generator, const E& embedding,
                  std::uint64_t seed) {
  using Look = typename B::Look;
  const ConstructionOptions& options = benchmark.options;
  check(options, B::name, benchmark.period(), data.train.classes());
  benchmark.check();
  const int classes = static_cast<int>(options.classes.size());
  const RandomStream root(seed, B::name);
  const ImageShape shape = data.train.shape();
  const Index web = web_begin(data.train);
  detail::Decks real_decks, web_decks, test_decks;
  for (std::size_t y = 0; y < options.classes.size(); ++y) {
    const auto add_deck = [&](detail::Decks& decks, const ImageSet& set, Index begin, Index end, const char* name) {
      decks.emplace_back(set, begin, end, options.classes[y], B::name,
                         mts::detail::text(name, " images of class ", options.classes[y]),
                         root.substream(mts::detail::text(name, " deck"), y));
    };
    add_deck(real_decks, data.train, 0, web, "training");
    add_deck(web_decks, data.train, web, data.train.size(), "web");
    add_deck(test_decks, data.test, 0, data.test.size(), "test");
  }

  Problem problem;
  problem.name = B::name;
  problem.classes = classes;
  problem.image = shape;
  Pool& pool = problem.pool;
  const Index reals = classes * options.real_per_class, edits = reals * options.edits_per_real, n = reals + edits;
  pool.inputs.resize(n, shape.size());
  std::vector<Look> looks;
  const auto add = [&](int label, Kind kind, Index origin, const Look& look) {
    pool.labels.push_back(label);
    pool.attributes.push_back(look.attribute);
    pool.kinds.push_back(kind);
    pool.groups.push_back(kind == Kind::real ? real_group : synthetic_group);
    pool.origins.push_back(origin);
    looks.push_back(look);
  };

  // Real images, not yet painted, and how they will be.
  RowMatrix<float> plain(reals, shape.size());
  for (Index i = 0; i < reals; ++i) {
    RandomStream stream = root.substream("real", static_cast<std::uint64_t>(i));
    const int y = static_cast<int>(i / options.real_per_class);
    real_decks[static_cast<std::size_t>(y)].deal(plain, i);
    const int a = benchmark.real_attribute(y, stream);
    add(y, Kind::real, i, benchmark.look(a, stream));
  }

  // Edits: what each is to be, then all of them at once.
  RowMatrix<float> sources(edits, shape.size()), references(edits, shape.size());
  std::vector<double> strengths;
  for (Index e = 0; e < edits; ++e) {
    RandomStream stream = root.substream("edit", static_cast<std::uint64_t>(e));
    const Index origin = e / options.edits_per_real;
    const auto o = static_cast<std::size_t>(origin);
    const int y = pool.labels[o];
    const Kind kind = detail::draw_kind(y % 2 == 0 ? options.even : options.odd, stream);
    int shown = y;
    double strength = 0;
    if (kind == Kind::good) {
      strength = draw(options.good_strength, stream);
    } else if (kind == Kind::unchanged) {
      strength = draw(options.unchanged_strength, stream);
    } else if (kind == Kind::content) {
      strength = draw(options.content_strength, stream);
      shown = (y + 1) % classes;
      if (!stream.chance(options.systematic)) shown = (y + 2 + draw_attribute(classes - 2, stream)) % classes;
    }
    sources.row(e) = plain.row(origin);
    if (kind == Kind::destroyed)
      references.row(e) = plain.row(origin);
    else
      web_decks[static_cast<std::size_t>(shown)].deal(references, e);
    strengths.push_back(strength);
    const Look before = looks[o];  // `add` may move the looks
    add(y, kind, origin, benchmark.edited(kind, before, stream));
  }
  pool.inputs.topRows(reals) = plain;
  pool.inputs.bottomRows(edits) = edit(generator, sources, references, strengths, root.substream("edit noise"));

  // The attribute is painted, and destroyed is what is to be destroyed.
  parallel_tiles(n, 64, [&](Index, Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const auto k = static_cast<std::size_t>(i);
      RandomStream stream = root.substream("finish", k);
      const auto image = detail::row_of(pool.inputs, i);
      benchmark.paint(image, shape, looks[k], stream);
      if (pool.kinds[k] == Kind::destroyed)
        destroy(image, shape, static_cast<Destruction>(stream.below(3)), stream.substream("destroy"));
    }
  });

  problem.validation =
      detail::balanced_set(benchmark, options.validation, real_decks, shape, root.substream("validation"));
  problem.tuning = detail::balanced_set(benchmark, options.tuning, real_decks, shape, root.substream("tuning"));
  problem.test = detail::balanced_set(benchmark, options.test, test_decks, shape, root.substream("test"));
  pool.embeddings = embedding.encode(pool.inputs);
  for (LabelledSet* set : {&problem.validation, &problem.tuning, &problem.test})
    set->embeddings = embedding.encode(set->inputs);
  return problem;
}

}  // namespace mts::data
