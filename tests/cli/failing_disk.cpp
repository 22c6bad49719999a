// Loaded into the program by LD_PRELOAD: a disk that fails once. The third sync of final.npy is an
// input/output error and loses what was written to it since the second; the syncs after it succeed
// again, for Linux tells of such a loss once.
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr int kFailingSync = 3;

struct Range {
  off_t offset;
  std::size_t bytes;
};

std::mutex g_mutex;
std::vector<Range> g_written;  // since the last sync
int g_syncs = 0;

bool is_watched(int descriptor) {
  char link[64], name[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = ::readlink(link, name, sizeof name);
  if (length <= 0) return false;
  return std::string_view(name, static_cast<std::size_t>(length)).ends_with("/final.npy.part");
}

ssize_t write_through(int descriptor, const void* data, std::size_t bytes, off_t offset) {
  return ::syscall(SYS_pwrite64, descriptor, data, bytes, offset);
}

ssize_t remember_and_write(int descriptor, const void* data, std::size_t bytes, off_t offset) {
  if (is_watched(descriptor)) {
    const std::scoped_lock lock(g_mutex);
    g_written.push_back({offset, bytes});
  }
  return write_through(descriptor, data, bytes, offset);
}

}  // namespace

// Under the C library's names.
extern "C" {
ssize_t watched_pwrite(int descriptor, const void* data, std::size_t bytes,
                       off_t offset) asm("pwrite");
ssize_t watched_pwrite64(int descriptor, const void* data, std::size_t bytes,
                         off_t offset) asm("pwrite64");
int watched_fdatasync(int descriptor) asm("fdatasync");
}

ssize_t watched_pwrite(int descriptor, const void* data, std::size_t bytes, off_t offset) {
  return remember_and_write(descriptor, data, bytes, offset);
}

ssize_t watched_pwrite64(int descriptor, const void* data, std::size_t bytes, off_t offset) {
  return remember_and_write(descriptor, data, bytes, offset);
}

int watched_fdatasync(int descriptor) {
  if (is_watched(descriptor)) {
    const std::scoped_lock lock(g_mutex);
    std::vector<Range> written;
    written.swap(g_written);
    if (++g_syncs == kFailingSync) {
      for (const Range& range : written) {
        const std::string lost(range.bytes, '\0');
        static_cast<void>(write_through(descriptor, lost.data(), lost.size(), range.offset));
      }
      errno = EIO;
      return -1;
    }
  }
  return static_cast<int>(::syscall(SYS_fdatasync, descriptor));
}
