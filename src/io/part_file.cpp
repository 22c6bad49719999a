#include "io/part_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "glassgpt/error.h"

namespace glassgpt::io {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 16;
constexpr std::size_t kMaxTransfer = std::size_t{1} << 28;

// What has no storage behind it cannot be synced, which is no failure.
bool synced(int result) { return result == 0 || errno == EINVAL || errno == ENOTSUP; }

}  // namespace

PartFile::PartFile(std::filesystem::path file, std::uint64_t keep)
    : file_(std::move(file)), part_(part_of(file_)), flushed_(keep), written_back_(keep) {
  struct stat status = {};
  if (::stat(file_.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) fail(EISDIR);
  descriptor_ = ::open(part_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail(errno);
  const auto close_and_fail = [&] {
    const int error = errno;
    ::close(descriptor_);
    fail(error);
  };
  if (::fstat(descriptor_, &status) != 0) close_and_fail();
  if (static_cast<std::uint64_t>(status.st_size) < keep) {
    ::close(descriptor_);
    throw Error(ErrorCode::kMalformed, part_.string(),
                "has " + std::to_string(status.st_size) + " bytes, but " + std::to_string(keep) +
                    " were written",
                "run it again without --resume");
  }
  if (::ftruncate(descriptor_, static_cast<off_t>(keep)) != 0) close_and_fail();
  buffer_.reserve(kBufferBytes);
}

PartFile::PartFile(PartFile&& other) noexcept
    : file_(std::move(other.file_)),
      part_(std::move(other.part_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      flushed_(other.flushed_),
      written_back_(other.written_back_),
      buffer_(std::move(other.buffer_)) {}

PartFile::~PartFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void PartFile::fail(int error) const {
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  throw Error(ErrorCode::kUnwritable, (error == EISDIR ? file_ : part_).string(),
              "cannot be written: " + std::generic_category().message(error),
              full              ? "free some space"
              : error == ENOENT ? "make its directory first"
                                : "");
}

void PartFile::write_at(std::uint64_t offset, const char* data, std::size_t bytes) const {
  while (bytes != 0) {
    const ssize_t put =
        ::pwrite(descriptor_, data, std::min(bytes, kMaxTransfer), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail(errno);
    data += put;
    offset += static_cast<std::uint64_t>(put);
    bytes -= static_cast<std::size_t>(put);
  }
}

void PartFile::write(const void* data, std::size_t bytes) {
  const auto* source = static_cast<const char*>(data);
  if (buffer_.size() + bytes > kBufferBytes) flush();
  if (bytes >= kBufferBytes) {
    write_at(flushed_, source, bytes);
    flushed_ += bytes;
  } else if (bytes != 0) {
    buffer_.append(source, bytes);
  }
}

void PartFile::flush() {
  write_at(flushed_, buffer_.data(), buffer_.size());
  flushed_ += buffer_.size();
  buffer_.clear();
}

void PartFile::start_writing_back() {
  flush();
  // No more than advice: the disk works meanwhile, and sync() finds little left to wait for.
  static_cast<void>(::sync_file_range(descriptor_, static_cast<off64_t>(written_back_),
                                      static_cast<off64_t>(flushed_ - written_back_),
                                      SYNC_FILE_RANGE_WRITE));
  written_back_ = flushed_;
}

void PartFile::overwrite(std::uint64_t offset, std::string_view bytes) {
  flush();
  write_at(offset, bytes.data(), bytes.size());
}

void PartFile::truncate(std::uint64_t bytes) {
  buffer_.clear();
  written_back_ = std::min(written_back_, bytes);
  if (::ftruncate(descriptor_, static_cast<off_t>(bytes)) != 0) fail(errno);
  flushed_ = bytes;
}

void PartFile::sync() const {
  if (!synced(::fdatasync(descriptor_))) fail(errno);
}

void PartFile::commit() {
  flush();
  if (!synced(::fsync(descriptor_))) fail(errno);
  if (::close(std::exchange(descriptor_, -1)) != 0) fail(errno);
  if (::rename(part_.c_str(), file_.c_str()) != 0) fail(errno);
}

void PartFile::discard() noexcept {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  ::unlink(part_.c_str());
}

void sync_directory(const std::filesystem::path& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;  // one that may be written but not read
  const bool done = synced(::fsync(descriptor));
  const int error = errno;
  ::close(descriptor);
  if (done) return;
  throw Error(ErrorCode::kUnwritable, directory.string(),
              "cannot be written: " + std::generic_category().message(error));
}

}  // namespace glassgpt::io
