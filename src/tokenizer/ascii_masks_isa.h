// The ways to read AsciiMasks, one per instruction set, to be inlined into loops of the same set.
#pragma once

#include "tokenizer/ascii_masks.h"
#include "tokenizer/unicode.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace glassgpt::tokenizer {

inline void scalar_masks(const char* block, AsciiMasks& masks) noexcept {
  masks = {};
  for (std::uint32_t i = 0; i < kMaskBytes; ++i) {
    const std::uint64_t bit = std::uint64_t{1} << i;
    const char c = block[i];
    if (static_cast<unsigned char>(c) >= 0x80) {
      masks.beyond_ascii |= bit;
      continue;
    }
    const CharClass kind = char_class(static_cast<char32_t>(c));
    if (is_letter(kind)) masks.letters |= bit;
    if (kind == CharClass::kUpper) masks.capitals |= bit;
    if (kind == CharClass::kNumber) masks.numbers |= bit;
    if (kind == CharClass::kSpace) masks.spaces |= bit;
    if (c == ' ') masks.blanks |= bit;
    if (c == '\n' || c == '\r') masks.newlines |= bit;
    if (c == '\'') masks.apostrophes |= bit;
    if (c == '/') masks.slashes |= bit;
  }
}

// The masks from a vector type that compares 64 / kParts bytes at a time. `Vector` has load(),
// equals(c), in_range(low, count), with_bit(0x20) and high_bits(), each result a mask of its bytes.
template <class Vector>
__attribute__((always_inline)) inline void vector_masks(const char* block,
                                                        AsciiMasks& masks) noexcept {
  masks = {};
  for (std::uint32_t at = 0; at < kMaskBytes; at += Vector::kBytes) {
    const Vector x = Vector::load(block + at);
    const std::uint64_t blanks = x.equals(' ');
    masks.letters |= x.with_bit(0x20).in_range('a', 26) << at;
    masks.capitals |= x.in_range('A', 26) << at;
    masks.numbers |= x.in_range('0', 10) << at;
    masks.spaces |= (blanks | x.in_range('\t', 5)) << at;
    masks.blanks |= blanks << at;
    masks.newlines |= (x.equals('\n') | x.equals('\r')) << at;
    masks.apostrophes |= x.equals('\'') << at;
    masks.slashes |= x.equals('/') << at;
    masks.beyond_ascii |= x.high_bits() << at;
  }
}

#if defined(__x86_64__)

// Unsigned bytes x with low <= x < low + count: x - low wraps around below low.
struct Sse2Bytes {
  static constexpr std::uint32_t kBytes = 16;
  __m128i x;

  static Sse2Bytes load(const char* at) noexcept {
    return {_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))};
  }
  static std::uint64_t bits(__m128i bytes) noexcept {
    return static_cast<std::uint32_t>(_mm_movemask_epi8(bytes));
  }
  std::uint64_t equals(char c) const noexcept { return bits(_mm_cmpeq_epi8(x, _mm_set1_epi8(c))); }
  std::uint64_t in_range(char low, char count) const noexcept {
    const __m128i shifted = _mm_sub_epi8(x, _mm_set1_epi8(low));
    const __m128i last = _mm_set1_epi8(static_cast<char>(count - 1));
    return bits(_mm_cmpeq_epi8(_mm_min_epu8(shifted, last), shifted));
  }
  Sse2Bytes with_bit(char bit) const noexcept { return {_mm_or_si128(x, _mm_set1_epi8(bit))}; }
  std::uint64_t high_bits() const noexcept { return bits(x); }
};

inline void sse2_masks(const char* block, AsciiMasks& masks) noexcept {
  vector_masks<Sse2Bytes>(block, masks);
}

