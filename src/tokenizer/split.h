// Cuts text into pieces as the split patterns of GPT-2, cl100k and o200k do: written by hand, no
// regular expressions, linear time.
#pragma once

#include <string_view>

#include "glassgpt/tokenizer.h"

namespace glassgpt::tokenizer {

// The end of the piece that begins at `begin`; begin < end. Pieces depend on what follows, not on
// what came before, so any piece's begin is a place to start from.
const char* piece_end(SplitPattern pattern, const char* begin, const char* end) noexcept;

// The same for one pattern, for loops that should not ask which.
const char* gpt2_piece_end(const char* begin, const char* end) noexcept;
const char* cl100k_piece_end(const char* begin, const char* end) noexcept;
const char* o200k_piece_end(const char* begin, const char* end) noexcept;

template <SplitPattern kPattern>
const char* piece_end_of(const char* begin, const char* end) noexcept {
  if constexpr (kPattern == SplitPattern::kGpt2) return gpt2_piece_end(begin, end);
  if constexpr (kPattern == SplitPattern::kCl100k) return cl100k_piece_end(begin, end);
  if constexpr (kPattern == SplitPattern::kO200k) return o200k_piece_end(begin, end);
}

// The pattern as a regular expression, as tokenizer.json states it.
std::string_view pattern_regex(SplitPattern pattern) noexcept;
const char* pattern_name(SplitPattern pattern) noexcept;

}  // namespace glassgpt::tokenizer
