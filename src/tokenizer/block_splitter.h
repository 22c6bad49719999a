// The split patterns for whole texts: 64 bytes of ASCII at a time, with one bit per byte. What a
// block cannot tell is left to piece_end() of split.h.
//
// A piece depends on what follows its begin, not on what came before. So each block begins where a
// piece does, nothing is carried from block to block, and a block's last certain start is the next
// block's begin.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

#include "tokenizer/ascii_masks.h"
#include "tokenizer/split.h"

namespace glassgpt::tokenizer {

// Where pieces certainly begin among the first `length` bytes (ASCII all) of a block that begins
// with a piece; the text may go on behind them in any way. Bit 0 is not set.
template <SplitPattern kPattern>
std::uint64_t certain_starts(const char* text, const AsciiMasks& masks,
                             std::uint32_t length) noexcept;

extern template std::uint64_t certain_starts<SplitPattern::kGpt2>(const char*, const AsciiMasks&,
                                                                  std::uint32_t) noexcept;
extern template std::uint64_t certain_starts<SplitPattern::kCl100k>(const char*, const AsciiMasks&,
                                                                    std::uint32_t) noexcept;
extern template std::uint64_t certain_starts<SplitPattern::kO200k>(const char*, const AsciiMasks&,
                                                                   std::uint32_t) noexcept;

// Calls visit(begin, end) for each piece of the text, in order.
template <SplitPattern kPattern, class Visit>
void for_each_piece(std::string_view text, Visit visit) {
  const AsciiMasksFn read_masks = ascii_masks();
  const char* at = text.data();
  const char* const end = at + text.size();
  AsciiMasks masks;
  while (at < end) {
    // A block with less ASCII than this at its begin costs more than it gives.
    constexpr int kWorthwhile = 8;
    if (end - at >= static_cast<std::ptrdiff_t>(kMaskBytes) && static_cast<signed char>(*at) >= 0) {
      read_masks(at, masks);
      const int length = std::countr_zero(masks.beyond_ascii);
      if (length >= kWorthwhile) {
        const char* const block = at;
        std::uint64_t starts =
            certain_starts<kPattern>(block, masks, static_cast<std::uint32_t>(length));
        for (; starts != 0; starts &= starts - 1) {
          const char* const start = block + std::countr_zero(starts);
          visit(at, start);
          at = start;
        }
        if (at != block) continue;
      }
    }
    const char* const next = piece_end_of<kPattern>(at, end);
    visit(at, next);
    at = next;
  }
}

}  // namespace glassgpt::tokenizer
