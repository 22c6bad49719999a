// The split patterns for whole texts: 64 bytes of ASCII at a time, with one bit per byte. What a
// block cannot tell is left to piece_end() of split.h.
//
// A piece depends on what follows its begin, not on what came before. So each block begins where a
// piece does, nothing is carried from block to block, and a block's last certain start is the next
// block's begin.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "tokenizer/ascii_masks.h"
#include "tokenizer/split.h"

namespace glassgpt::tokenizer {

// Writes to `out` where the pieces behind the one at `at` begin, in order, as far as blocks can
// tell; returns the end of what it wrote. The last begin is the begin of a piece whose end is not
// known yet. Goes on while `out` is not beyond `limit`, behind which there must be room for
// kBlockRoom.
using SplitBlocksFn = const char** (*)(const char* at, const char* end, const char** out,
                                       const char** limit) noexcept;

constexpr std::size_t kStartsAtOnce = 8;  // as few as that cost as much
constexpr std::size_t kBlockRoom = kMaskBytes + 2 * kStartsAtOnce;

// has_mask_isa(isa) must hold.
template <SplitPattern kPattern>
SplitBlocksFn split_blocks_of(MaskIsa isa) noexcept;

extern template SplitBlocksFn split_blocks_of<SplitPattern::kGpt2>(MaskIsa) noexcept;
extern template SplitBlocksFn split_blocks_of<SplitPattern::kCl100k>(MaskIsa) noexcept;
extern template SplitBlocksFn split_blocks_of<SplitPattern::kO200k>(MaskIsa) noexcept;

// Whether a block of ASCII may be there.
inline bool may_begin_block(const char* at, const char* end) noexcept {
  return end - at >= static_cast<std::ptrdiff_t>(kMaskBytes) && static_cast<signed char>(*at) >= 0;
}

// Calls visit(begin, end) for each piece of the text, in order.
template <SplitPattern kPattern, class Visit>
void for_each_piece(std::string_view text, Visit visit, MaskIsa isa = mask_isa()) {
  const SplitBlocksFn split_blocks = split_blocks_of<kPattern>(isa);
  std::array<const char*, 1 + kBlockRoom> begins;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    if (may_begin_block(at, end)) {
      const char** const behind = split_blocks(at, end, begins.data(), begins.data());
      for (const char** next = begins.data(); next < behind; at = *next++) visit(at, *next);
      if (behind != begins.data()) continue;
    }
    const char* const next = piece_end_of<kPattern>(at, end);
    visit(at, next);
    at = next;
  }
}

}  // namespace glassgpt::tokenizer
