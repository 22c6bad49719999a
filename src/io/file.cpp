#include "io/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

#include "glassgpt/error.h"

namespace glassgpt::io {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 16;
// Linux moves at most 2 GiB in one call, and a smaller piece lets a signal through sooner.
constexpr std::size_t kMaxTransfer = std::size_t{1} << 28;

std::string reason(int error) { return std::generic_category().message(error); }

std::string in_proc(int descriptor) { return "/proc/self/fd/" + std::to_string(descriptor); }

class Descriptor {
 public:
  explicit Descriptor(int value) noexcept : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  int get() const noexcept { return value_; }

 private:
  int value_;
};

[[noreturn]] void throw_unreadable(const std::filesystem::path& file, int error) {
  if (error == ENOENT || error == ENOTDIR) {
    throw Error(ErrorCode::kNotFound, file.string(), reason(ENOENT), "check the path");
  }
  throw Error(ErrorCode::kUnreadable, file.string(), "cannot be read: " + reason(error));
}

int open_for_reading(const std::filesystem::path& file, struct stat& status) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw_unreadable(file, errno);
  if (::fstat(descriptor, &status) != 0 || S_ISDIR(status.st_mode)) {
    const int error = S_ISDIR(status.st_mode) ? EISDIR : errno;
    ::close(descriptor);
    throw_unreadable(file, error);
  }
  return descriptor;
}

void throw_if_longer(const std::filesystem::path& file, std::uint64_t bytes, std::uint64_t limit) {
  if (bytes <= limit) return;
  throw Error(ErrorCode::kOutOfRange, file.string(),
              "is larger than the limit of " + std::to_string(limit) + " bytes");
}

// fsync says EINVAL or ENOTSUP for what has no storage behind it (a pipe, a device).
bool sync(int descriptor) {
  return ::fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP || errno == EROFS;
}

}  // namespace

std::string read_file(const std::filesystem::path& file, std::uint64_t max_bytes) {
  struct stat status = {};
  const Descriptor descriptor(open_for_reading(file, status));
  // The size is only a first guess: pipes and /proc say 0, and a file may grow while it is read.
  const auto expected = static_cast<std::uint64_t>(std::max<off_t>(status.st_size, 0));
  throw_if_longer(file, expected, max_bytes);
  std::string bytes;
  std::size_t used = 0;
  for (;;) {
    const std::size_t room = std::max<std::size_t>(expected + 1, used + kBufferBytes);
    bytes.resize(std::max(room, bytes.size()));
    const ssize_t got =
        ::read(descriptor.get(), bytes.data() + used, std::min(bytes.size() - used, kMaxTransfer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_unreadable(file, errno);
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
    throw_if_longer(file, used, max_bytes);
  }
  bytes.resize(used);
  return bytes;
}

MappedFile::MappedFile(const std::filesystem::path& file) : path_(file) {
  struct stat status = {};
  const Descriptor descriptor(open_for_reading(file, status));
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorCode::kUnreadable, file.string(), "is not a regular file");
  }
  if (status.st_size == 0) return;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor.get(), 0);
  if (data == MAP_FAILED) throw_unreadable(file, errno);
  data_ = static_cast<const std::byte*>(data);
  size_ = size;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  // munmap wants a pointer to non-const, and the pages go away with it.
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

