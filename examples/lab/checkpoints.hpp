#pragma once
/// \file
/// What `mts-lab run` keeps in OUT/checkpoints until all results are written, so that a run that was stopped, at any moment and by
/// anything, goes on when it is started again.

#include <filesystem>

#include "lab/settings.hpp"
#include "lab/study.hpp"

namespace mts::lab {

/// While it lives, no other program has the folder for itself. A program that is killed lets go of it.
class FolderLock {
 public:
  /// Makes the folder if it is not there. \throws DataError if another program is at work in it, or it can't be used
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int file_ = -1;
};

/// The folder of one run's results. While it lives no other program's runs may use the folder.
class RunFolder {
 public:
  /// Makes the folder if it is not there, looks whether an unfinished run has left something in it (with `fresh` removes that),
  /// and removes half-written files of a program that was killed.
  /// \throws UsageError if an unfinished run had other options, or another version made it: what differs, and what to do;
  ///         DataError if another program is at work in the folder, or it can't be used
  RunFolder(const Settings& settings, const Session& session);
  /// Removes the folder if it was made here and nothing is in it.
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  /// Where each run of the study is kept.
  Keeping keeping() const;
  const std::filesystem::path& checkpoints() const { return checkpoints_; }
  /// Whether anything is kept.
  bool keeps() const;
  /// Removes what is kept: the results are written. \throws DataError
  void remove();

 private:
  std::filesystem::path folder_, checkpoints_;
  double every_;
  bool existed_;  // before us
  FolderLock lock_;
};

}  // namespace mts::lab
