// A file system of a few kilobytes, for tests of what a full disk does.
#pragma once

#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>

namespace glassgpt::testing {

// A tmpfs, mounted while it lives, however the test ends. Mounting needs a right that not every
// machine gives: ask mounted() first.
class SmallDisk {
 public:
  SmallDisk(std::filesystem::path directory, const std::string& size)
      : path_(std::move(directory)) {
    std::filesystem::create_directory(path_);
    if (mount(0, size) != 0) error_ = errno;
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (mounted()) ::umount(path_.c_str());
  }

  bool mounted() const { return error_ == 0; }
  // Why it is not.
  std::string why() const { return std::strerror(error_); }
  bool resize(const std::string& size) { return mount(MS_REMOUNT, size) == 0; }
  const std::filesystem::path& path() const { return path_; }

 private:
  int mount(unsigned long flags, const std::string& size) {
    return ::mount("tmpfs", path_.c_str(), "tmpfs", flags, ("size=" + size).c_str());
  }

  std::filesystem::path path_;
  int error_ = 0;
};

}  // namespace glassgpt::testing
