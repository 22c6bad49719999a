// NumPy's npz: npy arrays as members of a zip archive, stored without compression.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/file.h"
#include "io/npy.h"

namespace glassgpt::io {

// Appears whole at finish() or not at all. The same arrays give the same bytes (no time stamps).
// Throws Error (kOutOfRange) where an array or the file would pass 4 GiB, the limit of plain zip.
class NpzWriter {
 public:
  explicit NpzWriter(std::filesystem::path file);
  // A C-ordered array of this shape, as member "NAME.npy".
  void add(const std::string& name, const float* data, std::span<const std::uint64_t> shape,
           NpyType type = NpyType::kFloat32);
  // The archive's comment, if it fits the 65,535 bytes that zip has for it.
  void set_comment(std::string_view text);
  void finish();

  // Throws that Error where so many bytes of arrays cannot fit: for callers who gather them first.
  static void check_size(const std::filesystem::path& file, std::uint64_t bytes);

 private:
  struct Member {
    std::string name;
    std::uint32_t crc, size, offset;
  };

  std::filesystem::path path_;
  AtomicFile file_;
  std::vector<Member> members_;
  std::uint64_t offset_ = 0;
  std::string comment_;
};

// CRC-32 (ISO 3309, as zip and PNG use it), continued from the crc of the bytes before.
std::uint32_t crc32(std::string_view bytes, std::uint32_t crc = 0) noexcept;

}  // namespace glassgpt::io
