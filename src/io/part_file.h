// A file that is written over more than one run of the program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace glassgpt::io {

// Grows FILE.part, which stays when it is destroyed; commit() syncs it and renames it to FILE. A
// later run opens it again and keeps as many bytes as are known to be good. Throws Error
// (kUnwritable) naming the file and the system's reason; after that truncate() and discard() still
// work. One thread at a time, but sync() may run beside another's writing.
class PartFile {
 public:
  // Throws Error (kMalformed) if FILE.part has fewer than `keep` bytes.
  explicit PartFile(std::filesystem::path file, std::uint64_t keep = 0);
  PartFile(PartFile&& other) noexcept;
  PartFile& operator=(PartFile&&) = delete;
  ~PartFile();

  void write(const void* data, std::size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  // Replaces bytes that were written before.
  void overwrite(std::uint64_t offset, std::string_view bytes);
  void flush();
  // Flushes, and asks the system to begin to put on the disk what was not yet.
  void start_writing_back();
  // Drops what follows the first `bytes` bytes, which were flushed.
  void truncate(std::uint64_t bytes);
  // What was flushed is on the disk.
  void sync() const;
  void commit();
  void discard() noexcept;

  std::uint64_t bytes() const noexcept { return flushed_ + buffer_.size(); }
  const std::filesystem::path& file() const noexcept { return file_; }
  static std::filesystem::path part_of(std::filesystem::path file) { return file += ".part"; }

 private:
  [[noreturn]] void fail(int error) const;
  void write_at(std::uint64_t offset, const char* data, std::size_t bytes) const;

  std::filesystem::path file_, part_;
  int descriptor_ = -1;
  std::uint64_t flushed_ = 0, written_back_ = 0;
  std::string buffer_;
};

// Syncs the directory itself: names that were made or renamed in it survive a power failure.
void sync_directory(const std::filesystem::path& directory);

}  // namespace glassgpt::io
