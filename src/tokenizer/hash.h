// Hashing of short byte strings and of pairs of ids, for the open-addressing tables of this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace glassgpt::tokenizer {

// Both halves of the 128-bit product, folded: every input bit reaches every output bit.
inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline std::uint64_t load_word(const char* at, std::size_t bytes) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, at, bytes);
  return word;
}

inline std::uint64_t hash_bytes(std::string_view bytes) noexcept {
  constexpr std::uint64_t kOdd1 = 0x9E3779B97F4A7C15, kOdd2 = 0xC2B2AE3D27D4EB4F;
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t state = kOdd1 ^ bytes.size();
  for (; left > 16; at += 16, left -= 16) {
    state = mix(load_word(at, 8) ^ state, load_word(at + 8, 8) ^ kOdd2);
  }
  const std::size_t low = left < 8 ? left : 8;
  const std::size_t high = left - low;
  return mix(mix(load_word(at, low) ^ state, load_word(at + low, high) ^ kOdd2), kOdd1);
}

inline std::uint64_t hash_pair(std::uint64_t pair) noexcept {
  return mix(pair ^ 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F);
}

inline std::uint64_t pair_key(std::uint32_t left, std::uint32_t right) noexcept {
  return std::uint64_t{left} << 32 | right;
}

}  // namespace glassgpt::tokenizer
