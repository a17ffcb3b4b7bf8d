#pragma once
/// \file
/// Files that are whole or not there at all.

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mts/data/bytes.hpp"

namespace mts::data {

/// Puts `bytes` at `path`: writes a new file in the same folder, has it stored (fsync), and renames it into place. A reader
/// sees the old contents or the new, never half of them; if anything fails, the old ones stay and the new file
/// is removed (if the program is killed it stays, as .NAME.PID.COUNT.part; `remove_parts`). Missing folders are made. Safe to call from several threads and processes; the last one wins.
/// \throws DataError that names the path, the call that failed and the system's reason
inline void write_atomically(const std::filesystem::path& path, std::string_view bytes) {
  static std::atomic<unsigned> count{0};
  const auto refusal = [&](std::string_view call) {
    return DataError(detail::text(path.string(), ": can't be written: ", call, ": ", std::strerror(errno)));
  };
  if (path.filename().empty())
    throw DataError(detail::text("write_atomically: expected the name of a file, found '", path.string(), "'"));
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed)
    throw DataError(detail::text(path.string(), ": can't be written: its folder can't be made: ", failed.message()));

  struct Part {
    std::string name;
    int file = -1;
    bool ours = false;  // whether there is a file to remove
    ~Part() {
      if (file >= 0) ::close(file);
      if (ours) ::unlink(name.c_str());
    }
  } part;
  part.name = (folder / detail::text(".", path.filename().string(), ".", ::getpid(), ".", count++, ".part")).string();
  part.file = ::open(part.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (part.file < 0) throw refusal("open");
  part.ours = true;
  while (!bytes.empty()) {
    const ::ssize_t n = ::write(part.file, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw refusal("write");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(part.file) != 0) throw refusal("fsync");
  if (::close(std::exchange(part.file, -1)) != 0) throw refusal("close");
  if (::rename(part.name.c_str(), path.c_str()) != 0) throw refusal("rename");
  part.ours = false;
}

/// Removes what calls of `write_atomically` for this path left behind when their program was killed. Not while another process
/// writes the path.
inline void remove_parts(const std::filesystem::path& path) {
  const std::string begin = detail::text(".", path.filename().string(), ".");
  std::error_code error;
  std::vector<std::filesystem::path> parts;
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with(begin) || !name.ends_with(".part")) continue;
    const std::string numbers = name.substr(begin.size(), name.size() - begin.size());  // PID.COUNT.part
    if (numbers.find_first_not_of("0123456789.") == numbers.size() - std::string_view("part").size())
      parts.push_back(at->path());
  }
  for (const auto& part : parts) std::filesystem::remove(part, error);
}

}  // namespace mts::data
