#include "tokenizer/block_splitter.h"

#include <array>
#include <bit>

#include "tokenizer/ascii_masks_isa.h"

#define GLASSGPT_INLINE __attribute__((always_inline)) inline

namespace glassgpt::tokenizer {
namespace {

// The length of the contraction at an apostrophe, which two bytes follow, or 0. `fold` makes
// capitals equal; U+017F is not ASCII and none of a block's business.
std::uint32_t contraction_length(const char* at, bool fold) noexcept {
  const auto letter = [fold](char c) {
    return fold && c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  };
  const char first = letter(at[1]);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  const char second = letter(at[2]);
  if (first == 'l') return second == 'l' ? 3 : 0;
  return (first == 'v' || first == 'r') && second == 'e' ? 3 : 0;
}

// The bytes of a block by what the patterns make of them.
struct Block {
  std::uint64_t letters, capitals, numbers, spaces, blanks, newlines, symbols;

  Block(const AsciiMasks& m, std::uint32_t length) noexcept {
    const std::uint64_t valid = low_mask(length);
    letters = m.letters & valid;
    capitals = m.capitals & valid;
    numbers = m.numbers & valid;
    spaces = m.spaces & valid;
    blanks = m.blanks & valid;
    newlines = m.newlines & valid;
    symbols = valid & ~(letters | numbers | spaces);
  }

  std::uint64_t first_of(std::uint64_t run) const noexcept { return run & ~(run << 1); }

  // A space before other text begins a piece: alone, or with what follows.
  std::uint64_t last_spaces() const noexcept { return spaces & ~newlines & ~(spaces >> 1); }

  // \p{N}{1,3}: the first of each run, and every third after it.
  std::uint64_t number_starts() const noexcept {
    const std::uint64_t fourth = numbers & numbers << 1 & numbers << 2;
    std::uint64_t starts = first_of(numbers);
    for (std::uint64_t next = starts; (next = next << 3 & fourth) != 0;) starts |= next;
    return starts;
  }

  // [\r\n]* or [\r\n/]* behind symbols: from a line end behind a symbol to the end of the run. The
  // sum carries from there through the run.
  std::uint64_t line_ends_after_symbols(std::uint64_t run) const noexcept {
    const std::uint64_t begin = symbols << 1 & newlines;
    return begin | (run & ~(run + begin));
  }

