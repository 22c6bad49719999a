#include "io/half.h"

#include <bit>
#include <cstring>

namespace glassgpt::io {
namespace {

// binary16 is 1 sign, 5 exponent and 10 mantissa bits (bias 15); float is 1, 8 and 23 (bias 127).
constexpr std::uint32_t kExponentShift = 112u << 23;  // from bias 15 to bias 127, at float's place
constexpr std::uint32_t kFloatInfinity = 255u << 23;

// As a mask, for the compiler would turn the conditional operator into a branch around the
// floating-point step and give up on the loop.
inline std::uint32_t select(bool condition, std::uint32_t yes, std::uint32_t no) noexcept {
  const std::uint32_t mask = 0u - static_cast<std::uint32_t>(condition);
  return (yes & mask) | (no & ~mask);
}

// Written without branches so that loops over it are vectorised for any CPU.
inline float widen_half(std::uint16_t half) noexcept {
  const std::uint32_t magnitude = half & 0x7fffu;
  const std::uint32_t sign = (half & 0x8000u) << 16;
  const std::uint32_t normal = (magnitude << 13) + kExponentShift;
  // Infinity and NaN: the exponent goes on to 255, the payload stays.
  const std::uint32_t special = normal + kExponentShift;
  // Subnormal m * 2^-24: put m behind the leading one of 2^-14, then take that one away; both steps
  // are exact.
  const std::uint32_t one = 113u << 23;
  const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(
      std::bit_cast<float>(one + (magnitude << 13)) - std::bit_cast<float>(one));
  std::uint32_t bits = select(magnitude >= 0x7c00u, special, normal);
  bits = select(magnitude < 0x0400u, subnormal, bits);
  return std::bit_cast<float>(bits | sign);
}

inline std::uint16_t narrow_to_half(float value) noexcept {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  // Adding half of the last place kept, less one where that place is even, and cutting off rounds
  // to nearest even; a carry runs into the exponent, up to infinity, as it should.
  const std::uint32_t normal =
      (magnitude - kExponentShift + 0x0fffu + ((magnitude >> 13) & 1u)) >> 13;
  // Below 2^-14: adding 0.5, whose last place is 2^-24, lets the addition round.
  const std::uint32_t subnormal =
      std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) -
      std::bit_cast<std::uint32_t>(0.5f);
  const std::uint32_t nan = 0x7e00u | ((magnitude >> 13) & 0x03ffu);
  std::uint32_t half = select(magnitude < (113u << 23), subnormal, normal);
  half = select(magnitude >= (143u << 23), 0x7c00u, half);  // 2^16 and above
  half = select(magnitude > kFloatInfinity, nan, half);
  return static_cast<std::uint16_t>(half | sign);
}

inline float widen_bfloat16(std::uint16_t value) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}

inline std::uint16_t narrow_to_bfloat16(float value) noexcept {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const std::uint32_t nan =
      (bits >> 16) | 0x0040u;  // a payload that is cut off must not become infinity
  return static_cast<std::uint16_t>((bits & 0x7fffffffu) > kFloatInfinity ? nan : rounded);
}

template <class Convert>
void widen(const void* source, std::size_t count, float* out, Convert convert) noexcept {
  const auto* bytes = static_cast<const unsigned char*>(source);
  for (std::size_t i = 0; i < count; ++i) {
    std::uint16_t value;
    std::memcpy(&value, bytes + 2 * i, sizeof value);
    out[i] = convert(value);
  }
}

template <class Convert>
void narrow(const float* values, std::size_t count, void* out, Convert convert) noexcept {
  auto* bytes = static_cast<unsigned char*>(out);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint16_t value = convert(values[i]);
    std::memcpy(bytes + 2 * i, &value, sizeof value);
  }
}

}  // namespace

float half_to_float(std::uint16_t half) noexcept { return widen_half(half); }
std::uint16_t float_to_half(float value) noexcept { return narrow_to_half(value); }
float bfloat16_to_float(std::uint16_t value) noexcept { return widen_bfloat16(value); }
std::uint16_t float_to_bfloat16(float value) noexcept { return narrow_to_bfloat16(value); }

void halves_to_floats(const void* halves, std::size_t count, float* out) noexcept {
  widen(halves, count, out, [](std::uint16_t h) { return widen_half(h); });
}
void floats_to_halves(const float* values, std::size_t count, void* out) noexcept {
  narrow(values, count, out, [](float v) { return narrow_to_half(v); });
}
void bfloat16s_to_floats(const void* values, std::size_t count, float* out) noexcept {
  widen(values, count, out, [](std::uint16_t v) { return widen_bfloat16(v); });
}
void floats_to_bfloat16s(const float* values, std::size_t count, void* out) noexcept {
  narrow(values, count, out, [](float v) { return narrow_to_bfloat16(v); });
}

}  // namespace glassgpt::io
