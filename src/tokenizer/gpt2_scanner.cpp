#include "tokenizer/gpt2_scanner.h"

#include <cstring>

#include "tokenizer/split.h"
#include "tokenizer/unicode.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace glassgpt::tokenizer {
namespace {

constexpr std::uint32_t kBlock = 64;

std::uint64_t low_bits(std::uint32_t count) noexcept {
  return count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

}  // namespace

#if defined(__SSE2__)

Gpt2Scanner::Masks Gpt2Scanner::ascii_masks(const char* block) noexcept {
  // Unsigned bytes x with low <= x < low + count: x - low wraps around below low.
  const auto in_range = [](__m128i x, char low, char count) {
    const __m128i shifted = _mm_sub_epi8(x, _mm_set1_epi8(low));
    const __m128i last = _mm_set1_epi8(static_cast<char>(count - 1));
    return _mm_cmpeq_epi8(_mm_min_epu8(shifted, last), shifted);
  };
  const auto bits = [](__m128i x, int quarter) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm_movemask_epi8(x)))
           << (16 * quarter);
  };
  Masks masks{};
  for (int quarter = 0; quarter < 4; ++quarter) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block) + quarter);
    const __m128i blank = _mm_cmpeq_epi8(x, _mm_set1_epi8(' '));
    masks.letters |= bits(in_range(_mm_or_si128(x, _mm_set1_epi8(0x20)), 'a', 26), quarter);
    masks.numbers |= bits(in_range(x, '0', 10), quarter);
    masks.spaces |= bits(_mm_or_si128(blank, in_range(x, '\t', 5)), quarter);
    masks.blanks |= bits(blank, quarter);
    masks.apostrophes |= bits(_mm_cmpeq_epi8(x, _mm_set1_epi8('\'')), quarter);
    masks.beyond_ascii |= bits(x, quarter);
  }
  masks.symbols = ~(masks.letters | masks.numbers | masks.spaces | masks.beyond_ascii);
  return masks;
}

#else

Gpt2Scanner::Masks Gpt2Scanner::ascii_masks(const char* block) noexcept {
  Masks masks{};
  for (std::uint32_t i = 0; i < kBlock; ++i) {
    const std::uint64_t bit = std::uint64_t{1} << i;
    const char c = block[i];
    if (static_cast<unsigned char>(c) >= 0x80) {
      masks.beyond_ascii |= bit;
      continue;
    }
    const CharClass kind = char_class(static_cast<char32_t>(c));
    (is_letter(kind)              ? masks.letters
     : kind == CharClass::kNumber ? masks.numbers
     : kind == CharClass::kSpace  ? masks.spaces
                                  : masks.symbols) |= bit;
    if (c == ' ') masks.blanks |= bit;
    if (c == '\'') masks.apostrophes |= bit;
  }
  return masks;
}

#endif

// Adds the characters beyond ASCII to the masks. Returns the length of the block, which ends before
// a character that it cuts.
std::uint32_t Gpt2Scanner::classify_beyond_ascii(Masks& masks,
                                                 std::uint32_t length) const noexcept {
  for (std::uint64_t left = masks.beyond_ascii & low_bits(length); left != 0;) {
    const auto i = static_cast<std::uint32_t>(std::countr_zero(left));
    const Character character = character_at(at_ + i, end_);
    if (i + character.length > length) return i;
    const std::uint64_t bits = low_bits(character.length) << i;
    const CharClass kind = class_of(character);
    (is_letter(kind)              ? masks.letters
     : kind == CharClass::kNumber ? masks.numbers
     : kind == CharClass::kSpace  ? masks.spaces
                                  : masks.symbols) |= bits;
    left &= ~bits;
  }
  return length;
}

bool Gpt2Scanner::is_space_or_end(const char* at) const noexcept {
  return at >= end_ || class_of(character_at(at, end_)) == CharClass::kSpace;
}

// An apostrophe that begins a piece may begin a contraction: then its letters begin none, and what
// follows them does.
void Gpt2Scanner::split_contractions(std::uint64_t& starts, std::uint64_t apostrophes,
                                     std::uint32_t length) noexcept {
  std::uint64_t forced = 0, barred = 0;
  const auto mark = [length](std::uint64_t& here, std::uint64_t& next, std::uint32_t i) {
    (i < length ? here : next) |= std::uint64_t{1} << (i < length ? i : i - length);
  };
  for (; apostrophes != 0; apostrophes &= apostrophes - 1) {
    const auto i = static_cast<std::uint32_t>(std::countr_zero(apostrophes));
    const char* const after = gpt2_contraction_end(at_ + i, end_);
    if (after == nullptr) continue;
    const auto end = static_cast<std::uint32_t>(after - at_);
    for (std::uint32_t letter = i + 1; letter < end; ++letter) mark(barred, barred_, letter);
    mark(forced, forced_, end);
  }
  starts = (starts & ~barred) | forced;
}

// The last space before other text begins a piece: `last` has the last byte of each such space, and
// of one beyond ASCII its first byte is meant.
std::uint64_t Gpt2Scanner::first_bytes(std::uint64_t last,
                                       std::uint64_t beyond_ascii) const noexcept {
  for (std::uint64_t wide = last & beyond_ascii; wide != 0; wide &= wide - 1) {
    auto i = static_cast<std::uint32_t>(std::countr_zero(wide));
    last &= ~(std::uint64_t{1} << i);
    while ((static_cast<unsigned char>(at_[i]) & 0xC0) == 0x80) --i;
    last |= std::uint64_t{1} << i;
  }
  return last;
}

std::uint64_t Gpt2Scanner::next_starts() noexcept {
  const char* block = at_;
  char padded[kBlock];
  std::uint32_t length = kBlock;
  if (end_ - at_ < static_cast<std::ptrdiff_t>(kBlock)) {
    length = static_cast<std::uint32_t>(end_ - at_);
    std::memset(padded, ' ', kBlock);
    std::memcpy(padded, at_, length);
    block = padded;
  }
  Masks m = ascii_masks(block);
  if (m.beyond_ascii != 0) length = classify_beyond_ascii(m, length);
  const std::uint64_t valid = low_bits(length);
  m.spaces &= valid;

  std::uint64_t starts = (m.letters & ~(m.letters << 1 | before_.letter)) |
                         (m.numbers & ~(m.numbers << 1 | before_.number)) |
                         (m.symbols & ~(m.symbols << 1 | before_.symbol));
  starts &= ~(m.blanks << 1 | before_.blank);
  std::uint64_t last = m.spaces & ~(m.spaces >> 1);
  if ((m.spaces >> (length - 1) & 1) != 0 && is_space_or_end(at_ + length)) {
    last &= ~(std::uint64_t{1} << (length - 1));
  }
  if ((last & m.beyond_ascii) != 0) last = first_bytes(last, m.beyond_ascii);
  starts |= (m.spaces & ~(m.spaces << 1 | before_.space)) | last;

  starts = (starts & ~barred_) | forced_;
  barred_ = forced_ = 0;
  starts &= valid;
  if ((starts & m.apostrophes) != 0) split_contractions(starts, starts & m.apostrophes, length);

  const auto final_bit = [length](std::uint64_t mask) { return mask >> (length - 1) & 1; };
  before_ = {final_bit(m.letters), final_bit(m.numbers), final_bit(m.spaces), final_bit(m.symbols),
             final_bit(m.blanks)};
  at_ += length;
  return starts;
}

}  // namespace glassgpt::tokenizer