  // \s*[\r\n]+ ends behind the last line end of a run of spaces: the spaces behind that one begin
  // a piece.
  std::uint64_t indents() const noexcept {
    const std::uint64_t plain = spaces & ~newlines;
    std::uint64_t found = plain & newlines << 1;
    const std::uint64_t behind = (plain + found) & ~plain;  // the first byte behind each of them
    for (std::uint64_t more = behind & newlines; more != 0; more &= more - 1) {
      const std::uint64_t before =
          found & low_mask(static_cast<std::uint32_t>(std::countr_zero(more)));
      found &= ~(std::uint64_t{1} << (63 - std::countl_zero(before)));
    }
    return found;
  }
};

// Which starts do not depend on what follows the block: those before its last two bytes, for a
// contraction has three, and not those within spaces that reach its end.
GLASSGPT_INLINE std::uint64_t certain(std::uint64_t spaces, std::uint32_t length) noexcept {
  const std::uint32_t run = static_cast<std::uint32_t>(
      std::countl_one(spaces << (64 - length)));  // spaces at the end of the block
  const std::uint32_t known = run == 0 ? length : length - run + 1;
  return low_mask(known < length - 2 ? known : length - 2) & ~std::uint64_t{1};
}

GLASSGPT_INLINE std::uint64_t gpt2_starts(const char* text, const AsciiMasks& masks,
                                          const Block& block) noexcept {
  std::uint64_t starts = (block.first_of(block.letters) | block.first_of(block.numbers) |
                          block.first_of(block.symbols)) &
                         ~(block.blanks << 1);
  starts |= block.first_of(block.spaces) | (block.spaces & ~(block.spaces >> 1));
  std::uint64_t apostrophes = masks.apostrophes & (starts | 1) & block.letters >> 1;
  for (; apostrophes != 0; apostrophes &= apostrophes - 1) {
    const int at = std::countr_zero(apostrophes);
    if (at > 61) break;
    const std::uint32_t length = contraction_length(text + at, false);
    if (length == 0) continue;
    starts &= ~(std::uint64_t{2} << at);
    starts |= std::uint64_t{1} << at << length;
  }
  return starts;
}

// 's and the like at the begin of a piece: what follows them begins one.
GLASSGPT_INLINE std::uint64_t cl100k_starts(const char* text, const AsciiMasks& masks,
                                            const Block& block) noexcept {
  const std::uint64_t absorbed = block.line_ends_after_symbols(block.newlines);
  const std::uint64_t spaces = block.spaces & ~absorbed;
  const std::uint64_t symbols = block.first_of(block.symbols) & ~(block.blanks << 1);
  // A letter goes on with the one space or symbol before it.
  const std::uint64_t prefixes = symbols | (block.spaces & ~block.newlines);
  std::uint64_t starts = (block.first_of(block.letters) & ~(prefixes << 1)) |
                         block.number_starts() | symbols | block.first_of(spaces) |
                         block.last_spaces() | block.indents();
  std::uint64_t apostrophes = masks.apostrophes & symbols & block.letters >> 1;
  for (; apostrophes != 0; apostrophes &= apostrophes - 1) {
    const int at = std::countr_zero(apostrophes);
    if (at > 61) break;
    const std::uint32_t length = contraction_length(text + at, true);
    if (length != 0) starts |= std::uint64_t{1} << at << length;
  }
  return starts;
}

GLASSGPT_INLINE std::uint64_t o200k_starts(const char* text, const AsciiMasks& masks,
                                           const Block& block) noexcept {
  const std::uint64_t absorbed =
      block.line_ends_after_symbols(block.newlines | (masks.slashes & block.symbols));
  const std::uint64_t spaces = block.spaces & ~absorbed;
  const std::uint64_t symbols = block.first_of(block.symbols & ~absorbed) & ~(block.blanks << 1);
  const std::uint64_t prefixes = symbols | (block.spaces & ~block.newlines);
  const std::uint64_t small = block.letters & ~block.capitals;
  std::uint64_t starts = (block.first_of(block.letters) & ~(prefixes << 1)) |
                         (block.capitals & small << 1) | block.number_starts() | symbols |
                         block.first_of(spaces) | block.last_spaces() | block.indents();
  // Here a contraction belongs to the word before it. One that stands where another has ended
  // begins a piece instead.
  std::uint64_t apostrophes = masks.apostrophes & block.letters << 1 & block.letters >> 1;
  std::uint64_t ended = 0;
  for (; apostrophes != 0; apostrophes &= apostrophes - 1) {
    const int at = std::countr_zero(apostrophes);
    if (at > 61) break;
    if ((ended >> at & 1) != 0) continue;
    const std::uint32_t length = contraction_length(text + at, true);
    if (length == 0) continue;
    starts &= ~(low_mask(length) << at);
    ended = std::uint64_t{1} << at << length;
    starts |= ended;
  }
  return starts;
}

// Where pieces certainly begin among the first `length` bytes (ASCII all) of a block that begins
// with a piece; the text may go on behind them in any way. Bit 0 is not set.
template <SplitPattern kPattern>
GLASSGPT_INLINE std::uint64_t certain_starts(const char* text, const AsciiMasks& masks,
                                             std::uint32_t length) noexcept {
  const Block block(masks, length);
  std::uint64_t starts;
  if constexpr (kPattern == SplitPattern::kGpt2) {
    starts = gpt2_starts(text, masks, block);
  } else if constexpr (kPattern == SplitPattern::kCl100k) {
    starts = cl100k_starts(text, masks, block);
  } else {
    starts = o200k_starts(text, masks, block);
  }
  return starts & certain(block.spaces, length);
}

// The begins of a block, of which bit 0 is not one; 0 if there are none, or if so little of it is
// ASCII that it costs more than it gives.
template <SplitPattern kPattern>
GLASSGPT_INLINE std::uint64_t block_starts(const char* at, const AsciiMasks& masks) noexcept {
  constexpr std::uint32_t kWorthwhile = 8;
  const auto length = static_cast<std::uint32_t>(std::countr_zero(masks.beyond_ascii));
  return length < kWorthwhile ? 0 : certain_starts<kPattern>(at, masks, length);
}

// Writes the begins, of which there are some, and returns their end.
GLASSGPT_INLINE const char** write_starts(const char* at, std::uint64_t starts,
                                          const char** out) noexcept {
  const char** const behind = out + std::popcount(starts);
  // Eight at a time, whether there are as many or not: no branch that depends on their number. Of
  // no bits, bit 64 is the first one.
  do {
    for (std::size_t i = 0; i < kStartsAtOnce; ++i) {
      out[i] = at + std::countr_zero(starts);
      starts &= starts - 1;
    }
    out += kStartsAtOnce;
  } while (starts != 0);
  return behind;
}

// The same loop for each instruction set: what is inlined into it takes its set.
template <SplitPattern kPattern, void (*kReadMasks)(const char*, AsciiMasks&) noexcept>
const char** split_blocks_with(const char* at, const char* end, const char** out,
                               const char** limit) noexcept {
  AsciiMasks masks;
  while (out <= limit && end - at >= std::ptrdiff_t{kMaskBytes}) {
    kReadMasks(at, masks);
    const std::uint64_t starts = block_starts<kPattern>(at, masks);
    if (starts == 0) break;
    out = write_starts(at, starts, out);
    at += 63 - std::countl_zero(starts);
  }
  return out;
}

#if defined(__x86_64__)

template <SplitPattern kPattern>
__attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt"))) const char** split_blocks_avx2(
    const char* at, const char* end, const char** out, const char** limit) noexcept {
  AsciiMasks masks;
  while (out <= limit && end - at >= std::ptrdiff_t{kMaskBytes}) {
    avx2_masks(at, masks);
    const std::uint64_t starts = block_starts<kPattern>(at, masks);
    if (starts == 0) break;
    out = write_starts(at, starts, out);
    at += 63 - std::countl_zero(starts);
  }
  return out;
}

template <SplitPattern kPattern>
__attribute__((target("avx512f,avx512bw,bmi,bmi2,lzcnt,popcnt"))) const char** split_blocks_avx512(
    const char* at, const char* end, const char** out, const char** limit) noexcept {
  AsciiMasks masks;
  while (out <= limit && end - at >= std::ptrdiff_t{kMaskBytes}) {
    avx512_masks(at, masks);
    const std::uint64_t starts = block_starts<kPattern>(at, masks);
    if (starts == 0) break;
    out = write_starts(at, starts, out);
    at += 63 - std::countl_zero(starts);
  }
  return out;
}

// Here one instruction makes numbers of bits.
#define GLASSGPT_VBMI2 __attribute__((target("avx512f,avx512bw,avx512vbmi2,bmi,bmi2,lzcnt,popcnt")))

GLASSGPT_VBMI2 inline const char** write_starts_vbmi2(const char* at, std::uint64_t starts,
                                                      const char** out) noexcept {
  alignas(64) static constexpr auto kPlaces = [] {
    std::array<std::uint8_t, kMaskBytes> places{};
    for (std::uint8_t i = 0; i < kMaskBytes; ++i) places[i] = i;
    return places;
  }();
  __m512i places = _mm512_maskz_compress_epi8(starts, _mm512_load_si512(kPlaces.data()));
  const __m512i base = _mm512_set1_epi64(reinterpret_cast<long long>(at));
  const char** const behind = out + std::popcount(starts);
  do {
    __m128i next = _mm512_maskz_extracti32x4_epi32(0xF, places, 0);
    _mm512_storeu_si512(out, _mm512_add_epi64(base, _mm512_maskz_cvtepu8_epi64(0xFF, next)));
    next = _mm_bsrli_si128(next, 8);
    _mm512_storeu_si512(out + 8, _mm512_add_epi64(base, _mm512_maskz_cvtepu8_epi64(0xFF, next)));
    places = _mm512_maskz_alignr_epi64(0x3F, places, places, 2);
    out += 16;
  } while (out < behind);
  return behind;
}

template <SplitPattern kPattern>
GLASSGPT_VBMI2 const char** split_blocks_vbmi2(const char* at, const char* end, const char** out,
                                               const char** limit) noexcept {
  AsciiMasks masks;
  while (out <= limit && end - at >= std::ptrdiff_t{kMaskBytes}) {
    avx512_masks(at, masks);
    const std::uint64_t starts = block_starts<kPattern>(at, masks);
    if (starts == 0) break;
    out = write_starts_vbmi2(at, starts, out);
    at += 63 - std::countl_zero(starts);
  }
  return out;
}

#endif

}  // namespace

template <SplitPattern kPattern>
SplitBlocksFn split_blocks_of(MaskIsa isa) noexcept {
  switch (isa) {
#if defined(__x86_64__)
    case MaskIsa::kAvx512Vbmi2:
      return split_blocks_vbmi2<kPattern>;
    case MaskIsa::kAvx512:
      return split_blocks_avx512<kPattern>;
    case MaskIsa::kAvx2:
      return split_blocks_avx2<kPattern>;
    case MaskIsa::kSse2:
      return split_blocks_with<kPattern, sse2_masks>;
#elif defined(__aarch64__)
    case MaskIsa::kNeon:
      return split_blocks_with<kPattern, neon_masks>;
#endif
    default:
      return split_blocks_with<kPattern, scalar_masks>;
  }
}

template SplitBlocksFn split_blocks_of<SplitPattern::kGpt2>(MaskIsa) noexcept;
template SplitBlocksFn split_blocks_of<SplitPattern::kCl100k>(MaskIsa) noexcept;
template SplitBlocksFn split_blocks_of<SplitPattern::kO200k>(MaskIsa) noexcept;

}  // namespace glassgpt::tokenizer
