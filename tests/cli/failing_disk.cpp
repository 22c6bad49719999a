// Loaded into the program by LD_PRELOAD: what a disk, or somebody who stops the program, does to it
// at one certain moment, which no test that watches from outside can be sure to meet.
//
// FAILING_DISK="loss": the third sync of final.npy is an input/output error and loses what was
// written to it since the second; the syncs after it succeed again, for Linux tells of such a loss
// once.
// FAILING_DISK="SIGNAL EVENT COUNT NAME": the program gets the signal (a number) when for the
// COUNTth time a file whose path ends in NAME is about to be synced (EVENT "sync") or was written
// to ("write") or made empty ("empty").
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
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

struct Wish {
  bool loss = false;
  int signal = 0, count = 0;
  char event[16] = "", name[64] = "";
};

// Read when it is first asked for: the library is used before its own variables are set up.
const Wish& wish() {
  static const Wish read = [] {
    Wish found;
    const char* text = std::getenv("FAILING_DISK");
    if (text == nullptr) return found;
    found.loss = std::string_view(text) == "loss";
    if (std::sscanf(text, "%d %15s %d %63s", &found.signal, found.event, &found.count,
                    found.name) != 4)
      found.signal = 0;
    return found;
  }();
  return read;
}

std::mutex g_mutex;
std::vector<Range> g_written;  // since the last sync
int g_syncs = 0, g_events = 0;

bool is_called(int descriptor, std::string_view end) {
  char link[64], name[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = ::readlink(link, name, sizeof name);
  if (length <= 0) return false;
  return std::string_view(name, static_cast<std::size_t>(length)).ends_with(end);
}

bool loses(int descriptor) { return wish().loss && is_called(descriptor, "/final.npy.part"); }

void happen(const char* event, int descriptor) {
  if (wish().signal == 0 || std::string_view(wish().event) != event) return;
  const int error = errno;
  if (is_called(descriptor, wish().name)) {
    const std::scoped_lock lock(g_mutex);
    if (++g_events == wish().count) std::raise(wish().signal);
  }
  errno = error;
}

ssize_t write_through(int descriptor, const void* data, std::size_t bytes, off_t offset) {
  return ::syscall(SYS_pwrite64, descriptor, data, bytes, offset);
}

ssize_t write_at(int descriptor, const void* data, std::size_t bytes, off_t offset) {
  if (loses(descriptor)) {
    const std::scoped_lock lock(g_mutex);
    g_written.push_back({offset, bytes});
  }
  const ssize_t written = write_through(descriptor, data, bytes, offset);
  happen("write", descriptor);
  return written;
}

// Whether this one fails.
bool lose_at_sync(int descriptor) {
  if (!loses(descriptor)) return false;
  const std::scoped_lock lock(g_mutex);
  std::vector<Range> written;
  written.swap(g_written);
  if (++g_syncs != kFailingSync) return false;
  for (const Range& range : written) {
    const std::string lost(range.bytes, '\0');
    static_cast<void>(write_through(descriptor, lost.data(), lost.size(), range.offset));
  }
  return true;
}

int sync_by(long call, int descriptor) {
  happen("sync", descriptor);
  if (lose_at_sync(descriptor)) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(::syscall(call, descriptor));
}

int truncate_to(int descriptor, off_t bytes) {
  const auto result = static_cast<int>(::syscall(SYS_ftruncate, descriptor, bytes));
  if (bytes == 0) happen("empty", descriptor);
  return result;
}

}  // namespace

// Under the C library's names.
extern "C" {
ssize_t watched_write(int descriptor, const void* data, std::size_t bytes) asm("write");
ssize_t watched_writev(int descriptor, const iovec* parts, int count) asm("writev");
ssize_t watched_pwrite(int descriptor, const void* data, std::size_t bytes,
                       off_t offset) asm("pwrite");
ssize_t watched_pwrite64(int descriptor, const void* data, std::size_t bytes,
                         off_t offset) asm("pwrite64");
int watched_fsync(int descriptor) asm("fsync");
int watched_fdatasync(int descriptor) asm("fdatasync");
int watched_ftruncate(int descriptor, off_t bytes) asm("ftruncate");
int watched_ftruncate64(int descriptor, off_t bytes) asm("ftruncate64");
}

ssize_t watched_write(int descriptor, const void* data, std::size_t bytes) {
  const ssize_t written = ::syscall(SYS_write, descriptor, data, bytes);
  happen("write", descriptor);
  return written;
}

ssize_t watched_writev(int descriptor, const iovec* parts, int count) {
  const ssize_t written = ::syscall(SYS_writev, descriptor, parts, count);
  happen("write", descriptor);
  return written;
}

ssize_t watched_pwrite(int descriptor, const void* data, std::size_t bytes, off_t offset) {
  return write_at(descriptor, data, bytes, offset);
}

ssize_t watched_pwrite64(int descriptor, const void* data, std::size_t bytes, off_t offset) {
  return write_at(descriptor, data, bytes, offset);
}

int watched_fsync(int descriptor) { return sync_by(SYS_fsync, descriptor); }

int watched_fdatasync(int descriptor) { return sync_by(SYS_fdatasync, descriptor); }

int watched_ftruncate(int descriptor, off_t bytes) { return truncate_to(descriptor, bytes); }

int watched_ftruncate64(int descriptor, off_t bytes) { return truncate_to(descriptor, bytes); }
