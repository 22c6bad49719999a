// NumPy's npy format, version 1.0: float32 or float16 arrays, written as a stream, and read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "io/file.h"
#include "io/part_file.h"

namespace glassgpt::io {

enum class NpyType { kFloat32, kFloat16 };

// The header for an array of this shape, padded to a multiple of 64 bytes (fixed 128 bytes for two
// dimensions, so that the number of rows can be written after the rows). At most 32 dimensions.
std::string npy_header(NpyType type, std::span<const std::uint64_t> shape);

// A [rows, cols] array written row by row; the number of rows need not be known before, and a later
// run may go on. Grows FILE.part; FILE appears whole at finish().
class NpyWriter {
 public:
  // Goes on after the first `kept_rows` rows of FILE.part. Throws Error (kMalformed) if it has
  // fewer.
  NpyWriter(const std::filesystem::path& file, std::uint64_t cols, NpyType type = NpyType::kFloat32,
            std::uint64_t kept_rows = 0);
  // Row r is rows[r * stride .. r * stride + cols). float16 rounds to nearest even, beyond 65504 to
  // infinity.
  void append(const float* rows, std::uint64_t count, std::uint64_t stride);
  std::uint64_t rows() const noexcept { return rows_; }
  // Drops what follows the first `rows` rows, which were flushed.
  void truncate(std::uint64_t rows);
  // The header tells all rows; finish() does it too.
  void write_header();
  void finish();
  PartFile& file() noexcept { return file_; }

 private:
  std::uint64_t bytes_of(std::uint64_t rows) const noexcept;

  std::uint64_t cols_;
  NpyType type_;
  std::uint64_t rows_;
  PartFile file_;
  std::vector<std::uint16_t> halves_;
};

// Reads a C-ordered little-endian float32 or float16 array of format version 1, 2 or 3. Throws
// Error for what is not one: kMalformed for what is no npy file or has another length than its
// shape says, kUnsupported for other types, byte orders and Fortran order.
struct NpyArray {
  std::vector<std::uint64_t> shape;
  std::vector<float> data;
};
// The same without a copy: points into `bytes`, and is as aligned as they are.
struct NpyView {
  NpyType type = NpyType::kFloat32;
  std::vector<std::uint64_t> shape;
  std::uint64_t elements = 0;
  const void* data = nullptr;
};
NpyView view_npy(std::span<const std::byte> bytes, const std::string& name);
NpyArray read_npy(const std::filesystem::path& file);
// The same from memory; `name` stands in the messages.
NpyArray parse_npy(std::span<const std::byte> bytes, const std::string& name);

}  // namespace glassgpt::io
