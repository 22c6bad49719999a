// Tensors in files: their types of number, and floats to and from them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/file.h"

namespace glassgpt::io {

enum class DType { kF32, kF16, kBF16, kOther };

// "F32", "F16", "BF16"; the bytes of one number. Not for kOther.
std::string_view dtype_name(DType type) noexcept;
std::size_t element_bytes(DType type) noexcept;

struct TensorView {
  std::string name;
  DType dtype = DType::kOther;
  std::string dtype_name;  // as the file says
  std::vector<std::uint64_t> shape;
  std::span<const std::byte> data;          // may be unaligned
  std::uint64_t elements() const noexcept;  // the shape's product; 1 for a scalar
};

// The shape's product times the bytes of an element, or nothing where that overflows on the way.
std::optional<std::uint64_t> tensor_bytes(std::span<const std::uint64_t> shape,
                                          std::uint64_t bytes_of_element);

// Converts a tensor of kF32, kF16 or kBF16 to floats; out holds elements(). Throws Error
// (kUnsupported) for other types.
void to_float(const TensorView& tensor, float* out);

// Throws std::invalid_argument, naming `tensor`, for a finite value that the type cannot hold:
// rounding must not turn a number into infinity unnoticed.
void check_fits(const std::string& tensor, const float* values, std::uint64_t count, DType type);

// Writes floats as kF32, kF16 or kBF16, after check_fits.
void write_floats(AtomicFile& output, const std::string& tensor, const float* values,
                  std::uint64_t count, DType type);

}  // namespace glassgpt::io
