// Random numbers whose n-th can be had without the ones before it, and which are the same
// everywhere.
#pragma once

#include <cstdint>

namespace glassgpt {

// SplitMix64 (Steele, Lea and Flood 2014): number n of the stream `seed`.
inline std::uint64_t random_bits(std::uint64_t seed, std::uint64_t n) noexcept {
  std::uint64_t z = seed + (n + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// Number n of the stream, uniform in [0, 1).
inline double random_unit(std::uint64_t seed, std::uint64_t n) noexcept {
  return static_cast<double>(random_bits(seed, n) >> 11) * 0x1p-53;
}

}  // namespace glassgpt
