#pragma once
/// \file
/// Checkpoints: files from which a run that was stopped, at any moment and by anything, goes on with the same bits.
///
///     mts::data::Checkpoint checkpoint("out/run.checkpoint", "spurious, mlp 784-128-10, seed 1");
///     checkpoint.load(step, sampler);                                    // if there is one
///     while (step.steps() < 6000) {
///       sampler.next(ids);
///       ...
///       if (step.steps() % 100 == 0) checkpoint.save(step, sampler);
///     }
///
/// A file holds named sections and says what they are of. In its order, all numbers unsigned, 64 bits, little-endian:
///
///     magic number      8 bytes, \x89 M T S C K \r \n
///     format version    1
///     sections          their number
///     each section      length of its name, name, length, checksum
///     checksum          of all before it
///     the sections      one after another, to the end of the file
///
/// The first section, "about", says in three lines what was saved: kind, version of the kind, and what made it. The reader
/// believes nothing: every length is compared with what is there before memory is taken, every byte is under a checksum
/// (against damage, not against forgery), and a checkpoint of something else is refused by name.

#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "mts/core/state.hpp"
#include "mts/data/atomic_file.hpp"
#include "mts/data/bytes.hpp"

namespace mts::data {

static_assert(std::endian::native == std::endian::little, "mts: checkpoints are written as memory lies, little-endian");

namespace detail {

inline constexpr std::string_view checkpoint_magic = "\x89MTSCK\r\n";
inline constexpr std::uint64_t checkpoint_format = 1;
inline constexpr std::uint64_t most_sections = 1000;
inline constexpr std::uint64_t largest_checkpoint = std::uint64_t{1} << 40;

}  // namespace detail

/// What a checkpoint is of. Two that differ in any of these have nothing to say to one another.
struct CheckpointOrigin {
  std::string kind = "training";  ///< what is saved, in a word or two
  std::uint64_t version = 1;      ///< of how this kind lays out its sections
  std::string made_by;  ///< settings, data, seed: all that the run depends on, in words or as a hash, one line
  friend bool operator==(const CheckpointOrigin&, const CheckpointOrigin&) = default;
};

/// A checkpoint's sections in memory.
class CheckpointContents {
 public:
  CheckpointContents() = default;
  explicit CheckpointContents(CheckpointOrigin about) : origin(std::move(about)) {}

  CheckpointOrigin origin;

  /// \throws ValueError if there is a section of this name, or there are 999 sections
  void add(std::string name, std::string bytes) {
    check_value(find(name) == nullptr && name != "about", "checkpoint", "two sections are called '", name, "'");
    check_value(sections_.size() + 1 < detail::most_sections, "checkpoint", "more than 999 sections");
    sections_.emplace_back(std::move(name), std::move(bytes));
  }
  /// \throws DataError that names it if there is no such section
  const std::string& section(std::string_view name) const {
    if (const std::string* bytes = find(name)) return *bytes;
    throw DataError(detail::text("expected a section '", name, "', found none of this name"));
  }
  const std::vector<std::pair<std::string, std::string>>& sections() const { return sections_; }

 private:
  const std::string* find(std::string_view name) const {
    for (const auto& [own, bytes] : sections_)
      if (own == name) return &bytes;
    return nullptr;
  }
  std::vector<std::pair<std::string, std::string>> sections_;
};

namespace detail {

inline std::uint64_t checksum_of(std::string_view bytes) { return Checksum().add(bytes).value(); }

/// A line for messages: what is too long is cut.
inline std::string quoted(std::string_view words) {
  constexpr std::size_t most = 120;
  return text("'", words.substr(0, most), words.size() > most ? "..." : "", "'");
}

/// Takes bytes from the front of a text, never more than there are.
class CheckpointParser {
 public:
  CheckpointParser(std::string_view bytes, std::string_view name) : bytes_(bytes), name_(name) {}

  template <class... Parts>
  DataError refused(const Parts&... parts) const {
    return DataError(text(name_, ": expected a checkpoint, ", parts...));
  }
  std::string_view take(std::uint64_t n, std::string_view what) {
    if (n > left())
      throw refused("with ", n, " bytes of ", what, ", found ", left(),
                    " bytes more: the file is truncated or damaged");
    const std::string_view part = bytes_.substr(position_, static_cast<std::size_t>(n));
    position_ += static_cast<std::size_t>(n);
    return part;
  }
  std::uint64_t number(std::string_view what) {
    std::uint64_t x = 0;
    std::memcpy(&x, take(sizeof x, what).data(), sizeof x);
    return x;
  }
  void check_sum(std::uint64_t found, std::uint64_t expected, std::string_view what) const {
    if (found != expected)
      throw refused("with the checksum ", expected, " of ", what, ", found ", found, ": the file is damaged");
  }
  std::string_view before() const { return bytes_.substr(0, position_); }
  std::uint64_t left() const { return bytes_.size() - position_; }

