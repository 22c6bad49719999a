// NumPy's npy format, version 1.0: float32 or float16 arrays, written as a stream, and read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/file.h"

namespace glassgpt::io {

enum class NpyType { kFloat32, kFloat16 };

// The header for an array of this shape, padded to a multiple of 64 bytes (fixed 128 bytes for two
// dimensions, so that the number of rows can be written after the rows). At most 32 dimensions.
std::string npy_header(NpyType type, std::span<const std::uint64_t> shape);

// A [rows, cols] array written row by row; the number of rows need not be known before. Appears
// whole at finish() or not at all.
class NpyWriter {
 public:
  NpyWriter(std::filesystem::path file, std::uint64_t cols, NpyType type = NpyType::kFloat32);
  NpyWriter(NpyWriter&&) noexcept;
  NpyWriter& operator=(NpyWriter&&) noexcept;
  ~NpyWriter();
  // Row r is rows[r * stride .. r * stride + cols). float16 rounds to nearest even, beyond 65504 to
  // infinity.
  void append(const float* rows, std::uint64_t count, std::uint64_t stride);
  std::uint64_t rows() const noexcept;
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Reads a C-ordered little-endian float32 or float16 array of format version 1, 2 or 3. Throws
// Error for what is not one: kMalformed for what is no npy file or has another length than its
// shape says, kUnsupported for other types, byte orders and Fortran order.
struct NpyArray {
  std::vector<std::uint64_t> shape;
  std::vector<float> data;
};
NpyArray read_npy(const std::filesystem::path& file);
// The same from memory; `name` stands in the messages.
NpyArray parse_npy(std::span<const std::byte> bytes, const std::string& name);

}  // namespace glassgpt::io
