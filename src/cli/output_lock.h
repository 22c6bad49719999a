// One process at a time on one output.
#pragma once

#include <filesystem>

namespace glassgpt::cli {

// Held while it lives, by this process alone: the system lets go of it however the process ends.
// Throws Error (kUnwritable) if another process holds it. Where the file system knows no locks it
// holds nothing.
class OutputLock {
 public:
  // A folder is locked itself; for a file there is .FILE.lock beside it meanwhile. Empty: no lock.
  explicit OutputLock(const std::filesystem::path& name);
  OutputLock(const OutputLock&) = delete;
  OutputLock& operator=(const OutputLock&) = delete;
  ~OutputLock();

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
};

}  // namespace glassgpt::cli
