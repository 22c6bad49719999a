// 16-bit floating-point numbers: IEEE 754 binary16 and bfloat16, to and from float.
#pragma once

#include <cstddef>
#include <cstdint>

namespace glassgpt::io {

// Exact to float; round to nearest, ties to even, from float. NaN stays NaN, infinities and signed
// zeros stay what they are.
float half_to_float(std::uint16_t half) noexcept;
std::uint16_t float_to_half(float value) noexcept;
float bfloat16_to_float(std::uint16_t value) noexcept;
std::uint16_t float_to_bfloat16(float value) noexcept;

// The same for [count] numbers. The 16-bit side needs no alignment, being bytes of a file. Results
// do not depend on the CPU's features.
void halves_to_floats(const void* halves, std::size_t count, float* out) noexcept;
void floats_to_halves(const float* values, std::size_t count, void* out) noexcept;
void bfloat16s_to_floats(const void* values, std::size_t count, float* out) noexcept;
void floats_to_bfloat16s(const float* values, std::size_t count, void* out) noexcept;

}  // namespace glassgpt::io
