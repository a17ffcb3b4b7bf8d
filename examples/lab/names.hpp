#pragma once
/// \file
/// Names that a user types: refused in words, with the nearest known one.

#include <algorithm>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mts/core/error.hpp"

namespace mts::lab {

/// A command line that can't be followed: an unknown name, a value outside its domain. What to do is in its words.
class UsageError : public ValueError {
 public:
  using ValueError::ValueError;
};

/// The number of insertions, deletions, replacements and swaps of neighbours that turn a into b (optimal string alignment).
inline std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before, last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = last;
    last = row;
  }
  return last[b.size()];
}

/// The known name nearest to `name`, or "" where none is near (within a third of its length; at least 2 changes are allowed).
/// A name that begins another counts as near to it.
inline std::string nearest(std::string_view name, std::span<const std::string> known) {
  std::string best;
  std::size_t smallest = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const auto& candidate : known) {
    const bool begins = name.size() >= 3 && (candidate.starts_with(name) || name.starts_with(candidate));
    const std::size_t d = begins ? 1 : distance(name, candidate);
    if (d < smallest && d < candidate.size()) {
      smallest = d;
      best = candidate;
    }
  }
  return best;
}

/// "a, b or c"
inline std::string one_of(std::span<const std::string> names) {
  std::string s;
  for (std::size_t k = 0; k < names.size(); ++k) s += (k == 0 ? "" : k + 1 == names.size() ? " or " : ", ") + names[k];
  return s;
}

/// The refusal of an unknown name: "unknown method 'mst': did you mean 'mts'? (known: uniform, mts)".
inline UsageError unknown(std::string_view what, std::string_view name, std::span<const std::string> known) {
  const std::string near = nearest(name, known);
  const std::string all = one_of(known);
  return UsageError(
      near.empty() ? mts::detail::text("unknown ", what, " '", name, "': expected ", all)
                   : mts::detail::text("unknown ", what, " '", name, "': did you mean '", near, "'? Known: ", all));
}

/// A value of an enumeration, as users write it.
template <class E>
struct Choice {
  E value;
  std::string name;
  std::string words;  ///< one line
};

/// Specialised for each enumeration of the options: `static const std::vector<Choice<E>>& all()`.
template <class E>
struct Choices;

template <class E>
std::vector<std::string> choice_names() {
  std::vector<std::string> names;
  for (const auto& choice : Choices<E>::all()) names.push_back(choice.name);
  return names;
}
template <class E>
const std::string& name_of_choice(E value) {
  const auto& all = Choices<E>::all();
  return std::find_if(all.begin(), all.end(), [&](const auto& choice) { return choice.value == value; })->name;
}
/// \throws UsageError for an unknown name
template <class E>
E choice_named(std::string_view what, std::string_view name) {
  for (const auto& choice : Choices<E>::all())
    if (choice.name == name) return choice.value;
  throw unknown(what, name, choice_names<E>());
}

}  // namespace mts::lab