// The wider ones are written out: a function of one instruction set is not inlined into a template
// of another, nor can it hand vectors to one.
__attribute__((target("avx2"))) inline void avx2_masks(const char* block,
                                                       AsciiMasks& masks) noexcept {
  masks = {};
  for (int at = 0; at < 64; at += 32) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + at));
    const auto equals = [&](char c) __attribute__((target("avx2"), always_inline)) {
      const __m256i equal = _mm256_cmpeq_epi8(x, _mm256_set1_epi8(c));
      return std::uint64_t{static_cast<std::uint32_t>(_mm256_movemask_epi8(equal))} << at;
    };
    // `bit` is set in every byte first.
    const auto in_range = [&](char low, char count, char bit)
        __attribute__((target("avx2"), always_inline)) {
      const __m256i with_bit = _mm256_or_si256(x, _mm256_set1_epi8(bit));
      const __m256i shifted = _mm256_sub_epi8(with_bit, _mm256_set1_epi8(low));
      const __m256i last = _mm256_set1_epi8(static_cast<char>(count - 1));
      const __m256i inside = _mm256_cmpeq_epi8(_mm256_min_epu8(shifted, last), shifted);
      return std::uint64_t{static_cast<std::uint32_t>(_mm256_movemask_epi8(inside))} << at;
    };
    const std::uint64_t blanks = equals(' ');
    masks.letters |= in_range('a', 26, 0x20);
    masks.capitals |= in_range('A', 26, 0);
    masks.numbers |= in_range('0', 10, 0);
    masks.spaces |= blanks | in_range('\t', 5, 0);
    masks.blanks |= blanks;
    masks.newlines |= equals('\n') | equals('\r');
    masks.apostrophes |= equals('\'');
    masks.slashes |= equals('/');
    masks.beyond_ascii |= std::uint64_t{static_cast<std::uint32_t>(_mm256_movemask_epi8(x))} << at;
  }
}

__attribute__((target("avx512f,avx512bw"))) inline void avx512_masks(const char* block,
                                                                     AsciiMasks& masks) noexcept {
  const __m512i x = _mm512_loadu_si512(block);
  const auto equals = [&](char c) __attribute__((target("avx512f,avx512bw"), always_inline)) {
    return std::uint64_t{_mm512_cmpeq_epi8_mask(x, _mm512_set1_epi8(c))};
  };
  const auto in_range = [&](char low, char count, char bit)
      __attribute__((target("avx512f,avx512bw"), always_inline)) {
    const __m512i with_bit = _mm512_or_si512(x, _mm512_set1_epi8(bit));
    const __m512i shifted = _mm512_sub_epi8(with_bit, _mm512_set1_epi8(low));
    return std::uint64_t{_mm512_cmplt_epu8_mask(shifted, _mm512_set1_epi8(count))};
  };
  masks.blanks = equals(' ');
  masks.letters = in_range('a', 26, 0x20);
  masks.capitals = in_range('A', 26, 0);
  masks.numbers = in_range('0', 10, 0);
  masks.spaces = masks.blanks | in_range('\t', 5, 0);
  masks.newlines = equals('\n') | equals('\r');
  masks.apostrophes = equals('\'');
  masks.slashes = equals('/');
  masks.beyond_ascii = _mm512_movepi8_mask(x);
}

#elif defined(__aarch64__)

struct NeonBytes {
  static constexpr std::uint32_t kBytes = 16;
  uint8x16_t x;

  static NeonBytes load(const char* at) noexcept {
    return {vld1q_u8(reinterpret_cast<const std::uint8_t*>(at))};
  }
  // One bit per byte of all ones: each byte keeps the bit of its place, and the places are added.
  static std::uint64_t bits(uint8x16_t bytes) noexcept {
    constexpr std::uint8_t kPlaces[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const uint8x16_t places = vandq_u8(bytes, vld1q_u8(kPlaces));
    return std::uint64_t{vaddv_u8(vget_low_u8(places))} |
           std::uint64_t{vaddv_u8(vget_high_u8(places))} << 8;
  }
  std::uint64_t equals(char c) const noexcept {
    return bits(vceqq_u8(x, vdupq_n_u8(static_cast<std::uint8_t>(c))));
  }
  std::uint64_t in_range(char low, char count) const noexcept {
    const uint8x16_t shifted = vsubq_u8(x, vdupq_n_u8(static_cast<std::uint8_t>(low)));
    return bits(vcltq_u8(shifted, vdupq_n_u8(static_cast<std::uint8_t>(count))));
  }
  NeonBytes with_bit(char bit) const noexcept {
    return {vorrq_u8(x, vdupq_n_u8(static_cast<std::uint8_t>(bit)))};
  }
  std::uint64_t high_bits() const noexcept { return bits(vcgeq_u8(x, vdupq_n_u8(0x80))); }
};

inline void neon_masks(const char* block, AsciiMasks& masks) noexcept {
  vector_masks<NeonBytes>(block, masks);
}

#endif

}  // namespace glassgpt::tokenizer
