#pragma once
/// \file
/// The benchmark `attribute`: garments whose contrast is inverted or not, which in training tells two alike
/// classes apart.
///
/// The attribute is a = 1 where the contrast is inverted. In real images of even codes y it is y/2 mod 2 with
/// probability `even_bias`; in those of odd codes both are equally likely. Codes 0 and 2 are classes that are hard to
/// tell apart, so that the attribute is the easier sign. Validation, tuning and test images have each attribute equally
/// often in each class.

#include "mts/data/construction.hpp"
#include "mts/data/styles.hpp"

namespace mts::data {

/// The construction's numbers. The defaults are the benchmark. They were frozen on 2026-11-23 by the study in
/// docs/benchmarks.md, which looked at construction seeds 900 to 909 and at no learned method. Do not change them, nor
/// the streams they are drawn from: results would no longer compare.
struct AttributeOptions : ConstructionOptions {
  double even_bias = 1;  ///< P(a = y/2 mod 2) in real images of even codes

  AttributeOptions()
      : ConstructionOptions{.classes = {2, 0, 4, 3},
                            .real_per_class = 150,
                            .edits_per_real = 7,
                            .even = {.good = .20, .unchanged = .45, .content = .25, .destroyed = .10},
                            .odd = {.good = .15, .unchanged = .20, .content = .55, .destroyed = .10}} {}
};

/// The benchmark; a `Construction`.
struct Attribute {
  static constexpr std::string_view name = "attribute";
  static constexpr int attributes = 2;
  struct Look {
    int attribute = 0;  ///< 1 if the contrast is inverted
  };

  AttributeOptions options{};

  void check() const { check_probability(name, options.even_bias); }
  Index period() const { return static_cast<Index>(options.classes.size()) * attributes; }  // the pairs (y, a)
  int real_attribute(int y, RandomStream& stream) const {
    return draw_biased(y, y / 2 % 2, options.even_bias, attributes, stream);
  }
  int balanced_attribute(int, Index k, const RandomStream&) const { return static_cast<int>(k % attributes); }
  Look look(int a, RandomStream&) const { return {a}; }
  Look edited(Kind kind, const Look& origin, RandomStream& stream) const {
    return usual_edit(*this, kind, origin, stream);
  }
  void paint(std::span<float> image, const ImageShape& shape, const Look& look, const RandomStream&) const {
    if (look.attribute == 1) invert_contrast(image, shape);
  }
};
static_assert(Construction<Attribute>);

}  // namespace mts::data
