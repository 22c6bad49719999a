// Numbers as a walkthrough's data stores them: base64 of little-endian numbers in one of a few
// formats (see SCHEMA.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace glassgpt::walkthrough {

// kByte: multiples of the largest number's 127th part.
enum class NumberFormat { kFloat32, kFloat24, kHalf, kByte };

// kLower: the last two dimensions are a causal square, of which row t has columns 0 .. t alone.
enum class Layout { kFull, kLower };

struct Tensor {
  std::vector<std::size_t> shape;
  Layout layout = Layout::kFull;
  std::vector<float> values;
};

// How many numbers a tensor of this shape and layout has.
std::size_t value_count(std::span<const std::size_t> shape, Layout layout);

// The upper three bytes of a float32, rounded to nearest, ties to even; as a float.
float round_to_float24(float value) noexcept;

std::string base64(std::string_view bytes);

// The JSON object of SCHEMA.md.
nlohmann::ordered_json encode(const Tensor& tensor, NumberFormat format);
nlohmann::ordered_json encode_u16(std::span<const std::size_t> shape,
                                  std::span<const std::uint16_t> values);

// Characters of base64 that `values` numbers take.
std::size_t encoded_size(std::size_t values, NumberFormat format);

}  // namespace glassgpt::walkthrough