 private:
  std::string_view bytes_, name_;
  std::size_t position_ = 0;
};

inline std::string about(const CheckpointOrigin& origin) {
  return text(origin.kind, '\n', origin.version, '\n', origin.made_by);
}

}  // namespace detail

/// The contents as a file has them.
inline std::string checkpoint_bytes(const CheckpointContents& contents) {
  const std::string about = detail::about(contents.origin);
  std::vector<std::pair<std::string_view, std::string_view>> sections{{"about", about}};
  for (const auto& [name, bytes] : contents.sections()) sections.emplace_back(name, bytes);
  std::string out(detail::checkpoint_magic);
  const auto put = [&](std::uint64_t x) { out.append(reinterpret_cast<const char*>(&x), sizeof x); };
  put(detail::checkpoint_format);
  put(sections.size());
  for (const auto& [name, bytes] : sections) {
    put(name.size());
    out += name;
    put(bytes.size());
    put(detail::checksum_of(bytes));
  }
  put(detail::checksum_of(out));
  for (const auto& [name, bytes] : sections) out += bytes;
  return out;
}

/// Reads the bytes of a checkpoint, whatever it is of.
/// \param name  of the file, for messages
/// \throws DataError that says what was expected and what was found, for bytes of any kind
inline CheckpointContents read_checkpoint(std::string_view bytes, std::string_view name) {
  detail::CheckpointParser parser(bytes, name);
  if (!bytes.starts_with(detail::checkpoint_magic))
    throw parser.refused("found ", bytes.empty() ? "an empty file" : "a file that begins otherwise");
  parser.take(detail::checkpoint_magic.size(), "magic number");
  if (const auto version = parser.number("the format's version"); version != detail::checkpoint_format)
    throw parser.refused("of the format version ", detail::checkpoint_format, ", found ", version);

  struct Entry {
    std::string_view name;
    std::uint64_t length, checksum;
  };
  constexpr std::uint64_t smallest_entry = 3 * sizeof(std::uint64_t);
  const std::uint64_t count = parser.number("the number of sections");
  if (count < 1 || count > detail::most_sections || count > parser.left() / smallest_entry)
    throw parser.refused("found ", count, " sections in ", parser.left(), " bytes: the file is truncated or damaged");
  std::vector<Entry> entries;
  for (std::uint64_t k = 0; k < count; ++k) {
    Entry entry;
    entry.name = parser.take(parser.number("the length of a section's name"), "a section's name");
    entry.length = parser.number("a section's length");
    entry.checksum = parser.number("a section's checksum");
    entries.push_back(entry);
  }
  const std::uint64_t header = detail::checksum_of(parser.before());
  parser.check_sum(header, parser.number("the header's checksum"), "its header");

  CheckpointContents contents;
  for (std::size_t k = 0; k < entries.size(); ++k) {
    const Entry& entry = entries[k];
    const std::string what = detail::text("section ", detail::quoted(entry.name));
    const std::string_view part = parser.take(entry.length, what);
    parser.check_sum(detail::checksum_of(part), entry.checksum, what);
    if (k > 0) {
      for (std::size_t other = 0; other < k; ++other)
        if (entries[other].name == entry.name) throw parser.refused("found ", what, " twice");
      contents.add(std::string(entry.name), std::string(part));
      continue;
    }
    const auto first = part.find('\n'), second = first == part.npos ? part.npos : part.find('\n', first + 1);
    if (entry.name != "about" || second == part.npos)
      throw parser.refused("that says in its first section what it is of, found ", what);
    const std::string_view version = part.substr(first + 1, second - first - 1);
    const auto [end, error] = std::from_chars(version.data(), version.data() + version.size(), contents.origin.version);
    if (error != std::errc() || end != version.data() + version.size())
      throw parser.refused("of a kind with a version, found ", detail::quoted(version));
    contents.origin.kind = part.substr(0, first);
    contents.origin.made_by = part.substr(second + 1);
  }
  if (parser.left() != 0) throw parser.refused("found ", parser.left(), " bytes behind its last section");
  return contents;
}

/// Whether a checkpoint was found, and which.
struct Resumed {
  bool found = false;
  std::string refused;  ///< why the newest file could not be used where the one before it was; else empty
  explicit operator bool() const { return found; }
};

/// A checkpoint at `path`, and the one before it at `path`.previous. Files are written whole, stored (fsync) and renamed, and the
/// newest takes the place of the one before it only if it can be used itself: at any moment, whatever stops the program, one of
/// the two is a good one. One object, and one process, a path.
class Checkpoint {
 public:
  /// \param made_by  what the run depends on besides its state (settings, data, seed), so that no other run is gone on with
  /// \throws ValueError if kind or made_by is more than a line
  Checkpoint(std::filesystem::path path, std::string made_by)
      : Checkpoint(std::move(path), CheckpointOrigin{.made_by = std::move(made_by)}) {}
  Checkpoint(std::filesystem::path path, CheckpointOrigin origin) : path_(std::move(path)), origin_(std::move(origin)) {
    check_value(origin_.kind.find('\n') == std::string::npos && origin_.made_by.find('\n') == std::string::npos,
                "Checkpoint", "kind and made_by must be a line each");
  }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path previous() const { return with(".previous"); }
  const CheckpointOrigin& origin() const { return origin_; }

