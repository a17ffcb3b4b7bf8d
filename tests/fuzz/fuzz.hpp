#pragma once
/// \file
/// What the fuzz targets share. A target is a file that defines LLVMFuzzerTestOneInput: it gives the input to a reader and
/// takes the errors that the reader may throw; anything else (another exception, a sanitizer's report, too large an
/// allocation, too long a time) ends the program, by libFuzzer or by `driver.cpp`.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace mts_test {

/// A file in memory whose contents are the input.
class FuzzFile {
 public:
  FuzzFile(const std::uint8_t* data, std::size_t size) : file_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    if (file_ < 0 || ::write(file_, data, size) != static_cast<::ssize_t>(size)) std::abort();
  }
  ~FuzzFile() { ::close(file_); }
  FuzzFile(const FuzzFile&) = delete;
  FuzzFile& operator=(const FuzzFile&) = delete;

  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(file_); }

 private:
  int file_;
};

/// What a reader may take out of a compressed file here: so small that no honest input comes near the limit of allocations.
inline constexpr std::uint64_t fuzz_limit = std::uint64_t{1} << 20;

}  // namespace mts_test
