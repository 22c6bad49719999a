#include "walkthrough/tensor.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <stdexcept>

#include "io/half.h"

namespace glassgpt::walkthrough {
namespace {

using nlohmann::ordered_json;

void append_bytes(std::string& out, std::uint32_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

std::size_t bytes_of(NumberFormat format) {
  switch (format) {
    case NumberFormat::kFloat32:
      return 4;
    case NumberFormat::kFloat24:
      return 3;
    case NumberFormat::kHalf:
      return 2;
    case NumberFormat::kByte:
      return 1;
  }
  return 4;
}

const char* name_of(NumberFormat format) {
  switch (format) {
    case NumberFormat::kFloat32:
      return "f32";
    case NumberFormat::kFloat24:
      return "f24";
    case NumberFormat::kHalf:
      return "f16";
    case NumberFormat::kByte:
      return "i8";
  }
  return "f32";
}

// Never zero, so that zeros can be divided by it.
float byte_step(const std::vector<float>& values) {
  float most = 0;
  for (const float value : values) {
    if (!std::isfinite(value)) throw std::logic_error("a tensor of bytes has no infinities");
    most = std::max(most, std::abs(value));
  }
  return most > 0 ? most / 127 : 1.0f;
}

ordered_json object(std::span<const std::size_t> shape, const char* dtype, Layout layout,
                    std::string_view bytes) {
  return {{"shape", shape},
          {"dtype", dtype},
          {"layout", layout == Layout::kLower ? "lower" : "full"},
          {"data", base64(bytes)}};
}

}  // namespace

std::size_t value_count(std::span<const std::size_t> shape, Layout layout) {
  std::size_t count = 1;
  for (const std::size_t size : shape) count *= size;
  if (layout == Layout::kFull || count == 0) return count;
  const std::size_t tokens = shape.back();
  return count / (tokens * tokens) * (tokens * (tokens + 1) / 2);
}

float round_to_float24(float value) noexcept {
  // Infinities and NaN have no digits to lose; rounding a NaN could make an infinity of it.
  if (!std::isfinite(value)) return value;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7Fu + (bits >> 8 & 1u)) & ~0xFFu;
  return std::bit_cast<float>(rounded);
}

std::string base64(std::string_view bytes) {
  constexpr const char* kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    }
    const std::size_t digits = std::min<std::size_t>(3, bytes.size() - i) + 1;
    for (std::size_t j = 0; j < 4; ++j) {
      out += j < digits ? kDigits[group >> (18 - 6 * j) & 63] : '=';
    }
  }
  return out;
}

ordered_json encode(const Tensor& tensor, NumberFormat format) {
  if (tensor.values.size() != value_count(tensor.shape, tensor.layout)) {
    throw std::logic_error("a tensor's values do not fill its shape");
  }
  std::string bytes;
  bytes.reserve(tensor.values.size() * bytes_of(format));
  const float step = format == NumberFormat::kByte ? byte_step(tensor.values) : 0.0f;
  for (const float value : tensor.values) {
    if (format == NumberFormat::kHalf) {
      append_bytes(bytes, io::float_to_half(value), 2);
    } else if (format == NumberFormat::kByte) {
      append_bytes(bytes, static_cast<std::uint32_t>(std::lround(value / step)), 1);
    } else if (format == NumberFormat::kFloat24) {
      append_bytes(bytes, std::bit_cast<std::uint32_t>(round_to_float24(value)) >> 8, 3);
    } else {
      append_bytes(bytes, std::bit_cast<std::uint32_t>(value), 4);
    }
  }
  ordered_json packed = object(tensor.shape, name_of(format), tensor.layout, bytes);
  if (format == NumberFormat::kByte) packed["step"] = step;
  return packed;
}

ordered_json encode_u16(std::span<const std::size_t> shape, std::span<const std::uint16_t> values) {
  std::string bytes;
  for (const std::uint16_t value : values) append_bytes(bytes, value, 2);
  return object(shape, "u16", Layout::kFull, bytes);
}

std::size_t encoded_size(std::size_t values, NumberFormat format) {
  return (values * bytes_of(format) + 2) / 3 * 4;
}

}  // namespace glassgpt::walkthrough