  /// Writes these states, in this order. The states of a run that is stopped must be of the same moment.
  /// \throws DataError that names the path and the system's reason; then the files are as they were
  template <Stateful... T>
  void save(const T&... states) {
    CheckpointContents contents(origin_);
    const auto one = [&](const auto& state) {
      std::ostringstream out;
      state.save(out);
      contents.add(section_name(contents.sections().size()), std::move(out).str());
    };
    (one(states), ...);
    write(contents);
  }

  /// Reads what was saved, into states that were made by the same arguments as those that were saved: all or none. If the
  /// newest file is damaged or of something else, the one before it is read, and the result says so.
  /// \returns whether there was a checkpoint
  /// \throws DataError that names the file, if there is one but none of the two can be used; then nothing has changed
  template <Stateful... T>
  Resumed load(T&... states) {
    return read([&](const CheckpointContents& contents) {
      const auto found = contents.sections().size();
      if (found != sizeof...(T))
        throw DataError(
            detail::text("expected ", sizeof...(T), sizeof...(T) == 1 ? " state" : " states", ", found ", found));
      all_or_none(
          [&] {
            std::size_t k = 0;
            const auto one = [&](auto& state) {
              const std::string name = section_name(k++);
              std::istringstream in(contents.section(name));
              state.load(in);
              if (in.peek() != std::istringstream::traits_type::eof())
                throw DataError(detail::text(name, ": expected the end of the state, found more"));
            };
            (one(states), ...);
          },
          states...);
    });
  }

  // The same by sections, for those who lay them out themselves.

  /// Writes the contents; their origin is this checkpoint's. \throws DataError as save
  void write(CheckpointContents contents) {
    contents.origin = origin_;
    const std::string bytes = checkpoint_bytes(contents);
    const auto next = with(".next");
    write_atomically(next, bytes);
    std::error_code error;
    if (std::filesystem::exists(path_, error) && (newest_is_good_ ? *newest_is_good_ : is_good()))
      move(path_, previous());
    move(next, path_);
    newest_is_good_ = true;
  }
  /// Calls take(contents) for the newest file that is there, is whole, is of this origin, and that `take` does not refuse with a
  /// DataError. \throws DataError as load
  Resumed read(const std::function<void(const CheckpointContents&)>& take) {
    remove_parts(with(".next"));
    std::string refused;
    for (const auto& path : {path_, previous()}) {
      std::error_code error;
      if (!std::filesystem::exists(path, error) && !error) continue;
      try {
        const CheckpointContents contents = read_checkpoint(bytes_of(path), path.string());
        check_origin(contents.origin, path);
        try {
          take(contents);
        } catch (const DataError& e) {
          throw DataError(detail::text(path.string(), ": ", e.what()));
        }
        newest_is_good_ = path == path_;
        return {true, refused};
      } catch (const DataError& e) {
        newest_is_good_ = false;
        refused += detail::text(refused.empty() ? "" : "; ", e.what());
      }
    }
    if (!refused.empty()) throw DataError(refused);
    return {};
  }
  /// Removes both files. \throws DataError that names the file and the system's reason
  void remove() {
    remove_parts(with(".next"));
    for (const auto& path : {path_, previous(), with(".next")}) {
      std::error_code error;
      std::filesystem::remove(path, error);
      if (error) throw DataError(detail::text(path.string(), ": can't be removed: ", error.message()));
    }
    newest_is_good_.reset();
  }

 private:
  std::filesystem::path with(const char* ending) const {
    auto path = path_;
    path += ending;
    return path;
  }
  static std::string section_name(std::size_t k) { return detail::text("state ", k + 1); }
  static std::string bytes_of(const std::filesystem::path& path) {
    return read_bytes(path, "a checkpoint", detail::largest_checkpoint);
  }
  bool is_good() const {
    try {
      check_origin(read_checkpoint(bytes_of(path_), path_.string()).origin, path_);
      return true;
    } catch (const DataError&) {
      return false;
    }
  }
  void check_origin(const CheckpointOrigin& found, const std::filesystem::path& path) const {
    if (found == origin_) return;
    const auto in_words = [&](const CheckpointOrigin& o) {
      return o.kind != origin_.kind || found.kind != origin_.kind ? detail::quoted(o.kind)
             : found.version != origin_.version ? detail::text(detail::quoted(o.kind), " version ", o.version)
                                                : detail::quoted(o.made_by);
    };
    throw DataError(detail::text(path.string(), ": expected a checkpoint of ", in_words(origin_), ", found one of ",
                                 in_words(found)));
  }
  static void move(const std::filesystem::path& from, const std::filesystem::path& to) {
    std::error_code error;
    std::filesystem::rename(from, to, error);
    if (error)
      throw DataError(
          detail::text(to.string(), ": can't be written: rename of ", from.string(), ": ", error.message()));
  }

  std::filesystem::path path_;
  CheckpointOrigin origin_;
  std::optional<bool> newest_is_good_;  ///< whether the file at path_ can be used; empty where nobody has looked yet
};

}  // namespace mts::data