AtomicFile::AtomicFile(std::filesystem::path file) : file_(std::move(file)) {
  struct stat status = {};
  const bool exists = ::stat(file_.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) fail(EISDIR);
  if (exists && !S_ISREG(status.st_mode)) {
    descriptor_ = ::open(file_.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail(errno);
  } else {
    open_temporary();
  }
  buffer_.reserve(kBufferBytes);
}

void AtomicFile::open_temporary() {
  std::error_code error;
  std::filesystem::path target = file_;
  if (std::filesystem::is_symlink(target, error)) {
    const auto resolved = std::filesystem::weakly_canonical(target, error);
    if (!error) target = resolved;
  }
  file_ = target;
  temporary_ = true;
  // Without a name, so that a process that is killed leaves nothing behind.
  descriptor_ = ::open(parent().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
  if (descriptor_ >= 0) {
    if (::access(in_proc(descriptor_).c_str(), F_OK) == 0) return;
    ::close(descriptor_);
  }
  // A file system that has no such files, or a machine without /proc, by which they get a name.
  const int reason_number = take_name([this](const char* name) {
    descriptor_ = ::open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return descriptor_ >= 0;
  });
  if (reason_number != 0) fail(reason_number);
}

// Calls make(name) with names beside the file until one was not yet taken; then it is name_.
// Returns the reason if none can be made.
template <class Make>
int AtomicFile::take_name(const Make& make) {
  static std::atomic<unsigned> counter{0};
  constexpr int kAttempts = 100;  // names of a killed process with the same id may lie around
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    name_ = parent() / (".glassgpt-" + std::to_string(::getpid()) + "-" +
                        std::to_string(counter.fetch_add(1)) + ".tmp");
    if (make(name_.c_str())) return 0;
    if (errno != EEXIST) break;
  }
  const int error = errno;
  name_.clear();
  return error;
}

std::filesystem::path AtomicFile::parent() const {
  return file_.has_parent_path() ? file_.parent_path() : std::filesystem::path(".");
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::discard() noexcept {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
  if (!name_.empty()) ::unlink(name_.c_str());
  name_.clear();
}

void AtomicFile::fail(int error) {
  discard();
  std::string hint;
  if (error == ENOSPC || error == EDQUOT) hint = "free some space and run it again";
  if (error == ENOENT) hint = "make its directory first";
  throw Error(ErrorCode::kUnwritable, file_.string(), "cannot be written: " + reason(error), hint);
}

void AtomicFile::write(const void* data, std::size_t bytes) {
  if (descriptor_ < 0) fail(EBADF);
  const auto* source = static_cast<const char*>(data);
  if (buffer_.size() + bytes > kBufferBytes) flush();
  if (bytes >= kBufferBytes) {
    write_now(source, bytes);
  } else if (bytes != 0) {
    buffer_.append(source, bytes);
  }
}

void AtomicFile::flush() {
  write_now(buffer_.data(), buffer_.size());
  buffer_.clear();
}

void AtomicFile::write_now(const char* data, std::size_t bytes) {
  while (bytes != 0) {
    const ssize_t put = ::write(descriptor_, data, std::min(bytes, kMaxTransfer));
    // What is written through may wait for a reader, and a signal ends that.
    if (put < 0 && errno == EINTR && temporary_) continue;
    if (put < 0) fail(errno);
    data += put;
    bytes -= static_cast<std::size_t>(put);
  }
}

void AtomicFile::overwrite(std::uint64_t offset, std::string_view bytes) {
  if (descriptor_ < 0) fail(EBADF);
  flush();
  while (!bytes.empty()) {
    const ssize_t put =
        ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail(errno);
    offset += static_cast<std::uint64_t>(put);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
}

void AtomicFile::commit() {
  if (descriptor_ < 0) fail(EBADF);
  flush();
  if (!sync(descriptor_)) fail(errno);
  if (temporary_ && name_.empty()) {
    const int error = take_name([this](const char* name) {
      return ::linkat(AT_FDCWD, in_proc(descriptor_).c_str(), AT_FDCWD, name, AT_SYMLINK_FOLLOW) ==
             0;
    });
    if (error != 0) fail(error);
  }
  // Some file systems report a full disk only now.
  const int closed = ::close(std::exchange(descriptor_, -1));
  if (closed != 0) fail(errno);
  if (!temporary_) return;
  if (::rename(name_.c_str(), file_.c_str()) != 0) fail(errno);
  name_.clear();
  const Descriptor directory(::open(parent().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // A directory that one may write to but not read cannot be synced; the file itself is safe on
  // disk.
  if (directory.get() >= 0 && !sync(directory.get())) fail(errno);
}

void write_file(const std::filesystem::path& file, std::string_view bytes) {
  AtomicFile output(file);
  output.write(bytes);
  output.commit();
}

void make_directories(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (!error && !std::filesystem::is_directory(directory, error) && !error) {
    error = std::make_error_code(std::errc::not_a_directory);
  }
  if (error) {
    throw Error(ErrorCode::kUnwritable, directory.string(),
                "the directory cannot be made: " + error.message(),
                error == std::errc::not_a_directory || error == std::errc::file_exists
                    ? "a file is in the way: name another directory"
                    : "");
  }
}

}  // namespace glassgpt::io
