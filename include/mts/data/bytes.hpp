#pragma once
/// \file
/// Whole files as bytes, and a checksum of bytes: what the readers of this room are made of.

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "mts/core/error.hpp"
#include "mts/core/random.hpp"

namespace mts::data {

namespace detail {

using mts::detail::text;

/// At most `most` characters of a text that a file holds, in a form that a message can carry.
inline std::string shown(std::string_view s, std::size_t most = 100) {
  std::string out;
  for (const char c : s.substr(0, most)) out += c >= ' ' && c <= '~' ? c : '?';
  return s.size() > most ? out + "..." : out;
}

}  // namespace detail

/// The largest file that the readers take, 2 GiB: a bound on what a wrong path can cost.
inline constexpr std::uint64_t largest_file = std::uint64_t{1} << 31;

/// The bytes of the file at `path`.
/// \param what  what the file should be, in words, for the messages ("an idx file")
/// \throws DataError if it is missing, no regular file, larger than `limit` bytes or can't be read
inline std::string read_bytes(const std::filesystem::path& path, std::string_view what,
                              std::uint64_t limit = largest_file) {
  const auto refusal = [&](const auto&... parts) {
    return DataError(detail::text(path.string(), ": expected ", what, ", ", parts...));
  };
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) throw refusal("but it can't be opened: ", std::strerror(errno));
  if (!S_ISREG(status.st_mode)) throw refusal("found something that is no regular file");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > limit) throw refusal("found ", size, " bytes, more than the limit of ", limit);

  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rb"));
  if (!file) throw refusal("but it can't be opened: ", std::strerror(errno));
  std::string bytes(static_cast<std::size_t>(size), '\0');
  const std::size_t got = std::fread(bytes.data(), 1, bytes.size(), file.get());
  if (got != bytes.size()) throw refusal("but reading stopped after ", got, " of ", size, " bytes");
  return bytes;
}

/// A 64-bit checksum of bytes and numbers in their order (each 64-bit word mixed, then FNV-1a): against damage, and as the
/// key of caches. It is no defence against forgery.
class Checksum {
 public:
  Checksum& add(std::uint64_t x) {
    hash_ = (hash_ ^ mts::detail::mix64(x)) * 1099511628211ull;
    return *this;
  }
  /// The bytes, then their number.
  Checksum& add(std::string_view bytes) {
    for (std::size_t i = 0; i < bytes.size(); i += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data() + i, std::min<std::size_t>(8, bytes.size() - i));
      add(word);
    }
    return add(std::uint64_t{bytes.size()});
  }
  template <class T>
  Checksum& add(std::span<const T> values) {
    return add(std::string_view(reinterpret_cast<const char*>(values.data()), values.size_bytes()));
  }
  std::uint64_t value() const { return mts::detail::mix64(hash_); }

 private:
  std::uint64_t hash_ = 14695981039346656037ull;
};

}  // namespace mts::data
