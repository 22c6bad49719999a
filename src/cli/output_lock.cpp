#include "cli/output_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "glassgpt/error.h"

namespace glassgpt::cli {
namespace {

// False if the file was removed between opening and locking: another process had just finished.
bool is_still_there(int descriptor, const std::filesystem::path& file) {
  struct stat held = {}, named = {};
  return ::fstat(descriptor, &held) == 0 && ::stat(file.c_str(), &named) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

}  // namespace

OutputLock::OutputLock(const std::filesystem::path& name) {
  if (name.empty()) return;
  std::error_code error;
  // The same file under another name, through a link, is the same output.
  std::filesystem::path output = std::filesystem::weakly_canonical(name, error);
  if (error) output = name;
  const bool folder = std::filesystem::is_directory(output, error);
  // A pipe or a device may have many writers.
  if (!folder && std::filesystem::exists(output, error) &&
      !std::filesystem::is_regular_file(output, error)) {
    return;
  }
  if (!folder) file_ = output.parent_path() / ("." + output.filename().string() + ".lock");
  for (;;) {
    descriptor_ = folder ? ::open(output.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                         : ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0) {
      file_.clear();
      return;  // whoever writes the output will say why that cannot be
    }
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      const bool held = errno == EWOULDBLOCK;
      file_.clear();
      if (!held) return;
      ::close(descriptor_);
      descriptor_ = -1;
      throw Error(ErrorCode::kUnwritable, name.string(), "another process is writing it",
                  "wait for it, stop it, or choose another output");
    }
    if (folder || is_still_there(descriptor_, file_)) return;
    ::close(descriptor_);
  }
}

OutputLock::~OutputLock() {
  if (!file_.empty()) ::unlink(file_.c_str());
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace glassgpt::cli
