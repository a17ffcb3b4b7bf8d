#pragma once
/// \file
/// Files mapped into memory, read-only: bytes are fetched from the disk where they are looked at and may be dropped again when
/// memory is short, so a file may be larger than memory.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "mts/data/bytes.hpp"

namespace mts::data {

/// The bytes of a file, as long as this lives. Reading them from several threads is safe.
///
/// The file must keep its length meanwhile. One that others shorten is refused by `check_length`; one that is shortened
/// between that check and the look at its lost part, and a disk that fails, end the program by the signal SIGBUS, as with
/// every mapped file. A file that is replaced by renaming another over it (as `write_atomically` does) is safe: the old
/// bytes stay.
class MappedFile {
 public:
  /// \param what  what the file should be, in words, for the messages ("an array")
  /// \throws DataError that names the path, if it is missing, no regular file, or can't be mapped
  MappedFile(const std::filesystem::path& path, std::string_view what) : path_(path.string()) {
    const auto refusal = [&](const auto&... parts) {
      return DataError(detail::text(path_, ": expected ", what, ", ", parts...));
    };
    file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // that the other end of a pipe isn't waited for
    if (file_ < 0) throw refusal("but it can't be opened: ", std::strerror(errno));
    try {
      struct stat status {};
      if (::fstat(file_, &status) != 0) throw refusal("but it can't be examined: ", std::strerror(errno));
      if (!S_ISREG(status.st_mode)) throw refusal("found something that is no regular file");
      size_ = static_cast<std::size_t>(status.st_size);
      if (size_ == 0) return;  // nothing to map, which the system would refuse
      void* const begin = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file_, 0);
      if (begin == MAP_FAILED) throw refusal("but its ", size_, " bytes can't be mapped: ", std::strerror(errno));
      begin_ = static_cast<const char*>(begin);
    } catch (...) {
      ::close(file_);
      throw;
    }
  }
  MappedFile(MappedFile&& other) noexcept
      : path_(std::move(other.path_)),
        begin_(std::exchange(other.begin_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        file_(std::exchange(other.file_, -1)) {}
  MappedFile& operator=(MappedFile other) noexcept {
    std::swap(path_, other.path_);
    std::swap(begin_, other.begin_);
    std::swap(size_, other.size_);
    std::swap(file_, other.file_);
    return *this;
  }
  ~MappedFile() {
    if (begin_) ::munmap(const_cast<char*>(begin_), size_);
    if (file_ >= 0) ::close(file_);
  }

  std::string_view bytes() const { return {begin_, size_}; }

  /// \throws DataError that names the path, if the file is shorter than when it was opened
  void check_length() const {
    struct stat status {};
    if (::fstat(file_, &status) != 0)
      throw DataError(detail::text(path_, ": can't be examined: ", std::strerror(errno)));
    if (static_cast<std::uint64_t>(status.st_size) < size_)
      throw DataError(detail::text(path_, ": expected ", size_, " bytes as when it was opened, found ", status.st_size,
                                   ": truncated meanwhile"));
  }

 private:
  std::string path_;
  const char* begin_ = nullptr;
  std::size_t size_ = 0;
  int file_ = -1;
};

}  // namespace mts::data
