#include "lab/checkpoints.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include "lab/config.hpp"
#include "lab/files.hpp"
#include "lab/names.hpp"
#include "mts/data/atomic_file.hpp"
#include "mts/data/checkpoint.hpp"

namespace mts::lab {

namespace {

constexpr std::string_view ending = ".checkpoint";

/// The settings that made a checkpoint, a line as `settings_line` writes it; nothing where the file is no whole checkpoint of a run.
std::string settings_of(const std::filesystem::path& path) {
  try {
    const auto contents =
        data::read_checkpoint(data::read_bytes(path, "a checkpoint", std::uint64_t{1} << 40), path.string());
    const auto& made_by = contents.origin.made_by;
    const auto begin = made_by.find('{');
    return begin == std::string::npos ? std::string() : made_by.substr(begin);
  } catch (const DataError&) {
    return {};
  }
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw DataError(folder.string() + ": this folder for the results can't be made: " + error.message());
  file_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file_ < 0) throw DataError(folder.string() + ": can't be opened: " + std::strerror(errno));
  if (::flock(file_, LOCK_EX | LOCK_NB) == 0) return;
  const std::string reason =
      errno == EWOULDBLOCK ? "another mts-lab is at work in this folder" : std::string(std::strerror(errno));
  ::close(file_);
  throw DataError(folder.string() + ": " + reason);
}
FolderLock::~FolderLock() { ::close(file_); }

RunFolder::RunFolder(const Settings& settings, const Session& session)
    : folder_(session.out),
      checkpoints_(session.out / "checkpoints"),
      every_(session.checkpoint_every),
      existed_(std::filesystem::exists(session.out)),
      lock_(folder_) {
  for (const auto& name : names_of_results()) data::remove_parts(folder_ / name);
  if (session.fresh) remove();
  std::error_code error;
  if (std::filesystem::exists(checkpoints_, error) && !std::filesystem::is_directory(checkpoints_, error))
    throw DataError(checkpoints_.string() + ": checkpoints need a folder, and this is none");
  for (std::filesystem::directory_iterator at(checkpoints_, error), end; !error && at != end; at.increment(error)) {
    if (at->path().extension() != ending) continue;
    const std::string line = settings_of(at->path());
    if (line.empty()) continue;  // whoever goes on from it will say what is wrong with it
    const auto differences = differences_of(line, settings);
    if (differences.empty()) continue;
    std::string said;
    for (const auto& d : differences) said += "\n  " + d;
    throw UsageError(fmt::format(
        "{}: holds an unfinished run that was begun otherwise:{}\nGo on with the options and the program it "
        "was begun with, choose another --out, or begin anew with --fresh",
        folder_.string(), said));
  }
}

RunFolder::~RunFolder() {
  std::error_code error;
  if (std::filesystem::is_directory(checkpoints_, error))
    std::filesystem::remove(checkpoints_, error);  // if it is empty
  if (!existed_) std::filesystem::remove(folder_, error);
}

Keeping RunFolder::keeping() const {
  return {[folder = checkpoints_](const Cell& cell) {
            return folder / fmt::format("{}-{}-{}{}", cell.method, cell.batch, cell.seed, ending);
          },
          every_, true};
}

bool RunFolder::keeps() const {
  std::error_code error;
  return std::filesystem::exists(checkpoints_, error) && !std::filesystem::is_empty(checkpoints_, error);
}

void RunFolder::remove() {
  std::error_code error;
  std::filesystem::remove_all(checkpoints_, error);
  if (error) throw DataError(checkpoints_.string() + ": can't be removed: " + error.message());
}

}  // namespace mts::lab
