#pragma once
/// \file
/// Offline features of position: every sample of a pool against the reference samples (real ones, say) of its own class.

#include <map>
#include <string_view>
#include <vector>

#include "mts/features/detail/cosines.hpp"

namespace mts::features::detail {

/// A vector shorter than this counts as of this length: zero vectors have cosine 0, all others their true one.
inline constexpr double tiny_length = 1e-12;

/// Whether a feature looks at the groups of a pool; one that does not takes a pool without them.
enum class NeedsGroups : bool { no, yes };

/// Checks that `embeddings` (N x E) and `pool` speak of the same samples: row i is the pool's sample i.
/// \throws ShapeError, ValueError, NumericalError that name the first bad sample
template <class S>
void check_pool(std::string_view where, const RowsRef<S>& embeddings, const Samples& pool,
                NeedsGroups groups = NeedsGroups::yes) {
  const Index n = embeddings.rows();
  if (n < 1) throw ShapeError(mts::detail::text(where, "::fit: expected at least 1 sample, found 0"));
  const auto size = [](const auto& v) { return static_cast<Index>(v.size()); };
  check_size(where, "fit: labels of the pool", n, size(pool.labels));
  if (groups == NeedsGroups::yes) check_size(where, "fit: groups of the pool", n, size(pool.groups));
  if (!pool.ids.empty()) check_size(where, "fit: ids of the pool", n, size(pool.ids));
  for (Index i = 0; i < n; ++i) {
    const auto k = static_cast<std::size_t>(i);
    check_value(pool.labels[k] >= 0, where, "fit: label of sample ", i, " must not be negative, found ",
                pool.labels[k]);
    if (groups == NeedsGroups::yes)
      check_value(pool.groups[k] >= 0, where, "fit: group of sample ", i, " must not be negative, found ",
                  pool.groups[k]);
    check_value(pool.ids.empty() || pool.ids[k] == i, where, "fit: ids of the pool must be its row numbers; expected ",
                i, ", found ", pool.ids.empty() ? Index{0} : pool.ids[k]);
    if (!embeddings.row(i).allFinite())
      throw NumericalError(mts::detail::text(where, ": fit: embedding of sample ", i,
                                             ": expected finite numbers, found NaN or infinity"));
  }
}

/// The places of one class in the pool, in order.
struct ClassMembers {
  std::vector<Index> all, reference;
};

/// The classes of a pool; `is_reference(i)` tells which samples the others are held against.
template <class IsReference>
std::map<int, ClassMembers> classes_of(const Samples& pool, IsReference&& is_reference) {
  std::map<int, ClassMembers> classes;
  for (std::size_t i = 0; i < pool.labels.size(); ++i) {
    auto& c = classes[pool.labels[i]];
    c.all.push_back(static_cast<Index>(i));
    if (is_reference(i)) c.reference.push_back(static_cast<Index>(i));
  }
  return classes;
}

/// N x 1: cos(e_i, mean of the reference embeddings of class c_i); the mean is of unnormalised embeddings, in double. A
/// reference sample is part of its own class's mean. Cost: two passes over N x E.
/// \param kind  what reference samples are called in messages
/// \throws ValueError if a class has none
template <class S, class IsReference>
RowMatrix<double> centre_cosines(std::string_view where, std::string_view kind, const RowsRef<S>& embeddings,
                                 const Samples& pool, IsReference&& is_reference) {
  check_pool<S>(where, embeddings, pool);
  RowMatrix<double> out(embeddings.rows(), 1);
  for (const auto& [label, members] : classes_of(pool, is_reference)) {
    check_value(!members.reference.empty(), where, "fit: class ", label, " has ", members.all.size(),
                " samples, but no ", kind, " one");
    Eigen::RowVectorXd centre = Eigen::RowVectorXd::Zero(embeddings.cols());
    for (const Index i : members.reference) centre += embeddings.row(i).template cast<double>();
    centre /= static_cast<double>(members.reference.size());
    const RowMatrix<S> own = embeddings(members.all, Eigen::all);
    RowMatrix<double> cosines(own.rows(), 1);
    cosines_to<S>(own, centre, tiny_length, rows_of(cosines));
    for (Index r = 0; r < own.rows(); ++r) out(members.all[static_cast<std::size_t>(r)], 0) = cosines(r, 0);
  }
  return out;
}

/// N x k: the k largest cos(e_i, e_j), descending, over the reference samples j != i of class c_i. A class with fewer than k of
/// them repeats the smallest. Cost: a product n_c x r_c x E for each class (n_c samples, r_c of reference), tiles in
/// parallel; memory: a copy of one class's embeddings at a time.
/// \throws ValueError if a sample has no reference sample but itself
template <class S, class IsReference>
RowMatrix<double> nearest_in_class(std::string_view where, std::string_view kind, const RowsRef<S>& embeddings,
                                   const Samples& pool, Index k, IsReference&& is_reference) {
  check_pool<S>(where, embeddings, pool);
  RowMatrix<double> out(embeddings.rows(), k);
  for (const auto& [label, members] : classes_of(pool, is_reference)) {
    const auto& [all, reference] = members;
    std::vector<Index> self(all.size(), -1);
    std::size_t at = 0;  // both lists ascend
    for (std::size_t r = 0; r < all.size(); ++r)
      if (at < reference.size() && reference[at] == all[r]) self[r] = static_cast<Index>(at++);
    check_value(!reference.empty(), where, "fit: class ", label, " has ", all.size(), " samples, but no ", kind,
                " one");
    check_value(reference.size() > 1, where, "fit: sample ", reference[0], " is the only ", kind, " one of class ",
                label, " and has no other to be compared with");
    const RowMatrix<S> a = embeddings(all, Eigen::all), b = embeddings(reference, Eigen::all);
    std::vector<S> inverse_a(all.size()), inverse_b(reference.size());
    inverse_lengths<S>(where, "embedding", a, tiny_length, inverse_a.data());
    inverse_lengths<S>(where, "embedding", b, tiny_length, inverse_b.data());
    RowMatrix<double> cosines(a.rows(), k);
    nearest_cosines<S>(a, inverse_a.data(), b, inverse_b.data(), self, rows_of(cosines));
    for (Index r = 0; r < a.rows(); ++r) out.row(all[static_cast<std::size_t>(r)]) = cosines.row(r);
  }
  return out;
}

}  // namespace mts::features::detail
