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
std::string read_file(const std::filesystem::path& file, std::uint64_t max_bytes = std::uint64_t{1} << 34);

// A file mapped read-only. An empty file maps to an empty span.
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

// Writes to a temporary file beside `file`; commit() syncs it, renames it into place and syncs the directory. Without commit() nothing is
// left behind. Throws Error (kUnwritable) naming the file and the system's reason.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path file);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();
  void write(const void* data, std::size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void commit();

 private:
  std::filesystem::path file_, temporary_;
  int descriptor_ = -1;
};

void write_file(const std::filesystem::path& file, std::string_view bytes);

// Makes the directory and its parents. Throws Error (kUnwritable).
void make_directories(const std::filesystem::path& directory);

}  // namespace glassgpt::io
