// Reading a walkthrough's data as a stranger would, by SCHEMA.md alone.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace glassgpt::testing {

inline std::string from_base64(const std::string& text) {
  std::string bytes;
  std::uint32_t group = 0;
  int bits = 0;
  for (const char c : text) {
    if (c == '=') break;
    const std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const std::size_t digit = digits.find(c);
    EXPECT_NE(digit, std::string_view::npos) << c;
    group = group << 6 | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes += static_cast<char>(group >> bits & 0xFF);
    }
  }
  return bytes;
}

inline double from_half(std::uint32_t bits) {
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  const std::uint32_t exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, static_cast<int>(exponent) - 25);
}

// A tensor of any dtype as doubles; the lower layout stays as it is stored.
struct Array {
  std::vector<std::size_t> shape;
  bool lower = false;
  std::string dtype;
  std::vector<double> values;

  explicit Array(const nlohmann::json& tensor) {
    shape = tensor.at("shape").get<std::vector<std::size_t>>();
    lower = tensor.at("layout") == "lower";
    dtype = tensor.at("dtype");
    const std::string bytes = from_base64(tensor.at("data"));
    const std::size_t size = dtype == "f32" ? 4 : dtype == "f24" ? 3 : 2;
    for (std::size_t at = 0; at + size <= bytes.size(); at += size) {
      std::uint32_t bits = 0;
      for (std::size_t i = 0; i < size; ++i) {
        bits |= std::uint32_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
      }
      values.push_back(number(dtype == "f24" ? bits << 8 : bits));
    }
    std::size_t count = 1;
    for (const std::size_t extent : shape) count *= extent;
    if (lower) count = count / shape.back() * (shape.back() + 1) / 2;
    EXPECT_EQ(values.size(), count);
  }

  // Full layout: the last dimension at these leading indices.
  const double* row(std::initializer_list<std::size_t> leading) const {
    std::size_t at = 0, axis = 0;
    for (const std::size_t index : leading) at = at * shape[axis++] + index;
    return values.data() + at * shape.back();
  }
  // Lower layout: the t + 1 numbers of row t of a head.
  const double* causal_row(std::size_t layer, std::size_t head, std::size_t t) const {
    const std::size_t tokens = shape.back();
    return values.data() + (layer * shape[1] + head) * (tokens * (tokens + 1) / 2) +
           t * (t + 1) / 2;
  }

 private:
  double number(std::uint32_t bits) const {
    if (dtype == "u16") return bits;
    if (dtype == "f16") return from_half(bits);
    float value;
    std::memcpy(&value, &bits, 4);
    return static_cast<double>(value);
  }
};

}  // namespace glassgpt::testing
