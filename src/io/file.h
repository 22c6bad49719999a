// Reading whole files and maps, and writing files that appear whole or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace glassgpt::io {

// The bytes of a file. Throws Error (kNotFound, kUnreadable; kOutOfRange beyond max_bytes).
std::string read_file(const std::filesystem::path& file,
                      std::uint64_t max_bytes = std::uint64_t{1} << 34);

// A file mapped read-only; an empty file maps to an empty span. Throws Error (kNotFound,
// kUnreadable). The file must not shrink while it is mapped: files that AtomicFile replaces do not,
// for the map keeps the old one alive.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& file);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// Writes to a temporary file beside `file`; commit() syncs it, renames it into place and syncs the
// directory. Without commit() nothing is left behind, nor by a process that is killed, where the
// file system knows files without a name (Linux's O_TMPFILE). Throws Error (kUnwritable) naming the
// file and the system's reason. A symbolic link keeps pointing where it does: the file behind it is
// replaced. What is not a regular file (a pipe, /dev/stdout) is written through as it comes. Not
// for several threads.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path file);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();
  void write(const void* data, std::size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  // Replaces bytes that were written before. Not possible where a pipe is written through.
  void overwrite(std::uint64_t offset, std::string_view bytes);
  void commit();

 private:
  void open_temporary();
  void flush();
  void write_now(const char* data, std::size_t bytes);
  [[noreturn]] void fail(int error);
  void discard() noexcept;

  template <class Make>
  int take_name(const Make& make);
  std::filesystem::path parent() const;

  std::filesystem::path file_;
  bool temporary_ = false;      // else the file is written through
  std::filesystem::path name_;  // of the temporary file, while it has one
  int descriptor_ = -1;
  std::string buffer_;
};

void write_file(const std::filesystem::path& file, std::string_view bytes);

// Makes the directory and its parents. Throws Error (kUnwritable).
void make_directories(const std::filesystem::path& directory);

}  // namespace glassgpt::io
