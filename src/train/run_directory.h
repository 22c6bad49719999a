// The directory of a run: one process at a time, and nothing left over from one that was killed.
#pragma once

#include <filesystem>

namespace glassgpt::training {

// Makes the directory, holds its lock while it lives, and removes temporary files that a killed
// process left behind. Throws Error: kUnwritable if the directory cannot be made or locked, or if
// another process trains in it.
class RunDirectory {
 public:
  explicit RunDirectory(const std::filesystem::path& directory);
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;
  ~RunDirectory();

 private:
  int descriptor_ = -1;
};

}  // namespace glassgpt::training
