#include "train/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <vector>

#include "glassgpt/error.h"
#include "io/file.h"

namespace glassgpt::training {
namespace {

namespace fs = std::filesystem;

// io::AtomicFile's temporary files; with the lock held nobody else writes here.
void remove_temporary_files(const fs::path& directory) {
  std::error_code error;
  std::vector<fs::path> leftovers;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(".glassgpt-") && name.ends_with(".tmp")) leftovers.push_back(entry.path());
  }
  for (const fs::path& file : leftovers) fs::remove(file, error);
}

}  // namespace

RunDirectory::RunDirectory(const fs::path& directory) {
  io::make_directories(directory);
  const fs::path lock = directory / ".lock";
  descriptor_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) {
    throw Error(ErrorCode::kUnwritable, lock.string(),
                std::string("cannot be written: ") + std::strerror(errno),
                "choose another output directory");
  }
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    ::close(descriptor_);
    throw Error(ErrorCode::kUnwritable, directory.string(), "another process trains here",
                "wait for it, stop it, or choose another output directory");
  }
  for (const fs::path& place : {directory, directory / "checkpoints", directory / "best"}) {
    remove_temporary_files(place);
  }
  std::error_code none;
  for (const fs::directory_entry& snapshot : fs::directory_iterator(directory / "snapshots", none))
    remove_temporary_files(snapshot.path());
}

RunDirectory::~RunDirectory() { ::close(descriptor_); }

}  // namespace glassgpt::training
