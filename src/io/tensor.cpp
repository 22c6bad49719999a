#include "io/tensor.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "glassgpt/error.h"
#include "io/half.h"
#include "io/json.h"

namespace glassgpt::io {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little endian");

void narrow(const float* values, std::size_t count, DType type, std::uint16_t* out) {
  if (type == DType::kF16) {
    floats_to_halves(values, count, out);
  } else {
    floats_to_bfloat16s(values, count, out);
  }
}

void check_narrowed(const std::string& tensor, const float* values, const std::uint16_t* narrowed,
                    std::size_t count, DType type) {
  const std::uint16_t infinity = type == DType::kF16 ? 0x7c00 : 0x7f80;
  for (std::size_t i = 0; i < count; ++i) {
    if ((narrowed[i] & 0x7fff) == infinity && std::isfinite(values[i])) {
      throw std::invalid_argument("tensor " + quote_name(tensor) + " holds " +
                                  std::to_string(values[i]) + ", which does not fit " +
                                  std::string(dtype_name(type)));
    }
  }
}

// Calls piece(narrowed, count) for parts of the values in a 16-bit type, which all fit.
template <class Piece>
void for_each_narrowed(const std::string& tensor, const float* values, std::uint64_t count,
                       DType type, Piece piece) {
  constexpr std::uint64_t kChunk = 1u << 15;
  std::vector<std::uint16_t> chunk(static_cast<std::size_t>(std::min(kChunk, count)));
  for (std::uint64_t first = 0; first < count; first += kChunk) {
    const auto part = static_cast<std::size_t>(std::min(kChunk, count - first));
    narrow(values + first, part, type, chunk.data());
    check_narrowed(tensor, values + first, chunk.data(), part, type);
    piece(chunk.data(), part);
  }
}

}  // namespace

std::string_view dtype_name(DType type) noexcept {
  switch (type) {
    case DType::kF32:
      return "F32";
    case DType::kF16:
      return "F16";
    case DType::kBF16:
      return "BF16";
    case DType::kOther:
      break;
  }
  return {};
}

std::size_t element_bytes(DType type) noexcept { return type == DType::kF32 ? 4 : 2; }

std::uint64_t TensorView::elements() const noexcept {
  std::uint64_t count = 1;
  for (const std::uint64_t size : shape) count *= size;
  return count;
}

std::optional<std::uint64_t> tensor_bytes(std::span<const std::uint64_t> shape,
                                          std::uint64_t bytes_of_element) {
  std::uint64_t bytes = bytes_of_element;
  for (const std::uint64_t size : shape) {
    if (__builtin_mul_overflow(bytes, size, &bytes)) return std::nullopt;
  }
  return bytes;
}

void to_float(const TensorView& tensor, float* out) {
  const auto count = static_cast<std::size_t>(tensor.elements());
  switch (tensor.dtype) {
    case DType::kF32:
      if (count != 0) std::memcpy(out, tensor.data.data(), count * sizeof(float));
      return;
    case DType::kF16:
      halves_to_floats(tensor.data.data(), count, out);
      return;
    case DType::kBF16:
      bfloat16s_to_floats(tensor.data.data(), count, out);
      return;
    case DType::kOther:
      break;
  }
  throw Error(ErrorCode::kUnsupported, {},
              "tensor " + quote_name(tensor.name) + " has dtype " + tensor.dtype_name,
              "F32, F16 and BF16 can be read as numbers");
}

void check_fits(const std::string& tensor, const float* values, std::uint64_t count, DType type) {
  if (type == DType::kF32) return;
  for_each_narrowed(tensor, values, count, type, [](const std::uint16_t*, std::size_t) {});
}

void write_floats(AtomicFile& output, const std::string& tensor, const float* values,
                  std::uint64_t count, DType type) {
  if (type == DType::kF32) {
    output.write(values, static_cast<std::size_t>(count) * sizeof(float));
    return;
  }
  for_each_narrowed(tensor, values, count, type, [&](const std::uint16_t* part, std::size_t size) {
    output.write(part, size * sizeof(std::uint16_t));
  });
}

}  // namespace glassgpt::io
